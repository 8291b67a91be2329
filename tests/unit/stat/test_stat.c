// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family: passes over a fake iterator, attaching, fallbacks. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fakes/fake_maps.h"
#include "families/stat/stat.h"
#include "fakes/fake_stat_kernel.h"

extern const struct family_ops stat_family;

/* Fixture: an open family on a host with two VMs, one of which has a vCPU. */
static struct config config;
static struct events events;
static struct report report;
static struct stat_family *family;
static struct shown a, a0, b;
static char *error;
static struct pins pins;

static void open_family(bool pinned)
{
	struct family_env env = {
		.config = &config,
		.events = &events,
		.vms = vms,
		.pins = pinned ? &pins : NULL,
		.report = &report,
	};
	void *state = NULL;

	kernel.pins = env.pins;
	assert_int_equal(stat_family.open(&env, &state, &error), 0);
	assert_null(error);
	family = state;
}

static int setup(void **state)
{
	if (fakes_setup(state) || config_init(&config))
		return -1;
	vms_free(vms);
	if (vms_new("proc", NULL, &vms))
		return -1;
	vms->away_ns = 0;
	memset(&kernel, 0, sizeof(kernel));
	free(config.debugfs);
	config.debugfs = strdup("debug");
	config.vms = 16;
	report = (struct report){ 0 };
	error = NULL;
	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	b = shown_vm(200, 8);
	a.values[VM_COUNT] = 2;
	b.values[VM_COUNT] = 3;
	a0.values[VCPU_EXITS] = 5;
	fake_maps_make(stat_totals_bytes(&layout), 16);
	open_family(true);
	show(&a, &a0, &b);
	return 0;
}

static int teardown(void **state)
{
	stat_family.close(family);
	vms_detach(vms);
	assert_int_equal(kernel.objects, 0);
	assert_false(kernel.linked);
	config_free(&config);
	report_clear(&report);
	free(error);
	fake_maps_free();
	return fakes_teardown(state);
}

static int attach(void)
{
	free(error);
	error = NULL;
	return kernel_attach(vms, family, &config, &report, &error);
}

static void assert_attached(void)
{
	assert_int_equal(attach(), 0);
	assert_null(error);
	assert_int_equal(family->source, STAT_ITERATOR);
	assert_true(kernel.linked);
}

static uint64_t total(const char *name)
{
	const struct statistic *stat = stat_list_find(&family->layout->vm, name);

	assert_non_null(stat);
	return family->totals.now[stat->first];
}

static void test_attach(void **state)
{
	struct map_usage map;
	uint64_t missed;

	(void)state;
	assert_int_equal(stat_family.generation(family), 0);
	assert_int_equal(stat_family.map(family, 0, &map), -ENOENT);
	assert_attached();
	assert_int_equal(kernel.describes, 1);
	assert_int_equal(kernel.max_vms, 16);
	assert_int_equal(kernel.value_sizes[0], stat_totals_bytes(&layout));
	assert_int_equal(kernel.value_sizes[1], stat_totals_bytes(&layout));
	assert_int_equal(kernel.passes, 3); /* one of the register, two of ours */
	assert_vms("vmm-7#1 vmm-8#2");
	assert_vcpus("vmm-7::vcpu0#1");
	assert_int_equal(total("count"), 5);
	assert_int_equal(family->buckets.n, FAKE_BUCKETS);
	assert_int_equal(stat_family.generation(family), 1);
	assert_int_equal(stat_family.map(family, 0, &map), 0);
	assert_int_equal(map.used, 2);
	assert_int_equal(map.limit, 16);
	assert_int_equal(map.bytes, 2 * (24 + stat_totals_bytes(&layout)));
	assert_int_equal(stat_family.map(family, 1, &map), -ENOENT);
	assert_int_equal(stat_family.missed(family, &missed), -ENODATA);
	assert_int_equal(report.n, 0);
	/* attach again: nothing is created */
	assert_attached();
	assert_int_equal(kernel.links, 1);
	assert_int_equal(kernel.describes, 1);
	assert_int_equal(kernel.objects, 1);
	assert_int_equal(kernel.passes, 4);
	assert_vms("vmm-7#1 vmm-8#2");
}

/* Records can be split anywhere, and reads can be interrupted. */
static void test_reads(void **state)
{
	(void)state;
	assert_attached();
	for (size_t step = 1; step < 300; step += step < 9 ? 1 : 29) {
		kernel.step = step;
		kernel.interrupts = step % 3;
		a0.values[VCPU_EXITS]++;
		show(&a, &a0, &b);
		kernel_refresh(vms, family);
		assert_vms("vmm-7#1 vmm-8#2");
		assert_vcpus("vmm-7::vcpu0#1");
		assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_EXITS], a0.values[VCPU_EXITS]);
		assert_int_equal(kernel.at, kernel.size);
	}
}

/* A bad record does not affect others; an incomplete record is ignored. */
static void test_bad_records(void **state)
{
	struct shown odd = shown_vm(300, 9);

	(void)state;
	odd.record.bytes = 8;
	show(&odd, &a, &a0, &odd, &b);
	assert_attached();
	assert_vms("vmm-7#1 vmm-8#2");
	kernel.size -= 1;
	kernel_refresh(vms, family);
	assert_vms("vmm-7#1");
	assert_int_equal(vms->n, 2);
	odd.record.bytes = UINT32_MAX;
	show(&a, &a0, &b);
	memcpy(kernel.bytes + kernel.size, &odd.record, sizeof(odd.record));
	kernel.size += sizeof(odd.record);
	kernel_refresh(vms, family);
	assert_vms("vmm-7#1 vmm-8#2");
}

/* A pass that fails, early or late, does not destroy VMs. */
static void test_failed_passes(void **state)
{
	(void)state;
	assert_attached();
	for (int i = 0; i < 6; i++) {
		kernel.create_err = i % 3 == 0 ? -ENOMEM : 0;
		kernel.read_errs[0] = i % 3 == 1 ? -EIO : 0;
		kernel.read_errs[1] = i % 3 == 2 ? -EIO : 0;
		show(&b);
		kernel_refresh(vms, family);
		assert_vms("vmm-7#1 vmm-8#2");
		assert_int_equal(total("count"), 5);
	}
	kernel.read_errs[1] = 0;
	show(&a, &a0, &b);
	kernel_refresh(vms, family);
	assert_vms("vmm-7#1 vmm-8#2");
	assert_vcpus("vmm-7::vcpu0#1");
}

/* Values of an earlier agent are taken over only after a complete pass. */
static void test_failed_first_pass(void **state)
{
	(void)state;
	assert_attached();
	assert_int_equal(fake_maps_vms(), 2);
	stat_family.close(family);
	vms_detach(vms);
	vms_free(vms);
	assert_int_equal(vms_new("proc", NULL, &vms), 0);
	open_family(true);
	kernel.read_errs[1] = -EIO;
	show(&a);
	assert_attached();
	kernel.read_errs[1] = 0;
	show(&a, &a0, &b);
	kernel_refresh(vms, family);
	assert_vms("vmm-7#1 vmm-8#2");
	assert_int_equal(total("count"), 5);
	assert_int_equal(family->totals.nkept, 2);
}

/* Keys change when a bucket becomes non-empty; VMs that come and go change the register. */
static void test_refresh(void **state)
{
	uint64_t changes;

	(void)state;
	assert_int_equal(kernel_refresh(vms, family), 0); /* never attached */
	assert_attached();
	assert_int_equal(kernel_refresh(vms, family), 0);
	a0.values[VCPU_HIST] = 1;
	show(&a, &a0, &b);
	assert_int_equal(kernel_refresh(vms, family), 1);
	assert_int_equal(kernel_refresh(vms, family), 0);
	changes = vms->changes;
	show(&a, &a0);
	assert_int_equal(kernel_refresh(vms, family), 0);
	assert_true(vms->changes > changes);
	stat_family.detach(family);
	assert_int_equal(kernel_refresh(vms, family), 0);
}

/* Rows of buckets are looked for by those who read them. */
static void test_refresh_without_buckets(void **state)
{
	(void)state;
	assert_attached();
	assert_int_equal(kernel_refresh(vms, family), 0);
	a0.values[VCPU_HIST] = 1;
	show(&a, &a0, &b);
	vms_stale(vms, 0);
	assert_int_equal(stat_family.refresh(family, 1U << STAT_VM | 1U << STAT_HOST_HIST), 0);
	assert_int_equal(stat_family.refresh(family, 1U << STAT_VCPU_HIST), 1);
	assert_int_equal(stat_family.refresh(family, 1U << STAT_VM_HIST), 0);
}

/* A tick makes a pass if the last one was nearly a second ago, whether the family is attached. */
static void test_tick(void **state)
{
	(void)state;
	kernel.ns = 5000000000;
	vms_tick(vms, &report);
	assert_int_equal(kernel.passes, 0);
	assert_attached();
	assert_int_equal(kernel.passes, 3);
	kernel.ns += 899999999;
	vms_tick(vms, &report);
	assert_int_equal(kernel.passes, 3);
	kernel.ns += 1;
	vms_tick(vms, &report);
	vms_tick(vms, &report);
	assert_int_equal(kernel.passes, 4);
	show(&a, &a0);
	kernel.ns += 1000000000;
	vms_tick(vms, &report);
	kernel.ns += 1000000000;
	vms_tick(vms, &report);
	assert_int_equal(vms->n, 1);
	stat_family.detach(family);
	kernel.ns += 1000000000;
	vms_tick(vms, &report);
	stat_family.tick(family, &report); /* which has nothing to do then */
	assert_int_equal(kernel.passes, 7);
}

/* A detached family takes no statistics; which VMs there are is known all the same. */
static void test_detach(void **state)
{
	(void)state;
	assert_attached();
	stat_family.detach(family);
	stat_family.detach(family);
	assert_true(kernel.linked);
	assert_int_equal(family->source, STAT_NOWHERE);
	b.values[VM_COUNT] = 10;
	show(&b);
	assert_true(vms_pass(vms));
	assert_vms("vmm-8#2");
	assert_int_equal(stat_vm_of(vm_at(200))->values[VM_COUNT], 3);
	assert_int_equal(total("count"), 5);
	assert_true(vms_pass(vms));
	assert_int_equal(vms->n, 1);
	assert_attached();
	assert_vms("vmm-8#2");
	assert_int_equal(total("count"), 12);
	assert_int_equal(stat_family.generation(family), 2);
	assert_int_equal(kernel.describes, 1);
}

static void test_no_pins(void **state)
{
	(void)state;
	stat_family.close(family);
	open_family(false);
	assert_attached();
	assert_int_equal(fake_maps_vms(), 0);
	assert_map_writes("");
	assert_int_equal(total("count"), 5);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_attach),
		test(test_reads),
		test(test_bad_records),
		test(test_failed_passes),
		test(test_failed_first_pass),
		test(test_refresh),
		test(test_refresh_without_buckets),
		test(test_tick),
		test(test_detach),
		test(test_no_pins),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
