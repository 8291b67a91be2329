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
static bool by_perf; /* accesses run the programs for perf */

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
	by_perf = false;
	return 0;
}

void causes_by_perf(void)
{
	by_perf = true;
}

void causes_switch(bool on)
{
	cause_maps.control->causes = on ? cause_maps.control->generation : 0;
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

/* The first word of a record, and what is behind a field of half a word. */
#define COMMON	       0x5eed5eed5eed5eedULL
#define UNUSED	       (0x5eedULL << 32)

#define RUN(name, ...) run_with(bpf_program__fd(causes->progs.cause_##name), __VA_ARGS__)
#define RECORD(name, ...)                                                                      \
	assert_int_equal(result_with(bpf_program__fd(causes->progs.cause_##name##_tp), COMMON, \
				     __VA_ARGS__),                                             \
			 1)

static void raw_access(enum access access, uint64_t number)
{
	switch (access) {
	case PIO_READ:
	case PIO_WRITE:
		RUN(pio, access == PIO_WRITE, number, 4);
		break;
	case MMIO_WAITS:
	case MMIO_READ:
	case MMIO_WRITE:
		RUN(mmio, access - MMIO_WAITS, 4, number);
		break;
	case FAST_MMIO:
		RUN(fast_mmio, number);
		break;
	case MSR_READ:
	case MSR_WRITE:
		RUN(msr, access == MSR_WRITE, number, 4);
		break;
	case CPUID:
		RUN(cpuid, number, 0x5eed, 0x5eed);
		break;
	case HYPERCALL:
		RUN(hypercall, number, 0x5eed, 0x5eed);
		break;
	case HV_HYPERCALL:
		RUN(hv_hypercall, number, 0x5eed, 0x5eed);
		break;
	case CR_READ:
	case CR_WRITE:
		RUN(cr, access == CR_WRITE, number, 4);
		break;
	case APIC_READ:
	case APIC_WRITE:
		RUN(apic, access == APIC_WRITE, number, 4);
		break;
	case SYSREG:
		RUN(sysreg, number);
		break;
	default:
		RUN(hvc, 0x5eed, number);
	}
}

/* As the kernel's formats have it: a direction and a number are halves of a word. */
static void recorded_access(enum access access, uint64_t number)
{
	uint64_t high = number << 32;

	switch (access) {
	case PIO_READ:
	case PIO_WRITE:
		RECORD(pio, (access == PIO_WRITE) | high, 4);
		break;
	case MMIO_WAITS:
	case MMIO_READ:
	case MMIO_WRITE:
		RECORD(mmio, (access - MMIO_WAITS) | 4ULL << 32, number);
		break;
	case FAST_MMIO:
		RECORD(fast_mmio, number);
		break;
	case MSR_READ:
	case MSR_WRITE:
		RECORD(msr, (access == MSR_WRITE) | high, 4);
		break;
	case CPUID:
		RECORD(cpuid, number | UNUSED);
		break;
	case HYPERCALL:
		RECORD(hypercall, number, 0x5eed);
		break;
	case HV_HYPERCALL:
		RECORD(hv_hypercall, 0x5eed, 0x5eed, 0x5eed, number | 0x5eedULL << 16);
		break;
	case CR_READ:
	case CR_WRITE:
		RECORD(cr, (access == CR_WRITE) | high, 4);
		break;
	case APIC_READ:
	case APIC_WRITE:
		RECORD(apic, (access == APIC_WRITE) | high, 4);
		break;
	case SYSREG:
		RECORD(sysreg, number);
		break;
	default:
		RECORD(hvc, 0x5eed, number);
	}
}

void guest_accesses(enum access access, uint64_t number)
{
	if (by_perf)
		recorded_access(access, number);
	else
		raw_access(access, number);
}

/* --- counts --- */

void causes_add(struct cause_counts *to, const struct cause_counts *from)
{
	to->accesses += from->accesses;
	to->count += from->count;
	to->time += from->time;
	to->trips += from->trips;
	to->trip_time += from->trip_time;
}

static bool record_read(__u32 number, struct cause_record *ret_record)
{
	element_get(cause_maps.records, RECORDS_BITS, number, ret_record);
	return ret_record->head.start != 0;
}

static void record_add(const struct cause_record *record, uint64_t key, struct cause_counts *to)
{
	if (key == CAUSE_NONE)
		causes_add(to, &record->none);
	else if (key == CAUSE_OTHER)
		causes_add(to, &record->other);
	for (unsigned i = 0; key != CAUSE_NONE && i < CAUSE_SLOTS; i++) {
		if (record->slots[i].key == key)
			causes_add(to, &record->slots[i].counts);
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
		causes_add(&sum, &record.none);
		causes_add(&sum, &record.other);
		for (unsigned i = 0; i < CAUSE_SLOTS; i++)
			causes_add(&sum, &record.slots[i].counts);
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
		causes_add(&sum, &row.counts);
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
