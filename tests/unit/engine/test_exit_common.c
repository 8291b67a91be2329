// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* When the rows of exit's tables change, and how full its maps are; no object is loaded. */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#include "bpf/exit.h"
#include "engine/exit_common.h"

static struct vms vms = { .proc = "proc" };
static struct config config = { .vcpus = 100, .vm_histograms = 7 };
static bool present[3];
static struct cpus cpus = { .present = present, .n = 3 };
static struct overflow_row overflow[3];
static struct exits *exits;

static int setup(void **state)
{
	struct family_env env = { .config = &config, .cpus = &cpus, .vms = &vms };

	(void)state;
	memset(overflow, 0, sizeof(overflow));
	return exits_new(&env, "exit", EXIT_LAYOUT, EXIT_SLOTS, REASONS_SVM, &exits);
}

static int teardown(void **state)
{
	(void)state;
	exits->counters.overflow = NULL;
	exits_close(exits);
	return 0;
}

static void test_new(void **state)
{
	uint64_t missed;

	(void)state;
	assert_null(exits->env.report);
	assert_ptr_equal(exits->env.vms, &vms);
	assert_int_equal(exits->counters.nslots, EXIT_SLOTS);
	assert_string_equal(exits->counters.proc, "proc");
	for (size_t i = 0; i < EXITS_PROGRAMS; i++)
		assert_int_equal(exits->programs[i].link_fd, -1);
	assert_int_equal(exits_generation(exits), 0);
	assert_int_equal(exits_missed(exits, &missed), -ENODATA);
	assert_int_equal(exits_reset_max(exits), 0);
	exits_detach(exits);
	exits_close(NULL);
}

/* A reason or bucket that is counted for the first time is a new row; a higher count is not. */
static void test_refresh(void **state)
{
	(void)state;
	assert_int_equal(exits_refresh(exits), 0);
	exits->counters.total[9].count = 1;
	assert_int_equal(exits_refresh(exits), 1);
	assert_int_equal(exits_refresh(exits), 0);
	exits->counters.total[9].count = 2;
	exits->counters.total[9].max = 2;
	exits->counters.total[10].time = 2;
	assert_int_equal(exits_refresh(exits), 0);
	exits->latency[9][31] = 1;
	assert_int_equal(exits_refresh(exits), 1);
	exits->latency[9][31] = 2;
	assert_int_equal(exits_refresh(exits), 0);
	exits->counters.total[EXIT_SLOTS - 1].count = 1;
	assert_int_equal(exits_refresh(exits), 1);
	exits->counters.vms.grown = true; /* a VM's first exit for a reason */
	assert_int_equal(exits_refresh(exits), 1);
	assert_false(exits->counters.vms.grown);
	assert_int_equal(exits_refresh(exits), 0);
	/* both at once */
	exits->counters.vms.grown = true;
	exits->counters.total[0].count = 1;
	assert_int_equal(exits_refresh(exits), 1);
	assert_int_equal(exits_refresh(exits), 0);
}

static void test_maps(void **state)
{
	struct map_usage usage = { 0 };

	(void)state;
	exits->counters.used = 3;
	exits->counters.dropped = 5;
	exits_map(exits, &usage);
	assert_int_equal(usage.limit, 100);
	assert_int_equal(usage.used, 3);
	assert_int_equal(usage.bytes,
			 3 * (sizeof(struct thread_key) + sizeof(struct exit_counters)));
	assert_int_equal(usage.dropped, 5);
	usage = (struct map_usage){ 0 };
	exits_latency_map(exits, &usage);
	assert_int_equal(usage.limit, EXIT_HISTOGRAMS);
	assert_int_equal(usage.bytes, 0);
	exits_vm_latency_map(exits, &usage);
	assert_int_equal(usage.limit, 7);
	assert_int_equal(usage.used, 0);
	assert_int_equal(usage.dropped, 0);
	exits->vm_histograms = 2;
	exits->counters.overflow = overflow;
	overflow[0].vm_buckets = 11;
	overflow[2].vm_buckets = 13;
	overflow[1].buckets = 1000;
	exits_vm_latency_map(exits, &usage);
	assert_int_equal(usage.used, 2);
	assert_int_equal(usage.bytes,
			 2 * (sizeof(struct exit_vm_key) + sizeof(struct exit_buckets)));
	assert_int_equal(usage.dropped, 24);
}

static void test_no_memory(void **state)
{
	struct family_env env = { .config = &config, .cpus = &cpus, .vms = &vms };
	struct exits *made;
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		int err;

		untouched_fill(&made, sizeof(struct exits *));
		alloc_fail_at(n);
		err = exits_new(&env, "exit", EXIT_LAYOUT, EXIT_SLOTS, REASONS_SVM, &made);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&made, sizeof(struct exits *));
	}
	assert_true(n > 2);
	exits_close(made);
}

#define exits_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		exits_test(test_new),
		exits_test(test_refresh),
		exits_test(test_maps),
		exits_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
