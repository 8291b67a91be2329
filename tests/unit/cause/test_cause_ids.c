// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Ids of causes are in the order of the keys, whichever comes first. */
#include "fakes/support.h"

#include "families/cause/cause_ids.h"

#define KEYS 997

static void assert_order(const struct cause_ids *ids)
{
	for (size_t i = 0; i < ids->n; i++) {
		assert_true(ids->list[i].id > 0);
		assert_ptr_equal(cause_ids_find(ids, ids->list[i].id), &ids->list[i]);
		if (!i)
			continue;
		assert_true(ids->list[i - 1].key < ids->list[i].key);
		assert_true(ids->list[i - 1].id < ids->list[i].id);
	}
}

/* Add keys in steps of this size. */
static void keys_add(unsigned step)
{
	struct cause_ids ids = { .n = 0 };

	for (unsigned i = 0; i < KEYS; i++) {
		uint64_t key = CAUSE_KEY(CAUSE_PIO, i % 2, i * step % KEYS);

		assert_int_equal(cause_ids_get(&ids, key)->key, key);
		assert_int_equal(cause_ids_get(&ids, key)->key, key);
		assert_int_equal(ids.n, i + 1);
		assert_order(&ids);
	}
	cause_ids_free(&ids);
}

static void test_order(void **state)
{
	(void)state;
	keys_add(1);
	keys_add(KEYS - 1);
	keys_add(101);
}

static void test_names(void **state)
{
	struct cause_ids ids = { .n = 0 };
	const struct cause_id *id = cause_ids_get(&ids, CAUSE_KEY(CAUSE_PIO, 1, 0x3f8));

	(void)state;
	assert_string_equal(id->text, "io:0x3f8:w");
	assert_string_equal(id->kind, "io");
	assert_string_equal(cause_ids_get(&ids, CAUSE_OTHER)->text, "other");
	assert_string_equal(cause_ids_get(&ids, CAUSE_OTHER)->device, "-");
	assert_string_equal(cause_ids_get(&ids, CAUSE_NONE)->text, "none");
	assert_int_equal(ids.list[0].key, CAUSE_NONE);
	assert_int_equal(ids.list[2].key, CAUSE_OTHER);
	/* of no kind */
	assert_null(cause_ids_get(&ids, 1));
	assert_int_equal(ids.n, 3);
	assert_null(cause_ids_find(&ids, 0));
	cause_ids_free(&ids);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("cause_ids", tests, NULL, NULL);
}
