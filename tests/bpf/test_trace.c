// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Copies of the trace family's program: each counts in its slot, in the row of its CPU. */
#include "bpf/run.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <string.h>
#include <unistd.h>

#include "bpf/trace.h"
#include "kernel/prog_template.h"
#include "trace.skel.h"

static struct trace_bpf *object;
static struct template template;

/*
 * Copies are of the program for raw tracepoints, or of that for perf, which the kernel does not run
 * without its event: as one of a raw tracepoint it does the same.
 */
static void load_of(int rows, bool perf)
{
	const struct bpf_program *program;
	int fd;

	object = trace_bpf__open();
	assert_non_null(object);
	bpf_map__set_max_entries(object->maps.trace_rows, (__u32)rows);
	assert_string_equal(bpf_program__section_name(object->progs.trace_template_tp), "tp");
	assert_int_equal(trace_bpf__load(object), 0);
	program = perf ? object->progs.trace_template_tp : object->progs.trace_template;
	assert_int_equal(template_init(bpf_program__insns(program), bpf_program__insn_cnt(program),
				       TRACE_SLOT_MARK, &template),
			 0);
	fd = bpf_map__fd(object->maps.trace_rows);
	assert_true(fd >= 0);
}

static void load(int rows)
{
	load_of(rows, false);
}

static int unload(void **state)
{
	(void)state;
	template_free(&template);
	trace_bpf__destroy(object);
	object = NULL;
	return 0;
}

static int copy_load(int slot)
{
	int fd = template_load(&template, slot, "kvm_test");

	assert_true(fd >= 0);
	return fd;
}

static void row_read(int cpu, struct trace_row *ret_row)
{
	__u32 key = (__u32)cpu;

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(object->maps.trace_rows), &key, ret_row),
			 0);
}

/* The row has these counts of the slots, and no others. */
static void assert_row(int cpu, const int *slots, size_t n, const uint64_t *wants)
{
	static struct trace_row row;

	row_read(cpu, &row);
	for (int slot = 0; slot < TRACE_SLOTS; slot++) {
		uint64_t want = 0;

		for (size_t i = 0; i < n; i++)
			want = slots[i] == slot ? wants[i] : want;
		if (row.count[slot] != want)
			fail_msg("CPU %d, slot %d: %llu, not %llu", cpu, slot,
				 (unsigned long long)row.count[slot], (unsigned long long)want);
	}
}

static void test_slots_and_cpus(void **state)
{
	static const int slots[] = { 0, 1, 7, TRACE_SLOTS - 1 };
	int fds[ARRAY_SIZE(slots)];

	(void)state;
	load(possible_cpus());
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		fds[i] = copy_load(slots[i]);
	for (int cpu = 0; cpu < possible_cpus(); cpu++) {
		uint64_t counts[ARRAY_SIZE(slots)] = { 0 };
		bool online = stay_on_cpu(cpu);

		leave_cpu();
		for (size_t i = 0; online && i < ARRAY_SIZE(slots); i++) {
			for (counts[i] = 0; counts[i] < 3 + 2 * i + (unsigned)cpu; counts[i]++)
				run_on_cpu(fds[i], cpu);
		}
		assert_row(cpu, slots, ARRAY_SIZE(slots), counts);
		for (int later = cpu + 1; later < possible_cpus(); later++)
			assert_row(later, NULL, 0, NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(slots); i++)
		close(fds[i]);
}

/* The template itself, and a copy with a slot that is too large, load and count nothing. */
static void test_no_slot(void **state)
{
	int fd;

	(void)state;
	load(possible_cpus());
	run_with(bpf_program__fd(object->progs.trace_template), 0);
	fd = copy_load(TRACE_SLOTS);
	run_with(fd, 0);
	close(fd);
	for (int cpu = 0; cpu < possible_cpus(); cpu++)
		assert_row(cpu, NULL, 0, NULL);
}

/*
 * A copy for perf counts its slot while it is to, and no other; its result is 1 in any case, so
 * that perf counts the event.
 */
static void test_for_perf(void **state)
{
	static const int slots[] = { 141, TRACE_SLOTS - 1 };
	uint64_t counts[] = { 2, 0 };
	int first, second, none;

	(void)state;
	load_of(possible_cpus(), true);
	assert_true(stay_on_cpu(0));
	first = copy_load(slots[0]);
	second = copy_load(slots[1]);
	none = copy_load(TRACE_SLOTS);
	assert_int_equal(result_with(first, 0), 1);
	object->bss->tp_counts[slots[0]] = 1;
	assert_int_equal(result_with(first, 0), 1);
	assert_int_equal(result_with(first, 0), 1);
	assert_int_equal(result_with(second, 0), 1);
	assert_int_equal(result_with(none, 0), 1);
	assert_row(0, slots, ARRAY_SIZE(slots), counts);
	object->bss->tp_counts[slots[0]] = 0;
	object->bss->tp_counts[slots[1]] = 1;
	counts[1] = 1;
	assert_int_equal(result_with(first, 0), 1);
	assert_int_equal(result_with(second, 0), 1);
	assert_row(0, slots, ARRAY_SIZE(slots), counts);
	leave_cpu();
	close(first);
	close(second);
	close(none);
}

/* A CPU beyond the map's rows counts nothing, in no other CPU's row. */
static void test_no_row(void **state)
{
	int last = possible_cpus() - 1, fd;

	(void)state;
	if (!last || !stay_on_cpu(last))
		skip_why("a single CPU, or the last is offline: run with more");
	leave_cpu();
	load(last);
	fd = copy_load(5);
	run_on_cpu(fd, last);
	close(fd);
	for (int cpu = 0; cpu < last; cpu++)
		assert_row(cpu, NULL, 0, NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_slots_and_cpus, unload),
		cmocka_unit_test_teardown(test_no_slot, unload),
		cmocka_unit_test_teardown(test_for_perf, unload),
		cmocka_unit_test_teardown(test_no_row, unload),
	};

	return run_group("test_trace", tests, ARRAY_SIZE(tests));
}
