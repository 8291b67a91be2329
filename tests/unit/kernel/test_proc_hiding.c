// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <string.h>

#include "kernel/proc_hiding.h"

static void assert_hiding(const char *mounts, const char *hidepid, gid_t group, bool from_all)
{
	struct proc_hiding hiding;

	memset(&hiding, 0xff, sizeof(hiding));
	write_text("mountinfo", mounts);
	proc_hiding_read("mountinfo", &hiding);
	assert_int_equal(hiding.hides, *hidepid != '\0');
	if (*hidepid)
		assert_string_equal(hiding.hidepid, hidepid);
	assert_int_equal(hiding.group, group);
	assert_int_equal(hiding.from_all, from_all);
}

#define ROOT "20 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

static void test_options(void **state)
{
	(void)state;
	assert_hiding(ROOT "22 20 0:21 / /proc rw shared:5 - proc proc rw\n", "", 0, false);
	assert_hiding(ROOT "22 20 0:21 / /proc rw shared:5 - proc proc rw,hidepid=2,gid=4242\n",
		      "2", 4242, false);
	assert_hiding("22 20 0:21 / /proc rw - proc proc rw,gid=24,hidepid=invisible\n" ROOT,
		      "invisible", 24, false);
	assert_hiding("22 20 0:21 / /proc rw a:1 b:2 - proc proc rw,hidepid=noaccess", "noaccess",
		      0, false);
	assert_hiding("22 20 0:21 / /proc rw - proc proc rw,hidepid=4,gid=24\n", "4", 24, true);
	assert_hiding("22 20 0:21 / /proc rw - proc proc rw,hidepid=ptraceable\n", "ptraceable", 0,
		      true);
	assert_hiding("22 20 0:21 / /proc rw - proc proc rw,hidepid=0\n", "", 0, false);
	assert_hiding("22 20 0:21 / /proc rw - proc proc rw,hidepid=off,subset=pid\n", "", 0,
		      false);
}

/* The topmost mount on /proc counts, and no other. */
static void test_mounts(void **state)
{
	(void)state;
	assert_hiding("22 20 0:21 / /proc rw - proc proc rw,hidepid=2,gid=1\n"
		      "23 22 0:22 / /proc rw - proc proc rw,hidepid=1,gid=2\n"
		      "24 23 0:23 / /proc/x rw - proc proc rw,hidepid=1,gid=3\n"
		      "25 23 0:24 / /a/proc rw - proc proc rw,hidepid=1,gid=4\n",
		      "1", 2, false);
	assert_hiding("22 20 0:21 / /proc rw - proc proc rw,hidepid=2,gid=1\n"
		      "23 22 0:22 / /proc rw - proc proc rw\n",
		      "", 0, false);
}

static void test_nonsense(void **state)
{
	struct proc_hiding hiding;

	(void)state;
	assert_hiding("", "", 0, false);
	assert_hiding("\n - \nx /proc - \n1 2 3 4 /proc 6 -\n1 2 3 4 /proc 6 - proc proc\n", "", 0,
		      false);
	assert_hiding("1 2 3 4 /proc - proc proc hidepid=2\n", "", 0, false);
	memset(&hiding, 0xff, sizeof(hiding));
	proc_hiding_read("missing", &hiding);
	assert_false(hiding.hides);
	assert_int_equal(hiding.group, 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_options),
		work_test(test_mounts),
		work_test(test_nonsense),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
