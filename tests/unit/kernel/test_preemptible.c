// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* What the probe of preemptible tracepoints asks of a made kernel, and what it makes of the answer.
 */
#define _GNU_SOURCE
#include "fakes/fake_btf.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/preemptible.h"

/* The made kernel, and which of its calls was made. */
static struct {
	int map_err, load_err, attach_err, lookup_err;
	__u32 held; /* what the program has found */
	struct bpf_insn load;
	unsigned loads, attached, waits;
	int map_fd;
} kernel;

int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key, __u32 value,
			  __u32 entries, const void *options);
int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *code, size_t n, const void *options);
int __wrap_bpf_raw_tracepoint_open(const char *name, int fd);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
pid_t __wrap_waitpid(pid_t pid, int *status, int options);

static int descriptor(int err)
{
	return err ? err : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key, __u32 value,
			  __u32 entries, const void *options)
{
	(void)name, (void)options;
	assert_int_equal(type, BPF_MAP_TYPE_ARRAY);
	assert_int_equal(key, sizeof(__u32));
	assert_int_equal(value, sizeof(__u32));
	assert_int_equal(entries, 1);
	kernel.map_fd = descriptor(kernel.map_err);
	return kernel.map_fd;
}

/* The load from the task is the instruction after the call. */
int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *code, size_t n, const void *options)
{
	(void)name, (void)license, (void)options;
	assert_int_equal(type, BPF_PROG_TYPE_RAW_TRACEPOINT);
	assert_true(n > 2);
	assert_int_equal(code[0].imm, BPF_FUNC_get_current_task_btf);
	kernel.load = code[1];
	kernel.loads++;
	return descriptor(kernel.load_err);
}

int __wrap_bpf_raw_tracepoint_open(const char *name, int fd)
{
	assert_string_equal(name, "sched_process_wait");
	assert_true(fd >= 0);
	kernel.attached++;
	return descriptor(kernel.attach_err);
}

/* Waits for nobody's child. */
pid_t __wrap_waitpid(pid_t pid, int *status, int options)
{
	(void)status;
	assert_int_equal(pid, getpid());
	assert_int_equal(options, WNOHANG);
	kernel.waits++;
	return -1;
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	assert_int_equal(fd, kernel.map_fd);
	assert_int_equal(*(const __u32 *)key, 0);
	assert_int_equal(kernel.waits, 1); /* the event has fired */
	*(__u32 *)value = kernel.held;
	return kernel.lookup_err;
}

/* What does it say of the kernel whose types are in "btf"? */
static bool probe(void)
{
	struct kernel_types types = { .dir = "btf" };
	bool preemptible = tracepoints_preemptible(&types);

	kernel_types_close(&types);
	return preemptible;
}

/* struct task_struct with a field of this type and name, at this offset in bytes. */
static void write_task(const char *name, int *type, __u32 offset)
{
	struct btf *btf = types_new();

	assert_true(btf__add_struct(btf, "task_struct", 4096) > 0);
	field(btf, "pid", s32, 8);
	if (name)
		field(btf, name, *type, offset);
	make_folders("btf");
	btf_write(btf, "btf/vmlinux");
	memset(&kernel, 0, sizeof(kernel));
}

/* The program reads the field as the type information has it, and its answer is ours. */
static void test_answers(void **state)
{
	static const struct {
		int *type;
		__u8 size;
	} types[] = { { &u8, BPF_B }, { &u16, BPF_H }, { &u32, BPF_W }, { &u64, BPF_DW } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		for (__u32 held = 0; held < 2; held++) {
			write_task("migration_disabled", types[i].type, 2040);
			kernel.held = held;
			assert_int_equal(probe(), held);
			assert_int_equal(kernel.load.code, BPF_LDX | BPF_MEM | types[i].size);
			assert_int_equal(kernel.load.off, 2040);
			assert_int_equal(kernel.loads, 1);
			assert_int_equal(kernel.waits, 1);
		}
	}
}

/* A kernel that holds no thread on a CPU, or has no type information: nothing is tried. */
static void test_no_field(void **state)
{
	(void)state;
	write_task(NULL, NULL, 0);
	kernel.held = 1;
	assert_false(probe());
	write_task("migration_disabled_too", &u16, 2040);
	kernel.held = 1;
	assert_false(probe());
	write_task("migration_disabled", &u128, 2048); /* no load of that size */
	kernel.held = 1;
	assert_false(probe());
	write_task("migration_disabled", &u16, 40000); /* too far for a load */
	kernel.held = 1;
	assert_false(probe());
	assert_int_equal(unlink("btf/vmlinux"), 0);
	assert_false(probe());
	assert_int_equal(kernel.loads, 0);
}

/* What is refused is no answer. The teardown looks for what was left open. */
static void test_refused(void **state)
{
	int *const errors[] = { &kernel.map_err, &kernel.load_err, &kernel.attach_err,
				&kernel.lookup_err };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++) {
		write_task("migration_disabled", &u16, 2040);
		kernel.held = 1;
		*errors[i] = -EPERM;
		assert_false(probe());
		assert_int_equal(kernel.loads, i > 0);
		assert_int_equal(kernel.attached, i > 1);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_answers),
		work_test(test_no_field),
		work_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
