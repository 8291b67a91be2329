// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* VMs in the register: their identity and their end. */
#include "fakes/fake_vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void test_nobody(void **state)
{
	(void)state;
	pass(NULL);
	pass(NULL);
	assert_vms("");
	assert_int_equal(vms->changes, 0);
	assert_null(vms_find(vms, &(struct vm_key){ 0 }));
	vms_end_all(vms);
	vms_cancel(vms);
	assert_ended("");
}

static void test_one(void **state)
{
	struct shown a = shown_vm(100, 7);
	const struct vm *vm;
	uint64_t changes;

	(void)state;
	a.values[VM_COUNT] = 5;
	a.values[VM_GAUGE] = 6;
	changes = vms->changes;
	pass(&a);
	assert_true(vms->changes > changes);
	assert_vms("vmm-7#1");
	vm = vm_at(100);
	assert_ptr_equal(vms_find(vms, &vm->key), vm);
	assert_int_equal(vm->pid, 7);
	assert_string_equal(vm->identity.name, "vmm");
	assert_labels(vm->labels, "{\"vm\":\"vmm\",\"pid\":7}");
	assert_int_equal(stat_vm_of(vm)->values[VM_COUNT], 5);
	assert_int_equal(stat_vm_of(vm)->values[VM_GAUGE], 6);
	assert_int_equal(vm->nvcpus, 0);
	assert_true(stat_vm_of(vm)->changed);
	changes = vms->changes;
	pass(&a);
	assert_int_equal(vms->changes, changes);
	assert_vms("vmm-7#1");
	assert_ended("");
}

/* The writer of values clears changed; only new values set it. */
static void test_changed(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0);

	(void)state;
	pass(&a, &a0);
	stat_vm_of(vm_at(100))->changed = false;
	pass(&a, &a0);
	assert_false(stat_vm_of(vm_at(100))->changed);
	a.values[VM_HIST + 4]++;
	pass(&a, &a0);
	assert_true(stat_vm_of(vm_at(100))->changed);
	stat_vm_of(vm_at(100))->changed = false;
	a0.values[VCPU_HIST + 3]++;
	pass(&a, &a0);
	assert_true(stat_vm_of(vm_at(100))->changed);
}

static void test_sorted(void **state)
{
	struct shown a = shown_vm(300, 7), b = shown_vm(100, 8), c = shown_vm(200, 9);

	(void)state;
	pass(&a, &b, &c);
	assert_vms("vmm-8#2 vmm-9#3 vmm-7#1");
	pass(&c, &b, &a);
	pass(&c, &a);
	pass(&c, &a);
	assert_ended("vmm-8");
	assert_vms("vmm-9#3 vmm-7#1");
	assert_null(vms_find(vms, &(struct vm_key){ 100, 1, 8 }));
	assert_null(vms_find(vms, &(struct vm_key){ 200, 1, 8 }));
	assert_null(vms_find(vms, &(struct vm_key){ 200, 2, 9 }));
	assert_non_null(vms_find(vms, &(struct vm_key){ 200, 1, 9 }));
}

/* The name given to the VMM, and the name used if there is none. */
static void test_names(void **state)
{
	static const char line[] = "/usr/bin/qemu-system-x86_64\0-name\0guest=web 1";
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 8), c = shown_vm(300, 0);

	(void)state;
	make_folders("proc/7");
	write_bytes("proc/7/cmdline", line, sizeof(line));
	/* a comm that fills its buffer has no NUL */
	memcpy(b.record.comm, "0123456789abcdef", 16);
	/* a process outside the reader's PID namespace */
	c.record.tgid = c.record.creator = 1234;
	make_folders("proc/1234");
	write_bytes("proc/1234/cmdline", line, sizeof(line));
	pass(&a, &b, &c);
	assert_vms("web_1-7#1 0123456789abcdef-8#2 vmm-1234#3");
	assert_string_equal(vm_at(100)->identity.name, "web 1");
	assert_int_equal(vm_at(300)->pid, 1234);
}

/* A VM that several processes have open is one VM, and belongs to its creator. */
static void test_creator_later(void **state)
{
	struct shown other = shown_vm(100, 7), creator = shown_vm(100, 9);

	(void)state;
	other.record.creator = 9;
	strcpy(other.record.comm, "other");
	pass(&other, &other, &creator, &creator, &other);
	assert_vms("vmm-9#1");
	assert_string_equal(vm_at(100)->identity.name, "vmm");
	assert_labels(vm_at(100)->labels, "{\"vm\":\"vmm\",\"pid\":9}");
	assert_int_equal(vm_at(100)->pid, 9);
}

/* Later files of a pass have later values; they are not another VM's. */
static void test_several_files(void **state)
{
	struct shown a = shown_vm(100, 7), again = shown_vm(100, 7), other = shown_vm(100, 8);

	(void)state;
	again.values[VM_COUNT] = 5;
	other.values[VM_COUNT] = 6;
	other.record.creator = 7;
	pass(&a, &again, &other);
	assert_vms("vmm-7#1");
	assert_int_equal(stat_vm_of(vm_at(100))->values[VM_COUNT], 6);
	pass(&other); /* only the other process has it open now */
	assert_vms("vmm-7#1");
	assert_ended("");
}

/* A VM keeps a name that was published. */
static void test_creator_too_late(void **state)
{
	struct shown other = shown_vm(100, 7), creator = shown_vm(100, 9);
	struct shown vcpu = shown_vcpu(&other, 11, 0);

	(void)state;
	other.record.creator = 9;
	pass(&other);
	assert_vms("vmm-7#1");
	pass(&other, &creator);
	assert_vms("vmm-7#1");
	pass(NULL);
	pass(NULL);
	assert_ended("vmm-7");
	/* also if vCPU names contain it */
	pass(&other, &vcpu, &creator);
	assert_vms("vmm-7.2#2");
	assert_vcpus("vmm-7.2::vcpu0#1");
}

/* If the creator is not a process's first thread, the first process seen gives the name. */
static void test_creator_is_a_thread(void **state)
{
	struct shown one = shown_vm(100, 7), two = shown_vm(100, 9);

	(void)state;
	one.record.creator = two.record.creator = 8;
	pass(&one, &two);
	assert_vms("vmm-7#1");
	pass(&two, &one);
	pass(&two);
	pass(&two);
	assert_vms("vmm-7#1");
	/* a kernel without userspace_pid */
	one.record.creator = one.record.tgid = two.record.creator = 0;
	one.record.kvm = two.record.kvm = 200;
	pass(&one, &two);
	assert_int_equal(vm_at(200)->pid, 7);
}

static void test_missed_once(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 8);
	uint64_t changes;

	(void)state;
	pass(&a, &b);
	for (int i = 0; i < 3; i++) {
		changes = vms->changes;
		pass(&b);
		assert_vms("vmm-8#2");
		assert_int_equal(vms->n, 2);
		assert_true(vms->changes > changes);
		changes = vms->changes;
		pass(&a, &b);
		assert_vms("vmm-7#1 vmm-8#2");
		assert_true(vms->changes > changes);
	}
	assert_ended("");
}

static void test_missed_twice(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 8);
	uint64_t changes;

	(void)state;
	pass(&a, &b);
	pass(&b);
	assert_ended("");
	changes = vms->changes;
	pass(&b);
	assert_ended("vmm-7");
	assert_true(vms->changes > changes);
	assert_int_equal(vms->n, 1);
	pass(&b);
	pass(&a, &b); /* the key is the same, but the VM is not */
	assert_vms("vmm-7.2#3 vmm-8#2");
	assert_ended("");
	pass(NULL);
	pass(NULL);
	assert_ended("vmm-8 vmm-7.2");
}

/* Another VM reuses the address. */
static void test_address_again(void **state)
{
	struct shown a = shown_vm(100, 7);

	(void)state;
	a.values[VM_COUNT] = a.values[VM_HIST] = a.values[VM_GAUGE] = 5;
	pass(&a);
	a.record.birth++;
	pass(&a);
	assert_ended("vmm-7");
	assert_vms("vmm-7.2#2");
	a.record.creator++;
	pass(&a);
	assert_ended("vmm-7.2");
	assert_vms("vmm-7.3#3");
}

/* Without a birth, which tells them apart, counters that fall do. */
static void test_address_again_without_births(void **state)
{
	struct shown a = shown_vm(100, 7);

	(void)state;
	a.record.birth = 0;
	a.values[VM_COUNT] = a.values[VM_HIST] = a.values[VM_GAUGE] = 5;
	pass(&a);
	a.values[VM_GAUGE]--;
	pass(&a);
	assert_ended("");
	a.values[VM_COUNT]--;
	pass(&a);
	assert_ended("vmm-7");
	assert_vms("vmm-7.2#2");
	a.values[VM_HIST]--;
	pass(&a);
	assert_ended("vmm-7.2");
	assert_vms("vmm-7.3#3");
	assert_int_equal(vms->n, 1);
	assert_int_equal(stat_vm_of(vm_at(100))->values[VM_COUNT], 4);
}

/* Somebody resets the counters of a VM whose birth is known: it is the same VM, and counts on. */
static void test_counters_reset(void **state)
{
	struct shown a = shown_vm(100, 7);
	const uint64_t *values;

	(void)state;
	a.values[VM_COUNT] = a.values[VM_HIST] = a.values[VM_GAUGE] = 5;
	a.values[VM_PEAK] = 9;
	pass(&a);
	a.values[VM_COUNT] = a.values[VM_HIST] = a.values[VM_GAUGE] = a.values[VM_PEAK] = 1;
	pass(&a);
	assert_ended("");
	assert_vms("vmm-7#1");
	values = stat_vm_of(vm_at(100))->values;
	assert_int_equal(values[VM_COUNT], 5);
	assert_int_equal(values[VM_HIST], 5);
	assert_int_equal(values[VM_GAUGE], 1);
	assert_int_equal(values[VM_PEAK], 1);
	a.values[VM_COUNT] += 7;
	pass(&a);
	pass(&a);
	assert_int_equal(values[VM_COUNT], 12);
	assert_int_equal(values[VM_HIST], 5);
	assert_int_equal(values[VM_GAUGE], 1);
	a.values[VM_COUNT] = a.values[VM_HIST] = 0;
	pass(&a);
	a.values[VM_COUNT] = 3;
	pass(&a);
	assert_int_equal(values[VM_COUNT], 15);
	assert_int_equal(values[VM_HIST], 5);
	assert_vms("vmm-7#1");
}

/* The new VM does not inherit vCPUs of the old one. */
static void test_address_again_with_vcpus(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0);
	struct shown b = shown_vm(100, 8), b0 = shown_vcpu(&b, 11, 0);

	(void)state;
	a0.values[VCPU_EXITS] = 5;
	b0.values[VCPU_EXITS] = 9;
	pass(&a, &a0);
	pass(&b, &b0);
	assert_ended("vmm-7");
	assert_vcpus("vmm-8::vcpu0#2");
	assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_EXITS], 9);
}

/* Two VMs of a process are two, and a reused name gets a suffix. */
static void test_same_name(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 7), c = shown_vm(300, 7);

	(void)state;
	pass(&a, &b);
	assert_vms("vmm-7#1 vmm-7.2#2");
	pass(&b);
	pass(&b, &c);
	assert_vms("vmm-7.2#2 vmm-7.3#3");
	assert_ended("vmm-7");
	assert_labels(vm_at(300)->labels, "{\"vm\":\"vmm\",\"pid\":7}");
}

static uint64_t sum_when_ended;

static void note_sum(const struct vm *vm)
{
	assert_ptr_equal(vms_find(vms, &vm->key), vm); /* it is still present */
	sum_when_ended = stat_vm_of(vm)->gone[VCPU_EXITS];
}

/* Within one pass a VM is seen and destroyed, and another VM gets its address: no count is lost. */
static void test_ends_within_a_pass(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0), b = shown_vm(100, 8);

	(void)state;
	when_ended = note_sum;
	a0.values[VCPU_EXITS] = 5;
	pass(&a, &a0);
	a0.values[VCPU_EXITS] = 11;
	pass(&a, &a0, &b);
	assert_int_equal(sum_when_ended, 11);
	assert_vms("vmm-8#2");
}

#define test(name) vms_test(name)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_nobody),
		test(test_one),
		test(test_changed),
		test(test_sorted),
		test(test_names),
		test(test_creator_later),
		test(test_several_files),
		test(test_creator_too_late),
		test(test_creator_is_a_thread),
		test(test_missed_once),
		test(test_missed_twice),
		test(test_address_again),
		test(test_address_again_without_births),
		test(test_counters_reset),
		test(test_address_again_with_vcpus),
		test(test_same_name),
		test(test_ends_within_a_pass),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
