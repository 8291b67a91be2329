// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Memory in chunks: how it grows, how the next agent takes it up, and what an agent killed leaves.
 */
#include "fakes/fake_bpffs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bpf/engine.h"
#include "bpf/exit.h"
#include "engine/pool.h"
#include "exit.skel.h"

/* 2^7 - 1 numbers are in the first chunk, and a rest in the eighth. */
#define LIMIT	 1000
#define CHUNKS	 8

#define NO_HURRY UINT64_MAX

static struct exit_bpf *object;
static struct pool pool;
static uint32_t limit; /* of the next agent */
static __u32 taken;
static struct {
	int batch_err;		/* batches are refused */
	unsigned batches;	/* and how many there were */
	unsigned creates;	/* chunks that can still be made */
	uint64_t now, batch_ns; /* the time, and how much of it a batch takes */
} kernel = { .now = 1000 };

uint64_t __wrap_clock_ns(void);
uint64_t __wrap_clock_ns(void)
{
	return kernel.now;
}

int __real_bpf_map_update_batch(int fd, const void *keys, const void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts);
int __wrap_bpf_map_update_batch(int fd, const void *keys, const void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts);
int __wrap_bpf_map_update_batch(int fd, const void *keys, const void *values, __u32 *count,
				const struct bpf_map_batch_opts *opts)
{
	kernel.batches++;
	kernel.now += kernel.batch_ns;
	if (kernel.batch_err)
		return kernel.batch_err;
	return __real_bpf_map_update_batch(fd, keys, values, count, opts);
}

int __real_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 entries, const struct bpf_map_create_opts *opts);
int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 entries, const struct bpf_map_create_opts *opts);
int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 entries, const struct bpf_map_create_opts *opts)
{
	if (strncmp(name, "exit_cells_", strlen("exit_cells_")) == 0 && !kernel.creates--) {
		kernel.creates = 0;
		return -ENOMEM;
	}
	return __real_bpf_map_create(type, name, key_size, value_size, entries, opts);
}

static struct pool_maps maps_of(const struct exit_bpf *of)
{
	return (struct pool_maps){ of->maps.exit_cells, of->maps.exit_cells_0,
				   of->maps.exit_cells_free };
}

/* The maps of the exit family, of which this is the version, and no program. */
static void object_load(uint32_t version)
{
	struct bpf_program *program;
	struct pool_maps maps;

	object = exit_bpf__open();
	assert_non_null(object);
	bpf_object__for_each_program(program, object->obj)
		bpf_program__set_autoload(program, false);
	maps = maps_of(object);
	assert_int_equal(pool_maps_size(&maps, RECORDS_BITS, limit), 0);
	assert_int_equal(
		pins_load(pins,
			  &(struct pinned){ object->skeleton, object->maps.exit_meta, version },
			  &report),
		0);
}

/* An agent starts: all numbers are free. */
static void start(uint32_t version)
{
	struct pool_maps maps;

	object_load(version);
	maps = maps_of(object);
	kernel.batch_err = 0;
	kernel.batches = 0;
	kernel.batch_ns = 0;
	kernel.creates = 1000;
	taken = 0;
	assert_int_equal(pool_open(&pool, &maps, bpf_object__btf(object->obj), RECORDS_BITS, limit,
				   pins, &taken),
			 0);
	pool_clear(&pool);
	for (uint32_t i = 1; i < pool_end(&pool); i++)
		assert_int_equal(pool_give(&pool, i), 0);
}

static void stop(void)
{
	pool_close(&pool);
	exit_bpf__destroy(object);
	object = NULL;
	let_go();
}

static int setup(void **state)
{
	limit = LIMIT;
	return bpffs_setup(state);
}

static int teardown(void **state)
{
	pool_close(&pool);
	exit_bpf__destroy(object);
	object = NULL;
	return bpffs_teardown(state);
}

#define pool_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

/* What programs would find: every number once, each with memory of its own, that of the chunk. */
static void assert_pool(size_t chunks)
{
	bool seen[LIMIT + 1] = { false };
	uint32_t end = pool_end(&pool), n = 0;
	__u32 number, id;

	assert_int_equal(pool.nchunks, chunks);
	assert_int_equal(end, chunks == CHUNKS ? LIMIT + 1 : chunks << RECORDS_BITS);
	assert_int_equal(pool_free(&pool), end - 1);
	while (bpf_map_lookup_and_delete_elem(bpf_map__fd(object->maps.exit_cells_free), NULL,
					      &number) == 0) {
		assert_in_range(number, 1, end - 1);
		assert_false(seen[number]);
		seen[number] = true;
		*(__u64 *)pool_at(&pool, number) = number;
		n++;
	}
	assert_int_equal(n, end - 1);
	for (number = 1; number < end; number++) {
		assert_int_equal(*(__u64 *)pool_at(&pool, number), number);
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(object->maps.exit_cells_free),
						     NULL, &number, 0),
				 0);
	}
	assert_null(pool_at(&pool, end));
	for (__u32 key = 0; key < CHUNKS; key++)
		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(object->maps.exit_cells), &key,
						     &id) == 0,
				 key && key < chunks);
}

/* The pins of the chunks are these, and no others. */
static void assert_pins(size_t chunks)
{
	char name[64];

	for (unsigned i = 1; i < 2 * CHUNKS; i++) {
		snprintf(name, sizeof(name), "ours/exit_cells_%u", i);
		assert_int_equal(access(on_bpffs(name), F_OK) == 0, i < chunks);
	}
}

/* As much as is wanted, and not more than the limit. */
static void test_grow(void **state)
{
	(void)state;
	need_bpf();
	start(1);
	assert_pool(1);
	assert_int_equal(pool_grow(&pool, 127, NO_HURRY), 0);
	assert_int_equal(pool_grow(&pool, 128, NO_HURRY), 1);
	assert_pool(2);
	assert_int_equal(pool_grow(&pool, 255 + 3 * 128, NO_HURRY), 3);
	assert_pool(5);
	taken = 600; /* 39 are free */
	assert_int_equal(pool_grow(&pool, 40, NO_HURRY), 1);
	assert_int_equal(pool_free(&pool), 39 + 128);
	taken = 0;
	assert_int_equal(pool_grow(&pool, 1000000, NO_HURRY), 2);
	assert_pool(CHUNKS);
	assert_int_equal(pool_grow(&pool, 1000000, NO_HURRY), 0);
}

/* While nothing is in use, no memory is mapped; then it is that of the chunk. */
static void test_sleep(void **state)
{
	uint64_t bytes;

	(void)state;
	need_bpf();
	start(1);
	bytes = pool_bytes(&pool);
	pool_sleep(&pool);
	assert_null(pool.chunks[0]);
	assert_int_equal(pool_end(&pool), 1);
	assert_null(pool_at(&pool, 1));
	assert_int_equal(pool_free(&pool), 127);
	assert_int_equal(pool_bytes(&pool), bytes);
	assert_int_equal(pool_wake(&pool, false), 0);
	assert_null(pool.chunks[0]);
	/* it grows meanwhile */
	assert_int_equal(pool_grow(&pool, 128, NO_HURRY), 1);
	assert_int_equal(pool_end(&pool), 1);
	taken = 1;
	assert_int_equal(pool_wake(&pool, false), 0);
	assert_int_equal(pool_end(&pool), 2 << RECORDS_BITS);
	pool_sleep(&pool); /* not any more */
	assert_int_equal(pool_end(&pool), 2 << RECORDS_BITS);
	taken = 0;
	assert_pool(2);
}

static void test_wake_now(void **state)
{
	(void)state;
	need_bpf();
	start(1);
	pool_sleep(&pool);
	assert_int_equal(pool_wake(&pool, true), 0);
	assert_pool(1);
	taken = 1;
	pool_sleep(&pool);
	assert_int_equal(pool_end(&pool), 1 << RECORDS_BITS);
	taken = 0;
	pool_sleep(&pool);
	assert_int_equal(pool_end(&pool), 1);
}

/* A change of the array takes long, however many chunks it is about. */
static void test_batches(void **state)
{
	(void)state;
	need_bpf();
	limit = 5000;
	start(1);
	kernel.batch_ns = 100;
	assert_int_equal(pool_grow(&pool, 127 + 7 * 128, NO_HURRY), 7);
	assert_int_equal(kernel.batches, 1);
	/* time for two batches, but not for three */
	kernel.batches = 0;
	assert_int_equal(pool_grow(&pool, 5000, kernel.now + 200), 8 + 16);
	assert_int_equal(kernel.batches, 2);
	kernel.batches = 0;
	assert_int_equal(pool_grow(&pool, 5000, kernel.now + 199), 8);
	assert_int_equal(kernel.batches, 1);
	assert_int_equal(pool_grow(&pool, 5000, NO_HURRY), 0);
}

/* Time is over at once: one chunk each time. */
static void test_no_time(void **state)
{
	(void)state;
	need_bpf();
	start(1);
	for (size_t i = 2; i <= CHUNKS; i++) {
		assert_int_equal(pool_grow(&pool, LIMIT, clock_ns()), 1);
		assert_int_equal(pool.nchunks, i);
	}
	assert_pool(CHUNKS);
	assert_int_equal(pool_grow(&pool, LIMIT, clock_ns()), 0);
}

/* A kernel that takes one chunk at a time. */
static void test_no_batches(void **state)
{
	(void)state;
	need_bpf();
	start(1);
	kernel.batch_err = -ENOTSUP;
	assert_int_equal(pool_grow(&pool, LIMIT, NO_HURRY), CHUNKS - 1);
	assert_true(kernel.batches > 0);
	assert_pool(CHUNKS);
}

/* The memory is used up half way: what there is is used, and it can be tried again. */
static void test_no_memory(void **state)
{
	(void)state;
	need_bpf();
	open_folder();
	start(1);
	kernel.creates = 5;
	assert_int_equal(pool_grow(&pool, LIMIT, NO_HURRY), -ENOMEM);
	assert_pool(6);
	assert_pins(6);
	kernel.creates = 1000;
	assert_int_equal(pool_grow(&pool, LIMIT, NO_HURRY), 2);
	assert_pool(CHUNKS);
	assert_pins(CHUNKS);
}

/* The next agent takes up all chunks, with what is in them, and goes on. */
static void test_next_agent(void **state)
{
	(void)state;
	need_bpf();
	open_folder();
	start(1);
	assert_int_equal(pool_grow(&pool, 500, NO_HURRY), 3);
	assert_pool(4);
	assert_pins(4);
	stop();
	open_folder();
	start(1);
	assert_int_equal(pool.nchunks, 4);
	for (uint32_t i = 1; i < pool_end(&pool); i++)
		assert_int_equal(*(__u64 *)pool_at(&pool, i), i);
	assert_int_equal(pool_grow(&pool, 600, NO_HURRY), 1);
	assert_pool(5);
	assert_pins(5);
}

/* An agent killed while it adds chunks has pinned some that programs do not use. */
static void test_killed(void **state)
{
	char name[64];
	int fd;

	(void)state;
	need_bpf();
	open_folder();
	start(1);
	assert_int_equal(pool_grow(&pool, 300, NO_HURRY), 2);
	assert_pool(3);
	stop();
	for (unsigned i = 3; i < 6; i++) {
		snprintf(name, sizeof(name), "ours/exit_cells_%u", i);
		fd = map_make();
		assert_int_equal(bpf_obj_pin(fd, on_bpffs(name)), 0);
		close(fd);
	}
	open_folder();
	start(1);
	assert_pool(3);
	assert_pins(3);
	assert_int_equal(pool_grow(&pool, LIMIT, NO_HURRY), CHUNKS - 3);
	assert_pool(CHUNKS);
	assert_pins(CHUNKS);
}

/* Another version of the layout begins with one chunk, and those of the old one are gone. */
static void test_another_version(void **state)
{
	(void)state;
	need_bpf();
	open_folder();
	start(1);
	assert_int_equal(pool_grow(&pool, 500, NO_HURRY), 3);
	assert_pool(4);
	stop();
	open_folder();
	start(2);
	assert_line(REPORT_INFO, on_bpffs("ours"),
		    ": replacing the maps of exit: its counters restart at 0");
	assert_int_equal(pool.nchunks, 1);
	for (uint32_t i = 1; i < pool_end(&pool); i++)
		assert_int_equal(*(__u64 *)pool_at(&pool, i), 0);
	assert_pool(1);
	assert_pins(1);
}

static __u64 *at(uint32_t number)
{
	__u64 *element = pool_at(&pool, number);

	assert_non_null(element);
	return element;
}

static void next_agent(uint32_t next_limit)
{
	stop();
	limit = next_limit;
	open_folder();
	start(1);
	report_clear(&report);
}

/* What is in use stays, with a higher limit and a lower one; free chunks beyond it go. */
static void test_another_limit(void **state)
{
	(void)state;
	need_bpf();
	open_folder();
	start(1);
	assert_int_equal(pool_grow(&pool, 500, NO_HURRY), 3);
	*at(1) = 1;
	*at(200) = 200;
	next_agent(5000);
	assert_int_equal(pool.nchunks, 4);
	assert_int_equal(*at(1), 1);
	assert_int_equal(*at(200), 200);
	assert_int_equal(pool_grow(&pool, 5000, NO_HURRY), 36);
	assert_int_equal(pool_end(&pool), 5001);
	*at(310) = 310;
	next_agent(383);
	assert_int_equal(pool_end(&pool), 384);
	assert_pins(3);
	assert_int_equal(*at(310), 310);
	next_agent(309);
	assert_int_equal(pool_end(&pool), 384);
	assert_int_equal(*at(310), 310);
	assert_int_equal(pool_grow(&pool, 5000, NO_HURRY), 0);
	*at(310) = 0;
	next_agent(309);
	assert_int_equal(pool_end(&pool), 310);
	assert_int_equal(*at(200), 200);
	next_agent(LIMIT);
	assert_int_equal(pool_end(&pool), 384);
	assert_int_equal(pool_grow(&pool, LIMIT, NO_HURRY), CHUNKS - 3);
	assert_int_equal(*at(1), 1);
	assert_int_equal(*at(1000), 0);
	assert_pins(CHUNKS);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		pool_test(test_sleep),	       pool_test(test_wake_now),
		pool_test(test_grow),	       pool_test(test_no_time),
		pool_test(test_batches),       pool_test(test_no_batches),
		pool_test(test_no_memory),     pool_test(test_next_agent),
		pool_test(test_killed),	       pool_test(test_another_version),
		pool_test(test_another_limit),
	};

	return cmocka_run_group_tests(tests, bpffs_group_setup, bpffs_group_teardown);
}
