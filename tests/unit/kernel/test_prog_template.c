// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* A fake records what is loaded; no test needs bpf(). */
#include "fakes/support.h"

#include <errno.h>
#include <linux/types.h>
#include <string.h>

#include "bpf/trace.h"
#include "kernel/prog_template.h"

#define MOV(reg, value)     \
	((struct bpf_insn){ \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = (reg), .imm = (int)(value) })
#define EXIT ((struct bpf_insn){ .code = BPF_JMP | BPF_EXIT })

/* The recorded request and the reply to give. */
static struct {
	unsigned loads;
	enum bpf_prog_type type;
	char name[64], license[16];
	struct bpf_insn insns[16];
	size_t ninsns;
	int answer;
} kernel;

int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t ninsns, const void *options);

int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t ninsns, const void *options)
{
	assert_null(options);
	assert_true(ninsns <= ARRAY_SIZE(kernel.insns));
	kernel.loads++;
	kernel.type = type;
	snprintf(kernel.name, sizeof(kernel.name), "%s", name);
	snprintf(kernel.license, sizeof(kernel.license), "%s", license);
	memcpy(kernel.insns, insns, ninsns * sizeof(*insns));
	kernel.ninsns = ninsns;
	return kernel.answer;
}

static const struct bpf_insn program[] = {
	MOV(BPF_REG_0, 0),
	{ .code = BPF_ALU | BPF_MOV | BPF_K, .imm = TRACE_SLOT_MARK }, /* 32-bit move: no match */
	{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .imm = TRACE_SLOT_MARK },
	{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .imm = TRACE_SLOT_MARK },
	MOV(BPF_REG_1, TRACE_SLOT_MARK + 1),
	MOV(BPF_REG_2, TRACE_SLOT_MARK),
	MOV(BPF_REG_3, TRACE_SLOT_MARK - 1),
	EXIT,
};

static void test_the_mark_is_found(void **state)
{
	struct template template;

	(void)state;
	assert_int_equal(template_init(program, ARRAY_SIZE(program), TRACE_SLOT_MARK, &template),
			 0);
	assert_int_equal(template.ninsns, ARRAY_SIZE(program));
	assert_int_equal(template.mark, 5);
	assert_ptr_not_equal(template.insns, program);
	assert_memory_equal(template.insns, program, sizeof(program));
	template_free(&template);
	assert_null(template.insns);
	template_free(&template);
}

static void test_the_mark_at_either_end(void **state)
{
	static const struct bpf_insn first[] = { MOV(BPF_REG_0, -7), EXIT };
	static const struct bpf_insn last[] = { EXIT, EXIT, MOV(BPF_REG_9, -7) };
	struct template template;

	(void)state;
	assert_int_equal(template_init(first, 2, -7, &template), 0);
	assert_int_equal(template.mark, 0);
	template_free(&template);
	assert_int_equal(template_init(last, 3, -7, &template), 0);
	assert_int_equal(template.mark, 2);
	template_free(&template);
}

static void test_not_exactly_one_mark(void **state)
{
	static const struct bpf_insn two[] = { MOV(0, 5), EXIT, MOV(0, 5) };
	static const struct bpf_insn adjacent[] = { MOV(0, 5), MOV(0, 5), EXIT };
	struct template template;

	(void)state;
	untouched_fill(&template, sizeof(template));
	assert_int_equal(template_init(two, 3, 5, &template), -EINVAL);
	assert_int_equal(template_init(adjacent, 3, 5, &template), -EINVAL);
	assert_int_equal(template_init(two, 3, 6, &template), -EINVAL);
	assert_int_equal(template_init(program, 5, TRACE_SLOT_MARK, &template), -EINVAL);
	assert_int_equal(template_init(program, 0, TRACE_SLOT_MARK, &template), -EINVAL);
	alloc_fail_at(0);
	assert_int_equal(template_init(program, ARRAY_SIZE(program), TRACE_SLOT_MARK, &template),
			 -ENOMEM);
	assert_true(alloc_failed());
	assert_untouched(&template, sizeof(template));
}

/* For each test below: a template, and loading succeeds. */
static struct template template;

static int template_setup(void **state)
{
	(void)state;
	memset(&kernel, 0, sizeof(kernel));
	return template_init(program, ARRAY_SIZE(program), TRACE_SLOT_MARK, &template);
}

static int template_teardown(void **state)
{
	(void)state;
	template_free(&template);
	return 0;
}

static void test_load(void **state)
{
	struct bpf_insn expected[ARRAY_SIZE(program)];

	(void)state;
	memcpy(expected, program, sizeof(program));
	expected[5].imm = TRACE_SLOTS - 1;
	kernel.answer = 77;
	assert_int_equal(template_load(&template, TRACE_SLOTS - 1, "kvm_exit"), 77);
	assert_int_equal(kernel.loads, 1);
	assert_int_equal(kernel.type, BPF_PROG_TYPE_RAW_TRACEPOINT);
	assert_string_equal(kernel.license, "GPL");
	assert_string_equal(kernel.name, "kvm_exit");
	assert_int_equal(kernel.ninsns, ARRAY_SIZE(program));
	assert_memory_equal(kernel.insns, expected, sizeof(expected));
}

/* Each copy has its own number and nothing left of the previous one. */
static void test_load_again(void **state)
{
	(void)state;
	for (int number = 0; number < 3; number++) {
		assert_int_equal(template_load(&template, number, "e"), 0);
		assert_int_equal(kernel.insns[5].imm, number);
		assert_int_equal(kernel.insns[4].imm, TRACE_SLOT_MARK + 1);
	}
	assert_int_equal(kernel.loads, 3);
}

/* A program's name has at most 15 bytes; an event's name can be longer. */
static void test_a_long_name(void **state)
{
	(void)state;
	assert_int_equal(template_load(&template, 0, "kvm_vmgexit_msr_protocol_enter"), 0);
	assert_string_equal(kernel.name, "kvm_vmgexit_msr");
}

static void test_load_that_fails(void **state)
{
	(void)state;
	kernel.answer = -EPERM;
	assert_int_equal(template_load(&template, 0, "e"), -EPERM);
	assert_int_equal(kernel.loads, 1);
}

#define template_test(test) cmocka_unit_test_setup_teardown(test, template_setup, template_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_mark_is_found),
		cmocka_unit_test(test_the_mark_at_either_end),
		cmocka_unit_test(test_not_exactly_one_mark),
		template_test(test_load),
		template_test(test_load_again),
		template_test(test_a_long_name),
		template_test(test_load_that_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
