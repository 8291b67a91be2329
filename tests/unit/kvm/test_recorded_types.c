// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Layouts by the type information of real kernels, which tests/data/types/record has recorded; the
 * offsets are what bpftool says of the whole of it. s390's is in the other order of bytes.
 */
#include "fakes/support.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm/exit_offsets.h"
#include "kvm/stat_schema.h"

/* Offsets of kvm.stat, userspace_pid, debugfs_dentry; of kvm_vcpu.stat, kvm, vcpu_id, pid. */
struct stats {
	uint32_t vm, userspace_pid, debugfs_dentry;
	uint32_t vcpu, kvm, vcpu_id, pid;
};

static const struct recorded {
	const char *name;
	int err; /* of reading the exits' layout */
	enum exit_form form;
	int svm_pointer, svm_code, vmx_code; /* 0: none */
	struct stats stats;
	const char *list; /* in tests/data/statistics, of the same kernel; NULL: none */
} kernels[] = {
	{ "x86-6.1",
	  0,
	  EXIT_VCPU_FIRST,
	  6552,
	  112,
	  7808,
	  { 4640, 40408, 39608, 5352, 0, 36, 120 },
	  "x86-6.1.txt" },
	{ "x86-6.12",
	  0,
	  EXIT_VCPU_FIRST,
	  6480,
	  112,
	  7744,
	  { 4640, 6944, 6880, 5280, 0, 36, 120 },
	  "x86-6.12.txt" },
	{ "x86-7.3",
	  0,
	  EXIT_VCPU_FIRST,
	  6456,
	  112,
	  6464 + 80,
	  { 4616, 6936, 6856, 5256, 0, 36, 112 },
	  NULL },
	{ "arm64-6.12",
	  0,
	  EXIT_TRAP,
	  0,
	  0,
	  0,
	  { 2488, 3880, 3816, 6064, 0, 36, 120 },
	  "arm64-6.12.txt" },
	{ "arm64-7.3", 0, EXIT_TRAP, 0, 0, 0, { 2464, 4064, 3984, 8032, 0, 36, 112 }, NULL },
	/* their kvm_exit has other arguments, or is not there: the exit family does not apply */
	{ "riscv", -EINVAL, 0, 0, 0, 0, { 2488, 2864, 2800, 10304, 0, 36, 120 }, NULL },
	{ "s390", -ENOENT, 0, 0, 0, 0, { 2488, 10528, 10464, 824, 0, 36, 120 }, NULL },
};

static char top[PATH_MAX / 2]; /* each test has a folder of its own */

static FILE *data_open(const char *folder, const char *name, const char *suffix)
{
	char path[PATH_MAX];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/data/%s/%s%s", top, folder, name, suffix);
	file = fopen(path, "re");
	if (!file)
		fail_msg("cannot open %s", path);
	return file;
}

/* The types of a kernel, with KVM's among them. */
static void types_put(const char *name)
{
	static char bytes[16384];
	FILE *file = data_open("types", name, ".btf");
	size_t n = fread(bytes, 1, sizeof(bytes), file);

	fclose(file);
	assert_in_range(n, 100, sizeof(bytes) - 1);
	make_folders("btf");
	write_bytes("btf/vmlinux", bytes, n);
}

static void assert_number(const char *kernel, const char *what, long is, long should)
{
	if (is != should)
		fail_msg("%s: %s is %ld, not %ld", kernel, what, is, should);
}

static void test_exits(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		const struct recorded *kernel = &kernels[i];
		struct kernel_types types = { .dir = "btf" };
		struct exit_layout layout = { 0 };
		const struct exit_setup *setup = &layout.setup;
		bool trap = kernel->form == EXIT_TRAP;

		types_put(kernel->name);
		assert_number(kernel->name, "the result", exit_layout_read(&types, &layout),
			      kernel->err);
		kernel_types_close(&types);
		if (kernel->err)
			continue;
		assert_number(kernel->name, "the form", layout.form, kernel->form);
		assert_number(kernel->name, "has_reasons", setup->has_reasons, 1);
		assert_number(kernel->name, "entry_has_vcpu", setup->entry_has_vcpu, !trap);
		assert_number(kernel->name, "svm's pointer", setup->svm.pointer,
			      kernel->svm_pointer);
		assert_number(kernel->name, "svm's code", setup->svm.code, kernel->svm_code);
		assert_number(kernel->name, "vmx's pointer", setup->vmx.pointer,
			      trap ? 0 : EXIT_NO_POINTER);
		assert_number(kernel->name, "vmx's code", setup->vmx.code, kernel->vmx_code);
		assert_number(kernel->name, "vmx's mask", setup->vmx.mask, trap ? 0 : 0xffff);
		assert_number(kernel->name, "arm64's mask", setup->arm64.mask,
			      trap ? 0xffffffff : 0);
	}
}

static bool has_statistic(const struct stat_list *list, const char *name)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->list[i].name, name) == 0)
			return true;
	return false;
}

/* All that the kernel itself has listed are there, and no others. */
static void assert_listed(const struct recorded *kernel, const struct stat_layout *layout)
{
	FILE *file = data_open("statistics", kernel->list, "");
	char line[512], owner[8], name[64];
	size_t n = 0;

	while (fgets(line, sizeof(line), file)) {
		if (*line == '#' || sscanf(line, "%7s %63s", owner, name) != 2)
			continue;
		n++;
		if (!has_statistic(strcmp(owner, "vm") == 0 ? &layout->vm : &layout->vcpu, name))
			fail_msg("%s: no statistic %s of a %s", kernel->name, name, owner);
	}
	fclose(file);
	assert_number(kernel->name, "the number of statistics",
		      (long)(layout->vm.n + layout->vcpu.n), (long)n);
}

static void test_statistics(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		const struct recorded *kernel = &kernels[i];
		struct kernel_types types = { .dir = "btf" };
		struct stat_layout layout = { 0 };
		const char *name = kernel->name;

		types_put(name);
		assert_number(name, "the result", stat_layout_read(&types, &layout), 0);
		kernel_types_close(&types);
		assert_number(name, "kvm.stat", layout.vm_stat, kernel->stats.vm);
		assert_number(name, "userspace_pid", layout.vm_userspace_pid,
			      kernel->stats.userspace_pid);
		assert_number(name, "debugfs_dentry", layout.vm_debugfs_dentry,
			      kernel->stats.debugfs_dentry);
		assert_number(name, "kvm_vcpu.stat", layout.vcpu_stat, kernel->stats.vcpu);
		assert_number(name, "kvm_vcpu.kvm", layout.vcpu_kvm, kernel->stats.kvm);
		assert_number(name, "vcpu_id", layout.vcpu_id, kernel->stats.vcpu_id);
		assert_number(name, "pid", layout.vcpu_pid, kernel->stats.pid);
		assert_true(has_statistic(&layout.vm, "remote_tlb_flush"));
		assert_true(has_statistic(&layout.vcpu, "halt_poll_success_hist"));
		if (kernel->list)
			assert_listed(kernel, &layout);
		stat_layout_free(&layout);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_exits),
		work_test(test_statistics),
	};
	const char *given = getenv("TOP");

	if (!getcwd(top, sizeof(top)))
		return 1;
	if (given && *given)
		snprintf(top, sizeof(top), "%s", given);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
