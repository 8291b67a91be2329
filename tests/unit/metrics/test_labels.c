// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const struct label some[] = {
	{ "vm", "one \xc3\xa9\x7f", 0 },
	{ "pid", NULL, 4711 },
	{ "empty", "", 7 }, /* the text counts */
	{ "zero", NULL, 0 },
	{ "", "\t\"\\", 0 },
};

/* The same with jansson, of which a lack of memory can be made. */
static void *json_malloc(size_t size)
{
	return malloc(size); /* can fail, by the fake */
}

static int setup(void **state)
{
	(void)state;
	json_set_alloc_funcs(json_malloc, free);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	json_set_alloc_funcs(malloc, free);
	return 0;
}

static void assert_json(const struct labels *const *sets, size_t n, const char *expected)
{
	char *json = labels_json(sets, n);

	assert_non_null(json);
	assert_string_equal(json, expected);
	free(json);
}

static void assert_same(const struct labels *labels, const struct label *list, size_t n)
{
	assert_int_equal(labels->n, n);
	for (size_t i = 0; i < n; i++) {
		const struct label *label = &labels->list[i];

		assert_string_equal(label->key, list[i].key);
		assert_int_equal(!label->text, !list[i].text);
		if (label->text)
			assert_string_equal(label->text, list[i].text);
		else
			assert_int_equal(label->number, list[i].number);
	}
}

/* It is a copy, in the order given. */
static void test_new(void **state)
{
	char key[] = "key", text[] = "text";
	struct label list[] = { { key, text, 0 }, { key, NULL, INT64_MAX } };
	const struct label expected[] = { { "key", "text", 0 }, { "key", NULL, INT64_MAX } };
	struct labels *labels = labels_new(list, 2);

	(void)state;
	assert_non_null(labels);
	assert_int_equal(labels->refs, 1);
	memset(key, 'x', sizeof(key) - 1);
	memset(text, 'y', sizeof(text) - 1);
	memset(list, 0, sizeof(list));
	assert_same(labels, expected, 2);
	labels_unref(labels);
	labels = labels_new(some, ARRAY_SIZE(some));
	assert_same(labels, some, ARRAY_SIZE(some));
	labels_unref(labels);
	labels = labels_new(NULL, 0);
	assert_int_equal(labels->n, 0);
	labels_unref(labels);
}

/* Valgrind checks that the last reference frees, and no other. */
static void test_references(void **state)
{
	struct labels *labels = labels_new(some, 1);

	(void)state;
	assert_ptr_equal(labels_ref(labels), labels);
	assert_ptr_equal(labels_ref(labels), labels);
	assert_int_equal(labels->refs, 3);
	labels_unref(labels);
	labels_unref(labels);
	assert_int_equal(labels->refs, 1);
	assert_same(labels, some, 1);
	labels_unref(labels);
	assert_null(labels_ref(NULL));
	labels_unref(NULL);
}

static void test_json(void **state)
{
	const struct label more[] = { { "a", "b", 0 }, { "max", NULL, INT64_MAX } };
	struct labels *first = labels_new(some, ARRAY_SIZE(some)), *second = labels_new(more, 2);
	struct labels *none = labels_new(NULL, 0);
	const struct labels *sets[] = { NULL, first, none, NULL, second };

	(void)state;
	assert_json(NULL, 0, "{}");
	assert_json(sets, 1, "{}");
	assert_json(sets + 2, 2, "{}");
	assert_json(sets, 2,
		    "{\"vm\":\"one \xc3\xa9\x7f\",\"pid\":4711,\"empty\":\"\",\"zero\":0,"
		    "\"\":\"\\t\\\"\\\\\"}");
	assert_json(sets + 4, 1, "{\"a\":\"b\",\"max\":9223372036854775807}");
	assert_json(sets, 5,
		    "{\"vm\":\"one \xc3\xa9\x7f\",\"pid\":4711,\"empty\":\"\",\"zero\":0,"
		    "\"\":\"\\t\\\"\\\\\",\"a\":\"b\",\"max\":9223372036854775807}");
	labels_unref(first);
	labels_unref(second);
	labels_unref(none);
}

/* A key of a later set, or a later one of the same set, replaces that of an earlier one. */
static void test_json_of_one_key(void **state)
{
	const struct label one[] = { { "a", "1", 0 }, { "b", NULL, 2 }, { "a", NULL, 3 } };
	const struct label other[] = { { "b", "4", 0 }, { "c", NULL, 5 } };
	struct labels *first = labels_new(one, 3), *second = labels_new(other, 2);

	(void)state;
	assert_json((const struct labels *[]){ first, second }, 2, "{\"a\":3,\"b\":\"4\",\"c\":5}");
	assert_json((const struct labels *[]){ second, first }, 2, "{\"b\":2,\"c\":5,\"a\":3}");
	labels_unref(first);
	labels_unref(second);
}

static void test_parse(void **state)
{
	static const struct label expected[] = {
		{ "vm", "one \xc3\xa9\x7f\n", 0 },
		{ "", "", 0 },
		{ "zero", NULL, 0 },
		{ "max", NULL, INT64_MAX },
	};
	struct labels *labels;

	(void)state;
	assert_int_equal(labels_parse("{}", &labels), 0);
	assert_int_equal(labels->n, 0);
	assert_int_equal(labels->refs, 1);
	assert_json((const struct labels *[]){ labels }, 1, "{}");
	labels_unref(labels);
	assert_int_equal(labels_parse("\n{ \"vm\" : \"one \\u00e9\x7f\\n\", \"\":\"\", \"zero\":0,"
				      "\"max\":9223372036854775807}\t",
				      &labels),
			 0);
	assert_same(labels, expected, ARRAY_SIZE(expected));
	assert_json((const struct labels *[]){ labels }, 1,
		    "{\"vm\":\"one \xc3\xa9\x7f\\n\",\"\":\"\",\"zero\":0,"
		    "\"max\":9223372036854775807}");
	labels_unref(labels);
}

static void test_parse_what_is_none(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"[]",
		"7",
		"null",
		"\"a\"",
		"{}{}",
		"{} x",
		"{\"a\"}",
		"{a:1}",
		"{\"a\":1,}",
		"{\"a\":1,\"a\":1}",
		"{\"a\":-1}",
		"{\"a\":1.5}",
		"{\"a\":1e3}",
		"{\"a\":9223372036854775808}",
		"{\"a\":true}",
		"{\"a\":null}",
		"{\"a\":[]}",
		"{\"a\":{\"b\":1}}",
		"{\"a\":\"b\",\"c\":null}",
		"{\"a\":\"\xff\"}",
		"{\"\xff\":1}",
		"{\"a\":\"\\u0000\"}",
		"{\"a\":\"\x1f\"}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct labels *labels;

		untouched_fill(&labels, sizeof(struct labels *));
		errno = ENOMEM; /* of somebody else */
		assert_int_equal(labels_parse(bad[i], &labels), -EINVAL);
		assert_untouched(&labels, sizeof(struct labels *));
	}
}

static void test_no_memory(void **state)
{
	struct labels *labels, *parsed;
	const struct labels *sets[2];
	char *json;
	unsigned n;

	(void)state;
	alloc_fail_at(0);
	assert_null(labels_new(some, 2));
	assert_true(alloc_failed());
	labels = labels_new(some, ARRAY_SIZE(some));
	sets[0] = sets[1] = labels;
	for (n = 0;; n++) {
		alloc_fail_at(n);
		json = labels_json(sets, 2);
		if (!alloc_failed())
			break;
		assert_null(json);
	}
	assert_true(n > 2 * ARRAY_SIZE(some));
	for (n = 0;; n++) {
		int err;

		untouched_fill(&parsed, sizeof(struct labels *));
		alloc_fail_at(n);
		err = labels_parse(json, &parsed);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&parsed, sizeof(struct labels *));
	}
	assert_true(n > ARRAY_SIZE(some));
	assert_same(parsed, some, ARRAY_SIZE(some));
	free(json);
	labels_unref(labels);
	labels_unref(parsed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_new),
		cmocka_unit_test(test_references),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_json_of_one_key),
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_parse_what_is_none),
		cmocka_unit_test_setup_teardown(test_no_memory, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
