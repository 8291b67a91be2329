// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* VMs that no process has open for a while: their files are on their way in a socket. */
#include "fakes/fake_vms.h"

#include <string.h>

#define SECOND UINT64_C(1000000000)

static uint64_t ns;

uint64_t __wrap_clock_ns(void);
uint64_t __wrap_clock_ns(void)
{
	return ns;
}

/* Fixture: VMs are kept for as long as an agent keeps them. */
static struct shown a, a0, b;

static int setup(void **state)
{
	int err = fakes_setup(state);

	ns = SECOND;
	vms->away_ns = VMS_AWAY_NS;
	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	b = shown_vm(200, 8);
	a.values[VM_COUNT] = 5;
	a0.values[VCPU_EXITS] = 1000;
	return err;
}

/* Passes that do not see the VM, one a second. */
static void passes_without(unsigned n)
{
	while (n--) {
		ns += SECOND;
		pass(&b);
	}
}

static void test_comes_back(void **state)
{
	uint64_t changes;

	(void)state;
	pass(&a, &a0, &b);
	for (unsigned gone = 2; gone < 300; gone = gone * 2 + 3) {
		passes_without(1);
		changes = vms->changes;
		passes_without(gone - 1);
		assert_int_equal(vms->changes, changes);
		assert_vms("vmm-8#2");
		assert_vcpus("");
		assert_ended("");
		ns += SECOND;
		a0.values[VCPU_EXITS]++;
		pass(&a, &a0, &b);
		assert_true(vms->changes > changes);
		assert_vms("vmm-7#1 vmm-8#2");
		assert_vcpus("vmm-7::vcpu0#1");
		assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_EXITS], a0.values[VCPU_EXITS]);
	}
	assert_ended("");
}

/* After that time it is over. */
static void test_ends(void **state)
{
	(void)state;
	pass(&a, &a0, &b);
	passes_without(299);
	assert_ended("");
	passes_without(1);
	assert_ended("vmm-7");
	pass(&a, &a0, &b);
	assert_vms("vmm-7.2#3 vmm-8#2");
}

/* Passes that fail tell nothing, however long they do. */
static void test_after_failed_passes(void **state)
{
	(void)state;
	pass(&a, &a0, &b);
	for (unsigned i = 0; i < 400; i++) {
		ns += SECOND;
		vms_begin(vms);
		vms_cancel(vms);
	}
	assert_vms("vmm-7#1 vmm-8#2");
	passes_without(5);
	assert_ended("");
	pass(&a, &a0, &b);
	assert_vms("vmm-7#1 vmm-8#2");
}

/* A VM without a birth could not be told from another one. */
static void test_without_birth(void **state)
{
	(void)state;
	a.record.birth = 0;
	pass(&a, &b);
	passes_without(1);
	assert_ended("");
	passes_without(1);
	assert_ended("vmm-7");
}

/* Another VM has its address, or one of its vCPUs' addresses, now: it is gone. */
static void test_address_again(void **state)
{
	struct shown other = shown_vm(100, 9), third = shown_vm(300, 10);
	struct shown vcpu = shown_vcpu(&third, 11, 0);

	(void)state;
	pass(&a, &a0, &b);
	passes_without(3);
	pass(&b, &other);
	assert_ended("vmm-7");
	pass(&b, &other, &a); /* it has the address once more */
	assert_ended("vmm-9");
	pass(&b, &a, &a0);
	passes_without(3);
	assert_ended("");
	pass(&b, &third, &vcpu);
	assert_ended("vmm-7.2");
	assert_vcpus("vmm-10::vcpu0#3");
}

/* Only so many are kept, the latest. */
static void test_limit(void **state)
{
	struct shown many;

	(void)state;
	for (unsigned i = 0; i <= VMS_AWAY_MAX; i++) {
		many = shown_vm(1000 + 64 * i, 1000 + i);
		pass(&b, &many);
	}
	pass(&b);
	assert_ended("");
	pass(&b);
	assert_ended("vmm-1000");
	assert_int_equal(vms->n, VMS_AWAY_MAX + 1);
	many.record.kvm = 1000 + 64;
	many.record.pid = many.record.tgid = many.record.creator = 1001;
	pass(&b, &many);
	assert_vms("vmm-8#1 vmm-1001#3");
}

/* And of vCPUs. */
static void test_limit_of_vcpus(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		struct shown vm = shown_vm(1000 + 64 * i, 1000 + i);

		vms_begin(vms);
		see(&b);
		see(&vm);
		for (uint32_t n = 0; n < VMS_AWAY_VCPUS_MAX / 2; n++) {
			struct shown vcpu = shown_vcpu(&vm, 10000 + i * 1000 + n, n);

			see(&vcpu);
		}
		vms_end(vms);
	}
	passes_without(1);
	assert_ended("");
	passes_without(1);
	assert_ended("vmm-1000");
	passes_without(9);
	assert_ended("");
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, fakes_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_comes_back),	   test(test_ends),	     test(test_after_failed_passes),
		test(test_without_birth),  test(test_address_again), test(test_limit),
		test(test_limit_of_vcpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
