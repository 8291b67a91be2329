// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Programs are the same with the small file of kernel types as with the kernel's own. */
#include "bpf/run.h"

#include <bpf/libbpf.h>
#include <stdlib.h>

#include "bpf/cause.h"
#include "bpf/exit.h"
#include "bpf/userspace_exit.h"
#include "bpf/vms.h"
#include "cause.skel.h"
#include "exit.skel.h"
#include "kernel/kernel_types.h"
#include "userspace_exit.skel.h"
#include "vms.skel.h"

static struct bpf_object *loaded(const void *(*image)(size_t *ret_size), const char *types)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = types);
	struct bpf_object *object;
	size_t size;
	const void *bytes = image(&size);

	object = bpf_object__open_mem(bytes, size, &opts);
	assert_non_null(object);
	if (bpf_object__load(object)) {
		assert_null(types); /* the kernel's own served */
		skip_why("programs are refused (lockdown)");
	}
	return object;
}

/* Does an instruction have a number that loading makes up: of a map, or of a function? */
static bool is_made_up(const struct bpf_insn *insn)
{
	return insn->src_reg &&
	       (insn->code == (BPF_LD | BPF_DW | BPF_IMM) || insn->code == (BPF_JMP | BPF_CALL));
}

static void assert_same(const struct bpf_program *one, const struct bpf_program *other)
{
	const struct bpf_insn *a = bpf_program__insns(one), *b = bpf_program__insns(other);
	size_t n = bpf_program__insn_cnt(one);

	assert_true(n > 0);
	assert_int_equal(bpf_program__insn_cnt(other), n);
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(a[i].code, b[i].code);
		assert_int_equal(a[i].off, b[i].off);
		if (!is_made_up(&a[i]))
			assert_int_equal(a[i].imm, b[i].imm);
	}
}

static void object_compare(const void *(*image)(size_t *ret_size), const char *types)
{
	struct bpf_object *one = loaded(image, NULL), *other = loaded(image, types);
	struct bpf_program *program, *like = NULL;

	bpf_object__for_each_program(program, one)
	{
		like = bpf_object__next_program(other, like);
		assert_non_null(like);
		assert_same(program, like);
	}
	bpf_object__close(one);
	bpf_object__close(other);
}

static void test_same(void **state)
{
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	const char *core = kernel_types_core(&types);

	(void)state;
	assert_non_null(core);
	object_compare(cause_bpf__elf_bytes, core);
	object_compare(exit_bpf__elf_bytes, core);
	object_compare(userspace_exit_bpf__elf_bytes, core);
	object_compare(vms_bpf__elf_bytes, core);
	kernel_types_close(&types);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { cmocka_unit_test(test_same) };

	return run_group("test_core_types", tests, ARRAY_SIZE(tests));
}
