// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The small file of kernel types: what programs name is as in the kernel, the rest is left out. */
#include "fakes/fake_btf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "kernel/core_types.h"

static int named(const struct btf *btf, const char *name, unsigned kind)
{
	return btf__find_by_name_kind(btf, name, kind);
}

/* The type of a struct's member, whose place must be this, in bits. */
static __u32 member(const struct btf *btf, int id, unsigned number, const char *name, __u32 place,
		    __u32 bits)
{
	const struct btf_type *type = btf__type_by_id(btf, (__u32)id);
	const struct btf_member *members = btf_members(type);

	assert_true(number < btf_vlen(type));
	assert_string_equal(btf__name_by_offset(btf, members[number].name_off), name);
	assert_int_equal(btf_member_bit_offset(type, number), place);
	assert_int_equal(btf_member_bitfield_size(type, number), bits);
	return members[number].type;
}

/*
 * struct task_struct { u64 start; union { struct sched_info in; u32 other; }; struct upid list[3];
 * void *next; u32 flag:3; const u64 last; }
 */
static struct btf *kernel_new(void)
{
	struct btf *btf = types_new();
	int info, both, id, list, last;

	assert_true(btf__add_struct(btf, "unwanted", 8) > 0);
	info = btf__add_struct(btf, "sched_info", 16);
	field(btf, "run_delay", u64, 8);
	both = btf__add_union(btf, NULL, 16);
	field(btf, "in", info, 0);
	field(btf, "other", u32, 0);
	assert_true(btf__add_struct(btf, "timespec64", 16) > 0);
	field(btf, "tv_sec", s64, 0);
	id = btf__add_struct(btf, "upid", 16);
	field(btf, "nr", s32, 0);
	list = add_array(btf, id, 3);
	last = btf__add_const(btf, btf__add_typedef(btf, "time", u64));
	assert_true(btf__add_struct(btf, "task_struct", 104) > 0);
	field(btf, "start", u64, 0);
	field(btf, NULL, both, 8);
	field(btf, "list", list, 24);
	field(btf, "next", pointer, 72);
	assert_int_equal(btf__add_field(btf, "flag", u32, 80 * 8 + 5, 3), 0);
	field(btf, "last", last, 96);
	assert_true(btf__add_enum(btf, "bpf_func_id", 4) > 0);
	assert_int_equal(btf__add_enum_value(btf, "one", 1), 0);
	assert_int_equal(btf__add_enum_value(btf, "helper", 158), 0);
	return btf;
}

static void assert_task(const struct btf *btf)
{
	int task = named(btf, "task_struct", BTF_KIND_STRUCT);
	__u32 start, both, in, list;

	assert_true(task > 0);
	assert_int_equal(btf__resolve_size(btf, (__u32)task), 104);
	start = member(btf, task, 0, "start", 0, 0);
	assert_int_equal(btf__resolve_size(btf, start), 8);
	both = member(btf, task, 1, "", 64, 0);
	assert_int_equal(btf_kind(btf__type_by_id(btf, both)), BTF_KIND_UNION);
	in = member(btf, (int)both, 0, "in", 0, 0);
	assert_int_equal(in, named(btf, "sched_info", BTF_KIND_STRUCT));
	member(btf, (int)in, 0, "run_delay", 64, 0);
	member(btf, (int)both, 1, "other", 0, 0);
	list = member(btf, task, 2, "list", 24 * 8, 0);
	assert_int_equal(btf_array(btf__type_by_id(btf, list))->nelems, 3);
	assert_int_equal(btf_array(btf__type_by_id(btf, list))->type,
			 named(btf, "upid", BTF_KIND_STRUCT));
	assert_int_equal(btf_kind(btf__type_by_id(btf, member(btf, task, 3, "next", 72 * 8, 0))),
			 BTF_KIND_PTR);
	member(btf, task, 4, "flag", 80 * 8 + 5, 3);
	assert_int_equal(btf__resolve_size(btf, member(btf, task, 5, "last", 96 * 8, 0)), 8);
}

/* The value of an enum's name; -1: it has none. */
static int value_of(const struct btf *btf, const char *name, const char *value)
{
	int id = named(btf, name, BTF_KIND_ENUM);
	const struct btf_type *type = btf__type_by_id(btf, (__u32)id);

	assert_true(id > 0);
	for (unsigned i = 0; i < btf_vlen(type); i++) {
		if (strcmp(btf__name_by_offset(btf, btf_enum(type)[i].name_off), value) == 0)
			return btf_enum(type)[i].val;
	}
	return -1;
}

static void test_copy(void **state)
{
	struct btf *kernel = kernel_new(), *copy = core_types_copy(kernel);

	(void)state;
	assert_non_null(copy);
	assert_task(kernel);
	assert_task(copy);
	assert_int_equal(value_of(copy, "bpf_func_id", "helper"), 158);
	assert_true(named(copy, "unwanted", BTF_KIND_STRUCT) < 0);
	assert_int_equal(value_of(copy, "kernel_word_ids", "KERNEL_WORD_ID"),
			 named(kernel, "timespec64", BTF_KIND_STRUCT));
	assert_int_equal(value_of(copy, "kernel_word_ids", "KERNEL_HALF_WORD_ID"),
			 named(kernel, "upid", BTF_KIND_STRUCT));
	btf__free(copy);
	btf__free(kernel);
}

/* What the kernel has not is left out. */
static void test_nothing(void **state)
{
	struct btf *kernel = types_new(), *copy = core_types_copy(kernel);

	(void)state;
	assert_non_null(copy);
	assert_true(named(copy, "task_struct", BTF_KIND_STRUCT) < 0);
	assert_int_equal(value_of(copy, "kernel_word_ids", "KERNEL_WORD_ID"), -1);
	btf__free(copy);
	btf__free(kernel);
}

/* Two structs of a name are both there: libbpf decides. */
static void test_two(void **state)
{
	struct btf *kernel = types_new(), *copy;
	unsigned n = 0;

	(void)state;
	for (__u32 size = 8; size <= 16; size += 8)
		assert_true(btf__add_struct(kernel, "pid", size) > 0);
	copy = core_types_copy(kernel);
	assert_non_null(copy);
	for (__u32 id = 1; id < btf__type_cnt(copy); id++)
		n += btf_is_struct(btf__type_by_id(copy, id));
	assert_int_equal(n, 2);
	btf__free(copy);
	btf__free(kernel);
}

static void test_file(void **state)
{
	struct btf *kernel = kernel_new(), *copy = core_types_copy(kernel), *read;
	int fd = core_types_write(copy);
	char path[32];

	(void)state;
	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	read = btf__parse(path, NULL);
	assert_non_null(read);
	assert_task(read);
	btf__free(read);
	close(fd);
	btf__free(copy);
	btf__free(kernel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_two),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
