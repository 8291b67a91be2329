// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_smartcols.h"
#include "fakes/support.h"

#include <ctype.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "command/metric_output.h"

/* All kinds of metrics; the tables of the families, in another order. */
static const char everything[] =
	"pmdakvm-snapshot\t2\n"
	"table\tfamily\ncolumn\tattached\ncolumn\tstatus\n"
	"column\tattach_time\n"
	"row\t0\t\ttrace\t-\t1\t'attached\t1234567\n"
	"labels\t{\"family\":\"trace\"}\n"
	"row\t1\t\tother\t-\t0\t'no such \"thing\"\t-\n"
	"labels\t{\"family\":\"other\"}\n"
	"table\ttrace\ncolumn\tkvm_exit\ncolumn\tkvm_absent\ncolumn\tkvm_pio\n"
	"row\t0\tcpu0\t\t-\t0\t-\t9223372036854775807\n"
	"labels\t{\"cpu\":0}\n"
	"row\t3\tcpu3\t\t-\t10007\t-\t-\n"
	"labels\t{\"cpu\":3}\n"
	"row\t11\tcpu11\t\t-\t1\t-\t'not a number\n"
	"labels\t{\"cpu\":11}\n"
	"table\tno metric\ncolumn\tx\nrow\t0\t\ty\t-\t5\n"
	"table\tagent\ncolumn\tversion\nrow\t0\t\t\t-\t'0.1.0\n"
	"table\tevent_missed\ncolumn\tmissed\n"
	"row\t0\t\tkvm_exit\t-\t7\n"
	"labels\t{\"event\":\"kvm_exit\"}\n"
	"row\t1\t\tkvm_pio\t-\t0\n"
	"labels\t{\"event\":\"kvm_pio\"}\n"
	"table\ttrace_events\ncolumn\tcount\n"
	"row\t0\t\t\t-\t3\n";

static struct snapshot snapshot;
static struct output_options options;

static void load(const char *text)
{
	unsigned line;

	assert_int_equal(snapshot_bytes_load(text, strlen(text), &snapshot, &line), 0);
}

static int setup(void **state)
{
	(void)state;
	snapshot = (struct snapshot){ 0 };
	options = (struct output_options){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	return 0;
}

/* The parsed output of output_json(): one document, followed by a newline. */
static json_t *json_output(void)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);
	json_error_t error;
	json_t *root;

	assert_non_null(file);
	assert_int_equal(output_json(&snapshot, &options, file), 0);
	fclose(file);
	assert_int_equal(text[0], '{');
	assert_int_equal(text[size - 1], '\n');
	assert_int_equal(text[size - 2], '}');
	root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		fail_msg("line %d: %s", error.line, error.text);
	free(text);
	return root;
}

/* The object has exactly these keys. */
static void assert_keys(const json_t *object, const char *const *keys)
{
	size_t n = 0;

	assert_true(json_is_object(object));
	for (; keys[n]; n++)
		assert_non_null(json_object_get(object, keys[n]));
	assert_int_equal(json_object_size(object), n);
}

static void assert_value(const json_t *value)
{
	assert_keys(value, (const char *const[]){ "instance", "labels", "value", NULL });
	assert_true(json_is_string(json_object_get(value, "instance")));
	assert_true(json_is_object(json_object_get(value, "labels")));
	assert_true(json_is_integer(json_object_get(value, "value")));
}

static void assert_metric(const json_t *metric)
{
	const json_t *values = json_object_get(metric, "values");
	const char *semantics = json_string_value(json_object_get(metric, "semantics"));
	const char *units = json_string_value(json_object_get(metric, "units"));

	assert_keys(metric, (const char *const[]){ "name", "semantics", "units", "values", NULL });
	assert_int_equal(strncmp(json_string_value(json_object_get(metric, "name")), "kvm.", 4), 0);
	assert_true(strcmp(semantics, "counter") == 0 || strcmp(semantics, "instant") == 0 ||
		    strcmp(semantics, "discrete") == 0);
	assert_true(strcmp(units, "") == 0 || strcmp(units, "count") == 0 ||
		    strcmp(units, "ns") == 0);
	assert_true(json_is_array(values));
	assert_true(json_array_size(values) > 0);
	for (size_t i = 0; i < json_array_size(values); i++)
		assert_value(json_array_get(values, i));
}

static void test_json_schema(void **state)
{
	const json_t *metrics;
	json_t *root;

	(void)state;
	load(everything);
	root = json_output();
	assert_keys(root, (const char *const[]){ "schema", "metrics", NULL });
	assert_int_equal(json_integer_value(json_object_get(root, "schema")), 1);
	metrics = json_object_get(root, "metrics");
	assert_true(json_is_array(metrics));
	assert_int_equal(json_array_size(metrics), 6);
	for (size_t i = 0; i < json_array_size(metrics); i++)
		assert_metric(json_array_get(metrics, i));
	json_decref(root);
}

#define ROOT(metrics) "{'schema':1,'metrics':[" metrics "]}"
#define METRIC(name, semantics, units, values) \
	"{'name':'" name "','semantics':'" semantics "','units':'" units "','values':[" values "]}"
#define VALUE(instance, labels, value) \
	"{'instance':'" instance "','labels':{" labels "},'value':" value "}"

/* The output equals this document, which uses ' instead of ". */
static void assert_json(const char *text)
{
	char *copy = strdup(text);
	json_t *root = json_output(), *expected;

	for (char *p = copy; (p = strchr(p, '\''));)
		*p = '"';
	expected = json_loads(copy, 0, NULL);
	assert_non_null(expected);
	assert_true(json_equal(root, expected));
	json_decref(expected);
	json_decref(root);
	free(copy);
}

/* String metrics and absent values are left out; the rest is complete, in the table's order. */
static void test_json_values(void **state)
{
	(void)state;
	load(everything);
	assert_json(ROOT(METRIC("kvm.trace.count", "discrete", "count", VALUE("", "", "3")) "," METRIC(
		"kvm.trace.kvm_exit", "counter", "count",
		VALUE("cpu0", "'cpu':0", "0") "," VALUE("cpu3", "'cpu':3", "10007") "," VALUE(
			"cpu11", "'cpu':11",
			"1")) "," METRIC("kvm.trace.kvm_pio", "counter", "count",
					 VALUE("cpu0", "'cpu':0",
					       "9223372036854775807")) "," METRIC("kvm.agent.family.attached",
										  "discrete", "",
										  VALUE("trace", "'family':'trace'", "1") "," VALUE(
											  "other",
											  "'family':'other'",
											  "0")) "," METRIC("kvm.agent.family.attach_time",
													   "instant",
													   "ns",
													   VALUE("trace",
														 "'family':'trace'",
														 "1234567")) "," METRIC("kvm.agent.event.missed",
																	"counter",
																	"count",
																	VALUE("kvm_exit",
																	      "'event':'kvm_exit'",
																	      "7") "," VALUE("kvm_pio",
																			     "'event':'kvm_pio'",
																			     "0"))));
}

static void test_json_of_nothing(void **state)
{
	(void)state;
	assert_json(ROOT(""));
	load("pmdakvm-snapshot\t2\ntable\ttrace\ncolumn\tkvm_exit\nrow\t0\tcpu0\t\t-\t-\n"
	     "table\tevent_missed\ncolumn\tmissed\ntable\tagent\ncolumn\tversion\nrow\t0\t\t\t-\t'1\ntable\tfamily\ncolumn\tstatus\nrow\t0\t\ttrace\t-\t5\n");
	assert_json(ROOT(""));
}

static void test_json_quotes_and_utf8(void **state)
{
	(void)state;
	load("pmdakvm-snapshot\t2\ntable\tfamily\ncolumn\tattached\nrow\t0\t\t\"\\\xc3\xa9\t-\t1\n"
	     "labels\t{\"family\":\"\\\"\\\\\xc3\xa9\"}\n");
	assert_json(ROOT(METRIC("kvm.agent.family.attached", "discrete", "",
				VALUE("\\\"\\\\\xc3\xa9", "'family':'\\\"\\\\\xc3\xa9'", "1"))));
}

/* The line has these cells; a cell may contain single blanks. */
static void assert_text(const char *line, size_t len, const char *words)
{
	char found[256] = "";
	size_t n = 0;

	for (size_t i = 0; i < len && n < sizeof(found) - 1; i++) {
		if (line[i] != ' ' || (n && found[n - 1] != ' '))
			found[n++] = line[i];
	}
	while (n && found[n - 1] == ' ')
		n--;
	found[n] = '\0';
	assert_string_equal(found, words);
}

static void assert_lines(const char *text, const char *const *lines)
{
	for (; *lines; lines++) {
		size_t len = strcspn(text, "\n");

		assert_text(text, len, *lines);
		assert_int_equal(text[len], '\n');
		text += len + 1;
	}
	assert_string_equal(text, "");
}

static char *table_output(bool all, size_t hidden)
{
	size_t size, ret_hidden = SIZE_MAX;
	char *text = NULL;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	options.all = all;
	assert_int_equal(output_table(&snapshot, &options, file, &ret_hidden), 0);
	fclose(file);
	assert_int_equal(ret_hidden, hidden);
	return text;
}

/* By default: values above 0, and of metrics about the agent itself only counters. */
static void test_table(void **state)
{
	char *text;

	(void)state;
	load(everything);
	text = table_output(false, 9);
	assert_lines(text, (const char *const[]){
				   "METRIC INSTANCE VALUE UNITS",
				   "kvm.trace.kvm_exit cpu3 10007 count",
				   "kvm.trace.kvm_exit cpu11 1 count",
				   "kvm.trace.kvm_pio cpu0 9223372036854775807 count",
				   "kvm.trace.kvm_pio cpu11 not a number count",
				   "kvm.agent.event.missed kvm_exit 7 count",
				   NULL,
			   });
	free(text);
}

static void test_table_of_all(void **state)
{
	char *text;

	(void)state;
	load(everything);
	text = table_output(true, 0);
	assert_lines(text, (const char *const[]){
				   "METRIC INSTANCE VALUE UNITS",
				   "kvm.trace.count 3 count",
				   "kvm.trace.kvm_exit cpu0 0 count",
				   "kvm.trace.kvm_exit cpu3 10007 count",
				   "kvm.trace.kvm_exit cpu11 1 count",
				   "kvm.trace.kvm_pio cpu0 9223372036854775807 count",
				   "kvm.trace.kvm_pio cpu11 not a number count",
				   "kvm.agent.version 0.1.0",
				   "kvm.agent.family.attached trace 1",
				   "kvm.agent.family.attached other 0",
				   "kvm.agent.family.status trace attached",
				   "kvm.agent.family.status other no such \"thing\"",
				   "kvm.agent.family.attach_time trace 1234567 ns",
				   "kvm.agent.event.missed kvm_exit 7 count",
				   "kvm.agent.event.missed kvm_pio 0 count",
				   NULL,
			   });
	free(text);
}

/* Numbers are aligned to the right, under the end of the column's heading. */
static void test_table_columns(void **state)
{
	char *text;

	(void)state;
	load("pmdakvm-snapshot\t2\ntable\ttrace\ncolumn\te\nrow\t0\tcpu0\t\t-\t1\nrow\t1\tcpu1\t\t-\t18446744073709551615\n");
	text = table_output(false, 0);
	assert_string_equal(text, "METRIC      INSTANCE                VALUE UNITS\n"
				  "kvm.trace.e cpu0                        1 count\n"
				  "kvm.trace.e cpu1     18446744073709551615 count\n");
	free(text);
}

static void test_table_of_nothing(void **state)
{
	char *text;

	(void)state;
	text = table_output(true, 0);
	assert_string_equal(text, "");
	free(text);
	load("pmdakvm-snapshot\t2\ntable\ttrace\ncolumn\te\nrow\t0\tcpu0\t\t-\t0\nrow\t1\tcpu1\t\t-\t-\n");
	text = table_output(false, 1);
	assert_string_equal(text, "");
	free(text);
}

/* Metrics left out by name or by table do not count as hidden. */
static void test_some_metrics(void **state)
{
	static const char *names[] = { "kvm.trace.kvm_e*", "kvm.*.version", "kvm.trace", "exit" };
	const struct snapshot_table *without[] = { NULL, NULL, NULL };
	char *text;

	(void)state;
	load(everything);
	options.names = names;
	options.nnames = ARRAY_SIZE(names);
	text = table_output(true, 0);
	assert_lines(text, (const char *const[]){
				   "METRIC INSTANCE VALUE UNITS",
				   "kvm.trace.kvm_exit cpu0 0 count",
				   "kvm.trace.kvm_exit cpu3 10007 count",
				   "kvm.trace.kvm_exit cpu11 1 count",
				   "kvm.agent.version 0.1.0",
				   NULL,
			   });
	free(text);
	assert_json(ROOT(
		METRIC("kvm.trace.kvm_exit", "counter", "count",
		       VALUE("cpu0", "'cpu':0", "0") "," VALUE(
			       "cpu3", "'cpu':3", "10007") "," VALUE("cpu11", "'cpu':11", "1"))));
	free(table_output(false, 2));
	without[0] = snapshot_find_table(&snapshot, "agent");
	without[1] = snapshot_find_table(&snapshot, "trace");
	options.without = without;
	text = table_output(true, 0);
	assert_string_equal(text, "");
	free(text);
	assert_json(ROOT(""));
	options.names = NULL;
	options.nnames = 0;
	text = table_output(false, 7);
	assert_lines(text, (const char *const[]){
				   "METRIC INSTANCE VALUE UNITS",
				   "kvm.agent.event.missed kvm_exit 7 count",
				   NULL,
			   });
	free(text);
}

static void test_writing_that_fails(void **state)
{
	size_t hidden;

	(void)state;
	load(everything);
	untouched_fill(&hidden, sizeof(hidden));
	for (size_t room = 0; room < 200; room++) {
		FILE *file = open_failing_writer(room, ENOSPC);

		assert_int_equal(output_json(&snapshot, &options, file), -ENOSPC);
		fclose(file);
		file = open_failing_writer(room, ENOSPC);
		assert_int_equal(output_table(&snapshot, &options, file, &hidden), -ENOSPC);
		fclose(file);
		file = open_failing_writer(room, ENOSPC);
		setvbuf(file, NULL, _IONBF, 0);
		assert_true(output_json(&snapshot, &options, file) < 0);
		fclose(file);
		file = open_failing_writer(room, ENOSPC);
		setvbuf(file, NULL, _IONBF, 0);
		assert_true(output_table(&snapshot, &(struct output_options){ .all = true }, file,
					 &hidden) < 0);
		fclose(file);
	}
	assert_untouched(&hidden, sizeof(hidden));
}

static void test_no_memory_for_a_table(void **state)
{
	FILE *file = open_failing_writer(SIZE_MAX, EIO);
	size_t hidden;
	unsigned n;

	(void)state;
	load(everything);
	for (n = 0;; n++) {
		int err;

		untouched_fill(&hidden, sizeof(hidden));
		alloc_fail_at(n);
		err = output_table(&snapshot, &(struct output_options){ .all = true }, file,
				   &hidden);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&hidden, sizeof(hidden));
	}
	assert_true(n > 5 + 14 * 4);
	assert_int_equal(hidden, 0);
	fclose(file);
}

static void *json_malloc(size_t size)
{
	return alloc_fails() ? NULL : malloc(size);
}

/* Every failed allocation makes output_json() fail: it never just leaves out a value. */
static void test_no_memory_for_json(void **state)
{
	FILE *file = open_failing_writer(SIZE_MAX, EIO);
	unsigned n;

	(void)state;
	load(everything);
	json_set_alloc_funcs(json_malloc, free);
	for (n = 0;; n++) {
		int err;

		alloc_fail_at(n);
		err = output_json(&snapshot, &options, file);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
	}
	json_set_alloc_funcs(malloc, free);
	assert_true(n > 100);
	fclose(file);
}

#define output_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		output_test(test_json_schema),
		output_test(test_json_values),
		output_test(test_json_of_nothing),
		output_test(test_json_quotes_and_utf8),
		output_test(test_table),
		output_test(test_table_of_all),
		output_test(test_table_columns),
		output_test(test_table_of_nothing),
		output_test(test_some_metrics),
		output_test(test_writing_that_fails),
		output_test(test_no_memory_for_a_table),
		output_test(test_no_memory_for_json),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
