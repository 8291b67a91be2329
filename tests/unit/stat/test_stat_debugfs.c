// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "families/stat/stat.h"

static struct stat_layout layout;
static const char *refused; /* a file that the kernel refuses to open */
static int refused_err;

/* Root may open everything, but lockdown refuses debugfs. */
int __real_openat(int folder, const char *name, int flags, ...);
int __wrap_openat(int folder, const char *name, int flags, ...);
int __wrap_openat(int folder, const char *name, int flags, ...)
{
	assert_false(flags & (O_CREAT | O_WRONLY | O_RDWR));
	assert_true(flags & O_CLOEXEC);
	if (refused && strcmp(name, refused) == 0) {
		errno = refused_err;
		return -1;
	}
	return __real_openat(folder, name, flags);
}

static int setup(void **state)
{
	layout = (struct stat_layout){ 0 };
	refused = NULL;
	if (work_setup(state))
		return -1;
	make_folders("debug/kvm");
	return 0;
}

static int teardown(void **state)
{
	stat_layout_free(&layout);
	return work_teardown(state);
}

static void assert_names(const char *names)
{
	char found[1024] = "";

	assert_int_equal(stat_debugfs_layout("debug", &layout), 0);
	for (size_t i = 0; i < layout.vm.n; i++) {
		const struct statistic *stat = &layout.vm.list[i];

		strcat(found, i ? " " : "");
		strcat(found, stat->name);
		assert_int_equal(stat->first, i);
		assert_int_equal(stat->buckets, 1);
		assert_int_equal(stat->scale, 1);
	}
	assert_string_equal(found, names);
	assert_int_equal(layout.vm.nvalues, layout.vm.n);
	assert_int_equal(layout.vcpu.n, 0);
	assert_int_equal(layout.vcpu.nvalues, 0);
}

static void assert_no_layout(const char *dir, int err)
{
	struct stat_layout made;

	untouched_fill(&made, sizeof(made));
	assert_int_equal(stat_debugfs_layout(dir, &made), err);
	assert_untouched(&made, sizeof(made));
}

/* Kinds are as in stat_items.def; an unknown name is a gauge. */
static void test_layout(void **state)
{
	(void)state;
	write_text("debug/kvm/halt_wait_ns", "7\n");
	write_text("debug/kvm/exits", "2\n");
	write_text("debug/kvm/largepages", "3\n");
	write_text("debug/kvm/something_new", "18446744073709551615\n");
	write_text("debug/kvm/no_newline", "5");
	assert_names("exits halt_wait_ns largepages no_newline something_new");
	assert_int_equal(layout.vm.list[0].kind, STAT_CUMULATIVE);
	assert_int_equal(layout.vm.list[0].units, METRIC_COUNT);
	assert_int_equal(layout.vm.list[1].kind, STAT_CUMULATIVE);
	assert_int_equal(layout.vm.list[1].units, METRIC_NSEC);
	assert_int_equal(layout.vm.list[2].kind, STAT_INSTANT);
	assert_int_equal(layout.vm.list[4].kind, STAT_INSTANT);
	assert_int_equal(layout.vm.list[4].units, METRIC_COUNT);
}

/* debugfs shows only a histogram's first bucket, so its file is no statistic, number or not. */
static void test_a_histogram(void **state)
{
	(void)state;
	write_text("debug/kvm/halt_wait_hist", "7\n");
	write_text("debug/kvm/halt_wakeup", "7\n");
	assert_names("halt_wakeup");
}

static void test_junk(void **state)
{
	char name[64] = "debug/kvm/";

	(void)state;
	write_text("debug/kvm/exits", "2\n");
	write_text("debug/kvm/empty", "");
	write_text("debug/kvm/words", "none\n");
	write_text("debug/kvm/both", "5 apples\n");
	write_text("debug/kvm/two", "5 6\n");
	make_folders("debug/kvm/1234-11");
	write_text("debug/kvm/1234-11/mmio_exits", "5\n");
	assert_int_equal(symlink("exits", "debug/kvm/link"), 0);
	memset(name + strlen(name), 'a', STAT_NAME_SIZE - 1);
	write_text(name, "1\n");
	memset(name + strlen(name), 'b', 1);
	write_text(name, "1\n");
	name[strlen(name) - 1] = '\0';
	assert_non_null(strrchr(name, '/'));
	assert_int_equal(stat_debugfs_layout("debug", &layout), 0);
	assert_int_equal(layout.vm.n, 2);
	assert_string_equal(layout.vm.list[0].name, strrchr(name, '/') + 1);
	assert_string_equal(layout.vm.list[1].name, "exits");
}

/* A file that is gone or gives an error is skipped; a refused one means that all are refused. */
static void test_unreadable(void **state)
{
	(void)state;
	write_text("debug/kvm/exits", "2\n");
	write_text("debug/kvm/hypercalls", "3\n");
	refused = "hypercalls";
	refused_err = ENOENT;
	assert_names("exits");
	refused_err = EPERM;
	assert_no_layout("debug", -EPERM);
	refused_err = EACCES;
	assert_no_layout("debug", -EACCES);
}

static void test_not_there(void **state)
{
	(void)state;
	assert_no_layout("nowhere", -ENOENT);
	assert_no_layout("debug", -ENOENT);
	make_folders("debug/kvm/1234-11");
	write_text("debug/kvm/1234-11/mmio_exits", "5\n");
	assert_no_layout("debug", -ENOENT);
	write_text("file", "");
	assert_no_layout("file", -ENOTDIR);
}

static void test_read(void **state)
{
	uint64_t values[3] = { 11, 12, 13 };

	(void)state;
	write_text("debug/kvm/a", "1\n");
	write_text("debug/kvm/b", "2\n");
	write_text("debug/kvm/c", "3\n");
	assert_names("a b c");
	stat_debugfs_read("debug", &layout, values);
	assert_int_equal(values[0], 1);
	assert_int_equal(values[1], 2);
	assert_int_equal(values[2], 3);
	write_text("debug/kvm/a", "18446744073709551615\n");
	write_text("debug/kvm/c", "junk\n");
	assert_int_equal(unlink("debug/kvm/b"), 0);
	stat_debugfs_read("debug", &layout, values);
	assert_true(values[0] == UINT64_MAX);
	assert_int_equal(values[1], 2);
	assert_int_equal(values[2], 3);
	values[0] = 5;
	stat_debugfs_read("nowhere", &layout, values);
	assert_int_equal(values[0], 5);
}

/* Two layouts of one folder are equal, whatever order it is listed in. */
static void test_order(void **state)
{
	struct stat_layout again;

	(void)state;
	write_text("debug/kvm/c", "3\n");
	write_text("debug/kvm/a", "1\n");
	write_text("debug/kvm/b", "2\n");
	assert_names("a b c");
	assert_int_equal(stat_debugfs_layout("debug", &again), 0);
	assert_true(stat_layout_equal(&layout, &again));
	stat_layout_free(&again);
}

static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	write_text("debug/kvm/a", "1\n");
	write_text("debug/kvm/b", "2\n");
	for (n = 0;; n++) {
		int err;

		alloc_fail_at(n);
		err = stat_debugfs_layout("debug", &layout);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(layout.vm.list);
	}
	assert_int_equal(n, 3);
	assert_int_equal(layout.vm.n, 2);
}

#define debugfs_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		debugfs_test(test_layout),    debugfs_test(test_a_histogram),
		debugfs_test(test_junk),      debugfs_test(test_unreadable),
		debugfs_test(test_not_there), debugfs_test(test_read),
		debugfs_test(test_order),     debugfs_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
