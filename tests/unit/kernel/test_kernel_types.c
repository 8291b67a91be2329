// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* How often type information is read, for how long, and by whom. */
#include "fakes/fake_btf.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/kernel_types.h"
#include "kernel/map_prealloc.h"
#include "kvm/exit_offsets.h"
#include "kvm/tracepoints.h"

static char parsed[256]; /* the files parsed, in order */

static unsigned mapped;	 /* how often vmlinux was mapped */
static unsigned slow_us; /* what reading takes at least */
static bool no_mapping;	 /* files cannot be mapped, as before Linux 6.16 */

static void note(const char *path)
{
	assert_true(strncmp(path, "btf/", 4) == 0);
	strcat(strcat(parsed, " "), path + 4);
}

struct btf *__real_btf__parse_split(const char *path, struct btf *base);
struct btf *__wrap_btf__parse_split(const char *path, struct btf *base);
struct btf *__wrap_btf__parse_split(const char *path, struct btf *base)
{
	assert_int_equal(base == NULL, strcmp(path, "btf/vmlinux") == 0);
	note(path);
	return __real_btf__parse_split(path, base);
}

struct btf *__real_btf__new(const void *data, __u32 size);
struct btf *__wrap_btf__new(const void *data, __u32 size);
struct btf *__wrap_btf__new(const void *data, __u32 size)
{
	struct btf *btf = __real_btf__new(data, size);

	usleep(slow_us);
	if (btf)
		note("btf/vmlinux"); /* else it is read */
	return btf;
}

void *__real_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset)
{
	if (no_mapping) {
		errno = ENODEV;
		return MAP_FAILED;
	}
	mapped++;
	return __real_mmap(addr, length, prot, flags, fd, offset);
}

static struct kernel_types types;

static int setup(void **state)
{
	types = (struct kernel_types){ .dir = "btf" };
	*parsed = '\0';
	no_mapping = false;
	slow_us = 0;
	mapped = 0;
	return work_setup(state);
}

static int teardown(void **state)
{
	kernel_types_close(&types);
	return work_teardown(state);
}

static void assert_parsed(const char *names)
{
	assert_string_equal(parsed, names);
	*parsed = '\0';
}

/* vmlinux with a struct "base", and modules that are split from it, with a struct of their name. */
static void write_all(const char *const *modules)
{
	struct btf *base = types_new();
	const void *bytes;
	__u32 size;

	assert_true(btf__add_struct(base, "base", 8) > 0);
	make_folders("btf");
	for (; *modules; modules++) {
		struct btf *module = btf__new_empty_split(base);
		char path[64];

		assert_true(btf__add_struct(module, *modules, 8) > 0);
		bytes = btf__raw_data(module, &size);
		snprintf(path, sizeof(path), "btf/%s", *modules);
		write_bytes(path, bytes, size);
		btf__free(module);
	}
	btf_write(base, "btf/vmlinux");
}

#define write_types(...) write_all((const char *const[]){ __VA_ARGS__, NULL })

static bool has(const struct btf *btf, const char *name)
{
	return btf__find_by_name_kind(btf, name, BTF_KIND_STRUCT) > 0;
}

static void once(void)
{
	const struct btf *base, *again, *kvm, *amd;

	write_types("kvm", "kvm_amd");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(kernel_types_module(&types, "kvm", &kvm), 0);
		assert_int_equal(kernel_types_vmlinux(&types, &base), 0);
		assert_int_equal(kernel_types_module(&types, "kvm_amd", &amd), 0);
		assert_int_equal(kernel_types_vmlinux(&types, &again), 0);
		assert_ptr_equal(base, again);
		assert_int_equal(kernel_types_module(&types, "kvm_intel", &again), -ENOENT);
	}
	assert_parsed(" vmlinux kvm kvm_amd");
	assert_true(has(base, "base") && !has(base, "kvm"));
	assert_true(has(kvm, "base") && has(kvm, "kvm") && !has(kvm, "kvm_amd"));
	assert_true(has(amd, "base") && has(amd, "kvm_amd"));
}

static void test_once(void **state)
{
	(void)state;
	once();
	assert_int_equal(mapped, 1);
}

static void test_no_mapping(void **state)
{
	(void)state;
	no_mapping = true;
	once();
}

static void *amd_get(void *data)
{
	const struct btf **ret_amd = data;

	return kernel_types_module(&types, "kvm_amd", ret_amd) ? NULL : data;
}

/* Families that are opened at a time: what one reads, the other waits for. */
static void test_threads(void **state)
{
	const struct btf *base, *amd = NULL, *again;
	pthread_t other;
	void *ret;

	(void)state;
	write_types("kvm_amd");
	slow_us = 50000;
	assert_int_equal(pthread_create(&other, NULL, amd_get, (void *)&amd), 0);
	assert_int_equal(kernel_types_vmlinux(&types, &base), 0);
	assert_int_equal(kernel_types_module(&types, "kvm_amd", &again), 0);
	assert_int_equal(pthread_join(other, &ret), 0);
	assert_non_null(ret);
	assert_ptr_equal(amd, again);
	assert_parsed(" vmlinux kvm_amd");
	assert_true(has(base, "base"));
}

/* A pass of attaching: all that reads type information, in the collector's order. */
static void test_a_pass(void **state)
{
	struct stat_layout layout;
	struct exit_layout exits;
	struct events events;

	(void)state;
	write_types("kvm", "kvm_amd", "kvm_intel");
	for (int i = 0; i < 3; i++) {
		assert_int_equal(events_find(&types, "nowhere", &events), 0);
		assert_int_equal(events.n, 0);
		events_free(&events);
		assert_int_equal(stat_layout_read(&types, &layout), -ENOENT);
		assert_int_equal(exit_layout_read(&types, &exits), -ENOENT);
		assert_parsed(" vmlinux kvm");
		kernel_types_close(&types);
	}
}

/* After a pass the types are read anew: KVM may have come, gone, or changed meanwhile. */
static void test_reload(void **state)
{
	const struct btf *btf;

	(void)state;
	write_types(NULL);
	assert_int_equal(kernel_types_module(&types, "kvm", &btf), -ENOENT);
	write_types("kvm");
	assert_int_equal(kernel_types_module(&types, "kvm", &btf), -ENOENT); /* the same pass */
	kernel_types_close(&types);
	assert_parsed(" vmlinux");
	assert_int_equal(kernel_types_module(&types, "kvm", &btf), 0);
	assert_true(has(btf, "kvm"));
	kernel_types_close(&types);
	assert_int_equal(unlink("btf/kvm"), 0);
	assert_int_equal(kernel_types_module(&types, "kvm", &btf), -ENOENT);
	assert_parsed(" vmlinux kvm vmlinux");
}

static void test_nothing_is_there(void **state)
{
	const struct btf *btf;

	(void)state;
	untouched_fill(&btf, sizeof(const struct btf *));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(kernel_types_vmlinux(&types, &btf), -ENOENT);
		assert_int_equal(kernel_types_module(&types, "kvm", &btf), -ENOENT);
	}
	assert_untouched(&btf, sizeof(const struct btf *));
	kernel_types_close(&types);
	make_folders("btf");
	write_text("btf/vmlinux", "no type information");
	for (int i = 0; i < 2; i++)
		assert_true(kernel_types_vmlinux(&types, &btf) < 0);
	assert_untouched(&btf, sizeof(const struct btf *));
	assert_parsed(" vmlinux");
}

static void test_too_many(void **state)
{
	static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", "h" };
	const struct btf *btf;

	(void)state;
	write_types("a", "g", "h");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_int_equal(kernel_types_module(&types, names[i], &btf), i == 0 || i == 6 ? 0 :
									      i == 7 ? -ENOSPC :
										       -ENOENT);
}

#define types_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		types_test(test_once),	   types_test(test_a_pass),
		types_test(test_reload),   types_test(test_nothing_is_there),
		types_test(test_too_many), types_test(test_no_mapping),
		types_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
