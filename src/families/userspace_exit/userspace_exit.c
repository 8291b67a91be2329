// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The userspace_exit family: exits to the VMM by reason. See bpf/userspace_exit.bpf.c. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/userspace_exit.h"
#include "engine/exit_common.h"
#include "engine/slow_setup.h"
#include "families/family.h"
#include "kernel/privileges.h"
#include "userspace_exit.skel.h"

static void destroy(void *skeleton)
{
	userspace_exit_bpf__destroy(skeleton);
}

/* What the programs of perf's read. */
static const struct record_field exit_fields[] = {
	{ "reason", offsetof(struct userspace_exit_record, reason), sizeof(__u32) },
	{ "errno", offsetof(struct userspace_exit_record, error), sizeof(__s32) },
	{ NULL, 0, 0 },
};
static const struct record_field fpu_fields[] = {
	{ "load", offsetof(struct fpu_record, load), sizeof(__u32) },
	{ NULL, 0, 0 },
};

/* kvm_fpu is closer to the start of KVM_RUN; but fires on x86 alone, which has kvm_cpuid. */
static bool has_fpu(const struct events *events)
{
	return events_has(events, "kvm_fpu") && events_has(events, "kvm_cpuid");
}

/*
 * Which programs are to be loaded? Of the two that can see the start of KVM_RUN one, if the events
 * are known: KVM may come later.
 */
static int programs_choose(const struct exits *exits, const struct userspace_exit_bpf *skeleton)
{
	const struct events *events = exits->env.events;
	bool by_perf = classic_events_wanted(exits->env.classic);
	bool fpu = !events->n || has_fpu(events);
	const struct {
		struct bpf_program *program;
		bool wanted;
	} programs[] = {
		{ skeleton->progs.userspace_exit_begin_tp, by_perf },
		{ skeleton->progs.userspace_exit_entry, !events->n || !fpu },
		{ skeleton->progs.userspace_exit_fpu, fpu },
		{ skeleton->progs.userspace_exit_fpu_tp, fpu && by_perf },
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(programs) / sizeof(programs[0]); i++)
		err = bpf_program__set_autoload(programs[i].program, programs[i].wanted);
	return err;
}

/* The program that sees the start of KVM_RUN. */
static struct program start_program(const struct exits *exits,
				    const struct userspace_exit_bpf *skeleton)
{
	struct program program = PROGRAM(skeleton->progs.userspace_exit_entry, "kvm_entry");

	if (!has_fpu(exits->env.events) ||
	    !bpf_program__autoload(skeleton->progs.userspace_exit_fpu))
		return program;
	program = PROGRAM(skeleton->progs.userspace_exit_fpu, "kvm_fpu");
	program.classic = exits->counts ? skeleton->progs.userspace_exit_fpu_tp : NULL;
	program.fields = fpu_fields;
	return program;
}

static int load(struct exits *exits, struct report *report)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts,
		    .btf_custom_path = kernel_types_core(exits->env.types));
	struct userspace_exit_bpf *skeleton = userspace_exit_bpf__open_opts(&opts);
	int err;

	if (!skeleton)
		return -errno;
	err = programs_choose(exits, skeleton);
	if (err) {
		destroy(skeleton);
		return err;
	}
	skeleton->rodata->setup = (struct userspace_exit_setup){
		.restart = (__u32)reasons_slot_of(REASONS_USERSPACE, REASONS_RESTART),
		.error = (__u32)reasons_slot_of(REASONS_USERSPACE, REASONS_ERROR),
	};
	exit_layout_ranges(REASONS_USERSPACE, skeleton->rodata->setup.ranges);
	slow_setup_fill(&skeleton->rodata->slow_setup, exits->env.config->slow_us);
	skeleton->rodata->without = exits_without(exits);
	err = exits_load_object(
		exits, &(struct counters_object){ COUNTERS_OBJECT(skeleton, userspace_exit) },
		report);
	if (err)
		return err;
	exits->programs[0] = PROGRAM(skeleton->progs.userspace_exit_thread, "sched_process_exit");
	exits->programs[1] = PROGRAM(skeleton->progs.userspace_exit_begin, "kvm_userspace_exit");
	if (classic_events_wanted(exits->env.classic)) {
		exits->programs[1].classic = skeleton->progs.userspace_exit_begin_tp;
		exits->programs[1].fields = exit_fields;
		exits->counts = &skeleton->bss->tp_counts;
	}
	exits->programs[2] = start_program(exits, skeleton);
	exits->nprograms = 3;
	exits->events[USERSPACE_EXIT_EVENT_EXIT] = &exits->programs[1];
	return 0;
}

/* Read the maps of the agent that runs. Returns as exits_read(). */
static int read_agents(struct exits *exits, struct report *report)
{
	struct userspace_exit_bpf *skeleton = userspace_exit_bpf__open();
	int err;

	if (!skeleton)
		return -errno;
	err = exits_read(exits,
			 &(struct counters_object){ COUNTERS_OBJECT(skeleton, userspace_exit) },
			 report);
	exits->fires = !err;
	return err;
}

static int userspace_exit_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	static const struct exits_kind kind = {
		.name = "userspace_exit",
		.layout = USERSPACE_EXIT_LAYOUT,
		.nslots = USERSPACE_EXIT_SLOTS,
		.isa = REASONS_USERSPACE,
		.tables = userspace_exit_tables,
		.ntables = USERSPACE_EXIT_TABLES,
	};
	struct exits *exits;
	int err = exits_new(env, &kind, &exits);

	if (err)
		return err;
	*ret_state = exits;
	exits->reasons = true;
	err = env->pins && env->pins->reading ? read_agents(exits, env->report) : -ESTALE;
	if (err == -ENOENT)
		*ret_error = strdup(FAMILY_NOT_THERE);
	if (err != -ESTALE)
		return err;
	err = load(exits, env->report);
	if (err)
		*ret_error = privs_load_text(err, env->config->lockdown);
	return err;
}

static int userspace_exit_attach(void *state, struct report *report, char **ret_error)
{
	struct exits *exits = state;
	const struct userspace_exit_bpf *skeleton = exits->counters.object.family;
	int err;

	(void)report;
	if (exits->counters.reading) {
		*ret_error = strdup(FAMILY_READS);
		return 0;
	}
	if (exits->programs[2].link_fd < 0) /* KVM may have come since */
		exits->programs[2] = start_program(exits, skeleton);
	err = exits_attach(exits);
	exits->fires |= !err;
	if (err)
		*ret_error = programs_refusal(err, exits->env.events, exits->env.config);
	return err;
}

static int userspace_exit_map(void *state, size_t number, struct map_usage *ret_usage)
{
	static const struct {
		const char *name;
		void (*fill)(const struct exits *exits, struct map_usage *ret_usage);
	} maps[] = {
		{ "userspace_exit_cells", exits_records_map },
		{ "userspace_exit_blocks", exits_blocks_map },
	};

	if (number >= sizeof(maps) / sizeof(maps[0]))
		return -ENOENT;
	*ret_usage = (struct map_usage){ .name = maps[number].name };
	maps[number].fill(state, ret_usage);
	return 0;
}

extern const struct family_ops userspace_exit_family;

const struct family_ops userspace_exit_family = {
	.open = userspace_exit_open,
	.attach = userspace_exit_attach,
	.detach = exits_detach,
	.close = exits_close,
	.missed = exits_missed,
	.generation = exits_generation,
	.map = userspace_exit_map,
	.refresh = exits_refresh,
	.tick = exits_tick,
	.reset_max = exits_reset_max,
	.sharing = true,
	.tables = userspace_exit_tables,
	.ntables = USERSPACE_EXIT_TABLES,
};
