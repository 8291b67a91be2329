// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The exit family: exits from guest mode by reason, with their duration. See bpf/exit.bpf.c. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/exit_common.h"
#include "engine/slow_setup.h"
#include "exit.skel.h"
#include "exit_typed.skel.h"
#include "families/family.h"
#include "kernel/privileges.h"
#include "kernel/typed_loads.h"
#include "kvm/vendor.h"

static void destroy(void *skeleton)
{
	exit_bpf__destroy(skeleton);
}

/* The program for a form of kvm_exit's arguments. */
static struct bpf_program *form_program(const struct exit_bpf *skeleton, enum exit_form form)
{
	struct bpf_program *const programs[EXIT_FORMS] = {
		[EXIT_VCPU_FIRST] = skeleton->progs.exit_vcpu_first,
		[EXIT_REASON_FIRST] = skeleton->progs.exit_reason_first,
		[EXIT_TRAP] = skeleton->progs.exit_trap,
	};

	return programs[form];
}

/* Open the object, which reads by typed loads or not, and select the program for this layout. */
static int object_open(const struct exit_layout *layout, bool typed, struct kernel_types *types,
		       struct exit_bpf **ret_skeleton)
{
	struct exit_bpf *skeleton = calloc(1, sizeof(*skeleton));
	int err = skeleton ? exit_bpf__create_skeleton(skeleton) : -ENOMEM;

	if (!err)
		err = typed_loads_open(skeleton->skeleton, typed ? exit_typed_bpf__elf_bytes : NULL,
				       kernel_types_core(types));
	for (int form = 0; !err && form < EXIT_FORMS; form++)
		err = bpf_program__set_autoload(form_program(skeleton, form),
						form == (int)layout->form);
	if (err) {
		exit_bpf__destroy(skeleton);
		return err;
	}
	skeleton->rodata->setup = layout->setup;
	*ret_skeleton = skeleton;
	return 0;
}

/* Nested guests' exits: which programs are to be loaded, where the events are? */
static int nested_choose(const struct exits *exits, const struct exit_bpf *skeleton)
{
	bool there = events_has(exits->env.events, "kvm_nested_vmexit") &&
		     events_has(exits->env.events, "kvm_nested_vmexit_inject");
	bool by_perf = there && classic_events_wanted(exits->env.classic);
	int err = bpf_program__set_autoload(skeleton->progs.exit_nested, there);

	if (!err)
		err = bpf_program__set_autoload(skeleton->progs.exit_reflected, there);
	if (!err)
		err = bpf_program__set_autoload(skeleton->progs.exit_nested_tp, by_perf);
	if (!err)
		err = bpf_program__set_autoload(skeleton->progs.exit_reflected_tp, by_perf);
	return err;
}

/* Add those that are loaded. */
static void nested_add(struct exits *exits, struct exit_bpf *skeleton)
{
	struct program *programs = &exits->programs[exits->nprograms];

	exits->events[EXIT_EVENT_NESTED] = exits->events[EXIT_EVENT_REFLECTED] = NULL;
	exits->counts = NULL;
	if (!bpf_program__autoload(skeleton->progs.exit_nested))
		return;
	programs[0] = PROGRAM(skeleton->progs.exit_nested, "kvm_nested_vmexit");
	programs[1] = PROGRAM(skeleton->progs.exit_reflected, "kvm_nested_vmexit_inject");
	if (bpf_program__autoload(skeleton->progs.exit_nested_tp)) {
		programs[0].classic = skeleton->progs.exit_nested_tp;
		programs[1].classic = skeleton->progs.exit_reflected_tp;
		exits->counts = &skeleton->bss->tp_counts;
	}
	exits->events[EXIT_EVENT_NESTED] = &programs[0];
	exits->events[EXIT_EVENT_REFLECTED] = &programs[1];
	exits->nprograms += 2;
	exits->nested = true;
}

static int load(struct exits *exits, const struct exit_layout *layout, bool typed,
		struct report *report)
{
	struct exit_bpf *skeleton = NULL;
	int err = object_open(layout, typed, exits->env.types, &skeleton);

	if (err)
		return err;
	slow_setup_fill(&skeleton->rodata->slow_setup, exits->env.config->slow_us);
	skeleton->rodata->without = exits_without(exits);
	skeleton->rodata->by_vcpu = classic_events_atomic(exits->env.classic);
	err = nested_choose(exits, skeleton);
	if (err) {
		destroy(skeleton);
		return err;
	}
	err = exits_load_object(exits, &(struct counters_object){ COUNTERS_OBJECT(skeleton, exit) },
				report);
	if (err)
		return err;
	if (layout->form == EXIT_TRAP)
		vcpu_counters_set_isa(&exits->counters, REASONS_ARM64 + 1);
	exits->reasons = layout->setup.has_reasons;
	exits->programs[0] = PROGRAM(skeleton->progs.exit_thread, "sched_process_exit");
	exits->programs[1] = PROGRAM(form_program(skeleton, layout->form), "kvm_exit");
	exits->programs[2] = PROGRAM(skeleton->progs.exit_entry, "kvm_entry");
	exits->events[EXIT_EVENT_EXIT] = &exits->programs[1];
	exits->events[EXIT_EVENT_ENTRY] = &exits->programs[2];
	exits->nprograms = 3;
	nested_add(exits, skeleton);
	return 0;
}

/* The message for missing reasons; frees cause. */
static char *no_reasons_text(char *cause)
{
	static const char no_btf[] =
		"the kernel has no type information (BTF) for kvm_amd or kvm_intel";
	char *text;

	if (asprintf(&text, "attached, without reasons: %s", cause ? cause : no_btf) < 0)
		text = NULL;
	free(cause);
	return text;
}

/* Load what reads memory as this kernel can. */
static int load_reading(struct exits *exits, const struct exit_layout *layout,
			struct report *report)
{
	if (layout->setup.has_reasons && typed_loads_exist(exits->env.types) &&
	    load(exits, layout, true, report) == 0)
		return 0;
	return load(exits, layout, false, report);
}

/* Load for a layout. If reading reasons is refused (lockdown), load without them. */
static int load_any(struct exits *exits, const struct exit_layout *layout, struct report *report,
		    char **ret_error)
{
	struct exit_layout no_reasons = *layout;
	char *cause = NULL;
	int err;

	exits_detach(exits);
	exits->has_layout = false;
	err = load_reading(exits, layout, report);
	if (err)
		cause = privs_load_text(err, exits->env.config->lockdown);
	no_reasons.setup.has_reasons = 0;
	if (err && layout->setup.has_reasons && load(exits, &no_reasons, false, report) == 0)
		err = 0;
	if (err) {
		*ret_error = cause;
		return err;
	}
	exits->layout = *layout;
	exits->has_layout = true;
	free(exits->no_reasons);
	exits->no_reasons = exits->reasons ? NULL : no_reasons_text(cause);
	return 0;
}

/* Is only the vendor's module gone? */
static bool is_vendor_gone(const struct exits *exits, const struct exit_layout *fresh)
{
	return exits->layout.setup.has_reasons && !fresh->setup.has_reasons &&
	       exits->layout.form == fresh->form;
}

/* Can the loaded object stay? It can if nothing changed, or if only the vendor's module is gone. */
static bool is_as_loaded(const struct exits *exits, const struct exit_layout *fresh)
{
	return exits->has_layout &&
	       (is_vendor_gone(exits, fresh) || exit_layout_equal(&exits->layout, fresh));
}

/*
 * Another module can have its structs in another form. So while the module is gone, and until the
 * types of the next are read, reasons that are read from memory are not: those exits are "other".
 */
static void vendor_note(struct exits *exits, bool gone)
{
	struct exit_bpf *skeleton = exits->counters.object.family;

	exits->vendor_gone = gone && exits->reasons && exits->layout.form == EXIT_VCPU_FIRST;
	skeleton->bss->vendor_gone = exits->vendor_gone;
}

/* Has this architecture's KVM these events? That of s390 has others, as has LoongArch's. */
static bool has_events(const struct exits *exits)
{
	return events_has(exits->env.events, "kvm_exit") &&
	       events_has(exits->env.events, "kvm_entry");
}

/* The message for an error from exit_layout_read(). */
static const char *layout_error_text(const struct exits *exits, int err)
{
	if (!exits->env.events->n && !exits->env.events->loaded)
		return "KVM is not loaded";
	if (err == -ENOENT)
		return "this kernel has no type information (BTF) for KVM";
	return err == -EINVAL ? "does not apply: kvm_exit has unknown arguments" : strerror(-err);
}

/* Returns 0, or an error, with a message for people but for errors of attaching. */
static int load_and_attach(struct exits *exits, const struct exit_layout *layout,
			   struct report *report, char **ret_error)
{
	if (!is_as_loaded(exits, layout)) {
		int err = load_any(exits, layout, report, ret_error);

		if (err)
			return err;
	}
	vendor_note(exits, is_vendor_gone(exits, layout));
	return exits_attach(exits);
}

/*
 * Without KVM's types the arguments are found out: the kernel refuses a program (EINVAL) that uses
 * more of them than the event has.
 */
static int attach_untyped(struct exits *exits, struct report *report, char **ret_error)
{
	for (;;) {
		enum exit_form form = exits->few_arguments ? EXIT_VCPU_FIRST : EXIT_REASON_FIRST;
		struct exit_layout layout;
		int err = exit_layout_untyped(exits->env.types, form, &layout);

		if (err) {
			*ret_error = strdup(layout_error_text(exits, err));
			return err;
		}
		err = load_and_attach(exits, &layout, report, ret_error);
		if (err != -EINVAL || *ret_error || exits->few_arguments)
			return err;
		exits->few_arguments = true;
	}
}

static int attach_any(struct exits *exits, struct report *report, char **ret_error)
{
	struct exit_layout fresh;
	int err;

	if (exits->env.events->n && !has_events(exits)) {
		*ret_error =
			strdup("does not apply: this kernel's KVM has no kvm_exit or kvm_entry");
		return -EOPNOTSUPP;
	}
	err = exit_layout_read(exits->env.types, &fresh);
	if (!err)
		return load_and_attach(exits, &fresh, report, ret_error);
	if (err == -ENOENT && exits->env.events->n)
		return attach_untyped(exits, report, ret_error);
	*ret_error = strdup(layout_error_text(exits, err));
	return exits->env.events->n ? err : -ENOENT;
}

/*
 * kvm_exit is KVM's, but only the vendor's module fires it. Which that is tells whose reasons can
 * occur, before the first has.
 */
static void vendor_find(struct exits *exits)
{
	enum reasons_isa isa;

	/* arm64 has no vendor's module */
	if (exits->layout.setup.arm64.mask) {
		exits->fires = true;
		return;
	}
	exits->fires = kvm_vendor(KVM_MODULES_DIR, &isa) == 0;
	if (exits->fires)
		vcpu_counters_set_isa(&exits->counters, isa + 1);
}

/* What the status says of an attached family; NULL: nothing. */
static const char *attached_text(const struct exits *exits)
{
	if (exits->vendor_gone)
		return "attached, without reasons: kvm_amd or kvm_intel was unloaded";
	return exits->fires ?
		       exits->no_reasons :
		       "attached, but kvm_exit never fires here: neither kvm_amd nor kvm_intel is loaded";
}

static int exit_attach(void *state, struct report *report, char **ret_error)
{
	struct exits *exits = state;
	int err;

	if (exits->counters.reading) {
		*ret_error = strdup(FAMILY_READS);
		return 0;
	}
	err = attach_any(exits, report, ret_error);

	if (!err)
		vendor_find(exits);
	if (err && !*ret_error)
		*ret_error = programs_refusal(err, exits->env.events, exits->env.config);
	else if (!err && attached_text(exits))
		*ret_error = strdup(attached_text(exits));
	return err;
}

/*
 * Load what attaching will need, if that is known: families are opened two at a time, and attached
 * one after another. What is refused is so when it is attached, which then says why.
 */
static void load_early(struct exits *exits, struct report *report)
{
	struct exit_layout layout;
	char *error = NULL;

	if (exits->env.events->n && has_events(exits) &&
	    exit_layout_read(exits->env.types, &layout) == 0)
		load_any(exits, &layout, report, &error);
	free(error);
}

/* Read the maps of the agent that runs. Returns as exits_read(). */
static int read_agents(struct exits *exits, struct report *report)
{
	struct exit_bpf *skeleton = exit_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	err = exits_read(exits, &(struct counters_object){ COUNTERS_OBJECT(skeleton, exit) },
			 report);
	if (err)
		return err;
	exits->reasons = true;
	if (exit_layout_read(exits->env.types, &exits->layout))
		exits->layout = (struct exit_layout){ 0 };
	if (exits->layout.form == EXIT_TRAP)
		vcpu_counters_set_isa(&exits->counters, REASONS_ARM64 + 1);
	vendor_find(exits);
	return 0;
}

static int exit_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	static const struct exits_kind kind = {
		.name = "exit",
		.layout = EXIT_LAYOUT,
		.nslots = EXIT_SLOTS,
		.isa = REASONS_SVM,
		.tables = exit_tables,
		.ntables = EXIT_TABLES,
		.no_reasons = EXIT_NO_REASONS,
	};
	struct exits *exits;
	int err = exits_new(env, &kind, &exits);

	if (err)
		return err;
	*ret_state = exits;
	if (!env->pins || !env->pins->reading) {
		load_early(exits, env->report);
		return 0;
	}
	err = read_agents(exits, env->report);
	if (err == -ENOENT)
		*ret_error = strdup(FAMILY_NOT_THERE);
	return err == -ESTALE ? 0 : err;
}

static int exit_map(void *state, size_t number, struct map_usage *ret_usage)
{
	static const struct {
		const char *name;
		void (*fill)(const struct exits *exits, struct map_usage *ret_usage);
	} maps[] = { { "exit_cells", exits_records_map }, { "exit_blocks", exits_blocks_map } };

	if (number >= sizeof(maps) / sizeof(maps[0]))
		return -ENOENT;
	*ret_usage = (struct map_usage){ .name = maps[number].name };
	maps[number].fill(state, ret_usage);
	return 0;
}

extern const struct family_ops exit_family;

const struct family_ops exit_family = {
	.open = exit_open,
	.attach = exit_attach,
	.detach = exits_detach,
	.close = exits_close,
	.missed = exits_missed,
	.generation = exits_generation,
	.map = exit_map,
	.refresh = exits_refresh,
	.tick = exits_tick,
	.reset_max = exits_reset_max,
	.sharing = true,
	.tables = exit_tables,
	.ntables = EXIT_TABLES,
};
