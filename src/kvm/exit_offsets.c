// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kvm/exit_offsets.h"

#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm/exit_reasons.h"

_Static_assert(REASONS_SLOTS_MAX == EXIT_SLOTS, "REASONS_SLOTS_MAX differs from EXIT_SLOTS");
_Static_assert(REASONS_RANGES_MAX == CODE_RANGES, "REASONS_RANGES_MAX differs from CODE_RANGES");
_Static_assert(REASONS_UNKNOWN_SLOTS == UNKNOWN_SLOTS && REASONS_SLOT_UNKNOWN == 1 &&
		       REASONS_SLOT_OTHER == 0,
	       "slots of unknown codes differ between bpf/ and exit_reasons.h");
_Static_assert(REASONS_ARM64_TRAP == EXIT_TRAP_CODE, "codes of traps differ from exit_reasons.h");

/* --- types --- */

/*
 * Resolve typedefs and modifiers such as const; NULL if the type does not exist. libbpf's own
 * function for it fails for a forward declaration.
 */
static const struct btf_type *resolve(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);

	for (int depth = 0; type && (btf_is_mod(type) || btf_is_typedef(type)); depth++)
		type = depth < 32 ? btf__type_by_id(btf, type->type) : NULL;
	return type;
}

static const struct btf_type *find_struct(const struct btf *btf, const char *name)
{
	__s32 id = btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT);

	return id < 0 ? NULL : btf__type_by_id(btf, (__u32)id);
}

/* The type a pointer points to; NULL if id is no pointer. */
static const struct btf_type *pointee(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = resolve(btf, id);

	return type && btf_is_ptr(type) ? resolve(btf, type->type) : NULL;
}

static bool is_named(const struct btf *btf, const struct btf_type *type, const char *name)
{
	const char *own = type ? btf__name_by_offset(btf, type->name_off) : NULL;

	return own && strcmp(own, name) == 0;
}

/* Look up a member by name. Returns 0 with its byte offset and its type, or -ENOENT. */
static int find_member(const struct btf *btf, const struct btf_type *type, const char *name,
		       __s32 *ret_offset, __u32 *ret_type)
{
	const struct btf_member *members;

	if (!type || !btf_is_composite(type))
		return -ENOENT;
	members = btf_members(type);
	for (__u32 i = 0; i < btf_vlen(type); i++) {
		const char *own = btf__name_by_offset(btf, members[i].name_off);
		__u32 bit = btf_member_bit_offset(type, i);

		if (!own || strcmp(own, name) != 0 || bit % 8 || btf_member_bitfield_size(type, i))
			continue;
		*ret_offset = (__s32)(bit / 8);
		*ret_type = members[i].type;
		return 0;
	}
	return -ENOENT;
}

/* Can an exit code be read from the low 32 bits of this integer type? */
static bool is_code(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = resolve(btf, id);

	return type && btf_is_int(type) && type->size >= 4;
}

/* --- tracepoints --- */

/*
 * The position of the vCPU among a tracepoint's arguments; -ENOENT: no such tracepoint or argument.
 * How many arguments there are, or -1: no such tracepoint.
 */
static int vcpu_argument(const struct btf *btf, const char *name, int *ret_n)
{
	__s32 id = btf__find_by_name_kind(btf, name, BTF_KIND_TYPEDEF);
	const struct btf_type *type = id < 0 ? NULL : pointee(btf, (__u32)id);
	const struct btf_param *params;

	*ret_n = type && btf_is_func_proto(type) ? btf_vlen(type) - 1 : -1;
	if (*ret_n < 0)
		return -ENOENT;
	params = btf_params(type);
	for (int i = 1; i < btf_vlen(type);
	     i++) { /* parameter 0 is the void *data given at registration */
		const struct btf_type *to = pointee(btf, params[i].type);

		/*
		 * a module that uses only pointers to it has a forward declaration, no definition
		 */
		if (to && (btf_is_struct(to) || btf_is_fwd(to)) && is_named(btf, to, "kvm_vcpu"))
			return i - 1;
	}
	return -ENOENT;
}

/* Are these the arguments (int ret, unsigned int esr_ec, unsigned long pc) of kvm_exit on arm64? */
static bool is_trap(const struct btf *btf)
{
	static const __u32 sizes[] = { 4, 4, 8 };
	__s32 id = btf__find_by_name_kind(btf, "btf_trace_kvm_exit", BTF_KIND_TYPEDEF);
	const struct btf_type *proto = pointee(btf, (__u32)id);
	const struct btf_param *params = btf_params(proto);

	if (btf_vlen(proto) != 1 + sizeof(sizes) / sizeof(sizes[0]))
		return false;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		const struct btf_type *type = resolve(btf, params[i + 1].type);

		if (!type || !btf_is_int(type) || type->size != sizes[i])
			return false;
	}
	return true;
}

static int read_arguments(const struct btf *btf, struct exit_layout *layout)
{
	static const struct {
		enum exit_form form;
		int arguments;
	} forms[] = { { EXIT_VCPU_FIRST, 2 }, { EXIT_REASON_FIRST, 3 } };
	int n, place = vcpu_argument(btf, "btf_trace_kvm_exit", &n);

	if (n < 0)
		return -ENOENT;
	if (place < 0 && is_trap(btf)) {
		layout->form = EXIT_TRAP;
		return 0;
	}
	if (place < 0 || place >= (int)(sizeof(forms) / sizeof(forms[0])) ||
	    n != forms[place].arguments)
		return -EINVAL;
	layout->form = forms[place].form;
	layout->setup.entry_has_vcpu = vcpu_argument(btf, "btf_trace_kvm_entry", &n) == 0;
	return 0;
}

/* --- reasons --- */

/* The bits of a code. Intel's has flags above. */
#define VMX_MASK   0xffff
#define SVM_MASK   0xffffffff
#define ARM64_MASK 0xffffffff

/*
 * Locate vcpu_svm.vmcb->control.exit_code. Where the field is 64 bits wide, no code needs the upper
 * half.
 */
static int read_svm(const struct btf *btf, struct exit_isa *isa)
{
	const struct btf_type *type = find_struct(btf, "vcpu_svm");
	__s32 vcpu, vmcb, control, code;
	__u32 id;

	if (find_member(btf, type, "vcpu", &vcpu, &id) ||
	    find_member(btf, type, "vmcb", &vmcb, &id) ||
	    find_member(btf, pointee(btf, id), "control", &control, &id) ||
	    find_member(btf, resolve(btf, id), "exit_code", &code, &id) || !is_code(btf, id))
		return -ENOENT;
	isa->pointer = vmcb - vcpu;
	isa->code = control + code;
	isa->mask = SVM_MASK;
	return 0;
}

/*
 * Locate vcpu_vmx.exit_reason or vcpu_vmx.vt.exit_reason, an integer or a union with member full.
 * The bits above 15 are flags.
 */
static int read_vmx(const struct btf *btf, struct exit_isa *isa)
{
	const struct btf_type *type = find_struct(btf, "vcpu_vmx");
	__s32 vcpu, vt = 0, reason, full = 0;
	__u32 id;

	if (find_member(btf, type, "vcpu", &vcpu, &id))
		return -ENOENT;
	if (find_member(btf, type, "exit_reason", &reason, &id) &&
	    (find_member(btf, type, "vt", &vt, &id) ||
	     find_member(btf, resolve(btf, id), "exit_reason", &reason, &id)))
		return -ENOENT;
	if (!is_code(btf, id) &&
	    (find_member(btf, resolve(btf, id), "full", &full, &id) || !is_code(btf, id)))
		return -ENOENT;
	isa->pointer = EXIT_NO_POINTER;
	isa->code = vt + reason + full - vcpu;
	isa->mask = VMX_MASK;
	return 0;
}

void exit_layout_ranges(unsigned isa, struct code_range ranges[CODE_RANGES])
{
	const struct reasons_range *list;
	size_t n;

	memset(ranges, 0, CODE_RANGES * sizeof(*ranges));
	list = reasons_ranges((enum reasons_isa)isa, &n);
	for (size_t i = 0; i < n; i++) {
		if (list[i].first > UINT32_MAX)
			continue;
		ranges[i].first = (__u32)list[i].first;
		ranges[i].count = (__u32)list[i].count;
		ranges[i].slot = list[i].slot;
	}
}

/* --- the whole --- */

/* The types of a module, or of vmlinux where the module has none. */
static const struct btf *module_types(struct kernel_types *types, const char *module,
				      const struct btf *vmlinux)
{
	const struct btf *own;

	return kernel_types_module(types, module, &own) ? vmlinux : own;
}

/* Set what does not depend on the kernel: the slots of codes. */
static void slots_set(struct exit_setup *setup)
{
	setup->vmx.isa = REASONS_VMX + 1;
	setup->svm.isa = REASONS_SVM + 1;
	setup->arm64.isa = REASONS_ARM64 + 1;
	exit_layout_ranges(REASONS_VMX, setup->vmx.ranges);
	exit_layout_ranges(REASONS_SVM, setup->svm.ranges);
	exit_layout_ranges(REASONS_ARM64, setup->arm64.ranges);
}

static void read_reasons(struct kernel_types *types, const struct btf *vmlinux,
			 struct exit_layout *layout)
{
	struct exit_setup *setup = &layout->setup;
	struct {
		const char *module;
		struct exit_isa *to;
		int (*read)(const struct btf *btf, struct exit_isa *isa);
	} vendors[] = {
		{ "kvm_intel", &setup->vmx, read_vmx },
		{ "kvm_amd", &setup->svm, read_svm },
	};

	slots_set(setup);
	if (layout->form == EXIT_TRAP) {
		setup->arm64.mask = ARM64_MASK;
		setup->has_reasons = 1;
		return;
	}
	for (size_t i = 0; i < sizeof(vendors) / sizeof(vendors[0]); i++) {
		if (vendors[i].read(module_types(types, vendors[i].module, vmlinux),
				    vendors[i].to) == 0)
			setup->has_reasons = 1;
	}
}

int exit_layout_read(struct kernel_types *types, struct exit_layout *ret_layout)
{
	struct exit_layout layout;
	const struct btf *vmlinux;
	int err = kernel_types_vmlinux(types, &vmlinux);

	if (err)
		return err;
	memset(&layout, 0, sizeof(layout)); /* exit_layout_equal() compares padding, too */
	err = read_arguments(module_types(types, "kvm", vmlinux), &layout);
	if (err)
		return err;
	read_reasons(types, vmlinux, &layout);
	*ret_layout = layout;
	return 0;
}

#if defined(__x86_64__)

int exit_layout_untyped(struct kernel_types *types, enum exit_form form,
			struct exit_layout *ret_layout)
{
	const struct btf *vmlinux;
	int err = kernel_types_vmlinux(types, &vmlinux);

	if (err)
		return err;
	memset(ret_layout, 0, sizeof(*ret_layout));
	ret_layout->form = form;
	slots_set(&ret_layout->setup);
	if (form != EXIT_REASON_FIRST)
		return 0;
	ret_layout->setup.has_reasons = 1;
	ret_layout->setup.vmx.mask = VMX_MASK;
	ret_layout->setup.svm.mask = SVM_MASK;
	return 0;
}

#else

/* The events have other arguments there. */
int exit_layout_untyped(struct kernel_types *types, enum exit_form form,
			struct exit_layout *ret_layout)
{
	(void)types, (void)form, (void)ret_layout;
	return -ENOENT;
}

#endif

bool exit_layout_equal(const struct exit_layout *one, const struct exit_layout *other)
{
	return memcmp(one, other, sizeof(*one)) == 0;
}
