// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Tables without memory, and over many changes, held against rows that are made anew. */
#include "fakes/fake_tables.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* --- without memory --- */

/* A table with rows of two VMs, and the next rows wanted: some stay, some go, some are new. */
static void before(void)
{
	fake_begin(OWNER_VM, true);
	fake_owners("1 2 3");
	fake_keys(1, "1:a 2:b=0-1");
	fake_keys(2, "1:a 2:b 9:c#9");
	sync_rows();
	assert_int_equal(fake_fill(), 0);
	fake_keys(1, "1:a 2:b=0-2");
	fake_keys(3, "1:a 3:d=4-7 4:e 5:f 6:g 7:h 8:i");
	fake_keys(4, "1:a 300=8-15");
	fake_label(1, "new");
	fake_owners("4 1 3");
}

/* At every allocation: rows, values, labels and numbers are as before. */
static void test_no_memory(void **state)
{
	unsigned n;
	bool failed;

	(void)state;
	for (n = 0;; n++) {
		char *rows, *again;
		uint64_t changes;
		int err;

		before();
		rows = fake_rows();
		changes = fake.to->changes;
		alloc_fail_at(n);
		err = fake_sync();
		failed = alloc_failed();
		if (failed) {
			assert_int_equal(err, -ENOMEM);
			again = fake_rows();
			assert_string_equal(again, rows);
			free(again);
			assert_int_equal(fake.to->changes, changes);
			assert_values(true);
			assert_int_equal(fake.taken - fake.released, 4);
			sync_rows(); /* the next attempt succeeds */
		} else {
			assert_int_equal(err, 0);
		}
		assert_synced();
		free(rows);
		if (!failed)
			break;
		fake_end(state);
	}
	assert_true(n > 20);
}

/* In an empty table, columns can be made before the allocation that fails. */
static void test_no_memory_at_first(void **state)
{
	unsigned n;
	bool failed;

	(void)state;
	for (n = 0;; n++) {
		int err;

		fake_begin(OWNER_CPU, true);
		fake_owners("0 2");
		fake_keys(2, "1:a 2:b");
		alloc_fail_at(n);
		err = fake_sync();
		failed = alloc_failed();
		assert_int_equal(err, failed ? -ENOMEM : 0);
		if (failed) {
			assert_int_equal(fake.to->nrows, 0);
			assert_int_equal(fake.to->changes, 0);
			assert_int_equal(fake.taken, fake.released);
			sync_rows();
		}
		assert_synced();
		assert_int_equal(fake.to->ncolumns, 2);
		if (!failed)
			break;
		fake_end(state);
	}
	assert_true(n > 10);
}

/* --- many changes --- */

static uint64_t seed;

/* xorshift64: the same steps at every run. */
static uint32_t random_below(uint32_t n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (uint32_t)(seed >> 33) % n;
}

static void owners_churn(void)
{
	uint32_t ids[FAKE_OWNERS], n = 12;
	char text[256] = "";

	for (uint32_t i = 0; i < n; i++)
		ids[i] = i * 7 % n;  /* natural order is not that of ids */
	if (random_below(20) == 0) { /* and it can change */
		uint32_t at = random_below(n - 1);

		ids[at] ^= ids[at + 1];
		ids[at + 1] ^= ids[at];
		ids[at] ^= ids[at + 1];
	}
	for (uint32_t i = 0; i < n; i++) {
		if (random_below(4))
			sprintf(text + strlen(text), "%s%u", *text ? " " : "", ids[i]);
	}
	fake_owners(text);
}

static void keys_churn(uint32_t owner)
{
	static const uint32_t keys[] = { 0, 1, 2, 3, 30, 256, 257, 70000, 4294967295 };
	char text[1024] = "";

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		if (random_below(3) == 0)
			continue;
		sprintf(text + strlen(text), "%s%u", *text ? " " : "", keys[i]);
		/* now and then under another name */
		sprintf(text + strlen(text), ":k%zu%s", i, random_below(8) ? "" : "x");
		if (i % 3 == 0)
			sprintf(text + strlen(text), "=%zu-%u", i, random_below(8) ? 20 : 21);
		if (i % 4 == 0)
			sprintf(text + strlen(text), "#%zu", owner * 100 + i);
	}
	fake_keys(owner, text);
}

static void label_churn(uint32_t owner)
{
	char text[16];

	if (!fake.pool[owner].labels)
		return;
	snprintf(text, sizeof(text), "label%u", random_below(1000));
	fake_label(owner, text);
}

/* Are these the names and numbers of the lines, apart from labels? */
static bool same_rows(const char *one, const char *other)
{
	while (*one && *other) {
		size_t length = (size_t)(strchr(one, '{') - one);

		if (strncmp(one, other, length + 1) != 0)
			return false;
		one = strchr(one, '\n') + 1;
		other = strchr(other, '\n') + 1;
	}
	return !*one && !*other;
}

/* A sync, at times without the memory; then the rows are as before. */
static void step(void)
{
	char *rows = fake_rows(), *again;
	uint64_t changes = fake.to->changes;
	bool failed;
	int err;

	alloc_fail_at(random_below(2) ? random_below(60) : UINT_MAX);
	err = fake_sync();
	failed = alloc_failed();
	again = fake_rows();
	if (failed) {
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(fake.to->changes, changes);
		assert_true(same_rows(rows, again));
	} else {
		assert_int_equal(err, 0);
		assert_synced();
		assert_int_equal(fake.to->changes > changes, !same_rows(rows, again));
		assert_int_equal(fake_fill(), 0);
		assert_values(true);
	}
	free(rows);
	free(again);
}

static void churn(enum owner_kind kind, bool keys)
{
	fake_begin(kind, keys);
	seed = 0x9e3779b97f4a7c15 + kind * 2 + keys;
	for (int i = 0; i < 200; i++) {
		if (kind == OWNER_HOST)
			fake_owners("0");
		else if (random_below(2))
			owners_churn();
		for (uint32_t owner = 0; owner < 12; owner++) {
			if (random_below(3) == 0)
				keys_churn(owner);
		}
		if (random_below(5) == 0) {
			label_churn(random_below(12));
			if (kind != OWNER_HOST)
				owners_churn();
		}
		step();
	}
	if (keys)
		assert_true(fake.taken > 100);
	fake_owners("");
	sync_rows();
	assert_int_equal(fake.taken, fake.released);
}

static void test_churn(void **state)
{
	for (int kind = 0; kind < OWNER_KINDS; kind++) {
		for (int keys = 0; keys < 2; keys++) {
			churn((enum owner_kind)kind, keys);
			fake_end(state);
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_no_memory, fake_end),
		cmocka_unit_test_teardown(test_no_memory_at_first, fake_end),
		cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
