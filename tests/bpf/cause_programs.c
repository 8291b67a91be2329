// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "bpf/cause_programs.h"

#include <bpf/bpf.h>
#include <string.h>

#include "bpf/exit.h"
#include "bpf/userspace_exit.h"
#include "cause.skel.h"
#include "kvm/exit_offsets.h"
#include "tests/clocked_exit.skel.h"
#include "tests/clocked_userspace_exit.skel.h"

#define IO 2 /* KVM_EXIT_IO */

static struct cause_bpf *causes;
static struct clocked_exit_bpf *exits;
static struct clocked_userspace_exit_bpf *trips;
static struct counter_maps cause_maps, exits_maps, trips_maps;

/* --- loading --- */

#define share(programs)                                                                           \
	do {                                                                                      \
		const struct {                                                                    \
			struct bpf_map *map;                                                      \
			int fd;                                                                   \
		} shared[] = {                                                                    \
			{ (programs)->maps.cause_cells_0,                                         \
			  bpf_map__fd(causes->maps.cause_cells_0) },                              \
			{ (programs)->maps.cause_cells, bpf_map__fd(causes->maps.cause_cells) },  \
			{ (programs)->maps.cause_cells_free,                                      \
			  bpf_map__fd(causes->maps.cause_cells_free) },                           \
			{ (programs)->maps.cause_index, bpf_map__fd(causes->maps.cause_index) },  \
			{ (programs)->maps.cause_rows, bpf_map__fd(causes->maps.cause_rows) },    \
			{ (programs)->maps.cause_shared, bpf_map__fd(causes->maps.data_shared) }, \
		};                                                                                \
		for (size_t i = 0; i < ARRAY_SIZE(shared); i++)                                   \
			assert_int_equal(bpf_map__reuse_fd(shared[i].map, shared[i].fd), 0);      \
	} while (0)

static void causes_open(void)
{
	causes = cause_bpf__open();
	assert_non_null(causes);
	bpf_map__set_max_entries(causes->maps.cause_cells_free, RECORDS_CHUNK);
	bpf_map__set_max_entries(causes->maps.cause_index, RECORDS_CHUNK);
	bpf_map__set_max_entries(causes->maps.cause_rows, (__u32)possible_cpus());
	preallocate(causes->obj);
	assert_int_equal(cause_bpf__load(causes), 0);
	cause_maps = (struct counter_maps){
		.records = bpf_map__fd(causes->maps.cause_cells_0),
		.records_free = bpf_map__fd(causes->maps.cause_cells_free),
		.blocks_free = -1,
		.index = bpf_map__fd(causes->maps.cause_index),
		.control = &causes->data_shared->control,
	};
}

static void exits_open(void)
{
	struct exit_setup *setup;

	exits = clocked_exit_bpf__open();
	assert_non_null(exits);
	setup = (struct exit_setup *)&exits->rodata->setup;
	setup->entry_has_vcpu = 1;
	bpf_program__set_autoload(exits->progs.exit_reason_first, false);
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

void causes_load(unsigned records)
{
	causes_open();
	cause_maps.nrecords = records;
	exits_open();
	trips_open();
	causes_clear();
}

int causes_unload(void **state)
{
	(void)state;
	clocked_userspace_exit_bpf__destroy(trips);
	clocked_exit_bpf__destroy(exits);
	cause_bpf__destroy(causes);
	trips = NULL;
	exits = NULL;
	causes = NULL;
	return 0;
}

void causes_switch(bool on)
{
	exits->bss->control.causes = on ? cause_maps.control->generation : 0;
	trips->bss->control.causes = on ? cause_maps.control->generation : 0;
}

void causes_attach(void)
{
	cause_maps.control->generation++;
	causes_switch(true);
}

void causes_clear(void)
{
	static const struct cause_record none;

	counters_clear(&exits_maps);
	counters_clear(&trips_maps);
	records_clear(&cause_maps, &none);
	*cause_maps.control = (struct engine_control){ 0 };
	causes_attach();
}

/* --- events --- */

void causes_clock(uint64_t ns)
{
	exits->bss->test_clock = ns;
	trips->bss->test_clock = ns;
}

void vcpu_exits(uint64_t vcpu)
{
	run_with(bpf_program__fd(exits->progs.exit_vcpu_first), vcpu, 2);
}

void vcpu_enters(uint64_t vcpu)
{
	run_with(bpf_program__fd(exits->progs.exit_entry), vcpu);
}

void vmm_begins(void)
{
	run_with(bpf_program__fd(trips->progs.userspace_exit_begin), IO, 0);
}

void vmm_ends(void)
{
	run_with(bpf_program__fd(trips->progs.userspace_exit_fpu), 1);
}

void guest_accesses(enum access access, uint64_t number)
{
	const struct {
		struct bpf_program *program;
		uint64_t first;
		bool alone; /* the number is the first argument */
	} events[ACCESSES] = {
		[PIO_READ] = { causes->progs.cause_pio, 0, false },
		[PIO_WRITE] = { causes->progs.cause_pio, 1, false },
		[MMIO_WAITS] = { causes->progs.cause_mmio, 0, false },
		[MMIO_READ] = { causes->progs.cause_mmio, 1, false },
		[MMIO_WRITE] = { causes->progs.cause_mmio, 2, false },
		[FAST_MMIO] = { causes->progs.cause_fast_mmio, 0, true },
		[MSR_READ] = { causes->progs.cause_msr, 0, false },
		[MSR_WRITE] = { causes->progs.cause_msr, 1, false },
		[CPUID] = { causes->progs.cause_cpuid, 0, true },
		[HYPERCALL] = { causes->progs.cause_hypercall, 0, true },
		[HV_HYPERCALL] = { causes->progs.cause_hv_hypercall, 0, true },
		[CR_READ] = { causes->progs.cause_cr, 0, false },
		[CR_WRITE] = { causes->progs.cause_cr, 1, false },
		[APIC_READ] = { causes->progs.cause_apic, 0, false },
		[APIC_WRITE] = { causes->progs.cause_apic, 1, false },
		[SYSREG] = { causes->progs.cause_sysreg, 0, true },
		[HVC] = { causes->progs.cause_hvc, 0x5eed, false },
	};
	int fd = bpf_program__fd(events[access].program);

	if (events[access].alone)
		run_with(fd, number, 0x5eed, 0x5eed);
	else if (access == MMIO_WAITS || access == MMIO_READ || access == MMIO_WRITE)
		run_with(fd, events[access].first, 4, number);
	else
		run_with(fd, events[access].first, number, 4);
}

/* --- counts --- */

static void add(struct cause_counts *to, const struct cause_counts *from)
{
	to->accesses += from->accesses;
	to->count += from->count;
	to->time += from->time;
	to->trips += from->trips;
	to->trip_time += from->trip_time;
}

static bool record_read(__u32 number, struct cause_record *ret_record)
{
	assert_int_equal(bpf_map_lookup_elem(cause_maps.records, &number, ret_record), 0);
	return ret_record->head.start != 0;
}

static void record_add(const struct cause_record *record, uint64_t key, struct cause_counts *to)
{
	if (key == CAUSE_NONE)
		add(to, &record->none);
	else if (key == CAUSE_OTHER)
		add(to, &record->other);
	for (unsigned i = 0; key != CAUSE_NONE && i < CAUSE_SLOTS; i++) {
		if (record->slots[i].key == key)
			add(to, &record->slots[i].counts);
	}
}

struct cause_counts causes_of(uint64_t key)
{
	struct cause_counts sum = { 0 };
	struct cause_record record;

	for (__u32 number = 1; number < RECORDS_CHUNK; number++) {
		if (record_read(number, &record))
			record_add(&record, key, &sum);
	}
	return sum;
}

struct cause_counts causes_of_vcpu(uint64_t vcpu, uint64_t key)
{
	struct cause_counts sum = { 0 };
	struct cause_record record;
	unsigned n = 0;

	for (__u32 number = 1; number < RECORDS_CHUNK; number++) {
		if (!record_read(number, &record) || record.head.vcpu != vcpu)
			continue;
		record_add(&record, key, &sum);
		n++;
	}
	assert_int_equal(n, 1);
	return sum;
}

struct cause_counts causes_sum(void)
{
	struct cause_counts sum = { 0 };
	struct cause_record record;

	for (__u32 number = 1; number < RECORDS_CHUNK; number++) {
		if (!record_read(number, &record))
			continue;
		add(&sum, &record.none);
		add(&sum, &record.other);
		for (unsigned i = 0; i < CAUSE_SLOTS; i++)
			add(&sum, &record.slots[i].counts);
	}
	return sum;
}

struct cause_counts causes_nowhere(void)
{
	struct cause_counts sum = { 0 };

	for (__u32 cpu = 0; cpu < (__u32)possible_cpus(); cpu++) {
		struct cause_row row;

		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(causes->maps.cause_rows), &cpu, &row), 0);
		add(&sum, &row.counts);
	}
	return sum;
}

static struct counted counted_sum(const struct counter_maps *maps)
{
	struct counted slots[COUNTER_SLOTS_MAX], sum = { 0 };

	counters_read(maps, slots);
	for (unsigned slot = 0; slot < maps->slots; slot++) {
		sum.count += slots[slot].count;
		sum.time += slots[slot].time;
	}
	return sum;
}

struct counted causes_exits(void)
{
	return counted_sum(&exits_maps);
}

struct counted causes_trips(void)
{
	return counted_sum(&trips_maps);
}
