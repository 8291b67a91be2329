// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "bpf/ledger_programs.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/exit.h"
#include "bpf/userspace_exit.h"
#include "kernel/typed_loads.h"
#include "kvm/exit_offsets.h"
#include "tests/clocked_exit.skel.h"
#include "tests/clocked_ledger.skel.h"
#include "tests/clocked_ledger_typed.skel.h"
#include "tests/clocked_userspace_exit.skel.h"
#include "tests/memory.skel.h"

#define IO 2 /* KVM_EXIT_IO */

/* Where the vCPU in memory has KVM's statistics. */
enum { ID_AT = 0x10, SUCCESS_AT = 0x40, FAILURE_AT = 0x60, ATTEMPTS_AT = 0x80, KHZ_AT = 0xa0 };

static struct clocked_ledger_bpf *ledgers;
static struct clocked_exit_bpf *exits;
static struct clocked_userspace_exit_bpf *trips;
static struct memory_bpf *memory;
static struct counter_maps ledger_maps, exits_maps, trips_maps;

/* --- loading --- */

#define share(programs)                                                                           \
	do {                                                                                      \
		const struct {                                                                    \
			struct bpf_map *to, *from;                                                \
		} shared[] = {                                                                    \
			{ (programs)->maps.ledger_cells, ledgers->maps.ledger_cells },            \
			{ (programs)->maps.ledger_cells_0, ledgers->maps.ledger_cells_0 },        \
			{ (programs)->maps.ledger_cells_free, ledgers->maps.ledger_cells_free },  \
			{ (programs)->maps.ledger_index, ledgers->maps.ledger_index },            \
			{ (programs)->maps.ledger_rows, ledgers->maps.ledger_rows },              \
			{ (programs)->maps.ledger_shared, ledgers->maps.data_shared },            \
		};                                                                                \
		for (size_t i = 0; i < ARRAY_SIZE(shared); i++)                                   \
			assert_int_equal(                                                         \
				bpf_map__reuse_fd(shared[i].to, bpf_map__fd(shared[i].from)), 0); \
	} while (0)

static void memory_load(void)
{
	memory = memory_bpf__open();
	assert_non_null(memory);
	bpf_program__set_autoload(memory->progs.memory_read, false);
	assert_int_equal(memory_bpf__load(memory), 0);
	run_with(bpf_program__fd(memory->progs.memory_find), 0);
}

static void ledgers_open(bool typed, const char *core)
{
	ledgers = calloc(1, sizeof(*ledgers));
	assert_non_null(ledgers);
	assert_int_equal(clocked_ledger_bpf__create_skeleton(ledgers), 0);
	assert_int_equal(typed_loads_open(ledgers->skeleton,
					  typed ? clocked_ledger_typed_bpf__elf_bytes : NULL, core),
			 0);
	ledgers->rodata->reads_polls = 1;
	bpf_map__set_max_entries(ledgers->maps.ledger_cells_free, RECORDS_CHUNK);
	bpf_map__set_max_entries(ledgers->maps.ledger_index, RECORDS_CHUNK);
	bpf_map__set_max_entries(ledgers->maps.ledger_rows, (__u32)possible_cpus());
	preallocate(ledgers->obj);
	assert_int_equal(clocked_ledger_bpf__load(ledgers), 0);
	ledger_maps = (struct counter_maps){
		.records = bpf_map__fd(ledgers->maps.ledger_cells_0),
		.records_free = bpf_map__fd(ledgers->maps.ledger_cells_free),
		.blocks_free = -1,
		.index = bpf_map__fd(ledgers->maps.ledger_index),
		.control = &ledgers->data_shared->control,
	};
}

static void exits_open(void)
{
	struct exit_setup *setup;

	exits = clocked_exit_bpf__open();
	assert_non_null(exits);
	setup = (struct exit_setup *)&exits->rodata->setup;
	setup->has_reasons = setup->entry_has_vcpu = 1;
	setup->svm.isa = REASONS_SVM + 1;
	setup->svm.mask = 0xffffffff;
	exit_layout_ranges(REASONS_SVM, setup->svm.ranges);
	bpf_program__set_autoload(exits->progs.exit_vcpu_first, false);
	counter_maps_size(exits, exit);
	share(exits);
	assert_int_equal(clocked_exit_bpf__load(exits), 0);
	exits_maps = counter_maps_of(exits, exit, EXIT_SLOTS);
	pools_fill(&exits_maps, RECORDS_CHUNK - 1, BLOCKS_CHUNK - 1);
}

static void trips_open(void)
{
	trips = clocked_userspace_exit_bpf__open();
	assert_non_null(trips);
	exit_layout_ranges(REASONS_USERSPACE,
			   ((struct userspace_exit_setup *)&trips->rodata->setup)->ranges);
	counter_maps_size(trips, userspace_exit);
	share(trips);
	assert_int_equal(clocked_userspace_exit_bpf__load(trips), 0);
	trips_maps = counter_maps_of(trips, userspace_exit, USERSPACE_EXIT_SLOTS);
	pools_fill(&trips_maps, RECORDS_CHUNK - 1, BLOCKS_CHUNK - 1);
}

bool ledgers_load(unsigned records, bool typed)
{
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	bool exist = typed_loads_exist(&types);

	if (!typed || exist) {
		memory_load();
		ledgers_open(typed, kernel_types_core(&types));
	}
	kernel_types_close(&types);
	if (typed && !exist)
		return false;
	ledger_maps.nrecords = records;
	exits_open();
	trips_open();
	ledgers_clear();
	return true;
}

int ledgers_unload(void **state)
{
	(void)state;
	clocked_userspace_exit_bpf__destroy(trips);
	clocked_exit_bpf__destroy(exits);
	clocked_ledger_bpf__destroy(ledgers);
	memory_bpf__destroy(memory);
	trips = NULL;
	exits = NULL;
	ledgers = NULL;
	memory = NULL;
	return 0;
}

static void flags_set(uint32_t flag)
{
	ledgers->data_shared->control.ledger = flag;
	exits->bss->control.ledger = flag;
	trips->bss->control.ledger = flag;
}

void ledgers_attach(enum ledger_state in_run)
{
	ledger_maps.control->generation++;
	flags_set(LEDGER_FLAG(ledger_maps.control->generation, in_run));
}

void ledgers_detach(void)
{
	flags_set(0);
}

uint32_t ledgers_flag(void)
{
	return ledgers->data_shared->control.ledger;
}

void ledgers_clear(void)
{
	static const struct ledger_record none;

	counters_clear(&exits_maps);
	counters_clear(&trips_maps);
	records_clear(&ledger_maps, &none);
	kvm_polled(0, 0);
	kvm_attempted(0);
	ledgers_know_polls(true);
	ledgers_attach(LEDGER_KVM);
}

/* --- events --- */

void ledgers_know_polls(bool know)
{
	ledgers->bss->places = (struct ledger_places){ .success = know ? SUCCESS_AT : 0,
						       .failure = know ? FAILURE_AT : 0,
						       .attempts = know ? ATTEMPTS_AT : 0 };
}

void ledgers_clock(uint64_t ns, uint64_t delay)
{
	ledgers->bss->test_clock = exits->bss->test_clock = trips->bss->test_clock = ns;
	ledgers->bss->test_delay = exits->bss->test_delay = trips->bss->test_delay = delay;
}

void kvm_polled(uint64_t success, uint64_t failure)
{
	memcpy(memory->bss->memory + SUCCESS_AT, &success, sizeof(success));
	memcpy(memory->bss->memory + FAILURE_AT, &failure, sizeof(failure));
}

void kvm_attempted(uint64_t n)
{
	memcpy(memory->bss->memory + ATTEMPTS_AT, &n, sizeof(n));
}

void ledgers_know_tsc(uint32_t vcpu_id, uint32_t khz)
{
	memcpy(memory->bss->memory + ID_AT, &vcpu_id, sizeof(vcpu_id));
	memcpy(memory->bss->memory + KHZ_AT, &khz, sizeof(khz));
	ledgers->bss->places.vcpu_id = khz ? ID_AT : 0;
	ledgers->bss->places.tsc_khz = khz ? KHZ_AT : 0;
}

uint64_t ledgers_vcpu(unsigned n)
{
	return memory->bss->memory_address + n;
}

void run_exit(uint64_t vcpu, uint32_t code)
{
	run_with(bpf_program__fd(exits->progs.exit_reason_first), code, vcpu, 2);
}

void run_entry(uint64_t vcpu)
{
	run_with(bpf_program__fd(exits->progs.exit_entry), vcpu);
}

void run_wakeup(uint64_t ns, bool waited)
{
	run_with(bpf_program__fd(ledgers->progs.ledger_wakeup), ns, waited, 1);
}

void run_timer(uint32_t vcpu_id, int64_t cycles)
{
	run_with(bpf_program__fd(ledgers->progs.ledger_timer), vcpu_id, (uint64_t)cycles);
}

void run_trip(void)
{
	run_with(bpf_program__fd(trips->progs.userspace_exit_begin), IO, 0);
}

void run_return(void)
{
	run_with(bpf_program__fd(trips->progs.userspace_exit_fpu), 1);
}

/* --- counts --- */

/* The only record of a thread (TID), or of a vCPU. */
static struct ledger_record record_find(__u32 tid, uint64_t vcpu)
{
	struct ledger_record record, found = { .last = 0 };
	unsigned n = 0;

	for (__u32 number = 1; number < RECORDS_CHUNK; number++) {
		element_get(ledger_maps.records, RECORDS_BITS, number, &record);
		if (!record.head.start || (tid ? record.head.tid != tid : record.head.vcpu != vcpu))
			continue;
		found = record;
		n++;
	}
	assert_int_equal(n, 1);
	return found;
}

struct ledger_record ledger_of_thread(void)
{
	return record_find((__u32)gettid(), 0);
}

struct ledger_record ledger_of_vcpu(uint64_t vcpu)
{
	return record_find(0, vcpu);
}

uint32_t ledgers_taken(void)
{
	return ledger_maps.control->records_taken;
}

uint64_t ledgers_dropped(void)
{
	uint64_t dropped = 0;

	for (__u32 cpu = 0; cpu < (__u32)possible_cpus(); cpu++) {
		struct ledger_row row;

		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(ledgers->maps.ledger_rows), &cpu, &row), 0);
		dropped += row.dropped;
	}
	return dropped;
}
