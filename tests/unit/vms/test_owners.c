// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_vms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vms/owners.h"

static bool present[64];
static struct cpus cpus;
static struct owners owners;

static int setup(void **state)
{
	memset(present, 0, sizeof(present));
	present[0] = present[1] = true;
	cpus = (struct cpus){ 4, present };
	owners = (struct owners){ 0 };
	return fakes_setup(state);
}

static int teardown(void **state)
{
	owners_free(&owners);
	assert_null(owners.cpu_names);
	return fakes_teardown(state);
}

static void update(void)
{
	assert_int_equal(owners_update(&owners, vms, &cpus), 0);
}

/* The names of a list; the parts of an owner fit each other. */
static void assert_owners(enum owner_kind kind, const char *text)
{
	const struct owner_list *list = &owners.kinds[kind];
	char found[1024] = "";

	for (size_t i = 0; i < list->n; i++) {
		const struct owner *owner = &list->list[i];

		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s", i ? " " : "",
			 owner->name);
		assert_int_equal(owner->vm != NULL, kind >= OWNER_VM);
		assert_int_equal(owner->vcpu != NULL, kind == OWNER_VCPU);
		assert_int_equal(owner->labels != NULL, kind >= OWNER_VM);
		if (kind == OWNER_VM) {
			assert_int_equal(owner->id, owner->vm->id);
			assert_ptr_equal(owner->name, owner->vm->name);
			assert_ptr_equal(owner->labels, owner->vm->labels);
		} else if (kind == OWNER_VCPU) {
			assert_true(owner->vcpu >= owner->vm->vcpus &&
				    owner->vcpu < owner->vm->vcpus + owner->vm->nvcpus);
			assert_int_equal(owner->id, owner->vcpu->id);
			assert_ptr_equal(owner->name, owner->vcpu->name);
			assert_ptr_equal(owner->labels, owner->vcpu->labels);
		}
	}
	assert_string_equal(found, text);
}

static struct shown named_vm(uint64_t kvm, uint32_t pid, const char *name)
{
	struct shown shown = shown_vm(kvm, pid);

	strncpy(shown.record.comm, name, sizeof(shown.record.comm));
	return shown;
}

/* A pass that lacks the memory for what it sees next; returns whether an allocation failed. */
static bool broken_pass(const struct shown *vm, const struct shown *vcpu, unsigned n)
{
	bool failed;
	int err;

	vms_begin(vms);
	assert_int_equal(see(vm), 0);
	alloc_fail_at(n);
	err = see(vcpu);
	failed = alloc_failed();
	assert_int_equal(err, failed ? -ENOMEM : 0);
	vms_cancel(vms);
	return failed;
}

static void test_host(void **state)
{
	(void)state;
	update();
	update();
	assert_int_equal(owners.kinds[OWNER_HOST].n, 1);
	assert_int_equal(owners.kinds[OWNER_HOST].list[0].id, 0);
	assert_null(owners.kinds[OWNER_HOST].list[0].name);
	assert_null(owners.kinds[OWNER_HOST].list[0].labels);
	assert_owners(OWNER_VM, "");
	assert_owners(OWNER_VCPU, "");
}

/* CPUs that are present, by number; names stay where they are. */
static void test_cpus(void **state)
{
	const char *name;
	uint64_t changes;

	(void)state;
	present[1] = false;
	update();
	assert_owners(OWNER_CPU, "cpu0");
	name = owners.kinds[OWNER_CPU].list[0].name;
	present[3] = true;
	changes = owners.changes;
	update();
	assert_owners(OWNER_CPU, "cpu0 cpu3");
	assert_int_equal(owners.kinds[OWNER_CPU].list[1].id, 3);
	assert_true(owners.changes > changes);
	present[1] = true;
	update();
	assert_owners(OWNER_CPU, "cpu0 cpu1 cpu3");
	assert_int_equal(owners.kinds[OWNER_CPU].list[1].id, 1);
	assert_ptr_equal(owners.kinds[OWNER_CPU].list[0].name, name);
	changes = owners.changes;
	update();
	assert_int_equal(owners.changes, changes);
}

/* 64 CPUs: more than the list first has room for, and in the order of numbers. */
static void test_many_cpus(void **state)
{
	(void)state;
	cpus.n = 64;
	memset(present, 1, sizeof(present));
	update();
	assert_int_equal(owners.kinds[OWNER_CPU].n, 64);
	for (uint32_t i = 0; i < 64; i++) {
		char name[16];

		snprintf(name, sizeof(name), "cpu%u", i);
		assert_int_equal(owners.kinds[OWNER_CPU].list[i].id, i);
		assert_string_equal(owners.kinds[OWNER_CPU].list[i].name, name);
	}
}

/* web2 before web10, whatever the addresses; PIDs by value, too. */
static void test_natural_order(void **state)
{
	struct shown a = named_vm(100, 20, "web10"), b = named_vm(200, 30, "web2");
	struct shown c = named_vm(300, 1000, "db"), d = named_vm(400, 900, "db");
	struct shown e = named_vm(500, 5, "web");

	(void)state;
	pass(&a, &b, &c, &d, &e);
	update();
	assert_owners(OWNER_VM, "db-900 db-1000 web-5 web2-30 web10-20");
	assert_owners(OWNER_VCPU, "");
}

/* vCPUs by VM and number, however they were made. */
static void test_vcpus(void **state)
{
	struct shown a = named_vm(100, 7, "web10"), b = named_vm(200, 8, "web2");
	struct shown a0 = shown_vcpu(&a, 11, 0), a2 = shown_vcpu(&a, 12, 2);
	struct shown a10 = shown_vcpu(&a, 13, 10), b0 = shown_vcpu(&b, 14, 0);

	(void)state;
	pass(&a, &a10, &a2, &a0, &b, &b0);
	update();
	assert_owners(OWNER_VM, "web2-8 web10-7");
	assert_owners(OWNER_VCPU, "web2-8::vcpu0 web10-7::vcpu0 web10-7::vcpu2 web10-7::vcpu10");
}

/* What a pass missed is left out, and comes back in its place with its id. */
static void test_missed(void **state)
{
	struct shown a = named_vm(100, 7, "a"), b = named_vm(200, 8, "b"),
		     c = named_vm(300, 9, "c");
	struct shown b0 = shown_vcpu(&b, 11, 0), b1 = shown_vcpu(&b, 12, 1);
	struct shown c0 = shown_vcpu(&c, 13, 0);
	uint32_t vm, vcpu;

	(void)state;
	pass(&a, &b, &b0, &b1, &c, &c0);
	update();
	assert_owners(OWNER_VM, "a-7 b-8 c-9");
	vm = owners.kinds[OWNER_VM].list[1].id;
	vcpu = owners.kinds[OWNER_VCPU].list[0].id;
	pass(&a, &c, &c0);
	update();
	assert_owners(OWNER_VM, "a-7 c-9");
	assert_owners(OWNER_VCPU, "c-9::vcpu0");
	pass(&a, &b, &b0, &b1, &c, &c0);
	update();
	assert_owners(OWNER_VM, "a-7 b-8 c-9");
	assert_int_equal(owners.kinds[OWNER_VM].list[1].id, vm);
	assert_int_equal(owners.kinds[OWNER_VCPU].list[0].id, vcpu);
	pass(&a, &b, &b1, &c, &c0);
	update();
	assert_owners(OWNER_VCPU, "b-8::vcpu1 c-9::vcpu0");
	pass(&a, &b, &b0, &b1, &c, &c0);
	update();
	assert_owners(OWNER_VCPU, "b-8::vcpu0 b-8::vcpu1 c-9::vcpu0");
	pass(&a);
	pass(&a);
	update();
	assert_owners(OWNER_VM, "a-7");
	assert_owners(OWNER_VCPU, "");
	vms_end_all(vms);
	update();
	assert_owners(OWNER_VM, "");
}

/* changes counts calls that found a change. */
static void test_changes(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0);
	uint64_t changes;

	(void)state;
	update();
	changes = owners.changes;
	update();
	pass(NULL);
	update();
	assert_int_equal(owners.changes, changes);
	pass(&a, &a0);
	update();
	assert_int_equal(owners.changes, changes + 1);
	pass(&a, &a0);
	update();
	assert_int_equal(owners.changes, changes + 1);
	pass(&a);
	update();
	assert_int_equal(owners.changes, changes + 2);
	pass(&a, &a0);
	update();
	assert_int_equal(owners.changes, changes + 3);
}

/* Without memory for a new vCPU, its siblings can have moved. */
static void test_no_memory_for_a_vcpu(void **state)
{
	struct shown a = shown_vm(100, 7);
	unsigned failures = 0;

	(void)state;
	pass(&a);
	for (uint32_t i = 0; i < 20; i++) {
		struct shown vcpu = shown_vcpu(&a, 11 + i, i);

		for (unsigned n = 0; broken_pass(&a, &vcpu, n); n++) {
			update();
			assert_int_equal(owners.kinds[OWNER_VCPU].n, i);
			for (uint32_t j = 0; j < i; j++)
				assert_ptr_equal(owners.kinds[OWNER_VCPU].list[j].vcpu,
						 &vm_at(100)->vcpus[j]);
			failures++;
		}
		update();
		assert_int_equal(owners.kinds[OWNER_VCPU].n, i + 1);
	}
	assert_true(failures >= 20 * 3);
}

static void test_no_memory(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0), b = shown_vm(200, 8);
	unsigned n;

	(void)state;
	pass(&a, &a0, &b);
	for (n = 0;; n++) {
		uint64_t changes = owners.changes;
		int err;

		alloc_fail_at(n);
		err = owners_update(&owners, vms, &cpus);
		if (!alloc_failed()) {
			assert_int_equal(err, 0);
			break;
		}
		assert_int_equal(err, -ENOMEM);
		assert_true(owners.changes > changes);
		update(); /* all are there at the next attempt */
		assert_owners(OWNER_CPU, "cpu0 cpu1");
		assert_owners(OWNER_VM, "vmm-7 vmm-8");
		assert_owners(OWNER_VCPU, "vmm-7::vcpu0");
		owners_free(&owners);
	}
	assert_true(n >= 5);
	assert_owners(OWNER_VM, "vmm-7 vmm-8");
}

/* Without memory for more CPUs, those VMs and vCPUs are gone all the same that have ended. */
static void test_no_memory_for_cpus(void **state)
{
	struct shown a = shown_vm(100, 7), a0 = shown_vcpu(&a, 11, 0), b = shown_vm(200, 8);

	(void)state;
	cpus.n = 64;
	memset(present, 1, 16);
	pass(&a, &a0, &b);
	update();
	pass(&b);
	pass(&b);
	assert_ended("vmm-7");
	memset(present, 1, 64);
	alloc_fail_at(0);
	assert_int_equal(owners_update(&owners, vms, &cpus), -ENOMEM);
	assert_true(alloc_failed());
	assert_int_equal(owners.kinds[OWNER_CPU].n, 16);
	assert_owners(OWNER_VM, "vmm-8");
	assert_owners(OWNER_VCPU, "");
	update();
	assert_int_equal(owners.kinds[OWNER_CPU].n, 64);
}

#define owners_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		owners_test(test_host),	     owners_test(test_cpus),
		owners_test(test_many_cpus), owners_test(test_natural_order),
		owners_test(test_vcpus),     owners_test(test_missed),
		owners_test(test_changes),   owners_test(test_no_memory_for_a_vcpu),
		owners_test(test_no_memory), owners_test(test_no_memory_for_cpus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
