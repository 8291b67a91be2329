// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Maps of another size take over what pinned ones hold: an array, a hash map, one by CPU. */
#include "fakes/fake_bpffs.h"

#include <bpf/bpf.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/stat.h"
#include "stat.skel.h"

/* Words of the hash's values, as for a kernel with so many statistics. */
#define WORDS 3

static struct stat_bpf *object;
static enum bpf_map_type type;
static size_t ncpus;

static int setup(void **state)
{
	type = BPF_MAP_TYPE_HASH;
	ncpus = 1;
	return bpffs_setup(state);
}

static void end(void)
{
	stat_bpf__destroy(object);
	object = NULL;
	let_go();
}

static int teardown(void **state)
{
	stat_bpf__destroy(object);
	object = NULL;
	return bpffs_teardown(state);
}

/* An agent begins, with room for so many entries in the hash map and in the array. */
static void start(unsigned entries, unsigned elements)
{
	struct bpf_map *vms, *ended;

	open_folder();
	object = stat_bpf__open();
	assert_non_null(object);
	vms = object->maps.stat_vms;
	ended = object->maps.stat_ended;
	assert_int_equal(bpf_map__set_type(vms, type), 0);
	assert_int_equal(bpf_map__set_map_flags(vms, 0), 0);
	assert_int_equal(bpf_map__set_value_size(vms, WORDS * sizeof(__u64)), 0);
	assert_int_equal(bpf_map__set_value_size(ended, WORDS * sizeof(__u64)), 0);
	assert_int_equal(bpf_map__set_max_entries(vms, entries), 0);
	assert_int_equal(bpf_map__set_max_entries(ended, elements), 0);
	assert_int_equal(pins_load(pins,
				   &(struct pinned){ object->skeleton, object->maps.stat_meta, 1 },
				   &report),
			 0);
}

static void *key_of(__u64 vm)
{
	static struct vm_key key;

	memset(&key, 0, sizeof(key));
	memcpy(&key, &vm, sizeof(vm));
	return &key;
}

/* Of a VM every word on every CPU has another value. */
static void values_of(__u64 vm, __u64 *values)
{
	for (size_t i = 0; i < ncpus * WORDS; i++)
		values[i] = vm * 1000 + i;
}

static void vms_add(__u64 first, __u64 last)
{
	__u64 values[WORDS * 64];

	for (__u64 vm = first; vm <= last; vm++) {
		values_of(vm, values);
		assert_int_equal(bpf_map_update_elem(bpf_map__fd(object->maps.stat_vms), key_of(vm),
						     values, BPF_ANY),
				 0);
	}
}

/* The hash map holds these VMs and no other. */
static void assert_vms(__u64 first, __u64 last)
{
	int fd = bpf_map__fd(object->maps.stat_vms);
	__u64 values[WORDS * 64], expected[WORDS * 64];
	struct vm_key key;
	size_t n = 0;

	for (int err = bpf_map_get_next_key(fd, NULL, &key); !err;
	     err = bpf_map_get_next_key(fd, &key, &key))
		n++;
	assert_int_equal(n, last + 1 - first);
	for (__u64 vm = first; vm <= last; vm++) {
		values_of(vm, expected);
		assert_int_equal(bpf_map_lookup_elem(fd, key_of(vm), values), 0);
		assert_memory_equal(values, expected, ncpus * WORDS * sizeof(__u64));
	}
}

static void ended_set(__u32 at, __u64 count)
{
	__u64 values[WORDS] = { count };

	assert_int_equal(
		bpf_map_update_elem(bpf_map__fd(object->maps.stat_ended), &at, values, BPF_ANY), 0);
}

static __u64 ended_get(__u32 at)
{
	__u64 values[WORDS];

	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(object->maps.stat_ended), &at, values), 0);
	return values[0];
}

static bool is_pinned(const char *name)
{
	struct stat st;

	return lstat(on_bpffs(name), &st) == 0;
}

/* Each next agent finds what the one before has left, and what is beside it. */
static void assert_sizes(void)
{
	start(4, 1);
	assert_int_equal(report.n, 0);
	vms_add(1, 3);
	ended_set(0, 13);
	assert_int_equal(pins_generation(object->maps.stat_meta, 1), 1);
	end();
	start(7, 1);
	assert_line(REPORT_INFO, on_bpffs("ours/stat_vms"),
		    ": has room for 7 entries now, it was 4; what it holds is kept");
	assert_vms(1, 3);
	vms_add(4, 7);
	assert_int_equal(ended_get(0), 13);
	assert_int_equal(pins_generation(object->maps.stat_meta, 1), 2);
	end();
	start(7, 1);
	assert_int_equal(report.n, 0);
	assert_vms(1, 7);
	end();
	start(600, 1);
	report_clear(&report);
	vms_add(8, 500);
	end();
	start(500, 1);
	assert_line(REPORT_INFO, on_bpffs("ours/stat_vms"),
		    ": has room for 500 entries now, it was 600; what it holds is kept");
	assert_vms(1, 500);
	assert_int_equal(ended_get(0), 13);
}

static void test_a_hash_map(void **state)
{
	(void)state;
	need_bpf();
	assert_sizes();
}

static void test_a_hash_map_by_cpu(void **state)
{
	(void)state;
	need_bpf();
	type = BPF_MAP_TYPE_PERCPU_HASH;
	ncpus = (size_t)libbpf_num_possible_cpus();
	assert_in_range(ncpus, 1, 64);
	assert_sizes();
}

static void test_an_array(void **state)
{
	(void)state;
	need_bpf();
	start(4, 2);
	vms_add(1, 2);
	ended_set(0, 13);
	ended_set(1, 17);
	end();
	start(4, 3);
	assert_line(REPORT_INFO, on_bpffs("ours/stat_ended"),
		    ": has room for 3 entries now, it was 2; what it holds is kept");
	assert_int_equal(ended_get(0), 13);
	assert_int_equal(ended_get(1), 17);
	assert_int_equal(ended_get(2), 0);
	assert_vms(1, 2);
}

/* There is no room for what it holds: all of the family's maps begin anew, and that is said. */
static void assert_anew(unsigned entries, unsigned elements, const char *words)
{
	end();
	start(entries, elements);
	assert_int_equal(report.n, 2);
	assert_non_null(strstr(report.lines[0].text, words));
	assert_int_equal(report.lines[0].level, REPORT_WARNING);
	assert_non_null(strstr(report.lines[1].text,
			       ": replacing the maps of stat: its counters restart at 0"));
	assert_vms(1, 0);
	assert_int_equal(ended_get(0), 0);
	end();
	start(entries, elements);
	assert_int_equal(report.n, 0);
}

static void test_no_room(void **state)
{
	(void)state;
	need_bpf();
	start(4, 2);
	vms_add(1, 3);
	ended_set(0, 13);
	assert_anew(2, 2, "/stat_vms holds 3 entries, more than the 2 that there is room for now");
	ended_set(0, 13);
	assert_anew(2, 1,
		    "/stat_ended holds 2 entries, more than the 1 that there is room for now");
}

/* Of other types nothing is copied. */
static void test_another_type(void **state)
{
	(void)state;
	need_bpf();
	type = BPF_MAP_TYPE_LRU_HASH;
	start(4, 1);
	ended_set(0, 13);
	end();
	start(5, 1);
	assert_line(REPORT_INFO, on_bpffs("ours"),
		    ": replacing the maps of stat: its counters restart at 0");
	assert_int_equal(ended_get(0), 0);
}

/* What an agent that was killed has left is in nobody's way; what is no map makes no difference. */
static void test_a_name_that_is_taken(void **state)
{
	int fd = map_make();

	(void)state;
	need_bpf();
	start(4, 1);
	vms_add(1, 3);
	ended_set(0, 13);
	assert_int_equal(bpf_obj_pin(fd, on_bpffs("ours/stat_vms_new")), 0);
	close(fd);
	end();
	start(5, 1);
	report_clear(&report);
	assert_vms(1, 3);
	assert_false(is_pinned("ours/stat_vms_new"));
	assert_int_equal(mkdir(on_bpffs("ours/stat_vms_new"), 0700), 0);
	end();
	start(6, 1);
	assert_line(REPORT_INFO, on_bpffs("ours/stat_vms"),
		    ": has room for 6 entries now, it was 5; what it holds is kept");
	assert_vms(1, 3);
	end();
	start(6, 1);
	assert_int_equal(report.n, 0);
	assert_vms(1, 3);
	assert_int_equal(ended_get(0), 13);
}

#define move_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		move_test(test_a_hash_map),   move_test(test_a_hash_map_by_cpu),
		move_test(test_an_array),     move_test(test_no_room),
		move_test(test_another_type), move_test(test_a_name_that_is_taken),
	};

	return cmocka_run_group_tests(tests, bpffs_group_setup, bpffs_group_teardown);
}
