// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Labels follow a VMM into another cgroup, and a VM into another process. */
#include "fakes/fake_vms.h"

#include <string.h>
#include <unistd.h>

#include "vms/vm_follow.h"

static struct report report;

/* Fixture: a VM with two vCPUs, whose VMM is in a slice. */
static struct shown a, a0, a1;

static void move_to(uint32_t pid, const char *cgroup)
{
	char path[64], text[256];

	snprintf(path, sizeof(path), "proc/%u", pid);
	make_folders(path);
	snprintf(path, sizeof(path), "proc/%u/cgroup", pid);
	snprintf(text, sizeof(text), "0::%s\n", cgroup);
	write_text(path, text);
}

static int setup(void **state)
{
	int err = fakes_setup(state);

	a = shown_vm(100, 7);
	a0 = shown_vcpu(&a, 11, 0);
	a1 = shown_vcpu(&a, 22, 1);
	move_to(7, "/a.slice");
	pass(&a, &a0, &a1);
	return err;
}

static void follow(void)
{
	for (int i = 0; i < VMS_FOLLOW_CALLS; i++)
		vms_follow(vms, &report);
}

static void assert_all_labels(const char *labels)
{
	const struct vm *vm = vm_at(100);
	char json[512];

	snprintf(json, sizeof(json), "{%s}", labels);
	assert_labels(vm->labels, json);
	for (size_t i = 0; i < vm->nvcpus; i++) {
		snprintf(json, sizeof(json), "{%s,\"vcpu\":%zu}", labels, i);
		assert_labels(vm->vcpus[i].labels, json);
	}
}

#define SLICE "\"vm\":\"vmm\",\"pid\":7,\"cgroup\":\"/a.slice\""
#define POD                                                         \
	"\"vm\":\"vmm\",\"pid\":7,\"cgroup\":\"/kubepods/pod1-2\"," \
	"\"pod\":\"1-2\""

static void test_cgroup(void **state)
{
	uint64_t changes = vms->changes;

	(void)state;
	follow();
	assert_int_equal(vms->changes, changes);
	assert_all_labels(SLICE);
	move_to(7, "/kubepods/pod1-2");
	follow();
	assert_true(vms->changes > changes);
	assert_int_equal(vms->relabelled, 1);
	assert_all_labels(POD);
	assert_vms("vmm-7#1");
	changes = vms->changes;
	follow();
	assert_int_equal(vms->changes, changes);
	move_to(7, "/");
	follow();
	assert_all_labels("\"vm\":\"vmm\",\"pid\":7");
	pass(&a, &a0, &a1);
	assert_vms("vmm-7#1");
}

/* Nobody looks at labels. */
static void test_labels_stay(void **state)
{
	(void)state;
	move_to(7, "/kubepods/pod1-2");
	vms->labels_stay = true;
	follow();
	assert_all_labels(SLICE);
	vms->labels_stay = false;
	follow();
	assert_all_labels(POD);
}

/* What cannot be read has not changed; and of an absent VM nothing is read. */
static void test_unreadable(void **state)
{
	(void)state;
	move_to(7, "/kubepods/pod1-2");
	pass(NULL);
	follow();
	assert_all_labels(SLICE);
	pass(&a, &a0, &a1);
	assert_int_equal(unlink("proc/7/cgroup"), 0);
	follow();
	assert_all_labels(SLICE);
	move_to(7, "/kubepods/pod1-2");
	follow();
	assert_all_labels(POD);
}

/* The process that has the VM open once its VMM has not. The VMM's PID may be another's now. */
static void test_process(void **state)
{
	(void)state;
	move_to(9, "/kubepods/pod1-2");
	a.record.pid = a.record.tgid = 9;
	follow();
	assert_all_labels(SLICE);
	pass(&a, &a0, &a1);
	move_to(7, "/other");
	follow();
	assert_all_labels(
		"\"vm\":\"vmm\",\"pid\":9,\"cgroup\":\"/kubepods/pod1-2\",\"pod\":\"1-2\"");
	assert_int_equal(vm_at(100)->pid, 9);
	assert_vms("vmm-7#1");
}

/* While its VMM has it open, too, other processes do not matter. */
static void test_helper(void **state)
{
	struct shown helper = a;

	(void)state;
	helper.record.pid = helper.record.tgid = 9;
	move_to(9, "/other");
	pass(&a, &a0, &a1, &helper);
	follow();
	assert_all_labels(SLICE);
}

/* A VMM outside the reader's PID namespace: its number means another process there. */
static void test_invisible(void **state)
{
	struct shown b = shown_vm(200, 0);

	(void)state;
	b.record.tgid = b.record.creator = 1234;
	move_to(1234, "/other");
	move_to(9, "/other");
	pass(&a, &a0, &a1, &b);
	follow();
	assert_labels(vm_at(200)->labels, "{\"vm\":\"vmm\",\"pid\":1234}");
	b.record.pid = 9;
	pass(&a, &a0, &a1, &b);
	follow();
	assert_labels(vm_at(200)->labels, "{\"vm\":\"vmm\",\"pid\":1234}");
}

/* Each VM has its turn, a part of them at each call; VMs may end in between. */
static void test_turns(void **state)
{
	struct shown many[12];
	const struct shown *list[ARRAY_SIZE(many) + 1] = { NULL };

	(void)state;
	for (uint32_t i = 0; i < ARRAY_SIZE(many); i++) {
		many[i] = shown_vm(1000 + 64 * i, 100 + i);
		list[i] = &many[i];
		move_to(100 + i, "/one");
	}
	pass_over(list);
	pass_over(list);
	follow();
	assert_int_equal(vms->relabelled, 0);
	for (uint32_t i = 0; i < ARRAY_SIZE(many); i++)
		move_to(100 + i, "/two");
	vms_follow(vms, &report);
	assert_int_equal(vms->relabelled, 3);
	follow();
	assert_int_equal(vms->relabelled, ARRAY_SIZE(many));
	pass(NULL);
	pass(NULL);
	assert_int_equal(vms->n, 0);
	follow();
}

/* Without memory labels stay whole, and the next look tries again. */
static void test_without_memory(void **state)
{
	unsigned n;

	(void)state;
	move_to(7, "/kubepods/pod1-2");
	for (n = 0;; n++) {
		alloc_fail_at(n);
		vms_follow(vms, &report);
		if (!alloc_failed())
			break;
		assert_all_labels(SLICE);
	}
	assert_true(n > 6);
	assert_all_labels(POD);
}

/* The processes' files are hidden: that is said once. A process that has ended says nothing. */
static void test_hidden(void **state)
{
	struct shown b = shown_vm(200, 8);
	char *text;

	(void)state;
	make_folders("proc/8");
	pass(&a, &a0, &a1, &b);
	assert_int_equal(unlink("proc/7/cgroup"), 0);
	vms_follow(vms, &report);
	vms_follow(vms, &report);
	assert_int_equal(report.n, 0); /* both may have ended */
	pass(&a, &a0, &a1);
	for (int i = 0; i < 3; i++) {
		follow();
		pass(&a, &a0, &a1, &b);
	}
	assert_int_equal(report.n, 1);
	text = report.lines[0].text;
	assert_int_equal(report.lines[0].level, REPORT_WARNING);
	assert_non_null(strstr(text, "/proc/7 cannot be read (No such file or directory); "));
	report_clear(&report);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, fakes_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		test(test_cgroup),  test(test_labels_stay),    test(test_unreadable),
		test(test_process), test(test_helper),	       test(test_invisible),
		test(test_turns),   test(test_without_memory), test(test_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
