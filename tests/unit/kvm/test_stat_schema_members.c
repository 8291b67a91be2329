// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_btf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

enum member { VM_STAT, VM_PID, VM_DEBUGFS, VCPU_STAT, VCPU_KVM, VCPU_ID, VCPU_PID, MEMBERS };

/* Valid types, except that one member has another type (0: it is missing). */
static void write_members(enum member which, int (*type)(struct btf *))
{
	static const char *const names[MEMBERS] = { "stat", "userspace_pid", "debugfs_dentry",
						    "stat", "kvm",	     "vcpu_id",
						    "pid" };
	struct btf *btf = types_new();
	int stat = add_vcpu_stat(btf), other = type ? type(btf) : 0;
	const int usual[MEMBERS] = { stat, s32, pointer, stat, pointer, s32, pointer };

	for (int i = 0; i < MEMBERS; i++) {
		int id = i == (int)which ? other : usual[i];

		if (i == VM_STAT)
			assert_true(btf__add_struct(btf, "kvm", 600) > 0);
		if (i == VCPU_STAT)
			assert_true(btf__add_struct(btf, "kvm_vcpu", 600) > 0);
		field(btf, "other", u64, 0);
		if (id)
			field(btf, names[i], id, 8 + 72 * (__u32)i);
	}
	btf_write(btf, "btf/vmlinux");
}

static int type_u64(struct btf *btf)
{
	(void)btf;
	return u64;
}

static int type_pointer(struct btf *btf)
{
	(void)btf;
	return pointer;
}

static int type_pid_t(struct btf *btf)
{
	return btf__add_volatile(btf, btf__add_typedef(btf, "pid_t", s32));
}

static void assert_needed(enum member which, int (*type)(struct btf *))
{
	write_members(which, type);
	assert_layout_fails(-EINVAL);
}

static void test_members_that_must_be(void **state)
{
	(void)state;
	assert_needed(VM_STAT, NULL);
	assert_needed(VM_STAT, type_u64);
	assert_needed(VM_STAT, type_pointer);
	assert_needed(VCPU_STAT, NULL);
	assert_needed(VCPU_STAT, type_u64);
	assert_needed(VCPU_KVM, NULL);
	assert_needed(VCPU_KVM, type_u64);
	assert_needed(VCPU_ID, NULL);
	assert_needed(VCPU_ID, type_u64);
	assert_needed(VCPU_ID, type_pointer);
}

static void assert_pids(enum member which, int (*type)(struct btf *), uint32_t vm_pid,
			uint32_t vcpu_pid)
{
	struct stat_layout layout;

	write_members(which, type);
	assert_int_equal(layout_of("btf", &layout), 0);
	assert_int_equal(layout.vm_userspace_pid, vm_pid);
	assert_int_equal(layout.vcpu_pid, vcpu_pid);
	assert_int_equal(layout.vcpu_id, 8 + 72 * VCPU_ID);
	stat_layout_free(&layout);
}

static void test_members_that_may_be(void **state)
{
	const uint32_t vm_pid = 8 + 72 * VM_PID, vcpu_pid = 8 + 72 * VCPU_PID;

	(void)state;
	assert_pids(VM_PID, NULL, STAT_NO_OFFSET, vcpu_pid);
	assert_pids(VM_PID, type_u64, STAT_NO_OFFSET, vcpu_pid);
	assert_pids(VM_PID, type_pid_t, vm_pid, vcpu_pid);
	assert_pids(VCPU_ID, type_pid_t, vm_pid, vcpu_pid);
	assert_pids(VCPU_PID, NULL, vm_pid, STAT_NO_OFFSET);
	assert_pids(VCPU_PID, type_pid_t, vm_pid, STAT_NO_OFFSET);
}

static void test_the_folder_in_debugfs(void **state)
{
	struct stat_layout layout;

	(void)state;
	write_members(MEMBERS, NULL);
	assert_int_equal(layout_of("btf", &layout), 0);
	assert_int_equal(layout.vm_debugfs_dentry, 8 + 72 * VM_DEBUGFS);
	stat_layout_free(&layout);
	write_members(VM_DEBUGFS, NULL);
	assert_int_equal(layout_of("btf", &layout), 0);
	assert_int_equal(layout.vm_debugfs_dentry, STAT_NO_OFFSET);
	stat_layout_free(&layout);
	write_members(VM_DEBUGFS, type_u64);
	assert_int_equal(layout_of("btf", &layout), 0);
	assert_int_equal(layout.vm_debugfs_dentry, STAT_NO_OFFSET);
	stat_layout_free(&layout);
}

static void assert_differs(enum member which, bool differs)
{
	struct stat_layout one, other;

	write_members(MEMBERS, NULL);
	assert_int_equal(layout_of("btf", &one), 0);
	write_members(which, NULL);
	assert_int_equal(layout_of("btf", &other), 0);
	assert_int_equal(stat_layout_equal(&one, &other), !differs);
	assert_int_equal(stat_layout_equal(&other, &one), !differs);
	stat_layout_free(&one);
	stat_layout_free(&other);
}

static void test_equal_offsets(void **state)
{
	(void)state;
	assert_differs(MEMBERS, false);
	assert_differs(VM_PID, true);
	assert_differs(VM_DEBUGFS, true);
	assert_differs(VCPU_PID, true);
}

/* Equality depends on everything that locates a statistic, but not on its kind. */
static void test_equal_statistics(void **state)
{
	struct stat_layout one, other;
	uint32_t *offsets[] = { &other.vm_stat, &other.vcpu_stat, &other.vcpu_kvm, &other.vcpu_id };
	struct statistic *stat;

	(void)state;
	write_members(MEMBERS, NULL);
	assert_int_equal(layout_of("btf", &one), 0);
	assert_int_equal(layout_of("btf", &other), 0);
	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		*offsets[i] += 8;
		assert_false(stat_layout_equal(&one, &other));
		*offsets[i] -= 8;
		assert_true(stat_layout_equal(&one, &other));
	}
	stat = &other.vcpu.list[1];
	stat->kind = STAT_LINEAR_HIST;
	assert_true(stat_layout_equal(&one, &other));
	stat->name[0]++;
	assert_false(stat_layout_equal(&one, &other));
	stat->name[0]--;
	stat->offset++;
	assert_false(stat_layout_equal(&one, &other));
	stat->offset--;
	stat->size /= 2;
	assert_false(stat_layout_equal(&one, &other));
	stat->size *= 2;
	stat->buckets--;
	assert_false(stat_layout_equal(&one, &other));
	stat->buckets++;
	other.vm.n--;
	assert_false(stat_layout_equal(&one, &other));
	other.vm.n++;
	other.vcpu.bytes += 8;
	assert_false(stat_layout_equal(&one, &other));
	stat_layout_free(&one);
	stat_layout_free(&other);
}

/* Members are found in anonymous structs and unions, but not in named ones. */
static void test_members_in_anonymous_ones(void **state)
{
	struct btf *btf = types_new();
	int stat = add_vcpu_stat(btf), deep, both, named, id;
	struct stat_layout layout;

	(void)state;
	deep = btf__add_struct(btf, "", 600);
	field(btf, "vcpu_id", s32, 12);
	field(btf, "stat", stat, 24);
	both = btf__add_union(btf, "", 600);
	field(btf, "pid", pointer, 0);
	field(btf, "", deep, 0);
	named = btf__add_struct(btf, "named", 16);
	field(btf, "kvm", pointer, 8);
	add_vm(btf, stat);
	id = btf__add_struct(btf, "kvm_vcpu", 1000);
	field(btf, "arch", named, 0);
	field(btf, "", both, 64);
	field(btf, "kvm", pointer, 800);
	field_shift(btf, id, 4); /* not at a byte boundary */
	field(btf, "kvm", pointer, 900);
	btf_write(btf, "btf/vmlinux");
	assert_int_equal(layout_of("btf", &layout), 0);
	assert_int_equal(layout.vcpu_pid, 64);
	assert_int_equal(layout.vcpu_id, 64 + 12);
	assert_int_equal(layout.vcpu_stat, 64 + 24);
	assert_int_equal(layout.vcpu_kvm, 900);
	stat_layout_free(&layout);
}

/* A vmlinux, and a module kvm whose types build on vmlinux's. */
static void write_module(bool base_has_kvm, bool module_has_vm, bool module_has_vcpu)
{
	struct btf *base = types_new(), *module;
	int stat;

	if (base_has_kvm) {
		stat = btf__add_struct(base, "kvm_vm_stat", 8);
		field(base, "x_of_base", u64, 0);
		add_vm(base, stat);
		add_vcpu(base, stat);
	}
	module = btf__new_empty_split(base);
	assert_non_null(module);
	stat = btf__add_struct(module, "kvm_vm_stat", 8);
	field(module, "x_of_module", u64, 0);
	if (module_has_vm)
		add_vm(module, stat);
	if (module_has_vcpu)
		add_vcpu(module, stat);
	btf_write(module, "btf/kvm");
	btf_write(base, "btf/vmlinux");
}

static void assert_found(const char *vm, const char *vcpu)
{
	struct stat_layout layout;

	assert_int_equal(layout_of("btf", &layout), 0);
	assert_list(&layout.vm, vm);
	assert_list(&layout.vcpu, vcpu);
	stat_layout_free(&layout);
}

static void test_module(void **state)
{
	(void)state;
	write_module(false, true, true);
	assert_found("x_of_module@0:8", "x_of_module@0:8");
	write_module(true, true, true);
	assert_found("x_of_module@0:8", "x_of_module@0:8");
	write_module(true, false, true); /* a module need not repeat vmlinux's types */
	assert_found("x_of_base@0:8", "x_of_module@0:8");
	write_module(true, true, false);
	assert_found("x_of_module@0:8", "x_of_base@0:8");
	write_module(false, false, true);
	assert_layout_fails(-ENOENT);
	write_module(true, true, true);
	write_text("btf/kvm", "this is no type information");
	assert_found("x_of_base@0:8", "x_of_base@0:8");
	assert_int_equal(unlink("btf/kvm"), 0);
	assert_found("x_of_base@0:8", "x_of_base@0:8");
}

static void test_nothing(void **state)
{
	struct btf *btf;

	(void)state;
	assert_layout_fails(-ENOENT);
	make_folders("btf");
	assert_layout_fails(-ENOENT);
	write_text("btf/vmlinux", "");
	assert_layout_fails(-ENOENT);
	write_text("btf/vmlinux", "this is no type information");
	assert_layout_fails(-ENOENT);
	btf_write(types_new(), "btf/vmlinux");
	assert_layout_fails(-ENOENT);
	btf = types_new();
	add_vcpu(btf, add_vcpu_stat(btf));
	btf_write(btf, "btf/vmlinux");
	assert_layout_fails(-ENOENT);
	btf = types_new();
	add_vm(btf, add_vcpu_stat(btf));
	btf_write(btf, "btf/vmlinux");
	assert_layout_fails(-ENOENT);
	stat_layout_free(NULL);
}

static void test_no_memory(void **state)
{
	struct stat_layout layout;
	unsigned n = 0;

	(void)state;
	write_module(true, false, true);
	for (;; n++) {
		int err;

		untouched_fill(&layout, sizeof(layout));
		alloc_fail_at(n);
		err = layout_of("btf", &layout);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&layout, sizeof(layout));
	}
	assert_int_equal(n, 2); /* a statistic per list */
	stat_layout_free(&layout);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_members_that_must_be),
		work_test(test_members_that_may_be),
		work_test(test_the_folder_in_debugfs),
		work_test(test_equal_offsets),
		work_test(test_equal_statistics),
		work_test(test_members_in_anonymous_ones),
		work_test(test_module),
		work_test(test_nothing),
		work_test(test_no_memory),
	};

	/* suppress libbpf's messages: tests corrupt BTF on purpose */
	libbpf_set_print(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
