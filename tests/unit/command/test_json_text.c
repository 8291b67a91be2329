// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "command/json_text.h"
#include "command/metric_output.h"

static char *written(json_t *value)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	json_text_write(value, file);
	assert_int_equal(ferror(file), 0);
	fclose(file);
	json_decref(value);
	return text;
}

static void assert_written(json_t *value, const char *expected)
{
	char *text = written(value);

	assert_string_equal(text, expected);
	free(text);
}

static void test_integers(void **state)
{
	(void)state;
	assert_written(json_integer(0), "0");
	assert_written(json_integer(INT64_MAX), "9223372036854775807");
	assert_written(json_integer(INT64_MIN), "9223372036854775808");
	assert_written(json_integer(-1), "18446744073709551615");
}

static void test_forms(void **state)
{
	(void)state;
	assert_written(json_array(), "[]");
	assert_written(json_object(), "{}");
	assert_written(json_pack("[i,[],{}]", 1), "[\n 1,\n [],\n {}\n]");
	assert_written(json_pack("{s:{s:i,s:s},s:[s]}", "a", "b", 1, "c", "d", "e", "f"),
		       "{\n \"a\": {\n  \"b\": 1,\n  \"c\": \"d\"\n },\n \"e\": [\n  \"f\"\n ]\n}");
}

/* What is written is read as what it was. */
static void test_strings(void **state)
{
	static const char *const texts[] = {
		"",
		"plain",
		"\"\\/",
		"\x01\x02\b\f\n\r\t\x1f",
		"\x7f",
		"\xc3\xa9",
		"\xf0\x9f\x98\x80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		json_t *object = json_object(), *read;
		char *text;

		json_object_set_new(object, texts[i], json_string(texts[i]));
		text = written(object);
		read = json_loads(text, 0, NULL);
		assert_string_equal(json_string_value(json_object_get(read, texts[i])), texts[i]);
		assert_int_equal(json_object_size(read), 1);
		json_decref(read);
		free(text);
	}
}

/* The metrics' own numbers, of a snapshot. */
static void test_values(void **state)
{
	static const char saved[] =
		"pmdakvm-snapshot\t2\ntable\ttrace\ncolumn\te\n"
		"row\t0\tcpu0\t\t-\t9223372036854775808\nrow\t1\tcpu1\t\t-\t18446744073709551615\n";
	struct output_options options = { 0 };
	struct snapshot snapshot = { 0 };
	char *text = NULL;
	unsigned line;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(snapshot_bytes_load(saved, strlen(saved), &snapshot, &line), 0);
	assert_int_equal(output_json(&snapshot, &options, file), 0);
	fclose(file);
	assert_non_null(strstr(text, "\"value\": 9223372036854775808\n"));
	assert_non_null(strstr(text, "\"value\": 18446744073709551615\n"));
	assert_null(strchr(text, '-'));
	free(text);
	snapshot_free(&snapshot);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
