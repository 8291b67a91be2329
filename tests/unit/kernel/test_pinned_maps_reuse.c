// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Maps are pinned, reused, replaced or kept. */
#include "fakes/fake_bpffs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/trace.h"
#include "trace.skel.h"

/* The layout version. */
static uint32_t version;

static void open_object(unsigned cpus)
{
	skeleton = trace_bpf__open();
	assert_non_null(skeleton);
	assert_int_equal(bpf_map__set_max_entries(skeleton->maps.trace_rows, cpus), 0);
	bpf_program__set_autoload(skeleton->progs.trace_template, false);
}

static const struct pinned *ours(void)
{
	static struct pinned pinned;

	pinned = (struct pinned){ skeleton->skeleton, skeleton->maps.trace_meta, version };
	return &pinned;
}

/* Open a family: pins_reuse() returns this; check whether its maps are pinned afterwards. */
static void start(unsigned cpus, int reused)
{
	open_folder();
	open_object(cpus);
	assert_int_equal(pins_reuse(pins, ours(), &report), reused);
	assert_int_equal(trace_bpf__load(skeleton), 0);
	if (reused == 0)
		assert_int_equal(pins_pin(pins, ours(), &report), 0);
}

static struct trace_row row;

static void count_set(__u32 cpu, __u64 count)
{
	row.count[7] = count;
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(skeleton->maps.trace_rows), &cpu, &row, 0),
			 0);
}

static __u64 count_get(__u32 cpu)
{
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(skeleton->maps.trace_rows), &cpu, &row),
			 0);
	return row.count[7];
}

/* The first start pins the maps; later ones reuse them with their contents. */
static void test_same_layout(void **state)
{
	struct stat st;

	(void)state;
	need_bpf();
	start(3, 0);
	assert_int_equal(stat(on_bpffs("ours/trace_rows"), &st), 0);
	assert_int_equal(stat(on_bpffs("ours/trace_meta"), &st), 0);
	assert_int_equal(count_get(2), 0);
	count_set(2, 13);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 1), 1);
	for (unsigned i = 0; i < 3; i++) {
		let_go();
		start(3, 1);
		assert_int_equal(count_get(2), 13 + i);
		count_set(2, 13 + i + 1);
		assert_int_equal(pins_generation(skeleton->maps.trace_meta, 0), 1 + i);
		assert_int_equal(pins_generation(skeleton->maps.trace_meta, 1), 2 + i);
		assert_int_equal(report.n, 0);
	}
}

/* Another directory takes the path's place: pins are those of the one that is open and locked. */
static void test_a_folder_that_is_swapped(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	need_bpf();
	open_folder();
	open_object(3);
	assert_int_equal(pins_reuse(pins, ours(), &report), 0);
	assert_int_equal(trace_bpf__load(skeleton), 0);
	assert_int_equal(rename(on_bpffs("ours"), on_bpffs("moved")), 0);
	assert_int_equal(mkdir(on_bpffs("ours"), 0777), 0);
	assert_int_equal(pins_pin(pins, ours(), &report), 0);
	assert_int_equal(stat(on_bpffs("moved/trace_rows"), &st), 0);
	assert_int_equal(stat(on_bpffs("ours/trace_rows"), &st), -1);
	count_set(2, 13);
	/* the same maps there, with other counts */
	fd = map_make();
	assert_int_equal(bpf_obj_pin(fd, on_bpffs("ours/trace_rows")), 0);
	close(fd);
	trace_bpf__destroy(skeleton);
	open_object(3);
	assert_int_equal(pins_reuse(pins, ours(), &report), 1);
	assert_int_equal(trace_bpf__load(skeleton), 0);
	assert_int_equal(count_get(2), 13);
	assert_int_equal(report.n, 0);
}

/* Without matching pins the next agent counts from 0 and pins its own maps. */
static void assert_replaced(unsigned cpus)
{
	let_go();
	start(cpus, 0);
	assert_line(REPORT_INFO, on_bpffs("ours"),
		    ": replacing the maps of trace: its counters restart at 0");
	assert_int_equal(count_get(0), 0);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 0), 0);
	count_set(0, 17);
	let_go();
	start(cpus, 1);
	assert_int_equal(count_get(0), 17);
}

/* The maps match, but their layout hash differs. */
static void test_another_stamp(void **state)
{
	struct pin_meta value;
	__u32 key = 0;
	int fd;

	(void)state;
	need_bpf();
	start(3, 0);
	count_set(0, 13);
	fd = bpf_map__fd(skeleton->maps.trace_meta);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &value), 0);
	assert_int_equal(value.generation, 0);
	value.layout ^= 1;
	assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
	assert_replaced(3);
}

/* A new layout version replaces maps of equal sizes and types. */
static void test_another_version(void **state)
{
	(void)state;
	need_bpf();
	start(3, 0);
	count_set(0, 13);
	version++;
	assert_replaced(3);
}

/* Maps are reused all or none. */
static void test_one_is_missing(void **state)
{
	static const char *const names[] = { "ours/trace_rows", "ours/trace_meta" };

	(void)state;
	need_bpf();
	start(3, 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		count_set(0, 13);
		assert_int_equal(unlink(on_bpffs(names[i])), 0);
		assert_replaced(3);
	}
}

/* Maps of the same names and another type. */
static void test_another_map(void **state)
{
	int fd;

	(void)state;
	need_bpf();
	assert_int_equal(mkdir(on_bpffs("ours"), 0700), 0);
	fd = map_make();
	assert_int_equal(bpf_obj_pin(fd, on_bpffs("ours/trace_meta")), 0);
	assert_int_equal(bpf_obj_pin(fd, on_bpffs("ours/trace_rows")), 0);
	close(fd);
	assert_replaced(3);
}

/* A map of another type that equals ours otherwise, including the layout hash. */
static void test_another_type(void **state)
{
	struct pin_meta value;
	__u32 key = 0;
	int fd;

	(void)state;
	need_bpf();
	start(3, 0);
	fd = bpf_map__fd(skeleton->maps.trace_meta);
	assert_int_equal(bpf_map_lookup_elem(fd, &key, &value), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "trace_meta", 4, sizeof(value), 1, NULL);
	assert_int_equal(bpf_map_update_elem(fd, &key, &value, BPF_ANY), 0);
	assert_int_equal(unlink(on_bpffs("ours/trace_meta")), 0);
	assert_int_equal(bpf_obj_pin(fd, on_bpffs("ours/trace_meta")), 0);
	close(fd);
	assert_replaced(3);
}

/* One map is replaced by one that differs in one or more properties. */
static void test_a_map_that_does_not_fit(void **state)
{
	static const struct bpf_map_create_opts plain = { .sz = sizeof(plain) };
	static const struct bpf_map_create_opts mmapable = { .sz = sizeof(mmapable),
							     .map_flags = BPF_F_MMAPABLE };
	static const struct {
		enum bpf_map_type type;
		unsigned value_size, entries;
		const struct bpf_map_create_opts *opts;
	} maps[] = {
		{ BPF_MAP_TYPE_HASH, sizeof(struct trace_row), 3, &plain },
		{ BPF_MAP_TYPE_ARRAY, sizeof(struct trace_row) + 64, 3, &mmapable },
		{ BPF_MAP_TYPE_ARRAY, sizeof(struct trace_row), 3, &plain },
	};

	(void)state;
	need_bpf();
	start(3, 0);
	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		int fd = bpf_map_create(maps[i].type, "trace_rows", 4, maps[i].value_size,
					maps[i].entries, maps[i].opts);

		assert_int_equal(unlink(on_bpffs("ours/trace_rows")), 0);
		assert_int_equal(bpf_obj_pin(fd, on_bpffs("ours/trace_rows")), 0);
		close(fd);
		assert_replaced(3);
	}
}

/* A file that is not a map is neither removed nor replaced. */
static void assert_left_alone(const char *name)
{
	struct stat before, after;
	char path[128];

	snprintf(path, sizeof(path), "%s", on_bpffs(name));
	assert_int_equal(lstat(path, &before), 0);
	open_folder();
	open_object(3);
	assert_int_equal(pins_reuse(pins, ours(), &report), -EEXIST);
	assert_line(REPORT_WARNING, path, ": not a pinned map" AFTER);
	assert_int_equal(lstat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	let_go();
}

static void test_foreign_things(void **state)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd;

	(void)state;
	need_bpf();
	assert_int_equal(mkdir(on_bpffs("ours"), 0700), 0);
	assert_int_equal(mkdir(on_bpffs("ours/trace_rows"), 0700), 0);
	assert_left_alone("ours/trace_rows");
	assert_int_equal(rmdir(on_bpffs("ours/trace_rows")), 0);
	assert_int_equal(symlink("nowhere", on_bpffs("ours/trace_meta")), 0);
	assert_left_alone("ours/trace_meta");
	assert_int_equal(unlink(on_bpffs("ours/trace_meta")), 0);
	fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "foreign", "GPL", insns, ARRAY_SIZE(insns),
			   NULL);
	assert_true(fd >= 0);
	assert_int_equal(bpf_obj_pin(fd, on_bpffs("ours/trace_meta")), 0);
	close(fd);
	assert_left_alone("ours/trace_meta");
	assert_int_equal(unlink(on_bpffs("ours/trace_meta")), 0);
	start(3, 0); /* the name is free now */
}

/* A failure leaves no partial set of pins. */
static void test_pinning_that_fails(void **state)
{
	struct stat st;
	int fd;

	(void)state;
	need_bpf();
	open_folder();
	open_object(3);
	assert_int_equal(pins_reuse(pins, ours(), &report), 0);
	assert_int_equal(trace_bpf__load(skeleton), 0);
	fd = map_make();
	assert_int_equal(bpf_obj_pin(fd, on_bpffs("ours/trace_meta")), 0); /* wins the race */
	close(fd);
	assert_int_equal(pins_pin(pins, ours(), &report), -EEXIST);
	assert_line(REPORT_WARNING, on_bpffs("ours"), ": cannot pin maps (File exists)" AFTER);
	assert_int_equal(stat(on_bpffs("ours/trace_rows"), &st), -1);
	assert_int_equal(errno, ENOENT);
}

/* An object that is not loaded has no generation. */
static void test_generation(void **state)
{
	(void)state;
	need_bpf();
	open_object(1);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 1), 0);
	assert_int_equal(trace_bpf__load(skeleton), 0);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 0), 0);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 1), 1);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 5), 6);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 0), 6);
}

static bool is_pinned(const char *name)
{
	struct stat st;

	return lstat(on_bpffs(name), &st) == 0;
}

/* Without pins, an object is loaded and nothing is reported or pinned. */
static void test_load_without_pins(void **state)
{
	(void)state;
	need_bpf();
	assert_int_equal(mkdir(on_bpffs("ours"), 0700), 0);
	open_object(3);
	assert_int_equal(pins_load(NULL, ours(), &report), 0);
	count_set(2, 13);
	assert_int_equal(count_get(2), 13);
	assert_int_equal(report.n, 0);
	assert_false(is_pinned("ours/trace_rows"));
}

static void load(unsigned cpus)
{
	open_folder();
	open_object(cpus);
	assert_int_equal(pins_load(pins, ours(), &report), 0);
}

/* pins_load() creates and pins, reuses, or replaces maps. */
static void test_load(void **state)
{
	(void)state;
	need_bpf();
	load(3);
	assert_int_equal(report.n, 0);
	assert_true(is_pinned("ours/trace_rows"));
	assert_true(is_pinned("ours/trace_meta"));
	count_set(2, 13);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 1), 1);
	let_go();
	load(3);
	assert_int_equal(report.n, 0);
	assert_int_equal(count_get(2), 13);
	assert_int_equal(pins_generation(skeleton->maps.trace_meta, 0), 1);
	let_go();
	version++;
	let_go();
	load(3);
	assert_line(REPORT_INFO, on_bpffs("ours"),
		    ": replacing the maps of trace: its counters restart at 0");
	assert_int_equal(count_get(2), 0);
}

/* A file that is not a map stays; the object is loaded with unpinned maps. */
static void test_load_beside_foreign_things(void **state)
{
	(void)state;
	need_bpf();
	assert_int_equal(mkdir(on_bpffs("ours"), 0700), 0);
	assert_int_equal(mkdir(on_bpffs("ours/trace_meta"), 0700), 0);
	load(3);
	assert_line(REPORT_WARNING, on_bpffs("ours/trace_meta"), ": not a pinned map" AFTER);
	assert_true(is_pinned("ours/trace_meta"));
	assert_false(is_pinned("ours/trace_rows"));
	count_set(2, 13);
	assert_int_equal(count_get(2), 13);
	let_go();
	assert_int_equal(rmdir(on_bpffs("ours/trace_meta")), 0);
	load(3); /* the name is free now */
	assert_int_equal(report.n, 0);
	assert_true(is_pinned("ours/trace_rows"));
}

/* An object whose maps cannot be pinned is loaded anyway. */
static void test_load_with_no_room_for_pins(void **state)
{
	(void)state;
	need_bpf();
	open_folder();
	open_object(3);
	assert_int_equal(rmdir(on_bpffs("ours")), 0); /* the directory disappears */
	assert_int_equal(pins_load(pins, ours(), &report), 0);
	assert_line(REPORT_WARNING, on_bpffs("ours"),
		    ": cannot pin maps (No such file or directory)" AFTER);
	count_set(2, 13);
	assert_int_equal(count_get(2), 13);
}

/* An object that fails to load pins nothing and keeps existing pins. */
static void test_load_that_fails(void **state)
{
	(void)state;
	need_bpf();
	for (unsigned i = 0; i < 2; i++) {
		struct bpf_program *template;

		open_folder();
		open_object(3);
		template = skeleton->progs.trace_template;
		bpf_program__set_autoload(template, true);
		bpf_program__set_type(template, BPF_PROG_TYPE_UNSPEC); /* fails to load */
		assert_true(pins_load(pins, ours(), &report) < 0);
		assert_int_equal(report.n, 0);
		assert_int_equal(is_pinned("ours/trace_rows"), i);
		assert_int_equal(is_pinned("ours/trace_meta"), i);
		let_go();
		load(3);
		assert_int_equal(count_get(2), i * 13);
		count_set(2, 13);
		let_go();
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		bpffs_test(test_same_layout),
		bpffs_test(test_a_folder_that_is_swapped),
		bpffs_test(test_another_stamp),
		bpffs_test(test_another_version),
		bpffs_test(test_one_is_missing),
		bpffs_test(test_another_map),
		bpffs_test(test_another_type),
		bpffs_test(test_a_map_that_does_not_fit),
		bpffs_test(test_foreign_things),
		bpffs_test(test_pinning_that_fails),
		bpffs_test(test_generation),
		bpffs_test(test_load_without_pins),
		bpffs_test(test_load),
		bpffs_test(test_load_beside_foreign_things),
		bpffs_test(test_load_with_no_room_for_pins),
		bpffs_test(test_load_that_fails),
	};

	return cmocka_run_group_tests(tests, bpffs_group_setup, bpffs_group_teardown);
}
