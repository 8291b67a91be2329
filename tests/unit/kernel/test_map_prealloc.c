// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which maps of the families' objects grow, by what a kernel's type information has. */
#include "fakes/fake_btf.h"

#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <string.h>

#include "bpf/exit.h"
#include "bpf/trace.h"
#include "bpf/userspace_exit.h"
#include "cause.skel.h"
#include "exit.skel.h"
#include "kernel/map_prealloc.h"
#include "ledger.skel.h"
#include "slow.skel.h"
#include "trace.skel.h"
#include "userspace_exit.skel.h"

/* As it was, and as it is: flags of each map. */
#define MAPS_MAX 64
static __u32 before[MAPS_MAX], after[MAPS_MAX];

static size_t flags_of(struct bpf_object *object, __u32 *flags)
{
	struct bpf_map *map;
	size_t n = 0;

	bpf_object__for_each_map(map, object)
	{
		assert_true(n < MAPS_MAX);
		flags[n++] = bpf_map__map_flags(map);
	}
	return n;
}

/* Adapt an object's maps to the kernel in "btf", which clears the flag of so many. */
static void adapt_object(struct bpf_object *object, unsigned changed)
{
	struct kernel_types types = { .dir = "btf" };
	unsigned cleared = 0;
	size_t n = flags_of(object, before);

	assert_int_equal(maps_preallocate(object, &types), changed);
	kernel_types_close(&types);
	assert_int_equal(flags_of(object, after), n);
	for (size_t i = 0; i < n; i++) {
		if (before[i] == after[i])
			continue;
		assert_int_equal(before[i] & ~BPF_F_NO_PREALLOC, after[i]);
		cleared++;
	}
	assert_int_equal(cleared, changed);
	for (size_t i = 0; changed && i < n; i++)
		assert_int_equal(after[i] & BPF_F_NO_PREALLOC, 0);
}

#define adapt(family, changed)                                        \
	do {                                                          \
		struct family##_bpf *skeleton = family##_bpf__open(); \
                                                                      \
		assert_non_null(skeleton);                            \
		adapt_object(skeleton->obj, changed);                 \
		family##_bpf__destroy(skeleton);                      \
	} while (0)

static void test_with_the_allocator(void **state)
{
	struct btf *btf = types_new();

	(void)state;
	assert_true(btf__add_struct(btf, "bpf_mem_alloc", 8) > 0);
	field(btf, "caches", pointer, 0);
	make_folders("btf");
	btf_write(btf, "btf/vmlinux");
	adapt(exit, 0);
	adapt(userspace_exit, 0);
	adapt(cause, 0);
}

/* A function or a member of that name is no such type. */
static void test_without_it(void **state)
{
	struct btf *btf = types_new();

	(void)state;
	assert_true(btf__add_struct(btf, "other", 8) > 0);
	field(btf, "bpf_mem_alloc", pointer, 0);
	make_folders("btf");
	btf_write(btf, "btf/vmlinux");
	/* an index of their own, and those of causes, the ledger and slow exits */
	adapt(exit, 4);
	adapt(userspace_exit, 4);
	adapt(cause, 1);
	adapt(ledger, 1);
	adapt(slow, 1);
	adapt(trace, 0); /* has no map that grows */
}

static void test_without_type_information(void **state)
{
	(void)state;
	adapt(exit, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		work_test(test_with_the_allocator),
		work_test(test_without_it),
		work_test(test_without_type_information),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
