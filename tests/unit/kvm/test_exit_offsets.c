// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Reads synthetic BTF of old and new kernels, and BTF that no kernel has. */
#include "fakes/support.h"

#include <bpf/btf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "bpf/userspace_exit.h"
#include "kvm/exit_offsets.h"
#include "kvm/exit_reasons.h"

static struct btf *base, *module;
static int u32_id, u64_id, vcpu_id;

static int type(int id)
{
	assert_true(id > 0);
	return id;
}

static void btf_write(const struct btf *btf, const char *path)
{
	__u32 size;
	const void *bytes = btf__raw_data(btf, &size);

	assert_non_null(bytes);
	write_bytes(path, bytes, size);
}

/* Read the layout from the types in a folder. */
static int layout_of(const char *dir, struct exit_layout *ret_layout)
{
	struct kernel_types types = { .dir = dir };
	int err = exit_layout_read(&types, ret_layout);

	kernel_types_close(&types);
	return err;
}

/* Add a tracepoint with these arguments. */
static void tracepoint(const char *name, const int *args, size_t n)
{
	int proto = type(btf__add_func_proto(base, 0));

	assert_int_equal(btf__add_func_param(base, "__data", 0), 0);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(btf__add_func_param(base, "arg", args[i]), 0);
	type(btf__add_typedef(base, name, type(btf__add_ptr(base, proto))));
}

/* Add integers, struct kvm_vcpu of 4096 bytes, and a pointer to it; returns the pointer's type. */
static int begin(void)
{
	make_folders("btf");
	base = btf__new_empty();
	assert_non_null(base);
	u32_id = type(btf__add_int(base, "unsigned int", 4, 0));
	u64_id = type(btf__add_int(base, "unsigned long", 8, 0));
	vcpu_id = type(btf__add_struct(base, "kvm_vcpu", 4096));
	return type(btf__add_ptr(base, type(btf__add_const(base, vcpu_id))));
}

static void tracepoints(bool reason_first, int pointer)
{
	int old_args[] = { u32_id, pointer, u32_id }, new_args[] = { pointer, u32_id };

	tracepoint("btf_trace_kvm_exit", reason_first ? old_args : new_args, reason_first ? 3 : 2);
	tracepoint("btf_trace_kvm_entry", reason_first ? old_args : new_args, 1);
}

/* Add vcpu_svm, with a code of this type in a control area 16 bytes into the VMCB. */
static void svm(struct btf *btf, int code, __u32 vcpu_at)
{
	int control, vmcb, pointer;

	control = type(btf__add_struct(btf, "vmcb_control_area", 1024));
	assert_int_equal(btf__add_field(btf, "exit_code", code, 0x70 * 8, 0), 0);
	vmcb = type(btf__add_struct(btf, "vmcb", 4096));
	assert_int_equal(btf__add_field(btf, "control", control, 16 * 8, 0), 0);
	pointer = type(btf__add_ptr(btf, vmcb));
	type(btf__add_struct(btf, "vcpu_svm", 8192));
	assert_int_equal(btf__add_field(btf, "vcpu", vcpu_id, vcpu_at * 8, 0), 0);
	assert_int_equal(btf__add_field(btf, "vmcb", pointer, 5000 * 8, 0), 0);
}

/* Add vcpu_vmx with a reason of this type at 5004; if asked for, in a member vt at 4904. */
static void vmx(struct btf *btf, int reason, bool in_vt)
{
	int vt = 0;

	if (in_vt) {
		vt = type(btf__add_struct(btf, "vcpu_vt", 200));
		assert_int_equal(btf__add_field(btf, "exit_reason", reason, 100 * 8, 0), 0);
	}
	type(btf__add_struct(btf, "vcpu_vmx", 8192));
	assert_int_equal(btf__add_field(btf, "vcpu", vcpu_id, 0, 0), 0);
	if (in_vt)
		assert_int_equal(btf__add_field(btf, "vt", vt, 4904 * 8, 0), 0);
	else
		assert_int_equal(btf__add_field(btf, "exit_reason", reason, 5004 * 8, 0), 0);
}

/* The union that holds the reason in later kernels. */
static int reason_union(struct btf *btf)
{
	int id = type(btf__add_union(btf, "vmx_exit_reason", 4));

	assert_int_equal(btf__add_field(btf, "basic", u32_id, 0, 16), 0);
	assert_int_equal(btf__add_field(btf, "full", u32_id, 0, 0), 0);
	return id;
}

/* Write the BTF, with a module of that name, and read it. */
static int read_layout(const char *name, struct exit_layout *ret_layout)
{
	char path[64];

	btf_write(base, "btf/vmlinux");
	if (name) {
		snprintf(path, sizeof(path), "btf/%s", name);
		btf_write(module, path);
		btf__free(module);
	}
	btf__free(base);
	return layout_of("btf", ret_layout);
}

static void assert_svm(const struct exit_layout *layout, int pointer)
{
	assert_int_equal(layout->setup.has_reasons, 1);
	assert_int_equal(layout->setup.svm.isa, REASONS_SVM + 1);
	assert_int_equal(layout->setup.svm.pointer, pointer);
	assert_int_equal(layout->setup.svm.code, 16 + 0x70);
	assert_int_equal(layout->setup.svm.mask, 0xffffffff);
}

static void assert_vmx(const struct exit_layout *layout)
{
	assert_int_equal(layout->setup.has_reasons, 1);
	assert_int_equal(layout->setup.vmx.isa, REASONS_VMX + 1);
	assert_int_equal(layout->setup.vmx.pointer, EXIT_NO_POINTER);
	assert_int_equal(layout->setup.vmx.code, 5004);
	assert_int_equal(layout->setup.vmx.mask, 0xffff);
}

static void test_amd_as_a_module(void **state)
{
	struct exit_layout layout;

	(void)state;
	tracepoints(false, begin());
	module = btf__new_empty_split(base);
	svm(module, u32_id, 0);
	assert_int_equal(read_layout("kvm_amd", &layout), 0);
	assert_int_equal(layout.form, EXIT_VCPU_FIRST);
	assert_int_equal(layout.setup.entry_has_vcpu, 1);
	assert_svm(&layout, 5000);
	assert_int_equal(layout.setup.vmx.mask, 0);
}

/* The code has 64 bits in kernels of 2026; struct kvm_vcpu need not be the first member. */
static void test_amd_with_a_long_code(void **state)
{
	struct exit_layout layout;

	(void)state;
	tracepoints(false, begin());
	svm(base, u64_id, 64);
	assert_int_equal(read_layout(NULL, &layout), 0);
	assert_svm(&layout, 5000 - 64);
}

static void test_intel(void **state)
{
	struct exit_layout layout;

	(void)state;
	tracepoints(false, begin());
	module = btf__new_empty_split(base);
	vmx(module, u32_id, false);
	assert_int_equal(read_layout("kvm_intel", &layout), 0);
	assert_vmx(&layout);
	assert_int_equal(layout.setup.svm.mask, 0);
}

static void test_intel_with_a_union(void **state)
{
	struct exit_layout layout;

	(void)state;
	tracepoints(false, begin());
	vmx(base, reason_union(base), false);
	assert_int_equal(read_layout(NULL, &layout), 0);
	assert_vmx(&layout);
}

static void test_intel_with_vt(void **state)
{
	struct exit_layout layout;

	(void)state;
	tracepoints(false, begin());
	vmx(base, reason_union(base), true);
	svm(base, u32_id, 0);
	assert_int_equal(read_layout(NULL, &layout), 0);
	assert_vmx(&layout);
	assert_svm(&layout, 5000);
}

/* A module that has only pointers to a struct declares it and no more. */
static void test_forward_declaration(void **state)
{
	struct exit_layout layout;

	(void)state;
	begin();
	tracepoints(false,
		    type(btf__add_ptr(base, type(btf__add_fwd(base, "kvm_vcpu", BTF_FWD_STRUCT)))));
	assert_int_equal(read_layout(NULL, &layout), 0);
	assert_int_equal(layout.form, EXIT_VCPU_FIRST);
	assert_int_equal(layout.setup.entry_has_vcpu, 1);
}

static void test_before_5_16(void **state)
{
	struct exit_layout layout;

	(void)state;
	tracepoints(true, begin());
	assert_int_equal(read_layout(NULL, &layout), 0);
	assert_int_equal(layout.form, EXIT_REASON_FIRST);
	assert_int_equal(layout.setup.entry_has_vcpu, 0);
	assert_int_equal(layout.setup.has_reasons, 0);
}

/* An unknown form of a vendor's struct gives no reasons, never wrong ones. */
static void test_unknown_structs(void **state)
{
	struct exit_layout layout;

	(void)state;
	tracepoints(false, begin());
	svm(base, vcpu_id, 0);
	type(btf__add_struct(base, "vcpu_vmx", 8192));
	assert_int_equal(btf__add_field(base, "vcpu", vcpu_id, 0, 0), 0);
	assert_int_equal(read_layout(NULL, &layout), 0);
	assert_int_equal(layout.setup.has_reasons, 0);
	assert_int_equal(layout.setup.svm.mask, 0);
	assert_int_equal(layout.setup.vmx.mask, 0);
}

static void test_nothing_to_read(void **state)
{
	struct exit_layout layout;

	(void)state;
	untouched_fill(&layout, sizeof(layout));
	assert_int_equal(layout_of("nowhere", &layout), -ENOENT);
	begin();
	assert_int_equal(read_layout(NULL, &layout), -ENOENT);
	assert_untouched(&layout, sizeof(layout));
}

#if defined(__x86_64__)
#define ON_X86 true
#else
#define ON_X86 false
#endif

/* KVM's module has no types: the reason is an argument, or nobody can say where it is. */
static void test_no_types_of_kvm(void **state)
{
	struct kernel_types types = { .dir = "btf" };
	struct exit_layout layout;

	(void)state;
	untouched_fill(&layout, sizeof(layout));
	assert_int_equal(exit_layout_untyped(&types, EXIT_REASON_FIRST, &layout), -ENOENT);
	assert_untouched(&layout, sizeof(layout));
	kernel_types_close(&types);
	begin();
	assert_int_equal(read_layout(NULL, &layout), -ENOENT);
	if (!ON_X86) {
		assert_int_equal(exit_layout_untyped(&types, EXIT_REASON_FIRST, &layout), -ENOENT);
		return;
	}
	assert_int_equal(exit_layout_untyped(&types, EXIT_REASON_FIRST, &layout), 0);
	assert_int_equal(layout.form, EXIT_REASON_FIRST);
	assert_int_equal(layout.setup.has_reasons, 1);
	assert_int_equal(layout.setup.entry_has_vcpu, 0);
	assert_int_equal(layout.setup.vmx.mask, 0xffff);
	assert_int_equal(layout.setup.vmx.isa, REASONS_VMX + 1);
	assert_int_equal(layout.setup.svm.mask, 0xffffffff);
	assert_int_equal(layout.setup.svm.isa, REASONS_SVM + 1);
	assert_true(layout.setup.vmx.ranges[0].count && layout.setup.svm.ranges[0].count);
	assert_int_equal(exit_layout_untyped(&types, EXIT_VCPU_FIRST, &layout), 0);
	assert_int_equal(layout.form, EXIT_VCPU_FIRST);
	assert_int_equal(layout.setup.has_reasons, 0);
	assert_int_equal(layout.setup.vmx.mask | layout.setup.svm.mask, 0);
	kernel_types_close(&types);
}

/* arm64: kvm_exit(int ret, unsigned int esr_ec, unsigned long pc), kvm_entry(pc): no vCPU. */
static void test_arm64(void **state)
{
	struct exit_layout layout;
	int args[3];

	(void)state;
	begin();
	args[0] = type(btf__add_int(base, "int", 4, BTF_INT_SIGNED));
	args[1] = u32_id;
	args[2] = u64_id;
	tracepoint("btf_trace_kvm_exit", args, 3);
	tracepoint("btf_trace_kvm_entry", args + 2, 1);
	assert_int_equal(read_layout(NULL, &layout), 0);
	assert_int_equal(layout.form, EXIT_TRAP);
	assert_int_equal(layout.setup.entry_has_vcpu, 0);
	assert_int_equal(layout.setup.has_reasons, 1);
	assert_int_equal(layout.setup.arm64.isa, REASONS_ARM64 + 1);
	assert_int_equal(layout.setup.arm64.mask, 0xffffffff);
	assert_int_equal(layout.setup.svm.mask | layout.setup.vmx.mask, 0);
}

enum { NONE, U32, U64, BOOL, VCPU, OTHER };

/* The arguments of kvm_exit and kvm_entry in kernels up to 7.3, by their source. */
static const struct {
	const char *kernel;
	int exit[4], entry[3];
	int err;
	enum exit_form form;
	bool entry_has_vcpu;
} kernels[] = {
	{ "x86, 5.4", { U32, VCPU, U32 }, { U32 }, 0, EXIT_REASON_FIRST, false },
	{ "x86, RHEL 8 at first", { U32, VCPU, U32 }, { U32 }, 0, EXIT_REASON_FIRST, false },
	{ "x86, 5.10", { U32, VCPU, U32 }, { VCPU }, 0, EXIT_REASON_FIRST, true },
	{ "x86, 5.16", { VCPU, U32 }, { VCPU }, 0, EXIT_VCPU_FIRST, true },
	{ "x86, 6.12", { VCPU, U32 }, { VCPU, BOOL }, 0, EXIT_VCPU_FIRST, true },
	{ "arm64", { U32, U32, U64 }, { U64 }, 0, EXIT_TRAP, false },
	{ "riscv", { OTHER }, { VCPU }, -EINVAL, 0, false },
	{ "powerpc", { U32, VCPU }, { NONE }, -EINVAL, 0, false },
	{ "s390", { NONE }, { NONE }, -ENOENT, 0, false },
};

/* Add a tracepoint with these arguments, up to NONE; none at all: no such tracepoint. */
static void tracepoint_of(const char *name, const int *kinds, size_t max, const int *types)
{
	int args[4];
	size_t n = 0;

	for (; n < max && kinds[n] != NONE; n++)
		args[n] = types[kinds[n]];
	if (n)
		tracepoint(name, args, n);
}

static void test_kernels(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		struct exit_layout layout;
		int types[OTHER + 1], err;

		types[VCPU] = begin();
		types[U32] = u32_id;
		types[U64] = u64_id;
		types[BOOL] = type(btf__add_int(base, "_Bool", 1, BTF_INT_BOOL));
		types[OTHER] =
			type(btf__add_ptr(base, type(btf__add_struct(base, "kvm_cpu_trap", 40))));
		tracepoint_of("btf_trace_kvm_exit", kernels[i].exit, 4, types);
		tracepoint_of("btf_trace_kvm_entry", kernels[i].entry, 3, types);
		err = read_layout(NULL, &layout);
		if (err != kernels[i].err)
			fail_msg("%s: error %d", kernels[i].kernel, err);
		if (!err && (layout.form != kernels[i].form ||
			     layout.setup.entry_has_vcpu != kernels[i].entry_has_vcpu))
			fail_msg("%s: form %d, kvm_entry has the vCPU: %d", kernels[i].kernel,
				 (int)layout.form, (int)layout.setup.entry_has_vcpu);
	}
}

/*
 * Backports (of RHEL 8, say) can bring any form of the arguments together with any of the structs:
 * each is read for itself.
 */
static void test_mixtures(void **state)
{
	(void)state;
	for (unsigned mixture = 0; mixture < 12; mixture++) {
		bool reason_first = mixture & 1, long_code = mixture & 2;
		unsigned reason = mixture / 4; /* an integer, a union, one in vcpu_vt */
		struct exit_layout layout;

		tracepoints(reason_first, begin());
		svm(base, long_code ? u64_id : u32_id, 0);
		vmx(base, reason ? reason_union(base) : u32_id, reason == 2);
		assert_int_equal(read_layout(NULL, &layout), 0);
		assert_int_equal(layout.form, reason_first ? EXIT_REASON_FIRST : EXIT_VCPU_FIRST);
		assert_svm(&layout, 5000);
		assert_vmx(&layout);
	}
}

/* Arguments that no kernel has, among them nearly those of arm64. */
static void test_other_arguments(void **state)
{
	struct exit_layout layout;

	(void)state;
	for (int i = 0; i < 5; i++) {
		int pointer = type(begin()), list[4];

		list[0] = i == 0 ? u64_id : u32_id;
		list[1] = i == 1 ? type(btf__add_ptr(base, 0)) : u32_id;
		list[2] = i == 2 ? u32_id : u64_id;
		list[3] = pointer;
		tracepoint("btf_trace_kvm_exit", list, i == 3 ? 2 : i == 4 ? 4 : 3);
		untouched_fill(&layout, sizeof(layout));
		assert_int_equal(read_layout(NULL, &layout), -EINVAL);
		assert_untouched(&layout, sizeof(layout));
	}
}

/* The slots that BPF programs compute are those of exit_reasons.h. */
static void test_ranges(void **state)
{
	static const enum reasons_isa isas[] = { REASONS_VMX, REASONS_SVM, REASONS_ARM64,
						 REASONS_USERSPACE };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(isas); i++) {
		struct code_range ranges[CODE_RANGES];

		exit_layout_ranges(isas[i], ranges);
		for (__u32 code = 0; code < 0x500; code++) {
			int slot = -ENOENT;

			for (int j = 0; j < CODE_RANGES; j++) {
				if (code - ranges[j].first < ranges[j].count)
					slot = (int)(ranges[j].slot + code - ranges[j].first);
			}
			assert_int_equal(slot, reasons_slot_of(isas[i], code));
		}
	}
	assert_true(reasons_slots(REASONS_USERSPACE) <= USERSPACE_EXIT_SLOTS);
	for (size_t i = 0; i < ARRAY_SIZE(isas) - 1; i++)
		assert_true(reasons_slots(isas[i]) <= EXIT_SLOT_NESTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		work_test(test_amd_as_a_module), work_test(test_amd_with_a_long_code),
		work_test(test_intel),		 work_test(test_intel_with_a_union),
		work_test(test_intel_with_vt),	 work_test(test_before_5_16),
		work_test(test_unknown_structs), work_test(test_nothing_to_read),
		work_test(test_other_arguments), cmocka_unit_test(test_ranges),
		work_test(test_no_types_of_kvm), work_test(test_arm64),
		work_test(test_kernels),	 work_test(test_forward_declaration),
		work_test(test_mixtures),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
