// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "bpf/old_exit.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bench/old/exit.h"
#include "bpf/run.h"
#include "tests/clocked_old_exit.skel.h"

static struct clocked_old_exit_bpf *programs;
static bool by_reason;

int old_exits_load(const void *setup, size_t size, bool reason_first, uint32_t limit)
{
	__u32 cpus = (__u32)possible_cpus();

	programs = clocked_old_exit_bpf__open();
	if (!programs)
		return -errno;
	assert_true(size <= sizeof(programs->rodata->setup));
	memcpy((void *)&programs->rodata->setup, setup, size);
	by_reason = reason_first;
	bpf_program__set_autoload(programs->progs.exit_vcpu_first, !reason_first);
	bpf_program__set_autoload(programs->progs.exit_reason_first, reason_first);
	bpf_map__set_max_entries(programs->maps.exit_cells, limit);
	bpf_map__set_max_entries(programs->maps.exit_rows, cpus);
	preallocate(programs->obj);
	return clocked_old_exit_bpf__load(programs);
}

void old_exits_unload(void)
{
	clocked_old_exit_bpf__destroy(programs);
	programs = NULL;
}

void old_clock_set(uint64_t ns)
{
	programs->bss->test_clock = ns;
}

void old_control_set(uint32_t generation, uint32_t epoch)
{
	const struct counters_control control = { generation, epoch };
	__u32 key = 0;

	assert_int_equal(bpf_map_update_elem(bpf_map__fd(programs->maps.exit_control), &key,
					     &control, 0),
			 0);
}

int old_exit_program(void)
{
	return bpf_program__fd(by_reason ? programs->progs.exit_reason_first :
					   programs->progs.exit_vcpu_first);
}

int old_entry_program(void)
{
	return bpf_program__fd(programs->progs.exit_entry);
}

/* Calls take() for the counters of each thread. */
static void for_threads(void (*take)(void *data, const struct exit_counters *counters), void *data)
{
	int fd = bpf_map__fd(programs->maps.exit_cells);
	struct thread_key key, *last = NULL;
	static struct exit_counters counters;

	for (; bpf_map_get_next_key(fd, last, &key) == 0; last = &key) {
		assert_int_equal(bpf_map_lookup_elem(fd, &key, &counters), 0);
		take(data, &counters);
	}
}

struct adding {
	unsigned slot;
	uint32_t epoch;
	struct old_sums *to;
};

static void sums_add(void *data, const struct exit_counters *counters)
{
	const struct adding *adding = data;
	const struct reason_counters *reason = &counters->reason[adding->slot];
	uint64_t max = reason->max & ((1ULL << MAX_TIME_BITS) - 1);

	adding->to->count += reason->count;
	adding->to->time += reason->time;
	if (reason->max >> MAX_TIME_BITS == adding->epoch && adding->to->max < max)
		adding->to->max = max;
}

static void buckets_add(__u32 slot, struct old_sums *sums)
{
	size_t cpus = (size_t)possible_cpus();
	struct exit_buckets *list = calloc(cpus, sizeof(*list));

	assert_non_null(list);
	if (bpf_map_lookup_elem(bpf_map__fd(programs->maps.exit_latency), &slot, list) == 0) {
		for (size_t cpu = 0; cpu < cpus; cpu++) {
			for (unsigned i = 0; i < EXIT_BUCKETS; i++)
				sums->bucket[i] += list[cpu].count[i];
		}
	}
	free(list);
}

void old_sums_read(unsigned slot, uint32_t epoch, struct old_sums *ret_sums)
{
	struct adding adding = { slot, epoch, ret_sums };

	memset(ret_sums, 0, sizeof(*ret_sums));
	for_threads(sums_add, &adding);
	buckets_add(slot, ret_sums);
	for (__u32 cpu = 0; cpu < (__u32)possible_cpus(); cpu++) {
		struct overflow_row row;

		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(programs->maps.exit_rows), &cpu, &row), 0);
		assert_int_equal(row.buckets, 0);
		ret_sums->overflow += row.count[slot];
	}
}

static void guest_time_add(void *data, const struct exit_counters *counters)
{
	*(uint64_t *)data += counters->counters.guest_time;
}

uint64_t old_guest_time(void)
{
	uint64_t sum = 0;

	for_threads(guest_time_add, &sum);
	return sum;
}
