// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Names of VMs over restarts of the agent and of the host. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "fakes/fake_numbers.h"
#include "fakes/fake_vms.h"

static struct instance_numbers *numbers;

/* The host's boot has this identifier; NULL: the kernel shows none. */
static void boot(const char *id)
{
	FILE *file;

	mkdir("proc/sys", 0777);
	mkdir("proc/sys/kernel", 0777);
	mkdir("proc/sys/kernel/random", 0777);
	if (!id) {
		assert_int_equal(remove("proc/sys/kernel/random/boot_id"), 0);
		return;
	}
	file = fopen("proc/sys/kernel/random/boot_id", "we");
	assert_non_null(file);
	fprintf(file, "%s\n", id);
	fclose(file);
}

static void start(void)
{
	numbers = numbers_open(1000);
	assert_int_equal(vms_new("proc", numbers, &vms), 0);
	vms->vm_bytes = layout.vm.bytes;
	vms->vcpu_bytes = layout.vcpu.bytes;
}

static void stop(void)
{
	vms_free(vms);
	vms = NULL;
	instance_numbers_close(numbers);
	numbers = NULL;
}

static int setup(void **state)
{
	int err = numbers_setup(state) || work_teardown(state) || fakes_setup(state);

	if (err)
		return err;
	vms_free(vms);
	vms = NULL;
	mkdir("proc", 0777);
	boot("b1");
	start();
	return 0;
}

static int teardown(void **state)
{
	stop();
	return fakes_teardown(state);
}

static void assert_name(uint64_t kvm, const char *name)
{
	assert_string_equal(vm_at(kvm)->name, name);
}

/* Two VMs of one process; the next agent meets the second one first, or alone. */
static void test_restarts(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 7), c = shown_vm(300, 7);

	(void)state;
	a.record.birth = 11;
	b.record.birth = 12;
	c.record.birth = 13;
	pass(&b, &a);
	assert_name(200, "vmm-7");
	assert_name(100, "vmm-7.2");
	stop();
	start();
	pass(&a, &b);
	assert_name(100, "vmm-7.2");
	assert_name(200, "vmm-7");
	stop();
	start();
	pass(&a, &c);
	assert_name(100, "vmm-7.2");
	assert_name(300, "vmm-7.3");
	stop();
	boot("b2");
	start();
	pass(&a);
	assert_name(100, "vmm-7");
}

/* A name that is taken again, since the VM's creator has it open, too, is kept for the same VM. */
static void test_rename(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 7), helper = shown_vm(200, 8);

	(void)state;
	a.record.birth = 11;
	b.record.birth = helper.record.birth = 12;
	helper.record.creator = 7;
	pass(&a, &helper, &b);
	assert_name(100, "vmm-7");
	assert_name(200, "vmm-7.2");
	stop();
	start();
	pass(&b, &a);
	assert_name(100, "vmm-7");
	assert_name(200, "vmm-7.2");
}

/* The end of the agent is not the end of its VMs, whether their births are known or not. */
static void test_end_of_the_agent(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 7);

	(void)state;
	a.record.birth = b.record.birth = 0;
	pass(&a, &b);
	stop();
	start();
	pass(&b, &a);
	assert_name(100, "vmm-7");
	assert_name(200, "vmm-7.2");
	/* but this is the end of one */
	pass(&b);
	pass(&b);
	pass(&b, &a);
	assert_name(100, "vmm-7.3");
}

/* Nothing is kept if the boot is not known: another one could have the same VMs. */
static void test_unknown_boot(void **state)
{
	struct shown a = shown_vm(100, 7), b = shown_vm(200, 7);

	(void)state;
	a.record.birth = 11;
	b.record.birth = 12;
	stop();
	boot(NULL);
	for (int i = 0; i < 2; i++) {
		start();
		pass(&a, &b);
		assert_name(100, "vmm-7");
		stop();
		start();
		pass(&b, &a);
		assert_name(200, "vmm-7");
		stop();
		boot(""); /* an empty file is no identifier either */
	}
	start();
}

static void test_no_memory(void **state)
{
	(void)state;
	assert_new_without_memory(numbers);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
		TEST(test_restarts),	 TEST(test_rename),    TEST(test_end_of_the_agent),
		TEST(test_unknown_boot), TEST(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
