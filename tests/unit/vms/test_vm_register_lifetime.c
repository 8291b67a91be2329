// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The register as a whole: aborted passes, layout changes, no memory, many VMs. */
#include "fakes/fake_vms.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>

/* A pass that is aborted after these records. */
static void broken_pass(const struct shown *one, const struct shown *other)
{
	vms_begin(vms);
	if (one)
		assert_int_equal(see(one), 0);
	if (other)
		assert_int_equal(see(other), 0);
	vms_cancel(vms);
}

/* After aborted passes, however many, all VMs are still present. */
static void test_cancel(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0), b = shown_vm(200, 8);

	(void)state;
	a0.values[VCPU_EXITS] = 2;
	a0.values[VCPU_MODE] = 1;
	pass(&a, &a0, &b);
	for (int i = 0; i < 5; i++) {
		uint64_t changes = vms->changes;

		broken_pass(i % 2 ? &b : NULL, NULL);
		assert_vms("vmm-7#1 vmm-8#2");
		assert_vcpus("vmm-7::vcpu0#1");
		assert_int_equal(vms->changes, changes);
		assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_MODE], 1);
	}
	a0.values[VCPU_EXITS] = 3;
	broken_pass(&a, &a0);
	assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_EXITS], 3);
	pass(&a, &a0, &b);
	assert_vms("vmm-7#1 vmm-8#2");
	assert_vcpus("vmm-7::vcpu0#1");
	assert_ended("");
}

/* A VM absent before is neither back nor destroyed. */
static void test_cancel_when_missed(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0), b = shown_vm(200, 8);

	(void)state;
	pass(&a, &a0, &b);
	pass(&a);
	broken_pass(&a, NULL);
	broken_pass(NULL, NULL);
	assert_vms("vmm-7#1");
	assert_vcpus("");
	assert_int_equal(vms->n, 2);
	assert_int_equal(vm_at(100)->nvcpus, 1);
	pass(&a, &a0, &b);
	assert_vms("vmm-7#1 vmm-8#2");
	assert_vcpus("vmm-7::vcpu0#1");
	pass(&a);
	broken_pass(NULL, NULL);
	pass(&a);
	assert_ended("vmm-8");
	assert_vcpus("");
}

/* A VM that appears in an aborted pass is present. */
static void test_cancel_when_new(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0);

	(void)state;
	a0.values[VCPU_EXITS] = 2;
	broken_pass(&a, &a0);
	assert_vms("vmm-7#1");
	assert_vcpus("vmm-7::vcpu0#1");
	assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_EXITS], 2);
	pass(&a, &a0);
	assert_vms("vmm-7#1");
}

static void test_end_all(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 8), c = shown_vm(300, 9);
	uint64_t changes;

	(void)state;
	pass(&a, &b, &c);
	pass(&a, &c);
	changes = vms->changes;
	vms_end_all(vms);
	assert_ended("vmm-9 vmm-8 vmm-7");
	assert_int_equal(vms->n, 0);
	assert_true(vms->changes > changes);
	pass(&a);
	assert_vms("vmm-7.2#4");
}

/* Records of another size, and nobody who listens: VMs and vCPUs are registered all the same. */
static void test_no_listener(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0);

	(void)state;
	vms->listener = NULL;
	vms->vcpu_bytes = 0;
	vms_begin(vms);
	assert_int_equal(see(&a), 0);
	assert_int_equal(see(&a0), -EINVAL);
	a0.record.bytes = 0;
	assert_int_equal(see(&a0), 0);
	vms_end(vms);
	assert_vms("vmm-7#1");
	assert_vcpus("vmm-7::vcpu0#1");
	assert_null(vm_at(100)->hung);
	assert_null(vm_at(100)->vcpus[0].hung);
	vms_end_all(vms);
	assert_ended("");
}

static void test_new_without_memory(void **state)
{
	(void)state;
	assert_new_without_memory(NULL);
	vms_free(NULL);
}

/* A VM that cannot be added now is added by the next pass, with its own name and number. */
static void test_vm_without_memory(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 8);
	unsigned n;

	(void)state;
	pass(&b);
	for (n = 0;; n++) {
		int err;

		vms_begin(vms);
		assert_int_equal(see(&b), 0);
		alloc_fail_at(n);
		err = see(&a);
		if (!alloc_failed()) {
			assert_int_equal(err, 0);
			vms_end(vms);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		vms_end(vms);
		assert_vms("vmm-8#1");
		assert_int_equal(vms->n, 1);
	}
	assert_true(n > 8);
	assert_vms("vmm-7#2 vmm-8#1");
	assert_ended("");
}

/* A VM keeps the first process's name until there is memory for the creator's. */
static void test_creator_without_memory(void **state)
{
	struct shown other = shown_vm(100, 7), creator = shown_vm(100, 9);
	unsigned n;

	(void)state;
	other.record.creator = 9;
	for (n = 0;; n++) {
		char expected[32];
		int err;

		vms_begin(vms);
		assert_int_equal(see(&other), 0);
		alloc_fail_at(n);
		err = see(&creator);
		if (!alloc_failed()) {
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		vms_end(vms);
		snprintf(expected, sizeof(expected), n ? "vmm-7.%u#%u" : "vmm-7#1", n + 1, n + 1);
		assert_vms(expected);
		vms_end_all(vms);
	}
	assert_true(n > 3);
	vms_end(vms);
	assert_string_equal(vm_at(100)->name, "vmm-9");
}

static void test_vcpu_without_memory(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0), a1 = shown_vcpu(&a, 22, 1);
	unsigned n;

	(void)state;
	a0.values[VCPU_EXITS] = 2;
	a1.values[VCPU_EXITS] = 3;
	pass(&a, &a0);
	for (n = 0;; n++) {
		int err;

		vms_begin(vms);
		assert_int_equal(see(&a), 0);
		assert_int_equal(see(&a0), 0);
		alloc_fail_at(n);
		err = see(&a1);
		if (!alloc_failed()) {
			assert_int_equal(err, 0);
			vms_end(vms);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		vms_end(vms);
		assert_vcpus("vmm-7::vcpu0#1");
		assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_EXITS], 2);
	}
	assert_true(n >= 4);
	assert_vcpus("vmm-7::vcpu0#1 vmm-7::vcpu1#2");
	assert_int_equal(stat_vm_of(vm_at(100))->sum[VCPU_EXITS], 5);
}

/* Seeing a known VM again needs no memory. */
static void test_pass_without_memory(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0);

	(void)state;
	pass(&a, &a0);
	alloc_fail_at(0);
	pass(&a, &a0);
	pass(NULL);
	pass(&a, &a0);
	assert_false(alloc_failed());
	assert_vcpus("vmm-7::vcpu0#1");
}

static struct shown many_vm(uint32_t i)
{
	struct shown shown = shown_vm(1000 + i % 7 * 64, 1 + i);

	shown.record.birth = i;
	return shown;
}

/* One VM after another: each leaves only its name, for a while. */
static void test_many(void **state)
{
	uint32_t n = 10000;
	size_t before = 0;

	(void)state;
	for (uint32_t i = 0; i < n; i++) {
		struct shown vm = many_vm(i), vcpu = shown_vcpu(&vm, 11, 0), other = vm;

		other.record.tgid = other.record.pid = n + i;
		pass(&other, &vm, &vcpu); /* it is renamed, too */
		assert_true(vms->n <= 2);
		*ended = '\0';
		if (i == n / 2)
			before = mallinfo2().uordblks;
	}
	/* valgrind and the sanitizers replace the allocator, so there are no numbers */
	assert_in_range(mallinfo2().uordblks, 0, before + 4096);
	assert_int_equal(vms->last_id, n);
	assert_int_equal(vms->last_vcpu_id, n);
	assert_int_equal(vms->list[vms->n - 1]->nvcpus, 1);
}

/* All at once. */
static void test_many_at_once(void **state)
{
	uint32_t n = 2000;

	(void)state;
	for (int again = 0; again < 2; again++) {
		vms_begin(vms);
		for (uint32_t i = 0; i < n; i++) {
			struct shown vm = shown_vm(64 * (1 + i * 733 % n), 1 + i);
			struct shown vcpu = shown_vcpu(&vm, 11, 0);

			assert_int_equal(see(&vm), 0);
			assert_int_equal(see(&vcpu), 0);
		}
		vms_end(vms);
	}
	assert_int_equal(vms->n, n);
	assert_int_equal(vms->last_id, n);
	for (uint32_t i = 1; i < n; i++)
		assert_true(vms->list[i - 1]->key.kvm < vms->list[i]->key.kvm);
	pass(NULL);
	pass(NULL);
	assert_int_equal(vms->n, 0);
}

/* Instance numbers stay positive ints. */
static void test_last_numbers(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0);
	struct shown b = shown_vm(200, 8), b0 = shown_vcpu(&b, 22, 0);

	(void)state;
	vms->last_id = vms->last_vcpu_id = 0x7ffffffe;
	pass(&a, &a0, &b, &b0);
	assert_vms("vmm-7#2147483647 vmm-8#1");
	assert_vcpus("vmm-7::vcpu0#2147483647 vmm-8::vcpu0#1");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		vms_test(test_cancel),
		vms_test(test_cancel_when_missed),
		vms_test(test_cancel_when_new),
		vms_test(test_end_all),
		vms_test(test_no_listener),
		vms_test(test_new_without_memory),
		vms_test(test_vm_without_memory),
		vms_test(test_creator_without_memory),
		vms_test(test_vcpu_without_memory),
		vms_test(test_pass_without_memory),
		vms_test(test_many),
		vms_test(test_many_at_once),
		vms_test(test_last_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
