// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Totals that one agent leaves in pinned maps, and the next one takes over. */
#include "fakes/fake_maps.h"
#include "fakes/fake_vms.h"

#include <string.h>

#include "families/stat/stat_totals.h"

/* Fixture: an agent that has stored a VM with two vCPUs, and one without. */
static struct stat_totals totals;
static struct shown a, a0, a1, b;

static void count_ended(const struct vm *vm)
{
	stat_totals_ended(&totals, vm);
}

/* Start an agent with its own register. Returns whether another schema's values were discarded. */
static bool start(void)
{
	stat_totals_free(&totals);
	assert_int_equal(fakes_register(), 0);
	assert_int_equal(stat_totals_init(&layout, &totals), 0);
	when_ended = count_ended;
	return stat_totals_keep(&totals, FAKE_ENDED_FD, FAKE_VMS_FD, true);
}

static int setup(void **state)
{
	if (fakes_setup(state))
		return -1;
	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	a1 = shown_vcpu(&a, 22, 1);
	b = shown_vm(200, 8);
	a.values[VM_COUNT] = 2;
	a.values[VM_GAUGE] = 3;
	a.values[VM_HIST + 4] = 5;
	b.values[VM_COUNT] = 7;
	a0.values[VCPU_EXITS] = 11;
	a1.values[VCPU_EXITS] = 13;
	a0.values[VCPU_HIST] = 17;
	fake_maps_make(stat_totals_bytes(&layout), 16);
	assert_false(start());
	assert_map_writes("ended");
	pass(&a, &a0, &a1, &b);
	stat_totals_sum(&totals, vms);
	assert_map_writes("+100 +200");
	return 0;
}

static int teardown(void **state)
{
	stat_totals_free(&totals);
	fake_maps_free();
	return fakes_teardown(state);
}

#define pass_and_sum(...)                      \
	do {                                   \
		pass(__VA_ARGS__);             \
		stat_totals_sum(&totals, vms); \
	} while (0)

/* One of each kind. */
static void assert_totals(uint64_t count, uint64_t bucket, uint64_t exits, uint64_t wait)
{
	assert_int_equal(totals.now[VM_COUNT], count);
	assert_int_equal(totals.now[VM_HIST + 4], bucket);
	assert_int_equal(totals.now[VM_VALUES + VCPU_EXITS], exits);
	assert_int_equal(totals.now[VM_VALUES + VCPU_HIST], wait);
	if (totals.taken_over)
		assert_int_equal(totals.nkept, fake_maps_vms());
}

static void test_all_there(void **state)
{
	(void)state;
	assert_false(start());
	assert_map_writes("ended");
	for (int i = 0; i < 3; i++) {
		pass_and_sum(&a, &a0, &a1, &b);
		assert_totals(9, 5, 24, 17);
		assert_int_equal(totals.now[VM_GAUGE], 3);
		assert_map_writes(i ? "" : "+100 +200");
	}
	a0.values[VCPU_EXITS] = 19;
	b.values[VM_COUNT] = 8;
	assert_false(start());
	pass_and_sum(&a, &a0, &a1, &b);
	assert_totals(10, 5, 32, 17);
	assert_int_equal(totals.nkept, 2);
}

/* A VM destroyed before its agent ended, or while none ran, counts once. */
static void test_ended(void **state)
{
	(void)state;
	pass_and_sum(&b);
	pass_and_sum(&b);
	assert_map_writes("ended -100");
	assert_false(start());
	pass_and_sum(&b);
	assert_totals(9, 5, 24, 17);
	assert_false(start());
	assert_map_writes("ended +200 ended");
	pass_and_sum(NULL);
	assert_map_writes("ended -200");
	assert_totals(9, 5, 24, 17);
	assert_int_equal(totals.now[VM_GAUGE], 0);
	pass_and_sum(NULL);
	assert_false(start());
	pass_and_sum(NULL);
	assert_totals(9, 5, 24, 17);
	assert_int_equal(totals.nkept, 0);
}

/* All VMs are destroyed: deleting moves entries, but none is skipped. */
static void test_all_ended(void **state)
{
	struct shown many[12];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = shown_vm(1000 + 64 * i, 20);
		many[i].values[VM_COUNT] = 100;
	}
	vms_begin(vms);
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		assert_int_equal(see(&many[i]), 0);
	vms_end(vms);
	stat_totals_sum(&totals, vms);
	assert_int_equal(fake_maps_vms(), 14);
	assert_false(start());
	pass_and_sum(NULL);
	assert_int_equal(fake_maps_vms(), 0);
	assert_totals(1209, 5, 24, 17);
}

/* A vCPU closed while no agent ran: its counts are in its VM's sum. */
static void test_vcpu_gone(void **state)
{
	(void)state;
	a1.values[VCPU_EXITS] = 14;
	assert_false(start());
	pass_and_sum(&a, &a1, &b);
	assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_EXITS], 24);
	assert_int_equal(stat_vm_of(vm_at(100))->gone[VCPU_EXITS], 10);
	assert_totals(9, 5, 24, 17);
	a1.values[VCPU_EXITS] = 15;
	pass_and_sum(&a, &a1, &b);
	assert_totals(9, 5, 25, 17);
	assert_false(start());
	pass_and_sum(&a, &a1, &b);
	assert_totals(9, 5, 25, 17);
	pass_and_sum(NULL);
	pass_and_sum(NULL);
	assert_totals(9, 5, 25, 17);
}

/* Another VM has the address now: known by its birth. */
static void test_another_vm(void **state)
{
	(void)state;
	a.record.birth++;
	assert_false(start());
	assert_map_writes("ended");
	pass_and_sum(&a, &b);
	assert_map_writes("ended -100 +100 +200");
	assert_totals(11, 10, 24, 17);
}

/* Without births, only by its counts. */
static void test_another_vm_without_births(void **state)
{
	(void)state;
	pass_and_sum(&b);
	pass_and_sum(&b);
	a.record.birth = a0.record.birth = a1.record.birth = 0;
	pass_and_sum(&a, &b);
	assert_map_writes("ended -100 +100");
	assert_totals(11, 10, 24, 17);
	assert_false(start());
	a.values[VM_COUNT] = 1;
	a.values[VM_HIST + 4] = 6;
	assert_map_writes("ended");
	pass_and_sum(&a, &b);
	assert_map_writes("ended +100 +200");
	assert_totals(12, 16, 24, 17);
	assert_int_equal(totals.nkept, 2);
	assert_int_equal(fake_maps_vm_value(100)[1 + VM_COUNT], 1);
	/* a VM that has counted nothing yet */
	memset(a.values, 0, sizeof(a.values));
	for (int i = 0; i < 3; i++) {
		assert_false(start());
		pass_and_sum(&a, &b);
		assert_totals(12, 16, 24, 17);
		assert_true(totals.taken_over);
	}
}

/* Counters that somebody resets, while an agent runs and while none does: nothing counts twice. */
static void test_reset(void **state)
{
	(void)state;
	a.values[VM_COUNT] = a0.values[VCPU_EXITS] = 0;
	pass_and_sum(&a, &a0, &a1, &b);
	assert_totals(9, 5, 24, 17);
	a.values[VM_COUNT] = 1;
	a0.values[VCPU_EXITS] = 3;
	pass_and_sum(&a, &a0, &a1, &b);
	assert_totals(10, 5, 27, 17);
	assert_false(start());
	pass_and_sum(&a, &a0, &a1, &b);
	assert_totals(10, 5, 27, 17);
	assert_int_equal(stat_vm_of(vm_at(100))->values[VM_COUNT], 3);
	a.values[VM_COUNT] = 0;
	a1.values[VCPU_EXITS] = 0;
	assert_false(start());
	pass_and_sum(&a, &a0, &a1, &b);
	assert_totals(10, 5, 27, 17);
	a.values[VM_COUNT] = 5;
	a1.values[VCPU_EXITS] = 7;
	pass_and_sum(&a, &a0, &a1, &b);
	assert_totals(15, 5, 34, 17);
	pass_and_sum(NULL);
	pass_and_sum(NULL);
	assert_totals(15, 5, 34, 17);
	assert_false(start());
	pass_and_sum(NULL);
	assert_totals(15, 5, 34, 17);
}

/* Without memory for a VM's base the totals are right all the same. */
static void test_reset_without_memory(void **state)
{
	(void)state;
	pass_and_sum(&a, &a0, &a1);
	pass_and_sum(&a, &a0, &a1);
	a.values[VM_COUNT] = 1;
	assert_false(start());
	for (unsigned n = 0;; n++) {
		pass(&a, &a0, &a1);
		alloc_fail_at(n);
		stat_totals_sum(&totals, vms);
		if (!alloc_failed())
			break;
		if (totals.taken_over)
			assert_totals(9, 5, 24, 17);
	}
	pass_and_sum(&a, &a0, &a1);
	assert_totals(9, 5, 24, 17);
}

/* Other names: the values in the maps have another meaning. */
static void test_other_schema(void **state)
{
	(void)state;
	pass_and_sum(&a, &a0, &a1);
	pass_and_sum(&a, &a0, &a1); /* now both maps have entries */
	strcpy(layout.vm.list[1].name, "other");
	assert_map_writes("ended -200");
	assert_true(start());
	assert_map_writes("ended");
	pass_and_sum(&b);
	assert_totals(7, 0, 0, 0);
	assert_map_writes("-100 +200");
	assert_false(start());
	pass_and_sum(&b);
	assert_totals(7, 0, 0, 0);
	/* also histograms of another width, and the entry of a living VM */
	layout.vcpu.list[5].buckets = 3;
	layout.vcpu.list[4].buckets = 2;
	assert_true(start());
	assert_map_writes("ended +200 ended");
	pass_and_sum(&b);
	assert_totals(7, 0, 0, 0);
	assert_map_writes("+200");
	assert_false(start());
	pass_and_sum(NULL);
	assert_totals(7, 0, 0, 0);
}

/* An agent that dies between the two writes leaves a VM that counts twice, but is not lost. */
static void test_dies_in_between(void **state)
{
	(void)state;
	fake_maps_ended_value()[1 + VM_COUNT] += 7;
	assert_false(start());
	pass_and_sum(&a, &a0, &a1);
	assert_totals(16, 5, 24, 17);
}

/* The maps were just created, so there is no earlier agent. */
static void test_not_taken_over(void **state)
{
	(void)state;
	totals.ended[VM_COUNT] = 100;
	totals.taken_over = false;
	fake_maps_make(stat_totals_bytes(&layout), 16);
	fake_maps_ended_value()[0] = 1;
	assert_false(stat_totals_keep(&totals, FAKE_ENDED_FD, FAKE_VMS_FD, false));
	assert_map_writes("ended");
	assert_int_equal(fake_maps_ended_value()[1 + VM_COUNT], 100);
	assert_true(totals.taken_over);
}

/* The entry of a VM that is destroyed before the maps are taken over. */
static void test_ended_before_the_sum(void **state)
{
	struct shown other = shown_vm(100, 9);

	(void)state;
	assert_false(start());
	assert_map_writes("ended");
	pass(&a, &a0, &a1);
	pass(&other);
	assert_map_writes("ended -100");
	assert_int_equal(totals.nkept, 0);
	other.values[VM_COUNT] = 1;
	pass_and_sum(&other);
	assert_map_writes("ended -200 +100");
	assert_totals(10, 5, 24, 17);
}

/* The list of keys cannot be read: the maps are taken over later, once. */
static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	assert_false(start());
	for (n = 0;; n++) {
		pass(&a, &a0, &a1);
		alloc_fail_at(n);
		stat_totals_sum(&totals, vms);
		if (!alloc_failed())
			break;
		assert_totals(2, 5, 24, 17);
		assert_int_equal(fake_maps_vms(), 2);
	}
	assert_true(n >= 2);
	for (int i = 0; i < 3; i++) {
		assert_totals(9, 5, 24, 17);
		assert_int_equal(fake_maps_vms(), 1);
		pass_and_sum(&a, &a0, &a1);
	}
}

static int setup_batches(void **state)
{
	int err = setup(state);

	fake_maps_batches = true;
	return err;
}

static int teardown_batches(void **state)
{
	fake_maps_batches = false;
	return teardown(state);
}

/* Each test runs on a kernel without batches, and on one with them. */
#define test(name)                                              \
	cmocka_unit_test_setup_teardown(name, setup, teardown), \
		cmocka_unit_test_setup_teardown(name, setup_batches, teardown_batches)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_all_there),	   test(test_ended),
		test(test_all_ended),	   test(test_vcpu_gone),
		test(test_another_vm),	   test(test_another_vm_without_births),
		test(test_reset),	   test(test_reset_without_memory),
		test(test_other_schema),   test(test_dies_in_between),
		test(test_not_taken_over), test(test_ended_before_the_sum),
		test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
