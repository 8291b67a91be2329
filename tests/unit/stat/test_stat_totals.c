// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Totals while one agent runs; for its successor see test_stat_totals_pinned.c. */
#include "fakes/fake_maps.h"
#include "fakes/fake_vms.h"

#include <errno.h>
#include <string.h>

#include "families/stat/stat_totals.h"

/* Fixture: two VMs, the first with two vCPUs. */
static struct stat_totals totals;
static struct shown a, a0, a1, b;

static void count_ended(const struct vm *vm)
{
	stat_totals_ended(&totals, vm);
}

static int setup(void **state)
{
	if (fakes_setup(state) || stat_totals_init(&layout, &totals))
		return -1;
	when_ended = count_ended;
	fake_maps_make(stat_totals_bytes(&layout), 16);
	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	a1 = shown_vcpu(&a, 22, 1);
	b = shown_vm(200, 8);
	a.values[VM_COUNT] = 2;
	b.values[VM_COUNT] = 3;
	a.values[VM_GAUGE] = 5;
	b.values[VM_GAUGE] = 7;
	a.values[VM_PEAK] = 13;
	b.values[VM_PEAK] = 11;
	a.values[VM_HIST + 4] = 17;
	b.values[VM_HIST + 4] = 19;
	a0.values[VCPU_EXITS] = 23;
	a1.values[VCPU_EXITS] = 29;
	a0.values[VCPU_MODE] = a1.values[VCPU_MODE] = 1;
	a0.values[VCPU_DEEP] = 31;
	a1.values[VCPU_DEEP] = 37;
	return 0;
}

static int teardown(void **state)
{
	stat_totals_free(&totals);
	fake_maps_free();
	return fakes_teardown(state);
}

/* One of each kind. */
static void assert_totals(uint64_t count, uint64_t gauge, uint64_t peak, uint64_t bucket,
			  uint64_t exits, uint64_t mode, uint64_t deep)
{
	const uint64_t *vcpu = totals.now + VM_VALUES;

	assert_int_equal(totals.now[VM_COUNT], count);
	assert_int_equal(totals.now[VM_GAUGE], gauge);
	assert_int_equal(totals.now[VM_PEAK], peak);
	assert_int_equal(totals.now[VM_HIST + 4], bucket);
	assert_int_equal(totals.now[VM_HIST + 3], 0);
	assert_int_equal(vcpu[VCPU_EXITS], exits);
	assert_int_equal(vcpu[VCPU_MODE], mode);
	assert_int_equal(vcpu[VCPU_DEEP], deep);
	assert_int_equal(vcpu[VCPU_BUSY], 0);
}

#define pass_and_sum(...)                      \
	do {                                   \
		pass(__VA_ARGS__);             \
		stat_totals_sum(&totals, vms); \
	} while (0)

static void test_sum(void **state)
{
	(void)state;
	pass_and_sum(NULL);
	assert_totals(0, 0, 0, 0, 0, 0, 0);
	pass_and_sum(&a, &a0, &a1, &b);
	assert_totals(5, 12, 13, 36, 52, 2, 37);
	a.values[VM_COUNT] = 41;
	a.values[VM_GAUGE] = 1;
	pass_and_sum(&a, &a0, &a1, &b);
	assert_totals(44, 8, 13, 36, 52, 2, 37);
	stat_totals_sum(&totals, vms);
	assert_totals(44, 8, 13, 36, 52, 2, 37);
}

/* Of an absent or destroyed VM only counters stay in the totals. */
static void test_missed_and_ended(void **state)
{
	(void)state;
	pass_and_sum(&a, &a0, &a1, &b);
	for (int i = 0; i < 3; i++) {
		pass_and_sum(&b);
		assert_totals(5, 7, 11, 36, 52, 0, 0);
		assert_int_equal(vms->n, i ? 1 : 2);
	}
	pass_and_sum(&a, &a0, &a1, &b); /* it is another VM */
	assert_totals(7, 12, 13, 53, 104, 2, 37);
}

/* A vCPU closed before its VM. */
static void test_vcpu_ends(void **state)
{
	(void)state;
	pass_and_sum(&a, &a0, &a1, &b);
	for (int i = 0; i < 3; i++) {
		pass_and_sum(&a, &a0, &b);
		assert_totals(5, 12, 13, 36, 52, 1, 31);
	}
	pass_and_sum(&b);
	pass_and_sum(&b);
	assert_totals(5, 7, 11, 36, 52, 0, 0);
}

/* VMs appear, count, lose vCPUs and are destroyed in many orders: no counter ever falls. */
static void never_falls(uint64_t away_ns)
{
	uint64_t before[VM_VALUES + VCPU_VALUES] = { 0 };
	unsigned random = 1;

	vms->away_ns = away_ns;
	stat_totals_keep(&totals, FAKE_ENDED_FD, FAKE_VMS_FD, true);
	for (int round = 0; round < 3000; round++) {
		const struct shown *list[5] = { NULL };
		size_t n = 0;

		random = random * 1103515245 + 12345;
		a.values[VM_FLUSH]++;
		a0.values[VCPU_EXITS] += 2;
		a1.values[VCPU_HIST + 3]++;
		if (random >> 16 & 3)
			list[n++] = &a;
		if (n && random >> 18 & 3)
			list[n++] = &a0;
		if (n && random >> 20 & 3)
			list[n++] = &a1;
		if (random >> 22 & 3)
			list[n] = &b;
		if (!(random >> 28)) { /* another VM at that address */
			a.record.birth++;
			a.values[VM_FLUSH] = a0.values[VCPU_EXITS] = 0;
		}
		pass_over(list);
		if (round % 5) /* every fifth pass has no sum after it */
			stat_totals_sum(&totals, vms);
		assert_false(stat_fell(&layout.vm, before, totals.now));
		assert_false(stat_fell(&layout.vcpu, before + VM_VALUES, totals.now + VM_VALUES));
		memcpy(before, totals.now, sizeof(before));
	}
	/* it counted once a round; a VM that is not kept while it is away counts again */
	if (away_ns)
		assert_in_range(before[VM_FLUSH], 2500, 3000);
	else
		assert_true(before[VM_FLUSH] > 3000);
	assert_true(vms->last_id > 100);
	assert_int_equal(fake_maps_vms(), totals.nkept);
	assert_true(totals.nkept <= 2);
}

static void test_never_falls(void **state)
{
	(void)state;
	never_falls(0);
}

static void test_never_falls_while_away(void **state)
{
	(void)state;
	never_falls(VMS_AWAY_NS);
}

static void test_without_maps(void **state)
{
	(void)state;
	assert_int_equal(totals.vms_fd, -1);
	pass_and_sum(&a, &a0, &a1, &b);
	vms_end_all(vms);
	stat_totals_sum(&totals, vms);
	assert_totals(5, 0, 0, 36, 52, 0, 0);
	assert_map_writes("");
	assert_int_equal(totals.nkept, 0);
}

/* Only changed VMs are written; for a destroyed VM the sums are written before its entry goes. */
static void test_writes(void **state)
{
	(void)state;
	assert_false(stat_totals_keep(&totals, FAKE_ENDED_FD, FAKE_VMS_FD, false));
	assert_map_writes("ended");
	pass_and_sum(&a, &a0, &a1, &b);
	assert_map_writes("+100 +200");
	assert_int_equal(totals.nkept, 2);
	pass_and_sum(&a, &a0, &a1, &b);
	assert_map_writes("");
	a1.values[VCPU_EXITS]++;
	pass_and_sum(&a, &a0, &a1, &b);
	assert_map_writes("+100");
	assert_int_equal(fake_maps_vm_value(100)[1 + VM_COUNT], 2);
	assert_int_equal(fake_maps_vm_value(100)[1 + VM_VALUES + VCPU_EXITS], 53);
	pass_and_sum(&a, &a0, &a1);
	assert_map_writes("");
	pass_and_sum(&a, &a0, &a1);
	assert_map_writes("ended -200");
	assert_int_equal(totals.nkept, 1);
	assert_int_equal(fake_maps_ended_value()[1 + VM_COUNT], 3);
	assert_int_equal(fake_maps_ended_value()[1 + VM_GAUGE], 0);
	assert_int_equal(fake_maps_ended_value()[1 + VM_PEAK], 0);
	assert_int_equal(fake_maps_ended_value()[1 + VM_HIST + 4], 19);
	assert_int_equal(fake_maps_ended_value()[0], fake_maps_vm_value(100)[0]);
}

/* A VM without room in the map counts all the same; it is retried, and counted as dropped once. */
static void test_map_is_full(void **state)
{
	(void)state;
	fake_maps_make(stat_totals_bytes(&layout), 1);
	stat_totals_keep(&totals, FAKE_ENDED_FD, FAKE_VMS_FD, true);
	assert_map_writes("ended");
	for (int i = 0; i < 3; i++) {
		pass_and_sum(&a, &a0, &a1, &b);
		assert_totals(5, 12, 13, 36, 52, 2, 37);
		assert_int_equal(totals.nkept, 1);
		assert_int_equal(totals.dropped, 1);
		assert_map_writes(i ? "" : "+100");
	}
	pass_and_sum(&b);
	pass_and_sum(&b);
	assert_map_writes("ended -100 +200");
	assert_int_equal(totals.nkept, 1);
	pass_and_sum(NULL);
	pass_and_sum(NULL);
	assert_totals(5, 0, 0, 36, 52, 0, 0);
	assert_int_equal(totals.nkept, 0);
	assert_int_equal(totals.dropped, 1);
	pass_and_sum(&b, &a, &a0, &a1);
	assert_int_equal(totals.dropped, 2);
}

/* A VM that never had an entry is destroyed: deleting the entry may fail. */
static void test_dropped_ends(void **state)
{
	(void)state;
	stat_totals_keep(&totals, FAKE_ENDED_FD, FAKE_VMS_FD, true);
	fake_maps_err = -ENOMEM;
	pass_and_sum(&a);
	assert_int_equal(totals.nkept, 0);
	assert_int_equal(totals.dropped, 1);
	pass_and_sum(NULL);
	pass_and_sum(NULL);
	assert_int_equal(totals.nkept, 0);
	assert_int_equal(totals.now[VM_COUNT], 2);
}

/* A VM that is away gives up its place in the map, and takes one again when it is back. */
static void test_away(void **state)
{
	(void)state;
	vms->away_ns = VMS_AWAY_NS;
	fake_maps_make(stat_totals_bytes(&layout), 1);
	stat_totals_keep(&totals, FAKE_ENDED_FD, FAKE_VMS_FD, true);
	pass_and_sum(&a, &a0, &a1);
	assert_map_writes("ended +100");
	pass_and_sum(NULL);
	assert_map_writes("");
	pass_and_sum(NULL);
	assert_map_writes("ended -100");
	assert_totals(2, 0, 0, 17, 52, 0, 0);
	assert_int_equal(fake_maps_ended_value()[1 + VM_COUNT], 2);
	assert_int_equal(fake_maps_ended_value()[1 + VM_VALUES + VCPU_EXITS], 52);
	pass_and_sum(&b);
	assert_map_writes("+200");
	assert_totals(5, 7, 11, 36, 52, 0, 0);
	assert_int_equal(fake_maps_ended_value()[1 + VM_COUNT], 2);
	pass_and_sum(NULL);
	pass_and_sum(NULL);
	assert_map_writes("ended -200");
	assert_int_equal(fake_maps_ended_value()[1 + VM_COUNT], 5);
	assert_int_equal(totals.nkept, 0);
	a0.values[VCPU_EXITS] += 8;
	pass_and_sum(&a, &a0, &a1);
	assert_map_writes("+100 ended");
	assert_totals(5, 5, 13, 36, 60, 2, 37);
	assert_int_equal(fake_maps_ended_value()[1 + VM_COUNT], 3);
	assert_int_equal(fake_maps_ended_value()[1 + VM_VALUES + VCPU_EXITS], 0);
	assert_int_equal(totals.nkept, 1);
	pass_and_sum(NULL);
	pass_and_sum(NULL);
	vms_end_all(vms);
	stat_totals_sum(&totals, vms);
	assert_totals(5, 0, 0, 36, 60, 0, 0);
	assert_int_equal(fake_maps_ended_value()[1 + VM_COUNT], 5);
	assert_int_equal(fake_maps_ended_value()[1 + VM_VALUES + VCPU_EXITS], 60);
	assert_int_equal(totals.nkept, 0);
}

/* Statistics continue by name if another KVM has them at other offsets. */
static void test_inherit(void **state)
{
	struct stat_layout other;
	struct stat_totals younger;
	struct statistic swap;

	(void)state;
	assert_int_equal(fake_other_layout("news", &other), 0);
	swap = other.vcpu.list[0];
	other.vcpu.list[0] = other.vcpu.list[2];
	other.vcpu.list[0].first = 0;
	other.vcpu.list[2] = swap;
	other.vcpu.list[2].first = 2; /* "exits" is where "busy" was */
	strcpy(other.vm.list[3].name, "flush_gauge");
	other.vm.list[2].kind = STAT_INSTANT; /* "both" */
	other.vm.list[5].buckets = 4;
	assert_int_equal(stat_totals_init(&other, &younger), 0);
	a.values[VM_FLUSH] = 43;
	a.values[VM_BOTH] = a.values[VM_HIST] = 47;
	totals.dropped = 3;
	pass_and_sum(&a, &a0, &a1, &b);
	vms_end_all(vms);
	stat_totals_inherit(&younger, &totals);
	assert_int_equal(younger.ended[VM_FLUSH], 43);
	assert_int_equal(younger.ended[VM_COUNT], 0); /* "news" */
	assert_int_equal(younger.ended[VM_GAUGE], 0);
	assert_int_equal(younger.ended[VM_BOTH], 0);
	assert_int_equal(younger.ended[VM_HIST], 0);
	assert_int_equal(younger.ended[VM_HIST + 4], 0);
	assert_int_equal(younger.ended[VM_VALUES], 0);
	assert_int_equal(younger.ended[VM_VALUES + 2], 52);
	assert_int_equal(younger.dropped, 3); /* a counter, too */
	assert_int_equal(younger.nkept, 0);
	stat_totals_free(&younger);
	stat_layout_free(&other);
}

/* A name that moves from one list to the other; a name in both lists stays in each. */
static void test_inherit_from_the_other_list(void **state)
{
	struct stat_layout other;
	struct stat_totals younger;

	(void)state;
	assert_int_equal(fake_layout(&other), 0);
	strcpy(other.vm.list[0].name, "exits");
	strcpy(other.vcpu.list[0].name, "remote_tlb_flush");
	strcpy(other.vcpu.list[2].name, "count"); /* VMs have it, too, before and after */
	assert_int_equal(stat_totals_init(&other, &younger), 0);
	a.values[VM_FLUSH] = 43;
	a.values[VM_BOTH] = 47;
	a0.values[VCPU_BOTH] = 53;
	pass_and_sum(&a, &a0, &a1, &b);
	vms_end_all(vms);
	stat_totals_inherit(&younger, &totals);
	assert_int_equal(younger.ended[0], 52);
	assert_int_equal(younger.ended[VM_COUNT], 5);
	assert_int_equal(younger.ended[VM_BOTH], 47);
	assert_int_equal(younger.ended[VM_VALUES], 43);
	assert_int_equal(younger.ended[VM_VALUES + 2], 0);
	assert_int_equal(younger.ended[VM_VALUES + VCPU_BOTH], 53);
	stat_totals_free(&younger);
	stat_layout_free(&other);
}

static void test_no_memory(void **state)
{
	struct stat_totals made;
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		int err;

		untouched_fill(&made, sizeof(made));
		alloc_fail_at(n);
		err = stat_totals_init(&layout, &made);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&made, sizeof(made));
	}
	assert_int_equal(n, 4);
	stat_totals_free(&made);
	stat_totals_free(&made);
	assert_int_equal(made.vms_fd, -1);
	assert_int_equal(stat_totals_bytes(&layout), 8 * (1 + VM_VALUES + VCPU_VALUES));
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_sum),
		test(test_missed_and_ended),
		test(test_vcpu_ends),
		test(test_never_falls),
		test(test_never_falls_while_away),
		test(test_without_maps),
		test(test_writes),
		test(test_map_is_full),
		test(test_dropped_ends),
		test(test_inherit),
		test(test_inherit_from_the_other_list),
		test(test_no_memory),
		test(test_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
