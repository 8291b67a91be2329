// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/json_text.h"
#include "command/metric_output.h"
#include "command/sheet_print.h"

/* The document that is this value. */
static char *written(json_t *value)
{
	struct json_writer writer = { 0 };
	char *text = NULL;
	size_t size;

	writer.file = open_memstream(&text, &size);
	assert_non_null(writer.file);
	assert_int_equal(json_put(&writer, NULL, value), 0);
	assert_int_equal(ferror(writer.file), 0);
	fclose(writer.file);
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

/* What is written piece by piece is as if it were one value. */
static void test_pieces(void **state)
{
	struct json_writer writer = { 0 };
	char *text = NULL, *whole;
	size_t size;

	(void)state;
	writer.file = open_memstream(&text, &size);
	assert_non_null(writer.file);
	json_begin(&writer, NULL, '{');
	json_begin(&writer, "none", '[');
	json_end(&writer, ']');
	json_begin(&writer, "some\n", '[');
	assert_int_equal(json_put(&writer, NULL, json_pack("{s:i,s:i}", "b", 1, "c", 2)), 0);
	json_begin(&writer, NULL, '{');
	json_end(&writer, '}');
	assert_int_equal(json_put(&writer, NULL, json_string("d")), 0);
	json_end(&writer, ']');
	assert_int_equal(json_put(&writer, "e", json_array()), 0);
	json_end(&writer, '}');
	fclose(writer.file);
	whole = written(json_pack("{s:[],s:[{s:i,s:i},{},s],s:[]}", "none", "some\n", "b", 1, "c",
				  2, "d", "e"));
	assert_string_equal(text, whole);
	free(text);
	free(whole);
}

static void test_no_value(void **state)
{
	struct json_writer writer = { .file = stdout };

	(void)state;
	assert_int_equal(json_put(&writer, "a", NULL), -ENOMEM);
	assert_false(writer.some);
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

static size_t json_bytes, json_most;

static void *json_count_malloc(size_t size)
{
	size_t *block = malloc(size + sizeof(max_align_t));

	assert_non_null(block);
	*block = size;
	json_bytes += size;
	json_most = json_bytes > json_most ? json_bytes : json_most;
	return (char *)block + sizeof(max_align_t);
}

static void json_count_free(void *bytes)
{
	size_t *block;

	if (!bytes)
		return;
	block = (size_t *)((char *)bytes - sizeof(max_align_t));
	json_bytes -= *block;
	free(block);
}

/* Print metrics of so many rows. */
static void metrics_print(unsigned rows, FILE *to)
{
	struct output_options options = { 0 };
	struct snapshot snapshot = { 0 };
	char *text = NULL;
	unsigned line;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	fputs("pmdakvm-snapshot\t2\ntable\ttrace\ncolumn\te\ncolumn\tf\n", file);
	for (unsigned i = 0; i < rows; i++)
		fprintf(file, "row\t%u\tcpu%u\t\t-\t1\t2\nlabels\t{\"cpu\":%u}\n", i, i, i);
	fclose(file);
	assert_int_equal(snapshot_bytes_load(text, size, &snapshot, &line), 0);
	assert_int_equal(output_json(&snapshot, &options, to), 0);
	snapshot_free(&snapshot);
	free(text);
}

static int row_number(const struct sheet *sheet, size_t row, size_t column, struct sheet_cell *cell)
{
	(void)sheet;
	(void)column;
	sheet_cell_number(cell, row);
	return 0;
}

/* Print a sheet of so many rows. */
static void sheet_print(unsigned rows, FILE *to)
{
	static const struct sheet_column columns[] = { { .name = "A" }, { .name = "B" } };
	const struct sheet sheet = {
		.columns = columns, .ncolumns = 2, .nrows = rows, .cell = row_number
	};

	assert_int_equal(sheet_print_json(&sheet, &(struct sheet_choice){ 0 }, "rows", to), 0);
}

/* What jansson takes at most meanwhile, in bytes. */
static size_t json_memory(void (*print)(unsigned rows, FILE *to), unsigned rows)
{
	FILE *null = fopen("/dev/null", "we");

	assert_non_null(null);
	json_most = 0;
	json_set_alloc_funcs(json_count_malloc, json_count_free);
	print(rows, null);
	json_set_alloc_funcs(malloc, free);
	assert_int_equal(json_bytes, 0);
	fclose(null);
	return json_most;
}

/* A document takes no more memory the longer it is. */
static void test_memory(void **state)
{
	(void)state;
	assert_true(json_memory(metrics_print, 5) > 0);
	assert_int_equal(json_memory(metrics_print, 9), json_memory(metrics_print, 5));
	assert_int_equal(json_memory(sheet_print, 9), json_memory(sheet_print, 5));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers), cmocka_unit_test(test_forms),
		cmocka_unit_test(test_strings),	 cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_no_value), cmocka_unit_test(test_values),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
