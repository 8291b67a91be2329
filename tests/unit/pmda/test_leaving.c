// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include "pmda/leaving.h"

#define MS UINT64_C(1000000)

/* Without a request the daemon ends after a tenth of a second, whenever the last one came. */
static void test_quiet(void **state)
{
	struct leaving leaving = { .asked = 5000 * MS };

	(void)state;
	assert_int_equal(leaving_wait(&leaving, 5000 * MS), 100);
	leaving.request = 4990 * MS;
	assert_int_equal(leaving_wait(&leaving, 5000 * MS), 100);
	assert_int_equal(leaving_wait(&leaving, 5099 * MS), 1);
	assert_int_equal(leaving_wait(&leaving, 5100 * MS - 1), 1);
	assert_int_equal(leaving_wait(&leaving, 5100 * MS), 0);
	assert_int_equal(leaving_wait(&leaving, 9000 * MS), 0);
}

/* Each request gives the next one as much time, but not beyond a second. */
static void test_requests(void **state)
{
	struct leaving leaving = { .asked = 5000 * MS, .request = 5070 * MS };

	(void)state;
	assert_int_equal(leaving_wait(&leaving, 5100 * MS), 70);
	leaving.request = 5950 * MS;
	assert_int_equal(leaving_wait(&leaving, 5950 * MS), 50);
	leaving.request = 6000 * MS;
	assert_int_equal(leaving_wait(&leaving, 6000 * MS), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
