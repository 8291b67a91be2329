// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which kernels have typed loads, and that one skeleton serves for both builds of an object. */
#include "fakes/fake_btf.h"

#include <bpf/libbpf.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/exit.h"
#include "bpf/kernel_words.h"
#include "bpf/vms.h"
#include "exit.skel.h"
#include "exit_typed.skel.h"
#include "kernel/typed_loads.h"
#include "vms.skel.h"
#include "vms_typed.skel.h"

static bool has_typed_loads(struct btf *btf)
{
	struct kernel_types types = { .dir = "btf" };
	bool has;

	make_folders("btf");
	if (btf)
		btf_write(btf, "btf/vmlinux");
	has = typed_loads_exist(&types);
	kernel_types_close(&types);
	return has;
}

static struct btf *with_function(const char *name)
{
	struct btf *btf = types_new();
	int proto = btf__add_func_proto(btf, pointer);

	assert_true(proto > 0);
	assert_true(btf__add_func(btf, name, BTF_FUNC_GLOBAL, proto) > 0);
	return btf;
}

static void test_kernels(void **state)
{
	struct btf *other;

	(void)state;
	assert_false(has_typed_loads(NULL));
	assert_true(has_typed_loads(with_function("bpf_rdonly_cast")));
	assert_false(has_typed_loads(with_function("bpf_rdonly_casts")));
	other = types_new();
	assert_true(btf__add_struct(other, "bpf_rdonly_cast", 8) > 0);
	assert_false(has_typed_loads(other));
}

/* Both have the same maps and programs, in the same order. */
static void assert_same(struct bpf_object *one, struct bpf_object *other)
{
	struct bpf_program *program, *like = NULL;
	struct bpf_map *map, *same = NULL;

	bpf_object__for_each_map(map, one)
	{
		same = bpf_object__next_map(other, same);
		assert_non_null(same);
		assert_string_equal(bpf_map__name(map), bpf_map__name(same));
		assert_int_equal(bpf_map__type(map), bpf_map__type(same));
		assert_int_equal(bpf_map__key_size(map), bpf_map__key_size(same));
		assert_int_equal(bpf_map__value_size(map), bpf_map__value_size(same));
		assert_int_equal(bpf_map__max_entries(map), bpf_map__max_entries(same));
	}
	assert_null(bpf_object__next_map(other, same));
	bpf_object__for_each_program(program, one)
	{
		like = bpf_object__next_program(other, like);
		assert_non_null(like);
		assert_string_equal(bpf_program__name(program), bpf_program__name(like));
	}
	assert_null(bpf_object__next_program(other, like));
}

/* Is it called where the loader will put bpf_rdonly_cast()? */
static bool calls_the_function(const struct bpf_object *object)
{
	struct bpf_program *program;

	bpf_object__for_each_program(program, object)
	{
		const struct bpf_insn *insns = bpf_program__insns(program);

		for (size_t i = 0; i < bpf_program__insn_cnt(program); i++) {
			if (insns[i].code == (BPF_JMP | BPF_CALL) &&
			    insns[i].imm == KERNEL_CAST_CALL)
				return true;
		}
	}
	return false;
}

/* libbpf reads all types of the kernel for a function that an object names. */
static bool names_a_function(const struct bpf_object *object)
{
	return btf__find_by_name_kind(bpf_object__btf(object), ".ksyms", BTF_KIND_DATASEC) > 0;
}

/* The offset of rodata that the loader sets, in the types of an object. */
static __u32 rodata_offset(const struct bpf_object *object, const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	int id = btf__find_by_name_kind(btf, ".rodata", BTF_KIND_DATASEC);
	const struct btf_type *section = btf__type_by_id(btf, (__u32)id);
	const struct btf_var_secinfo *vars = btf_var_secinfos(section);

	assert_true(id > 0);
	for (int i = 0; i < btf_vlen(section); i++) {
		const struct btf_type *var = btf__type_by_id(btf, vars[i].type);

		if (strcmp(btf__name_by_offset(btf, var->name_off), name) == 0)
			return vars[i].offset;
	}
	fail();
	return 0;
}

#define assert_serves(name, rodata_name)                                                          \
	do {                                                                                      \
		struct name##_bpf *plain = calloc(1, sizeof(*plain));                             \
		struct name##_bpf *typed = calloc(1, sizeof(*typed));                             \
                                                                                                  \
		assert_int_equal(name##_bpf__create_skeleton(plain), 0);                          \
		assert_int_equal(name##_bpf__create_skeleton(typed), 0);                          \
		assert_int_equal(typed_loads_open(plain->skeleton, NULL, NULL), 0);               \
		assert_int_equal(                                                                 \
			typed_loads_open(typed->skeleton, name##_typed_bpf__elf_bytes, NULL), 0); \
		assert_same(plain->obj, typed->obj);                                              \
		assert_int_equal(rodata_offset(plain->obj, rodata_name),                          \
				 rodata_offset(typed->obj, rodata_name));                         \
		assert_false(calls_the_function(plain->obj));                                     \
		assert_true(calls_the_function(typed->obj));                                      \
		assert_false(names_a_function(plain->obj) || names_a_function(typed->obj));       \
		name##_bpf__destroy(plain);                                                       \
		name##_bpf__destroy(typed);                                                       \
	} while (0)

/* Before Linux 6.2, the object that is loaded must not call the function. */
static void test_one_skeleton(void **state)
{
	(void)state;
	assert_serves(exit, "setup");
	assert_serves(vms, "offsets");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		work_test(test_kernels),
		work_test(test_one_skeleton),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
