// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf top's screens, of any size, and what keys do; of two recorded snapshots, 2 s apart. */
#define _GNU_SOURCE
#include "fakes/support.h"
#include "fakes/top_scene.h"

#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

static void assert_line(size_t line, const char *wanted)
{
	assert_true(line < page.n);
	assert_string_equal(page.lines[line].text, wanted);
}

/* Does any line begin with this? */
static bool shows(const char *text)
{
	for (size_t i = 0; i < page.n; i++) {
		if (strncmp(page.lines[i].text, text, strlen(text)) == 0)
			return true;
	}
	return false;
}

static bool key(int pressed)
{
	bool other = top_view_key(&view, &model, pressed, page.rows);

	top_scene_make(80, 24);
	return other;
}

static void keys(const char *pressed)
{
	while (*pressed)
		key((unsigned char)*pressed++);
}

static void test_host(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	assert_int_equal(page.n, 24);
	assert_line(
		0,
		"kvmbpf top  vm  Linux 6.1 AMD  2 CPUs              03:08:41  2.0 s  sort:EXITS/s");
	assert_line(
		1,
		" 4 VMs  8 vCPUs  exits 12.3k/s  to VMM 9.30k/s  halts 5.20k/s  emulated 1.70M/s");
	assert_line(4, "VM             VCPU EXITS/s GST KVM VMM HLT RDY UNK TOP REASON  TOP CAUSE");
	assert_line(
		5,
		"web1-29941        1   11.2k   -   -   -   -   -   - io          io:0xe9:w debug!");
	assert_line(6, "cache1-29942      1   1.10k   -   -   -   -   -   - hlt         none");
	assert_line(
		7,
		"db1-29933         2      35   -   -   -   -   -   - npf         mmio:0xfebf0000!");
	assert_line(8, "größe-7           4     0.0   -   -   -   -   -   - -           -");
	assert_int_equal(page.cursor, 5);
	assert_string_equal(
		page.lines[23].text,
		"Enter VM  s sort  / filter  d delay  space pause  r base  x detail  h help  q");
}

/* With a thousand VMs the numbers have room, too. */
static void test_many(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	model.host.vms.number = model.host.vcpus.number = 1008;
	assert_int_equal(top_page_make(&page, &view, &model, &about, 80, 24), 0);
	assert_line(
		1, " 1008 VMs 1008 vCPUs  exits 12.3k/s  VMM 9.30k/s  halts 5.20k/s  emul 1.70M/s");
}

/* The same snapshot with where a VM's time went: ns by state. */
static void times_add(struct snapshot *snapshot, const char *times)
{
	static const char format[] =
		"pmdakvm-snapshot\t2\ntable\tvm\ncolumn\tvcpus\n"
		"row\t1\tweb-1\t\t-\t1\nrow\t2\tdb-2\t\t-\t1\n"
		"table\tvm_time\ncolumn\tguest\ncolumn\tkvm\ncolumn\tpoll\ncolumn\thalted\n"
		"column\tvmm\ncolumn\tready\ncolumn\tunknown\ncolumn\ttotal\n"
		"row\t1\tweb-1\t\t-\t%s\n";
	unsigned line = 0;
	char *text;
	FILE *file;

	assert_true(asprintf(&text, format, times) > 0);
	file = fmemopen(text, strlen(text), "r");
	assert_non_null(file);
	snapshot_free(snapshot);
	*snapshot = (struct snapshot){ 0 };
	assert_int_equal(snapshot_load(file, snapshot, &line), 0);
	fclose(file);
	free(text);
}

/* Shares of what the interval has; polling is KVM's. Who has no ledger has none. */
static void test_shares(void **state)
{
	(void)state;
	times_add(&before, "1000\t0\t500\t0\t7\t0\t0\t1507");
	times_add(&after, "5000\t1000\t1500\t1000\t1507\t1500\t0\t11507");
	rates_free(&rates);
	rates = (struct rates){ .now = 3 };
	assert_int_equal(rates_keep(&rates, &before, UINT64_MAX, 1), 0);
	top_scene_make(80, 24);
	assert_line(6, "web-1             1       -  40  20  15  10  15   0 -           -");
	assert_line(5, "db-2              1       -   -   -   -   -   -   - -           -");
}

/* A wider screen has room for all of the causes. */
static void test_wide(void **state)
{
	(void)state;
	top_scene_make(200, 60);
	assert_int_equal(page.n, 60);
	/* and no column is wider than its texts */
	assert_line(
		5,
		"web1-29941        1   11.2k   -   -   -   -   -   - io          io:0xe9:w debugcon");
	assert_non_null(strstr(page.lines[7].text, "mmio:0xfebf0000:r"));
}

/* No line is longer than the screen, and there are no more, whatever its size. */
static void test_sizes(void **state)
{
	static const char *const vms[] = { "", "web1-29941" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		strcpy(view.vm, vms[i]);
		for (int width = 1; width < 100; width++) {
			for (int height = 1; height < 30; height++) {
				top_scene_make(width, height);
				assert_int_equal(page.n, height);
				for (size_t n = 0; n < page.n; n++)
					assert_true(strlen(page.lines[n].text) <=
						    (size_t)width + 2); /* of ö and ß */
			}
		}
	}
	view.vm[0] = '\0';
	top_scene_make(20, 5);
	assert_line(0, "kvmbpf top  vm  Lin!");
	assert_line(4, "Enter VM  s sort  /!");
}

static void test_vm(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	assert_true(key(TOP_KEY_ENTER));
	assert_line(
		0,
		"kvmbpf top > web1-29941  1 vCPU                         03:08:41  2.0 s  sort:/s");
	assert_true(shows("   0 -                -    11.2k   -   -   -   -   -   -"));
	assert_true(shows("io               10000    15.0     197      912     150"));
	assert_true(shows("vmm:IO            9000    13.3       -     80.0     120"));
	assert_true(shows(
		"io:0xe9:w           debugcon       9000     9000      120    15.6    20.00"));
	assert_false(shows("mmio:")); /* of another VM */
	assert_true(key(TOP_KEY_ESCAPE));
	assert_true(shows("cache1-29942"));
}

/* Slow exits of this VM, the newest first; where there is none, it says so, or that nobody knows.
 */
static void test_slow(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	strcpy(view.vm, "web1-29941");
	top_scene_make(80, 24);
	assert_line(
		18,
		"SLOW EXIT      CAUSE                    VCPU       ms MOSTLY             WHEN");
	assert_line(
		19,
		"io             io:0x3f8:w serial           0    50.12 vmm      11-18 11:06:38");
	assert_line(
		20,
		"npf            -                           0      912 ready    11-18 11:06:30");
	view.section = TOP_SLOW;
	view.sorts[TOP_SLOW] = 3;
	top_scene_make(80, 24);
	assert_true(strncmp(page.lines[19].text, "npf", 3) == 0);
	strcpy(view.vm, "db1-29933");
	top_scene_make(80, 24);
	assert_true(shows(
		"0x7c           -                           1    11.00 -        11-18 10:50:00"));
	assert_false(shows("npf            -"));
	strcpy(view.filters[TOP_SLOW], "npf");
	top_scene_make(80, 24);
	assert_true(shows("SLOW EXIT      CAUSE "));
	assert_false(shows("0x7c"));
	view.filters[TOP_SLOW][0] = '\0';
	strcpy(view.vm, "cache1-29942");
	top_scene_make(80, 24);
	assert_true(shows("SLOW EXIT: none")); /* it only slept */
	assert_false(shows("SLOW EXIT: none "));
	strcpy(view.vm, "größe-7");
	top_scene_make(80, 24);
	assert_true(shows("SLOW EXIT: -   longest 0.00 ms  cpuid"));
}

/* The cursor stays on its VM, wherever that is after sorting. */
static void test_cursor(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	key(TOP_KEY_DOWN);
	assert_int_equal(page.cursor, 6);
	view.sorts[TOP_VMS] = 0;
	top_scene_make(80, 24);
	assert_int_equal(page.cursor, 5);
	key(TOP_KEY_END);
	assert_string_equal(view.chosen, "web1-29941");
	key(TOP_KEY_DOWN);
	assert_int_equal(page.cursor, 8);
	key(TOP_KEY_HOME);
	key(TOP_KEY_UP);
	assert_string_equal(view.chosen, "cache1-29942");
	top_scene_make(80, 7); /* room for one VM */
	key(TOP_KEY_PAGE_DOWN);
	top_scene_make(80, 7);
	assert_int_equal(page.cursor, 5);
	assert_int_equal(view.first[TOP_VMS], top_view_row(&view, &model.grids[TOP_VMS]));
	top_view_key(&view, &model, TOP_KEY_HOME, page.rows);
	top_scene_make(80, 7);
	assert_int_equal(page.cursor, 5);
	assert_int_equal(view.first[TOP_VMS], 0);
}

static void test_sort_keys(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	assert_int_equal(view.sorts[TOP_VMS], 2);
	keys("s");
	assert_non_null(strstr(page.lines[0].text, "sort:GST"));
	keys("SSS");
	assert_non_null(strstr(page.lines[0].text, "sort:VM"));
	key(TOP_KEY_LEFT);
	assert_non_null(strstr(page.lines[0].text, "sort:TOP CAUSE"));
	assert_int_equal(top_view_sort(&view, &model, TOP_VMS, "vcpu"), 0);
	assert_int_equal(top_view_sort(&view, &model, TOP_VMS, "nothing"), -EINVAL);
	top_scene_make(80, 24);
	assert_true(strncmp(page.lines[5].text, "größe-7 ", 8) == 0);
}

static void test_filter_keys(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	keys("/wex\x7f");
	assert_line(23, "show only: we_");
	keys("\n");
	assert_true(shows("web1"));
	assert_false(shows("db1"));
	keys("/none\n");
	assert_true(shows("(no VM has the words of the filter)"));
	keys("c");
	assert_true(shows("db1"));
	keys("/db\x1b");
	assert_true(shows("web1"));
	key(TOP_KEY_ENTER);
	keys("/msr\n");
	assert_true(shows("msr"));
	assert_false(shows("hlt"));
	assert_true(shows("io:0xe9:w"));
}

static void test_delay_keys(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	keys("d0.5\n");
	assert_true(view.delay == 0.5);
	keys("dnone\n");
	assert_true(view.delay == 0.5);
	assert_line(23, "the delay is to be a number of seconds from 0.1 to 3600");
	keys("d0\n");
	assert_true(view.delay == 0.5);
	keys("d\n");
	assert_true(view.delay == 0.5);
	assert_true(shows("Enter VM"));
}

static void test_other_keys(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	keys("x");
	assert_true(shows("web1-29941        1   11211"));
	keys("x ");
	assert_true(view.paused);
	assert_non_null(strstr(page.lines[0].text, "paused"));
	keys(" r");
	assert_true(view.based && view.rebase && !view.paused);
	keys("h");
	assert_true(shows("Keys of kvmbpf top"));
	keys("q"); /* any key goes back */
	assert_false(view.quit);
	assert_true(shows("web1"));
	keys("b"); /* kvm_stat's: nothing */
	keys("q");
	assert_true(view.quit);
}

static void test_sections(void **state)
{
	(void)state;
	top_scene_make(80, 24);
	key(TOP_KEY_ENTER);
	assert_non_null(strstr(page.lines[0].text, "sort:/s"));
	key(TOP_KEY_TAB);
	assert_non_null(strstr(page.lines[0].text, "sort:VMM ms/s"));
	key(TOP_KEY_TAB);
	assert_non_null(strstr(page.lines[0].text, "sort:WHEN"));
	key(TOP_KEY_TAB);
	assert_non_null(strstr(page.lines[0].text, "sort:VCPU"));
	keys("/");
	assert_line(23, "vCPUs are not filtered: Tab goes to reasons and causes");
	key(TOP_KEY_TAB);
	top_scene_make(80, 12);
	top_view_key(&view, &model, TOP_KEY_END, page.rows);
	top_scene_make(80, 12); /* the last rows of the section are seen */
	assert_true(shows("hlt "));
	assert_false(shows("io "));
}

/* All there is, and nothing about keys. */
static void test_batch(void **state)
{
	(void)state;
	top_scene_make(80, 0);
	assert_int_equal(page.n, 9);
	strcpy(view.vm, "db1-29933");
	top_scene_make(80, 0);
	assert_true(shows("mmio:0xfebf0000:r"));
	assert_false(shows("Esc back"));
	strcpy(view.vm, "gone-1");
	top_scene_make(80, 0);
	assert_true(shows("kvmbpf top > gone-1  (does not run)"));
}

static void test_first_and_notes(void **state)
{
	(void)state;
	about.first = true;
	top_scene_make(80, 24);
	assert_line(2, " CPUs: VMM -  KVM -  poll -  ready -   counting ...");
	about.note = "the agent has ended: counts stand";
	top_scene_make(80, 24);
	assert_non_null(strstr(page.lines[2].text, about.note));
}

/* Only what a screen shows is read. */
static void test_tables(void **state)
{
	static const char *const neither[] = { "exit", "exit_latency", "trace", "vcpu_exit" };
	uint64_t host = top_tables(&after, false), vm = top_tables(&after, true);

	(void)state;
	for (size_t i = 0; i < after.ntables; i++) {
		const char *name = after.tables[i]->name;

		for (size_t j = 0; j < sizeof(neither) / sizeof(neither[0]); j++) {
			if (strcmp(name, neither[j]) == 0)
				assert_false((host | vm) >> i & 1);
		}
		if (strcmp(name, "vm_exit_latency") == 0 || strcmp(name, "vcpu") == 0 ||
		    strcmp(name, "vcpu_slow") == 0 || strcmp(name, "vm_slow") == 0)
			assert_true(!(host >> i & 1) && (vm >> i & 1));
		if (strcmp(name, "vm_exit") == 0 || strcmp(name, "vm_cause") == 0)
			assert_true((host >> i & 1) && (vm >> i & 1));
	}
}

#define top_test(test) cmocka_unit_test_setup_teardown(test, top_scene_setup, top_scene_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		top_test(test_host),	    top_test(test_many),
		top_test(test_shares),	    top_test(test_wide),
		top_test(test_sizes),	    top_test(test_vm),
		top_test(test_cursor),	    top_test(test_sort_keys),
		top_test(test_filter_keys), top_test(test_delay_keys),
		top_test(test_other_keys),  top_test(test_sections),
		top_test(test_batch),	    top_test(test_first_and_notes),
		top_test(test_tables),	    top_test(test_slow),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
