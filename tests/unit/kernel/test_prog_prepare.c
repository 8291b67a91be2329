// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* What programs get before they are loaded; fakes stand for libbpf's programs and the kernel. */
#include "fakes/fake_btf.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "bpf/kernel_words.h"
#include "bpf/pin.h"
#include "kernel/prog_prepare.h"

/* The first half of a load; the second is zeroes. */
#define LOAD(kind, fd) \
	((struct bpf_insn){ .code = BPF_LD | BPF_IMM | BPF_DW, .src_reg = (kind), .imm = (fd) })
#define CALL(kind, number) \
	((struct bpf_insn){ .code = BPF_JMP | BPF_CALL, .src_reg = (kind), .imm = (number) })

/* Descriptors: of a map that is direct, of others, of none. */
enum { DIRECT = 5, SMALL, MANY, HASH, NOTHING };

/* Handlers as registered, a program, and what was asked. */
static struct {
	struct {
		char section[32];
		enum bpf_prog_type type;
		libbpf_prog_prepare_load_fn_t prepare;
	} handlers[4];
	int nhandlers, ended[4]; /* which were taken back, in that order */
	unsigned stays, minor_version;
	int nended, refused; /* the number of the registration that fails, from 1 */
	struct bpf_insn insns[16];
	size_t ninsns;
	unsigned sets, asked[16];
	enum bpf_prog_type type;
} fake;

static char program;
#define PROGRAM ((struct bpf_program *)&program)

int __wrap_libbpf_register_prog_handler(const char *section, enum bpf_prog_type type,
					enum bpf_attach_type attach, const void *opts);
int __wrap_libbpf_register_prog_handler(const char *section, enum bpf_prog_type type,
					enum bpf_attach_type attach, const void *opts)
{
	const struct libbpf_prog_handler_opts *given = opts;
	int n = fake.nhandlers;

	if (!given) { /* it calls nothing */
		fake.stays++;
		return 100;
	}
	fake.nhandlers++;
	if (n + 1 == fake.refused)
		return -ENOMEM;
	assert_true(n < (int)ARRAY_SIZE(fake.handlers));
	assert_int_equal(attach, 0);
	snprintf(fake.handlers[n].section, sizeof(fake.handlers[n].section), "%s", section);
	fake.handlers[n].type = type;
	fake.handlers[n].prepare = given->prog_prepare_load_fn;
	return n + 1;
}

__u32 __wrap_libbpf_minor_version(void);
__u32 __wrap_libbpf_minor_version(void)
{
	return fake.minor_version;
}

int __wrap_libbpf_unregister_prog_handler(int handler);
int __wrap_libbpf_unregister_prog_handler(int handler)
{
	fake.ended[fake.nended++] = handler;
	return 0;
}

size_t __wrap_bpf_program__insn_cnt(const struct bpf_program *prog);
size_t __wrap_bpf_program__insn_cnt(const struct bpf_program *prog)
{
	assert_ptr_equal(prog, PROGRAM);
	return fake.ninsns;
}

const struct bpf_insn *__wrap_bpf_program__insns(const struct bpf_program *prog);
const struct bpf_insn *__wrap_bpf_program__insns(const struct bpf_program *prog)
{
	assert_ptr_equal(prog, PROGRAM);
	return fake.insns;
}

int __wrap_bpf_program__set_insns(struct bpf_program *prog, struct bpf_insn *insns, size_t n);
int __wrap_bpf_program__set_insns(struct bpf_program *prog, struct bpf_insn *insns, size_t n)
{
	assert_ptr_equal(prog, PROGRAM);
	assert_int_equal(n, fake.ninsns);
	memcpy(fake.insns, insns, n * sizeof(*insns));
	fake.sets++;
	return 0;
}

int __wrap_bpf_program__set_type(struct bpf_program *prog, enum bpf_prog_type type);
int __wrap_bpf_program__set_type(struct bpf_program *prog, enum bpf_prog_type type)
{
	assert_ptr_equal(prog, PROGRAM);
	fake.type = type;
	return 0;
}

int __wrap_bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size);
int __wrap_bpf_obj_get_info_by_fd(int fd, void *info, __u32 *size)
{
	static const struct bpf_map_info maps[] = {
		[DIRECT] = { .type = BPF_MAP_TYPE_ARRAY,
			     .max_entries = 1,
			     .value_size = DIRECT_BYTES },
		[SMALL] = { .type = BPF_MAP_TYPE_ARRAY,
			    .max_entries = 1,
			    .value_size = DIRECT_BYTES - 1 },
		[MANY] = { .type = BPF_MAP_TYPE_ARRAY,
			   .max_entries = 2,
			   .value_size = DIRECT_BYTES },
		[HASH] = { .type = BPF_MAP_TYPE_HASH,
			   .max_entries = 1,
			   .value_size = DIRECT_BYTES },
	};

	assert_int_equal(*size, sizeof(maps[0]));
	fake.asked[fd]++;
	if (fd < DIRECT || fd > HASH)
		return -EBADF;
	*(struct bpf_map_info *)info = maps[fd];
	return 0;
}

static void program_is(const struct bpf_insn *insns, size_t n)
{
	memset(fake.asked, 0, sizeof(fake.asked));
	fake.sets = 0;
	fake.ninsns = n;
	memcpy(fake.insns, insns, n * sizeof(*insns));
}

/* Call the handler of a section as libbpf does. */
static int prepare(const char *section, struct bpf_prog_load_opts *opts)
{
	for (int i = 0; i < fake.nhandlers; i++) {
		if (strcmp(fake.handlers[i].section, section) == 0)
			return fake.handlers[i].prepare(PROGRAM, opts, 0);
	}
	fail();
	return 0;
}

static int setup(void **state)
{
	assert_int_equal(prog_prepare_init(BPF_PROG_TYPE_TRACEPOINT), 0);
	assert_int_equal(prog_prepare_init(BPF_PROG_TYPE_XDP), 0); /* nothing changes */
	return work_setup(state);
}

static void test_sections(void **state)
{
	(void)state;
	assert_int_equal(fake.nhandlers, 3);
	assert_int_equal(fake.handlers[0].type, BPF_PROG_TYPE_RAW_TRACEPOINT);
	assert_int_equal(fake.handlers[1].type, BPF_PROG_TYPE_TRACEPOINT);
	/* libbpf reads the kernel's types for an object with a tracing program */
	assert_int_not_equal(fake.handlers[2].type, BPF_PROG_TYPE_TRACING);
}

/* The DSO leaves pmcd: what is registered goes, also where only some of it was. */
static void test_end(void **state)
{
	(void)state;
	fake.minor_version = 1;
	prog_prepare_end();
	prog_prepare_end(); /* nothing changes */
	assert_int_equal(fake.stays, 1);
	assert_int_equal(fake.nended, 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(fake.ended[i], i + 1);
	fake.nhandlers = fake.nended = 0;
	fake.refused = 2;
	fake.minor_version = 3;
	assert_int_equal(prog_prepare_init(BPF_PROG_TYPE_TRACEPOINT), -ENOMEM);
	assert_int_equal(fake.nended, 1);
	assert_int_equal(fake.stays, 1);
	fake.nhandlers = fake.nended = fake.refused = 0;
	assert_int_equal(prog_prepare_init(BPF_PROG_TYPE_TRACEPOINT), 0);
	assert_int_equal(fake.nhandlers, 3);
}

/* The kernel is asked once for each map of a program. */
static void test_maps(void **state)
{
	const struct bpf_insn insns[16] = {
		[0] = LOAD(BPF_PSEUDO_MAP_FD, DIRECT), [2] = LOAD(BPF_PSEUDO_MAP_FD, SMALL),
		[4] = LOAD(BPF_PSEUDO_MAP_FD, DIRECT), [6] = LOAD(BPF_PSEUDO_MAP_FD, HASH),
		[8] = LOAD(BPF_PSEUDO_MAP_FD, MANY),   [10] = LOAD(BPF_PSEUDO_MAP_FD, NOTHING),
		[12] = LOAD(BPF_PSEUDO_MAP_FD, SMALL), [14] = LOAD(0, DIRECT),
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	(void)state;
	for (int i = 0; i < 2; i++) {
		program_is(insns, ARRAY_SIZE(insns));
		assert_int_equal(prepare(i ? "tp" : "raw_tp", &opts), 0);
		for (size_t at = 0; at < ARRAY_SIZE(insns); at += 2)
			assert_int_equal(fake.insns[at].src_reg, at == 0 || at == 4 ?
									 BPF_PSEUDO_MAP_VALUE :
									 insns[at].src_reg);
		for (int fd = DIRECT; fd <= NOTHING; fd++)
			assert_int_equal(fake.asked[fd], 1);
		assert_int_equal(fake.sets, 1);
	}
	/* another program may have another map of this number: it is asked again, as above */
	program_is(insns + 2, 2);
	assert_int_equal(prepare("raw_tp", &opts), 0);
	assert_int_equal(fake.sets, 0);
}

static void functions_are(const char *const names[], int ret_ids[])
{
	struct btf *btf = types_new();
	int proto = btf__add_func_proto(btf, pointer);

	for (int i = 0; names[i]; i++) {
		ret_ids[i] = btf__add_func(btf, names[i], BTF_FUNC_GLOBAL, proto);
		assert_true(ret_ids[i] > 0);
	}
	prog_prepare_types(btf);
	btf__free(btf);
}

static void test_functions(void **state)
{
	const struct bpf_insn insns[] = {
		CALL(0, KERNEL_CAST_CALL),
		CALL(0, BPF_FUNC_ktime_get_ns),
		CALL(BPF_PSEUDO_CALL, KERNEL_CAST_CALL),
		CALL(0, KERNEL_CAST_CALL),
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = KERNEL_CAST_CALL },
	};
	const char *const names[] = { "other", "bpf_rdonly_cast", "bpf_iter_task_file", NULL };
	int ids[3];
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	(void)state;
	functions_are(names, ids);
	program_is(insns, ARRAY_SIZE(insns));
	assert_int_equal(prepare("iter/task_file", &opts), 0);
	for (size_t i = 0; i < ARRAY_SIZE(insns); i++) {
		bool cast = i == 0 || i == 3;

		assert_int_equal(fake.insns[i].src_reg,
				 cast ? BPF_PSEUDO_KFUNC_CALL : insns[i].src_reg);
		assert_int_equal(fake.insns[i].imm, cast ? ids[1] : insns[i].imm);
	}
	assert_int_equal(fake.type, BPF_PROG_TYPE_TRACING);
	assert_int_equal(opts.expected_attach_type, BPF_TRACE_ITER);
	assert_int_equal(opts.attach_btf_id, ids[2]);
	assert_int_equal(opts.attach_btf_obj_fd, 0);
}

/* A kernel without them: what the program calls stays, and an iterator has nothing to attach to. */
static void test_no_functions(void **state)
{
	const struct bpf_insn insns[] = { CALL(0, KERNEL_CAST_CALL), CALL(0, 1) };
	const char *const names[] = { "other", NULL };
	int ids[1];
	LIBBPF_OPTS(bpf_prog_load_opts, opts);

	(void)state;
	functions_are(names, ids);
	program_is(insns, ARRAY_SIZE(insns));
	assert_int_equal(prepare("raw_tp", &opts), 0);
	assert_int_equal(fake.sets, 0);
	assert_int_equal(fake.insns[0].imm, KERNEL_CAST_CALL);
	assert_int_equal(prepare("iter/task_file", &opts), -ENOENT);
	assert_int_equal(opts.attach_btf_id, 0);
}

#define prepare_test(test) cmocka_unit_test_setup_teardown(test, setup, work_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		prepare_test(test_sections),	 prepare_test(test_end),
		prepare_test(test_maps),	 prepare_test(test_functions),
		prepare_test(test_no_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
