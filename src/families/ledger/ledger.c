// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The ledger family: where each vCPU's time goes. See bpf/ledger.bpf.c. */
#include "families/ledger/ledger.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/reading.h"
#include "engine/retire.h"
#include "families/family.h"
#include "kernel/map_memory.h"
#include "kernel/privileges.h"
#include "kernel/typed_loads.h"
#include "kvm/stat_schema.h"
#include "kvm/vendor.h"
#include "ledger.skel.h"
#include "ledger_typed.skel.h"
#include "vms/vm_passes.h"

/* Memory of an entry of the index, with what the kernel adds to key and value. */
#define INDEX_ENTRY_BYTES 96

static void destroy(void *skeleton)
{
	ledger_bpf__destroy(skeleton);
}

/* --- memory --- */

static void memory_drop(struct ledger *ledger)
{
	const struct ledger_bpf *skeleton = ledger->counters.object.family;

	if (!skeleton)
		return; /* nothing was loaded */
	map_memory_drop(skeleton->maps.ledger_rows, ledger->rows);
	map_memory_drop(skeleton->maps.ledger_ended, ledger->ended);
	ledger->rows = NULL;
	ledger->ended = NULL;
}

static int memory_open(struct ledger *ledger)
{
	const struct ledger_bpf *skeleton = ledger->counters.object.family;

	ledger->rows = map_memory(skeleton->maps.ledger_rows, ledger->counters.reading);
	ledger->ended = map_memory(skeleton->maps.ledger_ended, ledger->counters.reading);
	if (!ledger->rows || !ledger->ended)
		return -ENOMEM;
	ledger->totals = (struct ledger_totals){ .records = &ledger->records,
						 .ended = ledger->ended };
	if (!ledger->counters.reading)
		ledger_record_recover(ledger->ended, &ledger->counters.records);
	return 0;
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

static bool by_perf(const struct ledger *ledger)
{
	return ledger->env.classic && ledger->env.classic->wanted;
}

static int object_open(const struct ledger *ledger, enum reads reads,
		       struct ledger_bpf **ret_skeleton)
{
	struct ledger_bpf *skeleton = calloc(1, sizeof(*skeleton));
	int err = skeleton ? ledger_bpf__create_skeleton(skeleton) : -ENOMEM;

	if (!err)
		err = typed_loads_open(skeleton->skeleton,
				       reads == READS_TYPED ? ledger_typed_bpf__elf_bytes : NULL,
				       kernel_types_core(ledger->env.types));
	if (!err)
		err = bpf_program__set_autoload(skeleton->progs.ledger_wakeup_tp, by_perf(ledger));
	if (!err)
		err = bpf_map__set_max_entries(skeleton->maps.ledger_rows,
					       (__u32)ledger->env.cpus->n);
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
	ledger->programs[0] = PROGRAM(skeleton->progs.ledger_thread, "sched_process_exit");
	ledger->programs[1] = PROGRAM(skeleton->progs.ledger_wakeup, "kvm_vcpu_wakeup");
	if (by_perf(ledger)) {
		ledger->programs[1].classic = skeleton->progs.ledger_wakeup_tp;
		ledger->programs[1].fields = wakeup_fields;
	}
}

static int load(struct ledger *ledger, enum reads reads, struct report *report)
{
	const struct counters_limits limits = { .records = ledger->env.config->vcpus };
	struct counters_object object;
	struct ledger_bpf *skeleton;
	int err = object_open(ledger, reads, &skeleton);

	if (err)
		return err;
	object = (struct counters_object){
		.family = skeleton,
		.destroy = destroy,
		.skeleton = skeleton->skeleton,
		.records = { skeleton->maps.ledger_cells, skeleton->maps.ledger_cells_0,
			     skeleton->maps.ledger_cells_free },
		.index = skeleton->maps.ledger_index,
		.state = skeleton->maps.ledger_state,
		.meta = skeleton->maps.ledger_meta,
		.control = &skeleton->data_shared->control,
	};
	err = vcpu_counters_load(&ledger->counters, &object, &limits, -1, ledger->env.pins,
				 ledger->env.types, report);
	if (err)
		return err;
	ledger->reads_polls = reads != READS_NOTHING;
	if (!ledger->counters.reading)
		programs_list(ledger, skeleton);
	err = memory_open(ledger);
	if (!err && !ledger->counters.reading)
		retire_recover(&ledger->counters);
	return err;
}

/* Are an agent's maps to be read? */
static bool is_reading(const struct ledger *ledger)
{
	return ledger->env.pins && ledger->env.pins->reading;
}

/* Load what reads memory as this kernel can, or as lockdown permits. */
static int load_any(struct ledger *ledger, struct report *report)
{
	enum reads reads = typed_loads_exist(ledger->env.types) ? READS_TYPED : READS_PROBES;
	int err;

	do
		err = load(ledger, reads, report);
	while (err && !is_reading(ledger) && !ledger->counters.object.family &&
	       reads++ < READS_NOTHING);
	return err;
}

/* --- the programs that write --- */

/* A new generation for all that write: what is open is void. */
static __u32 ledger_flag(void *data)
{
	struct ledger *ledger = data;
	struct engine_control *control = ledger->counters.object.control;
	/* exit and userspace_exit */
	bool all = ledger->exits && ledger->env.ledger->n == 2;
	__u32 flag = 0;

	if (ledger->attached) {
		vcpu_counters_begin(&ledger->counters);
		flag = LEDGER_FLAG(control->generation, all ? LEDGER_KVM : LEDGER_UNKNOWN);
	}
	__atomic_store_n(&control->ledger, flag, __ATOMIC_RELAXED);
	return flag;
}

static void links_offer(struct ledger *ledger)
{
	const struct ledger_bpf *skeleton = ledger->counters.object.family;
	struct record_links *links = ledger->env.ledger;

	links->maps[LINK_CELLS] = skeleton->maps.ledger_cells;
	links->maps[LINK_FIRST] = skeleton->maps.ledger_cells_0;
	links->maps[LINK_FREE] = skeleton->maps.ledger_cells_free;
	links->maps[LINK_INDEX] = skeleton->maps.ledger_index;
	links->maps[LINK_ROWS] = skeleton->maps.ledger_rows;
	links->maps[LINK_SHARED] = skeleton->maps.data_shared;
	links->begin = ledger_flag;
	links->data = ledger;
}

static int record_retired(void *data, uint32_t number)
{
	struct ledger *ledger = data;

	return ledger_totals_retire(&ledger->totals, number);
}

static int ledger_open(const struct family_env *env, void **ret_state, char **ret_error)
{
	struct ledger *ledger;
	int err;

	if (!env->config->ledger) {
		*ret_error = strdup("switched off: ledger = off in kvm.conf");
		return -ECANCELED;
	}
	ledger = calloc(1, sizeof(*ledger));
	if (!ledger)
		return -ENOMEM;
	ledger->env = *env;
	ledger->env.report = NULL;
	for (size_t i = 0; i < LEDGER_PROGRAMS; i++)
		ledger->programs[i].link_fd = -1;
	vcpu_counters_init(&ledger->counters, "ledger", LEDGER_LAYOUT, 0, REASONS_SVM, env->cpus,
			   env->vms->proc);
	ledger->counters.retire = record_retired;
	ledger->counters.retire_data = ledger;
	vm_counters_init(&ledger->records, &ledger->counters);
	*ret_state = ledger;
	err = load_any(ledger, env->report);
	if (err == -ESTALE) {
		ledger->env.pins = NULL;
		err = load_any(ledger, env->report);
	}
	if (err) {
		*ret_error = err == -ENOENT && is_reading(ledger) ?
				     strdup(FAMILY_NOT_THERE) :
				     privs_load_text(err, env->config->lockdown);
		return err;
	}
	if (!ledger->counters.reading)
		links_offer(ledger);
	return 0;
}

static void ledger_detach(void *state)
{
	struct ledger *ledger = state;

	ledger->attached = false;
	record_links_changed(ledger->env.ledger);
	programs_detach(ledger->programs, LEDGER_PROGRAMS, ledger->env.classic);
}

static void ledger_close(void *state)
{
	struct ledger *ledger = state;

	if (!ledger)
		return;
	ledger_detach(ledger);
	*ledger->env.ledger = (struct record_links){ .n = 0 };
	memory_drop(ledger);
	ledger_totals_free(&ledger->totals);
	vm_counters_free(&ledger->records);
	vcpu_counters_free(&ledger->counters);
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
	struct ledger_bpf *skeleton = ledger->counters.object.family;
	const struct stat_layout *layout = vms_layout(ledger->env.vms);
	const struct btf *btf;
	enum reasons_isa isa;
	struct ledger_polls polls = {
		.success = statistic_offset(layout, "halt_poll_success_ns"),
		.failure = statistic_offset(layout, "halt_poll_fail_ns"),
	};

	skeleton->bss->polls = polls;
	ledger->has_polls = ledger->reads_polls && polls.success && polls.failure;
	ledger->has_ready = kernel_types_vmlinux(ledger->env.types, &btf) == 0 &&
			    has_member(btf, "sched_info", "run_delay");
	/* x86 alone has vendors' modules, and kvm_cpuid; elsewhere exits name no vCPU */
	ledger->names_vcpus = events_has(ledger->env.events, "kvm_cpuid");
	ledger->exits = events_has(ledger->env.events, "kvm_exit") &&
			(!ledger->names_vcpus || kvm_vendor(KVM_MODULES_DIR, &isa) == 0);
}

/* Attach what is not attached; first what sees threads end. */
static int programs_attach_all(struct ledger *ledger)
{
	int err = programs_attach(ledger->programs, 1, ledger->env.classic);

	if (err)
		return err;
	retire_reap(&ledger->counters);
	return programs_attach(ledger->programs, LEDGER_PROGRAMS, ledger->env.classic);
}

static int ledger_attach(void *state, struct report *report, char **ret_error)
{
	struct ledger *ledger = state;
	bool exits = ledger->exits, fresh = !ledger->attached;
	int err;

	(void)report;
	if (ledger->counters.reading) {
		sources_find(ledger);
		*ret_error = strdup(FAMILY_READS);
		return 0;
	}
	if (!ledger->env.events->n) {
		*ret_error = events_missing(ledger->env.events, ledger->env.config->tracefs);
		return ledger->env.events->loaded ? -EOPNOTSUPP : -ENOENT;
	}
	sources_find(ledger);
	ledger->attached = true;
	if (fresh || exits != ledger->exits)
		record_links_changed(ledger->env.ledger);
	err = programs_attach_all(ledger);
	if (err) {
		ledger_detach(ledger);
		*ret_error = err == -ENOENT ? events_missing(ledger->env.events,
							     ledger->env.config->tracefs) :
					      privs_load_text(err, ledger->env.config->lockdown);
		return err;
	}
	if (fresh)
		pins_generation(ledger->counters.object.meta, 1);
	return 0;
}

static int ledger_missed(void *state, uint64_t *ret_missed)
{
	struct ledger *ledger = state;

	return programs_missed(ledger->programs, LEDGER_PROGRAMS, ret_missed);
}

static uint64_t ledger_generation(void *state)
{
	struct ledger *ledger = state;

	return ledger->counters.object.family ? pins_generation(ledger->counters.object.meta, 0) :
						0;
}

/* --- maps --- */

static int ledger_map(void *state, size_t number, struct map_usage *ret_usage)
{
	const struct ledger *ledger = state;
	uint64_t used = pool_used(&ledger->counters.records), dropped = 0;

	if (number)
		return -ENOENT;
	for (size_t i = 0; ledger->rows && i < ledger->env.cpus->n; i++)
		dropped += ledger->rows[i].dropped;
	*ret_usage = (struct map_usage){
		.name = "ledger_cells",
		.limit = ledger->env.config->vcpus,
		.used = used,
		.bytes = pool_bytes(&ledger->counters.records) + used * INDEX_ENTRY_BYTES,
		.dropped = dropped,
	};
	return 0;
}

/* --- reading --- */

static void totals_read(struct vcpu_counters *counters)
{
	struct ledger *ledger =
		(struct ledger *)((char *)counters - offsetof(struct ledger, counters));

	/* the flag is the agent's: who reads its maps sees no interval as open */
	ledger->read_err = ledger_totals_read(&ledger->totals, ledger->env.vms,
					      counters->object.control->ledger, clock_ns());
}

static int ledger_refresh(void *state, uint64_t wanted)
{
	struct ledger *ledger = state;
	int err;

	(void)wanted;
	ledger->has_read = false;
	if (!ledger->ended)
		return 0;
	err = ledger->counters.reading ? reading_follow(&ledger->counters) : 0;
	if (!err)
		err = vm_counters_update(&ledger->records, ledger->env.vms);
	if (err)
		return err;
	reading_steady(&ledger->counters, totals_read);
	/* what the agent can read of polling shows in what it has */
	if (ledger->counters.reading)
		ledger->has_polls = ledger->totals.host.time[LEDGER_POLL] > 0;
	ledger->has_read = !ledger->read_err;
	return ledger->read_err;
}

/* --- once a second --- */

static void records_tick(struct ledger *ledger, struct report *report)
{
	int err = vm_counters_grow(&ledger->records, ledger->env.vms,
				   clock_ns() + ledger->env.config->growth_ns);

	if (err >= 0 || ledger->no_room)
		return;
	ledger->no_room = true;
	report_add(report, REPORT_WARNING,
		   "ledger: no memory for more vCPUs (%s): their time is not counted",
		   strerror(-err));
}

static void ledger_tick(void *state, struct report *report)
{
	struct ledger *ledger = state;

	if (!ledger->ended || ledger->counters.reading)
		return;
	vm_counters_update(&ledger->records, ledger->env.vms);
	retire_tick(&ledger->records, ledger->env.vms, clock_ns(),
		    ledger->env.config->growth_ns ? RETIRE_TICK : RETIRE_FETCH);
	vm_counters_update(&ledger->records, ledger->env.vms);
	records_tick(ledger, report);
}

extern const struct family_ops ledger_family;

const struct family_ops ledger_family = {
	.open = ledger_open,
	.attach = ledger_attach,
	.detach = ledger_detach,
	.close = ledger_close,
	.missed = ledger_missed,
	.generation = ledger_generation,
	.map = ledger_map,
	.refresh = ledger_refresh,
	.tick = ledger_tick,
	.tables = ledger_tables,
	.ntables = LEDGER_TABLES,
};
