// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The file that keeps a host's assigned item numbers. */
#include "fakes/support.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "metrics/item_numbers.h"

#define BAD(line) \
	"items:" line ": expected \"trace NUMBER NAME\" or \"stat NUMBER NAME\"; line ignored"

/* Load the file "items" with this text; expect these warnings. */
static void load(const char *text, const char *const *warnings, struct items *items)
{
	struct report report = { 0 };

	write_text("items", text);
	assert_int_equal(items_load("items", &report, items), 0);
	assert_warnings(&report, warnings);
	assert_false(items->changed);
	report_clear(&report);
}

static void test_what_is_remembered(void **state)
{
	struct items items;

	(void)state;
	load("trace 1023 last\ntrace 768 first\ntrace 770 kvm_exit\n",
	     (const char *const[]){ NULL }, &items);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "last"), 1023);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "first"), 768);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "kvm_exit"),
			 1); /* tracepoint_items.def has it now */
	assert_false(items.changed);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "a"), 769);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "b"), 771); /* 770 stays assigned */
	items_free(&items);
}

/* Groups are independent, lines in any order; both can use the same number or name. */
static void test_what_is_remembered_of_two_groups(void **state)
{
	struct items items;

	(void)state;
	load("stat 1023 last\ntrace 1023 tail\nstat 768 both\ntrace 769 both\nstat 770 exits\n",
	     (const char *const[]){ NULL }, &items);
	assert_int_equal(items_number(&items, ITEMS_STAT, "last"), 1023);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "tail"), 1023);
	assert_int_equal(items_number(&items, ITEMS_STAT, "both"), 768);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "both"), 769);
	assert_int_equal(items_number(&items, ITEMS_STAT, "exits"),
			 1); /* stat_items.def has it now */
	assert_false(items.changed);
	assert_int_equal(items_number(&items, ITEMS_STAT, "a"), 769);
	assert_int_equal(items_number(&items, ITEMS_STAT, "b"), 771); /* 770 stays assigned */
	assert_int_equal(items_number(&items, ITEMS_TRACE, "last"), 768);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "a"), 770);
	items_free(&items);
}

static void test_no_file(void **state)
{
	struct report report = { 0 };
	struct items items;

	(void)state;
	assert_int_equal(items_load("none", &report, &items), 0);
	assert_int_equal(report.n, 0);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "a"), 768);
	items_free(&items);
	load("", (const char *const[]){ NULL }, &items);
	items_free(&items);
}

static void test_a_file_that_cannot_be_opened(void **state)
{
	struct report report = { 0 };
	struct items items;

	(void)state;
	assert_int_equal(symlink("loop", "loop"), 0);
	assert_int_equal(items_load("loop", &report, &items), 0);
	assert_warning(
		&report,
		"loop: cannot read: Too many levels of symbolic links; the item numbers in it are unknown");
	assert_int_equal(items_number(&items, ITEMS_TRACE, "a"), 768);
	items_free(&items);
	report_clear(&report);
}

/* An unreadable file is not overwritten: its numbers are not lost. */
static void test_a_file_that_cannot_be_read(void **state)
{
	struct report report = { 0 };
	struct items items;

	(void)state;
	make_folders("folder");
	assert_int_equal(items_load("folder", &report, &items), 0);
	assert_warning(&report,
		       "folder: cannot read: Is a directory; the item numbers in it are unknown");
	assert_int_equal(items_number(&items, ITEMS_TRACE, "a"), 768);
	assert_int_equal(items_save(&items), 0);
	assert_int_equal(access("folder.new", F_OK), -1);
	items_free(&items);
	report_clear(&report);
}

static void test_lines_without_sense(void **state)
{
	static const char text[] = "trace 767 low\ntrace 768 a\ntrace 1024 high\nevent 769 b\n"
				   "trace 770\ntrace x c\ntrace 768 d\n\ntrace 771 e f\n"
				   "trace -1 g\ntrace 772 h \nTrace 773 i\n"
				   "trace 4294968064 k\ntrace 7680 l\ntrace 774 j";
	struct items items;

	(void)state;
	load(text,
	     (const char *const[]){ BAD("1"), BAD("3"), BAD("4"), BAD("5"), BAD("6"), BAD("7"),
				    BAD("8"), BAD("9"), BAD("10"), BAD("11"), BAD("12"), BAD("13"),
				    BAD("14"), BAD("15"), NULL },
	     &items);
	assert_string_equal(items.names[ITEMS_TRACE][0], "a"); /* the first line of a number wins */
	for (unsigned i = 1; i < ARRAY_SIZE(items.names[0]); i++)
		assert_null(items.names[ITEMS_TRACE][i]);
	items_free(&items);
}

static void test_stat_lines_without_sense(void **state)
{
	static const char text[] = "stat 767 low\nstat 768 a\nstat 1024 high\nstats 769 b\n"
				   "stat 770\nstat x c\nstat 768 d\nsta 771 e\nstat 771 e f\n"
				   "stat769 g\nstat\n stat 772 h\nstat 773 i \nstat trace 774 j\n"
				   "trace768 k\ntracestat 775 l\nstat 7680 m\nstat 776 n";
	struct items items;

	(void)state;
	load(text,
	     (const char *const[]){ BAD("1"), BAD("3"), BAD("4"), BAD("5"), BAD("6"), BAD("7"),
				    BAD("8"), BAD("9"), BAD("10"), BAD("11"), BAD("12"), BAD("13"),
				    BAD("14"), BAD("15"), BAD("16"), BAD("17"), BAD("18"), NULL },
	     &items);
	assert_string_equal(items.names[ITEMS_STAT][0], "a");
	for (unsigned i = 0; i < ITEMS_FREE; i++) {
		assert_null(items.names[ITEMS_TRACE][i]);
		if (i > 0)
			assert_null(items.names[ITEMS_STAT][i]);
	}
	items_free(&items);
}

/* Names have at most 127 bytes; a longer name or line is invalid. */
static void test_long_lines(void **state)
{
	char text[1024], name[129];
	struct items items;

	(void)state;
	memset(name, 'n', sizeof(name) - 1);
	name[128] = '\0';
	snprintf(text, sizeof(text),
		 "trace 768 %s\ntrace 769 %.127s\ntrace 770 %.126s\n%255strace 771 x\n\n", name,
		 name, name, "");
	load(text, (const char *const[]){ BAD("1"), BAD("4"), BAD("5"), NULL }, &items);
	assert_null(items.names[ITEMS_TRACE][3]);
	assert_null(items.names[ITEMS_TRACE][0]);
	assert_int_equal(strlen(items.names[ITEMS_TRACE][1]), 127);
	assert_int_equal(strlen(items.names[ITEMS_TRACE][2]), 126);
	items_free(&items);
}

static void assert_file(const char *path, const char *text)
{
	char *found = read_text(path);

	assert_string_equal(found, text);
	free(found);
}

static void test_save(void **state)
{
	struct report report = { 0 };
	struct items items;
	struct stat status;

	(void)state;
	assert_int_equal(items_load("folder/items", &report, &items), 0);
	assert_int_equal(items_save(&items), 0); /* nothing to write */
	assert_int_equal(access("folder", F_OK), -1);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "a"), 768);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "kvm_exit"), 1);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "b"), 769);
	umask(022);
	assert_int_equal(items_save(&items), 0);
	assert_false(items.changed);
	assert_file("folder/items", "trace 768 a\ntrace 769 b\n");
	assert_int_equal(stat("folder", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	assert_int_equal(access("folder/items.new", F_OK), -1);
	assert_int_equal(remove("folder/items"), 0);
	assert_int_equal(items_save(&items), 0); /* written already */
	assert_int_equal(access("folder/items", F_OK), -1);
	items_free(&items);
	assert_int_equal(report.n, 0);
}

/* Numbers survive restarts, also of names that are not requested. */
static void test_save_and_load(void **state)
{
	struct items items;

	(void)state;
	load("trace 900 old\ntrace 1023 last\n", (const char *const[]){ NULL }, &items);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new"), 768);
	assert_int_equal(items_save(&items), 0);
	items_free(&items);
	assert_file("items", "trace 768 new\ntrace 900 old\ntrace 1023 last\n");
	assert_int_equal(items_load("items", NULL, &items), 0);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "last"), 1023);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new"), 768);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "other"), 769);
	items_free(&items);
}

/* Saved in order: tracepoints first, each group by number. */
static void test_save_of_two_groups(void **state)
{
	struct items items;

	(void)state;
	load("stat 900 old\ntrace 900 old\nstat 770 low\n", (const char *const[]){ NULL }, &items);
	assert_int_equal(items_number(&items, ITEMS_STAT, "new"), 768);
	assert_int_equal(items_save(&items), 0);
	assert_false(items.changed);
	assert_file("items", "trace 900 old\nstat 768 new\nstat 770 low\nstat 900 old\n");
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new"), 768);
	assert_int_equal(items_save(&items), 0);
	items_free(&items);
	assert_file("items",
		    "trace 768 new\ntrace 900 old\nstat 768 new\nstat 770 low\nstat 900 old\n");
	assert_int_equal(items_load("items", NULL, &items), 0);
	assert_int_equal(items_number(&items, ITEMS_STAT, "low"), 770);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "low"), 769);
	items_free(&items);
}

static void test_save_that_fails(void **state)
{
	struct items items;

	(void)state;
	assert_int_equal(items_load("a/b/items", NULL, &items),
			 0); /* only one directory level is created */
	assert_int_equal(items_number(&items, ITEMS_TRACE, "x"), 768);
	assert_int_equal(items_save(&items), -ENOENT);
	assert_true(items.changed);
	make_folders("a");
	assert_int_equal(items_save(&items), 0);
	assert_file("a/b/items", "trace 768 x\n");
	assert_int_equal(items_number(&items, ITEMS_TRACE, "y"), 769);
	assert_int_equal(remove("a/b/items"), 0);
	make_folders("a/b/items"); /* a directory of the file's name */
	assert_int_equal(items_save(&items), -EISDIR);
	assert_true(items.changed);
	assert_int_equal(access("a/b/items.new", F_OK), -1);
	items_free(&items);
}

/* If PATH.new cannot be created, the old file stays. */
static void test_save_where_the_new_file_cannot_be(void **state)
{
	struct items items;

	(void)state;
	make_folders("folder/items.new");
	write_text("folder/items", "trace 900 old\n");
	assert_int_equal(items_load("folder/items", NULL, &items), 0);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "x"), 768);
	assert_int_equal(items_save(&items), -EISDIR);
	assert_true(items.changed);
	assert_file("folder/items", "trace 900 old\n");
	items_free(&items);
}

/* Result of the module's next fsync() or fclose(); 0: the real one. */
static int fsync_err, fclose_err;

int __real_fsync(int fd);
int __real_fclose(FILE *file);
int __wrap_fsync(int fd);
int __wrap_fclose(FILE *file);

int __wrap_fsync(int fd)
{
	errno = fsync_err;
	return fsync_err ? -1 : __real_fsync(fd);
}

int __wrap_fclose(FILE *file)
{
	int ret = __real_fclose(file);

	if (!fclose_err)
		return ret;
	errno = fclose_err;
	fclose_err = 0;
	return EOF;
}

static void test_save_that_fails_late(void **state)
{
	struct items items;

	(void)state;
	load("trace 900 old\n", (const char *const[]){ NULL }, &items);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new"), 768);
	fsync_err = EIO;
	assert_int_equal(items_save(&items), -EIO);
	fclose_err = EDQUOT;
	assert_int_equal(items_save(&items), -EIO); /* the first error is returned */
	fsync_err = 0;
	fclose_err = EDQUOT;
	assert_int_equal(items_save(&items), -EDQUOT);
	assert_true(items.changed);
	assert_file("items", "trace 900 old\n");
	assert_int_equal(access("items.new", F_OK), -1);
	items_free(&items);
}

/* The old file stays intact if the disk is full. */
static void test_save_to_a_full_disk(void **state)
{
	struct rlimit limit, none;
	struct items items;
	int err;

	(void)state;
	load("trace 900 old\n", (const char *const[]){ NULL }, &items);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new"), 768);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
	none = limit;
	none.rlim_cur = 3;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	err = items_save(&items);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
	assert_int_equal(err, -EFBIG);
	assert_true(items.changed);
	assert_file("items", "trace 900 old\n");
	assert_int_equal(access("items.new", F_OK), -1);
	items_free(&items);
}

static void test_no_memory(void **state)
{
	struct report report = { 0 };
	struct items items;
	unsigned n;

	(void)state;
	write_text("items", "trace 900 old\ntrace 901 older\n");
	for (n = 0; n < 3; n++) {
		untouched_fill(&items, sizeof(items));
		alloc_fail_at(n);
		assert_int_equal(items_load("items", &report, &items), -ENOMEM);
		assert_true(alloc_failed());
		assert_untouched(&items, sizeof(items));
	}
	assert_int_equal(items_load("items", &report, &items), 0);
	assert_int_equal(report.n, 0);
	alloc_fail_at(0);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new"), -ENOMEM);
	assert_true(alloc_failed());
	assert_false(items.changed);
	assert_int_equal(items_number(&items, ITEMS_TRACE, "new"), 768);
	alloc_fail_at(0);
	assert_int_equal(items_save(&items), -ENOMEM);
	assert_true(alloc_failed());
	assert_true(items.changed);
	assert_file("items", "trace 900 old\ntrace 901 older\n");
	alloc_fail_at(1); /* the directory's name: the directory exists */
	assert_int_equal(items_save(&items), 0);
	assert_true(alloc_failed());
	items_free(&items);
	assert_file("items", "trace 768 new\ntrace 900 old\ntrace 901 older\n");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_what_is_remembered),
		work_test(test_what_is_remembered_of_two_groups),
		work_test(test_no_file),
		work_test(test_a_file_that_cannot_be_opened),
		work_test(test_a_file_that_cannot_be_read),
		work_test(test_lines_without_sense),
		work_test(test_stat_lines_without_sense),
		work_test(test_long_lines),
		work_test(test_save),
		work_test(test_save_and_load),
		work_test(test_save_of_two_groups),
		work_test(test_save_that_fails),
		work_test(test_save_where_the_new_file_cannot_be),
		work_test(test_save_that_fails_late),
		work_test(test_save_to_a_full_disk),
		work_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
