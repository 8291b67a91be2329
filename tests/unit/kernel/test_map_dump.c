// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reading whole maps: of this host's kernel, if bpf() is allowed, and of kernels that lack
 * batches, have buckets larger than a batch, or fail.
 */
#include "fakes/fake_bpffs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/map_dump.h"

#define ENTRIES 2003

/* What the kernel does instead of the truth. */
static int batch_err;	     /* error of a batch */
static unsigned batch_fails; /* the number of the batch that fails, from 0 */
static __u32 bucket;	     /* batches of fewer entries fail with -ENOSPC */
static unsigned batches, lookups, spaces;
static int lookup_err;

int __real_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *n,
				const void *options);
int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *n,
				const void *options);
int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, __u32 *n,
				const void *options)
{
	unsigned number = batches++;

	assert_int_equal(in == NULL, number == spaces);
	if (batch_err && number == batch_fails)
		return batch_err;
	if (*n < bucket) {
		*n = 0;
		spaces++;
		return -ENOSPC;
	}
	return __real_bpf_map_lookup_batch(fd, in, out, keys, values, n, options);
}

int __real_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	lookups++;
	return lookup_err ? lookup_err : __real_bpf_map_lookup_elem(fd, key, value);
}

static struct map_dump dump;
static int fd;
static size_t value_size;
static unsigned seen[ENTRIES]; /* how often take() had the key */
static bool deletes;

static int setup(void **state)
{
	(void)state;
	batch_err = lookup_err = 0;
	batch_fails = batches = lookups = spaces = 0;
	bucket = 0;
	deletes = false;
	memset(seen, 0, sizeof(seen));
	fd = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	map_dump_free(&dump);
	assert_null(dump.keys);
	assert_false(dump.one_by_one);
	if (fd >= 0)
		close(fd);
	return 0;
}

/* Make a map of values of this many words, each of them the key's triple. */
static void make(enum bpf_map_type type, size_t words, size_t copies)
{
	LIBBPF_OPTS(bpf_map_create_opts, options);
	__u64 *value;

	fd = bpf_map_create(type, "probe", sizeof(__u32), (__u32)(words * sizeof(__u64)), ENTRIES,
			    &options);
	assert_true(fd >= 0);
	value_size = words * sizeof(__u64) * copies;
	value = malloc(value_size);
	assert_non_null(value);
	for (__u32 key = 0; key < ENTRIES; key++) {
		for (size_t i = 0; i < words * copies; i++)
			value[i] = 3ULL * key;
		assert_int_equal(bpf_map_update_elem(fd, &key, value, 0), 0);
	}
	free(value);
}

static void take(void *data, const void *key, void *value)
{
	__u32 number = *(const __u32 *)key;
	__u64 *words = value;

	assert_ptr_equal(data, &dump);
	assert_in_range(number, 0, ENTRIES - 1);
	seen[number]++;
	for (size_t i = 0; i < value_size / sizeof(__u64); i++) {
		assert_int_equal(words[i], 3ULL * number);
		words[i] = 0; /* it is our copy */
	}
	if (deletes)
		assert_int_equal(bpf_map_delete_elem(fd, &number), 0);
}

static int read_map(void)
{
	batches = lookups = spaces = 0;
	return map_dump_read(&dump, fd, sizeof(__u32), value_size, take, &dump);
}

/* All keys were taken so often. */
static void assert_seen(unsigned times)
{
	for (size_t i = 0; i < ENTRIES; i++)
		assert_int_equal(seen[i], times);
}

static void read_twice(void)
{
	assert_int_equal(read_map(), 0);
	assert_seen(1);
	assert_int_equal(read_map(), 0);
	assert_seen(2);
}

static void test_hash(void **state)
{
	(void)state;
	need_bpf();
	make(BPF_MAP_TYPE_HASH, 100, 1);
	read_twice();
	if (dump.one_by_one)
		print_message("# this kernel has no batches\n");
	else
		assert_true(batches < 20 && !lookups);
}

static void test_array(void **state)
{
	(void)state;
	need_bpf();
	make(BPF_MAP_TYPE_ARRAY, 2, 1);
	read_twice();
}

static void test_per_cpu(void **state)
{
	(void)state;
	need_bpf();
	make(BPF_MAP_TYPE_PERCPU_HASH, 4, (size_t)libbpf_num_possible_cpus());
	read_twice();
}

/* Before Linux 5.6; a type of map that has none. The kernel is not asked again. */
static void test_no_batches(void **state)
{
	static const int errors[] = { -EINVAL, -524 };

	(void)state;
	need_bpf();
	make(BPF_MAP_TYPE_HASH, 100, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(errors); i++) {
		batch_err = errors[i];
		assert_int_equal(read_map(), 0);
		assert_seen(2 * i + 1);
		assert_int_equal(batches, 1);
		assert_int_equal(lookups, ENTRIES);
		assert_int_equal(read_map(), 0);
		assert_seen(2 * i + 2);
		assert_int_equal(batches, 0);
		map_dump_free(&dump);
	}
}

/* The first batch has no memory, say: this read goes on without, the next tries again. */
static void test_a_batch_that_fails(void **state)
{
	(void)state;
	need_bpf();
	make(BPF_MAP_TYPE_HASH, 100, 1);
	batch_err = -ENOMEM;
	read_twice();
	assert_int_equal(batches, 1);
	/* not the first: what was taken must not be taken again */
	batch_fails = 1;
	assert_int_equal(read_map(), dump.one_by_one ? 0 : -ENOMEM);
	for (size_t i = 0; i < ENTRIES; i++)
		assert_in_range(seen[i], 2, 3);
}

static void test_large_buckets(void **state)
{
	(void)state;
	need_bpf();
	make(BPF_MAP_TYPE_HASH, 100, 1);
	bucket = 1500;
	read_twice();
	if (!dump.one_by_one)
		assert_int_equal(spaces, 3); /* 324 entries at first, then 648, 1296, 2592 */
}

static void test_deleting(void **state)
{
	(void)state;
	need_bpf();
	for (int i = 0; i < 2; i++) {
		make(BPF_MAP_TYPE_HASH, 100, 1);
		deletes = true;
		assert_int_equal(read_map(), 0);
		assert_seen(1 + (unsigned)i);
		assert_int_equal(read_map(), 0);
		assert_seen(1 + (unsigned)i);
		close(fd);
		fd = -1;
		map_dump_free(&dump);
		batch_err = -EINVAL;
	}
}

/* An entry that is gone when it is looked up. */
static void test_entries_that_go(void **state)
{
	(void)state;
	need_bpf();
	make(BPF_MAP_TYPE_HASH, 100, 1);
	batch_err = -EINVAL;
	lookup_err = -ENOENT;
	assert_int_equal(read_map(), 0);
	assert_seen(0);
}

static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	need_bpf();
	make(BPF_MAP_TYPE_HASH, 100, 1);
	for (int i = 0; i < 2; i++) {
		for (n = 0;; n++) {
			int err;

			map_dump_free(&dump);
			memset(seen, 0, sizeof(seen));
			alloc_fail_at(n);
			err = read_map();
			if (!alloc_failed())
				break;
			assert_int_equal(err, -ENOMEM);
			assert_seen(0);
		}
		assert_true(n > 1);
		assert_seen(1);
		batch_err = -EINVAL;
	}
}

#define dump_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		dump_test(test_hash),
		dump_test(test_array),
		dump_test(test_per_cpu),
		dump_test(test_no_batches),
		dump_test(test_a_batch_that_fails),
		dump_test(test_large_buckets),
		dump_test(test_deleting),
		dump_test(test_entries_that_go),
		dump_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, bpffs_group_setup, bpffs_group_teardown);
}
