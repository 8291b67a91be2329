// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The ledger family: where each vCPU's time goes. See bpf/ledger.bpf.c. */
#include "families/ledger/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/reading.h"
#include "families/family.h"
#include "families/ledger/ledger_halts.h"
#include "kernel/typed_loads.h"
#include "kvm/stat_schema.h"
#include "ledger.skel.h"
#include "ledger_typed.skel.h"
#include "vms/vm_passes.h"

static void destroy(void *skeleton)
{
	ledger_bpf__destroy(skeleton);
}

/* --- loading --- */

/* How kernel memory is read. */
enum reads { READS_TYPED, READS_PROBES, READS_NOTHING };

/* What the program of perf's reads. */
static const struct record_field wakeup_fields[] = {
	{ "ns", offsetof(struct wakeup_record, ns), sizeof(__u64) },
	{ "waited", offsetof(struct wakeup_record, waited), sizeof(__u8) },
	{ NULL, 0, 0 },
};

static int memory_open(struct ledger *ledger)
{
	struct record_family *family = &ledger->family;
	const struct ledger_bpf *skeleton = family->counters.object.family;

	ledger->rows = record_family_memory(family, skeleton->maps.ledger_rows);
	ledger->ended = record_family_memory(family, skeleton->maps.ledger_ended);
	if (!ledger->rows || !ledger->ended)
		return -ENOMEM;
	ledger->totals = (struct ledger_totals){ .records = &family->records,
						 .ended = ledger->ended };
	if (!family->counters.reading)
		ledger_record_recover(ledger->ended, &family->counters.records);
	return 0;
}

static bool by_perf(const struct ledger *ledger)
{
	return classic_events_wanted(ledger->family.env.classic);
}

static int object_open(const struct ledger *ledger, enum reads reads,
		       struct ledger_bpf **ret_skeleton)
{
	struct ledger_bpf *skeleton = calloc(1, sizeof(*skeleton));
	int err = skeleton ? ledger_bpf__create_skeleton(skeleton) : -ENOMEM;

	if (!err)
		err = typed_loads_open(skeleton->skeleton,
				       reads == READS_TYPED ? ledger_typed_bpf__elf_bytes : NULL,
				       kernel_types_core(ledger->family.env.types));
	if (!err)
		err = bpf_program__set_autoload(skeleton->progs.ledger_wakeup_tp, by_perf(ledger));
	if (err) {
		ledger_bpf__destroy(skeleton);
		return err;
	}
	skeleton->rodata->reads_polls = reads != READS_NOTHING;
	*ret_skeleton = skeleton;
	return 0;
}

static void programs_list(struct ledger *ledger, const struct ledger_bpf *skeleton)
{
	struct program programs[] = {
		PROGRAM(skeleton->progs.ledger_thread, "sched_process_exit"),
		PROGRAM(skeleton->progs.ledger_wakeup, "kvm_vcpu_wakeup"),
		PROGRAM(skeleton->progs.ledger_timer, "kvm_wait_lapic_expire"),
	};

	if (by_perf(ledger)) {
		programs[1].classic = skeleton->progs.ledger_wakeup_tp;
		programs[1].fields = wakeup_fields;
	}
	record_family_list(&ledger->family, programs, sizeof(programs) / sizeof(programs[0]));
}

static int load(struct ledger *ledger, enum reads reads, struct report *report)
{
	struct ledger_bpf *skeleton;
	int err = object_open(ledger, reads, &skeleton);

	if (!err)
		err = record_family_load(&ledger->family,
					 &(struct record_object){ RECORD_OBJECT(skeleton, ledger) },
					 report);
	if (err)
		return err;
	ledger->reads_polls = reads != READS_NOTHING;
	if (!ledger->family.counters.reading)
		programs_list(ledger, skeleton);
	return memory_open(ledger);
}

/* Load what reads memory as this kernel can, or as lockdown permits. */
static int ledger_load(struct record_family *family, struct report *report)
{
	enum reads reads = typed_loads_exist(family->env.types) ? READS_TYPED : READS_PROBES;
	int err;

	do
		err = load((struct ledger *)family, reads, report);
	while (err && !record_family_reads(family) && !family->counters.object.family &&
	       reads++ < READS_NOTHING);
	return err;
}

static int ledger_retire(void *data, uint32_t number)
{
	struct ledger *ledger = data;

	return ledger_totals_retire(&ledger->totals, number);
}

static __u32 ledger_flag(struct record_family *family)
{
	const struct ledger *ledger = (const struct ledger *)family;
	struct engine_control *control = family->counters.object.control;
	/* exit and userspace_exit */
	bool all = ledger->exits && family->links->n == 2;
	__u32 flag = 0;

	if (family->attached)
		flag = LEDGER_FLAG(control->generation, all ? LEDGER_KVM : LEDGER_UNKNOWN);
	__atomic_store_n(&control->ledger, flag, __ATOMIC_RELAXED);
	return flag;
}

static int ledger_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	static const struct record_family_kind kind = {
		.name = "ledger",
		.cells = "ledger_cells",
		.no_room = "their time is not counted",
		.layout = LEDGER_LAYOUT,
		.load = ledger_load,
		.retire = ledger_retire,
		.flag = ledger_flag,
	};
	struct ledger *ledger;

	if (!env->config->ledger) {
		*ret_error = strdup("switched off: ledger = off in kvm.conf");
		return -ECANCELED;
	}
	ledger = calloc(1, sizeof(*ledger));
	if (!ledger)
		return -ENOMEM;
	*ret_state = ledger;
	return record_family_open(&ledger->family, &kind, env, env->ledger, ret_error);
}

static void ledger_close(void *state)
{
	struct ledger *ledger = state;

	if (!ledger)
		return;
	record_family_detach(ledger);
	ledger_totals_free(&ledger->totals);
	record_family_free(&ledger->family);
	free(ledger);
}

/* --- attaching --- */

static bool has_member(const struct btf *btf, const char *struct_name, const char *name)
{
	const struct btf_type *type;
	int id = btf__find_by_name_kind(btf, struct_name, BTF_KIND_STRUCT);

	type = id > 0 ? btf__type_by_id(btf, (__u32)id) : NULL;
	for (unsigned i = 0; type && i < btf_vlen(type); i++) {
		if (strcmp(btf__name_by_offset(btf, btf_members(type)[i].name_off), name) == 0)
			return true;
	}
	return false;
}

/* The offset of a 64-bit statistic in struct kvm_vcpu; 0: unknown. */
static __u32 statistic_offset(const struct stat_layout *layout, const char *name)
{
	const struct statistic *stat = layout ? stat_list_find(&layout->vcpu, name) : NULL;

	return stat && stat->size == sizeof(__u64) ? layout->vcpu_stat + stat->offset : 0;
}

/* What there is to read here. It changes with KVM's modules. */
static void sources_find(struct ledger *ledger)
{
	struct record_family *family = &ledger->family;
	struct ledger_bpf *skeleton = family->counters.object.family;
	const struct stat_layout *layout = vms_layout(family->env.vms);
	const struct btf *btf;
	struct ledger_places places = {
		.success = statistic_offset(layout, "halt_poll_success_ns"),
		.failure = statistic_offset(layout, "halt_poll_fail_ns"),
		.attempts = statistic_offset(layout, "halt_attempted_poll"),
	};

	if (layout && layout->vcpu_tsc_khz != STAT_NO_OFFSET) {
		places.vcpu_id = layout->vcpu_id;
		places.tsc_khz = layout->vcpu_tsc_khz;
	}
	skeleton->bss->places = places;
	ledger->has_polls = ledger->reads_polls && places.success && places.failure;
	ledger->has_attempts = places.attempts;
	ledger->has_ready = kernel_types_vmlinux(family->env.types, &btf) == 0 &&
			    has_member(btf, "sched_info", "run_delay");
	/* x86 alone has kvm_cpuid; elsewhere exits name no vCPU */
	ledger->names_vcpus = events_has(family->env.events, "kvm_cpuid");
	ledger->exits = record_family_has_exits(family);
}

static int ledger_attach(void *state, struct report *report, char **ret_error)
{
	struct ledger *ledger = state;
	struct record_family *family = &ledger->family;
	bool exits = ledger->exits;

	(void)report;
	if (family->counters.reading || family->env.events->n)
		sources_find(ledger);
	return record_family_attach(family, exits != ledger->exits, ret_error);
}

static int ledger_map(void *state, size_t number, struct map_usage *ret_usage)
{
	const struct ledger *ledger = state;
	uint64_t dropped = 0;

	if (number)
		return -ENOENT;
	for (size_t i = 0; ledger->rows && i < ledger->family.env.cpus->n; i++)
		dropped += ledger->rows[i].dropped;
	record_family_map(&ledger->family, dropped, ret_usage);
	return 0;
}

/* --- reading --- */

static void totals_read(struct vcpu_counters *counters)
{
	struct ledger *ledger =
		(struct ledger *)((char *)counters - offsetof(struct ledger, family.counters));

	ledger->read_err = ledger_totals_read(&ledger->totals, ledger->family.env.vms,
					      record_family_flag(&ledger->family), clock_ns());
}

/* Have rows of buckets appeared or disappeared since halts were read last? */
static bool rows_changed(struct ledger *ledger)
{
	uint64_t seen = ledger_halts_seen(&ledger->totals);
	uint64_t generation = ledger->family.records.generation;
	bool changed = seen != ledger->seen || generation != ledger->generation;

	ledger->seen = seen;
	ledger->generation = generation;
	return changed;
}

static bool wants_halts(uint64_t wanted)
{
	for (size_t i = 0; i < LEDGER_TABLES; i++) {
		if (wanted & UINT64_C(1) << i && ledger_tables[i].variant)
			return true;
	}
	return false;
}

static int ledger_refresh(void *state, uint64_t wanted)
{
	struct ledger *ledger = state;
	struct vcpu_counters *counters = &ledger->family.counters;
	int err;

	ledger->has_read = false;
	if (!ledger->ended)
		return 0;
	err = counters->reading ? reading_follow(counters) : 0;
	if (!err)
		err = vm_counters_update(&ledger->family.records, ledger->family.env.vms);
	if (err)
		return err;
	reading_steady(counters, totals_read);
	/* what the agent can read of polling shows in what it has */
	if (counters->reading)
		ledger->has_polls = ledger->totals.host.time[LEDGER_POLL] > 0;
	ledger->has_read = !ledger->read_err;
	if (ledger->read_err)
		return ledger->read_err;
	return wants_halts(wanted) && rows_changed(ledger);
}

static void ledger_tick(void *state, struct report *report)
{
	struct ledger *ledger = state;

	if (ledger->ended && !ledger->family.counters.reading)
		record_family_tick(&ledger->family, report);
}

extern const struct family_ops ledger_family;

const struct family_ops ledger_family = {
	.open = ledger_open,
	.attach = ledger_attach,
	.detach = record_family_detach,
	.close = ledger_close,
	.missed = record_family_missed,
	.generation = record_family_generation,
	.map = ledger_map,
	.refresh = ledger_refresh,
	.tick = ledger_tick,
	.tables = ledger_tables,
	.ntables = LEDGER_TABLES,
};
