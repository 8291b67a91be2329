// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "bpf/slow_programs.h"

#include <bpf/bpf.h>
#include <string.h>
#include <unistd.h>

#include "bpf/cause.h"
#include "bpf/exit.h"
#include "bpf/userspace_exit.h"
#include "cause.skel.h"
#include "engine/slow_setup.h"
#include "kvm/exit_offsets.h"
#include "slow.skel.h"
#include "tests/clocked_exit.skel.h"
#include "tests/clocked_ledger.skel.h"
#include "tests/clocked_userspace_exit.skel.h"

static struct slow_bpf *slows;
static struct cause_bpf *causes;
static struct clocked_ledger_bpf *ledgers;
static struct clocked_exit_bpf *exits;
static struct clocked_userspace_exit_bpf *trips;
static struct counter_maps slow_maps, cause_maps, ledger_maps, exits_maps, trips_maps;
static bool is_loaded;

/* --- loading --- */

static void reuse(struct bpf_map *to, const struct bpf_map *from)
{
	assert_int_equal(bpf_map__reuse_fd(to, bpf_map__fd(from)), 0);
}

/* Have programs write the records of family name. */
#define share(programs, from, name)                                                        \
	do {                                                                               \
		reuse((programs)->maps.name##_cells, (from)->maps.name##_cells);           \
		reuse((programs)->maps.name##_cells_0, (from)->maps.name##_cells_0);       \
		reuse((programs)->maps.name##_cells_free, (from)->maps.name##_cells_free); \
		reuse((programs)->maps.name##_index, (from)->maps.name##_index);           \
		reuse((programs)->maps.name##_rows, (from)->maps.name##_rows);             \
		reuse((programs)->maps.name##_shared, (from)->maps.data_shared);           \
	} while (0)

#define records_size(skeleton, name)                                                            \
	do {                                                                                    \
		bpf_map__set_max_entries((skeleton)->maps.name##_cells_free, RECORDS_CHUNK);    \
		bpf_map__set_max_entries((skeleton)->maps.name##_index, RECORDS_CHUNK);         \
		bpf_map__set_max_entries((skeleton)->maps.name##_rows, (__u32)possible_cpus()); \
		preallocate((skeleton)->obj);                                                   \
	} while (0)

#define records_of(skeleton, name)                                               \
	((struct counter_maps){                                                  \
		.records = bpf_map__fd((skeleton)->maps.name##_cells_0),         \
		.records_free = bpf_map__fd((skeleton)->maps.name##_cells_free), \
		.blocks_free = -1,                                               \
		.index = bpf_map__fd((skeleton)->maps.name##_index),             \
		.control = &(skeleton)->data_shared->control,                    \
		.nrecords = RECORDS_CHUNK - 1,                                   \
	})

static void records_open(void)
{
	slows = slow_bpf__open();
	assert_non_null(slows);
	records_size(slows, slow);
	assert_int_equal(slow_bpf__load(slows), 0);
	slow_maps = records_of(slows, slow);
	causes = cause_bpf__open();
	assert_non_null(causes);
	records_size(causes, cause);
	assert_int_equal(cause_bpf__load(causes), 0);
	cause_maps = records_of(causes, cause);
	ledgers = clocked_ledger_bpf__open();
	assert_non_null(ledgers);
	records_size(ledgers, ledger);
	assert_int_equal(clocked_ledger_bpf__load(ledgers), 0);
	ledger_maps = records_of(ledgers, ledger);
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
	slow_setup_fill((struct slow_setup *)&exits->rodata->slow_setup, SLOW_US);
	bpf_program__set_autoload(exits->progs.exit_vcpu_first, false);
	counter_maps_size(exits, exit);
	share(exits, slows, slow);
	share(exits, causes, cause);
	share(exits, ledgers, ledger);
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
	slow_setup_fill((struct slow_setup *)&trips->rodata->slow_setup, SLOW_US);
	counter_maps_size(trips, userspace_exit);
	share(trips, slows, slow);
	share(trips, causes, cause);
	share(trips, ledgers, ledger);
	assert_int_equal(clocked_userspace_exit_bpf__load(trips), 0);
	trips_maps = counter_maps_of(trips, userspace_exit, USERSPACE_EXIT_SLOTS);
	pools_fill(&trips_maps, RECORDS_CHUNK - 1, BLOCKS_CHUNK - 1);
}

void slow_load(unsigned records)
{
	if (!is_loaded) {
		records_open();
		exits_open();
		trips_open();
	}
	is_loaded = true;
	slow_maps.nrecords = records;
	slow_clear();
}

int slow_unload(void **state)
{
	(void)state;
	is_loaded = false;
	clocked_userspace_exit_bpf__destroy(trips);
	clocked_exit_bpf__destroy(exits);
	clocked_ledger_bpf__destroy(ledgers);
	cause_bpf__destroy(causes);
	slow_bpf__destroy(slows);
	return 0;
}

/* --- attaching --- */

static void flags_set(uint32_t ledger, uint32_t cause, uint32_t slow)
{
	ledger_maps.control->ledger = ledger;
	exits->bss->control.ledger = ledger;
	trips->bss->control.ledger = ledger;
	exits->bss->control.causes = cause;
	trips->bss->control.causes = cause;
	exits->bss->control.slow = slow;
	trips->bss->control.slow = slow;
}

void slow_attach(bool ledger, bool cause, bool only_trips)
{
	generation_begin(&exits_maps);
	generation_begin(&trips_maps);
	cause_maps.control->generation++;
	ledger_maps.control->generation++;
	flags_set(ledger ? LEDGER_FLAG(ledger_maps.control->generation,
				       only_trips ? LEDGER_UNKNOWN : LEDGER_KVM) :
			   0,
		  cause ? cause_maps.control->generation : 0, SLOW_FLAG(SLOW_NS, only_trips));
}

void slow_detach(void)
{
	trips->bss->control.slow = exits->bss->control.slow = 0;
}

void slow_clear(void)
{
	static const struct slow_record no_slow;
	static const struct cause_record no_causes;
	static const struct ledger_record no_ledger;

	counters_clear(&exits_maps);
	counters_clear(&trips_maps);
	records_clear(&slow_maps, &no_slow);
	records_clear(&cause_maps, &no_causes);
	records_clear(&ledger_maps, &no_ledger);
	slow_attach(true, true, false);
}

/* --- events --- */

void slow_clock(uint64_t ns, uint64_t delay)
{
	ledgers->bss->test_clock = exits->bss->test_clock = trips->bss->test_clock = ns;
	ledgers->bss->test_delay = exits->bss->test_delay = trips->bss->test_delay = delay;
}

void slow_run_exit(uint64_t vcpu, uint32_t code)
{
	run_with(bpf_program__fd(exits->progs.exit_reason_first), code, vcpu, 2);
}

void slow_run_entry(uint64_t vcpu)
{
	run_with(bpf_program__fd(exits->progs.exit_entry), vcpu);
}

void slow_run_wakeup(uint64_t ns, bool waited)
{
	run_with(bpf_program__fd(ledgers->progs.ledger_wakeup), ns, waited, 1);
}

void slow_run_trip(uint32_t reason)
{
	run_with(bpf_program__fd(trips->progs.userspace_exit_begin), reason, 0);
}

void slow_run_return(void)
{
	run_with(bpf_program__fd(trips->progs.userspace_exit_fpu), 1);
}

void slow_run_port(bool write, uint16_t port)
{
	run_with(bpf_program__fd(causes->progs.cause_pio), write, port, 1, 1, 0);
}

/* --- what was recorded --- */

static bool record_find(__u32 tid, uint64_t vcpu, struct slow_record *ret_record)
{
	struct slow_record record;
	unsigned n = 0;

	for (__u32 number = 1; number < RECORDS_CHUNK; number++) {
		element_get(slow_maps.records, RECORDS_BITS, number, &record);
		if (!record.head.start || (tid ? record.head.tid != tid : record.head.vcpu != vcpu))
			continue;
		*ret_record = record;
		n++;
	}
	assert_true(n <= 1);
	return n;
}

bool slow_of_thread(struct slow_record *ret_record)
{
	return record_find((__u32)gettid(), 0, ret_record);
}

bool slow_of_vcpu(uint64_t vcpu, struct slow_record *ret_record)
{
	return record_find(0, vcpu, ret_record);
}

uint64_t slow_dropped(void)
{
	uint64_t dropped = 0;

	for (__u32 cpu = 0; cpu < (__u32)possible_cpus(); cpu++) {
		struct slow_row row;

		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(slows->maps.slow_rows), &cpu, &row), 0);
		dropped += row.dropped;
	}
	return dropped;
}
