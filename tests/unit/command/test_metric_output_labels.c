// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Labels of instances in JSON; semantics and units that the column determines. */
#include "fakes/support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "command/metric_output.h"

#define MAGIC "pmdakvm-snapshot\t2\n"

static struct snapshot snapshot;

static int setup(void **state)
{
	(void)state;
	snapshot = (struct snapshot){ 0 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	return 0;
}

/* Parse a document that uses ' instead of ". */
static json_t *parse(const char *text)
{
	char *copy = strdup(text);
	json_t *root;

	assert_non_null(copy);
	for (char *p = copy; (p = strchr(p, '\''));)
		*p = '"';
	root = json_loads(copy, JSON_DECODE_ANY, NULL);
	assert_non_null(root);
	free(copy);
	return root;
}

static void load(const char *text)
{
	unsigned line;

	snapshot_free(&snapshot);
	assert_int_equal(snapshot_bytes_load(text, strlen(text), &snapshot, &line), 0);
}

/* The array of metrics in the snapshot's JSON. */
static json_t *output(void)
{
	char *printed = NULL;
	json_t *root, *list;
	size_t size;
	FILE *file = open_memstream(&printed, &size);

	assert_non_null(file);
	assert_int_equal(output_json(&snapshot, &(struct output_options){ 0 }, file), 0);
	fclose(file);
	root = json_loads(printed, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	list = json_incref(json_object_get(root, "metrics"));
	json_decref(root);
	free(printed);
	return list;
}

/* The labels of all values, metric by metric, equal this list. */
static void assert_labels(const char *labels)
{
	json_t *list = output(), *found = json_array(), *expected = parse(labels);

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *values = json_object_get(json_array_get(list, i), "values");

		for (size_t j = 0; j < json_array_size(values); j++)
			json_array_append(found,
					  json_object_get(json_array_get(values, j), "labels"));
	}
	if (!json_equal(found, expected)) {
		json_dumpf(found, stderr, 0);
		fail();
	}
	json_decref(expected);
	json_decref(found);
	json_decref(list);
}

static void check(const char *text, const char *labels)
{
	load(text);
	assert_labels(labels);
}

#define HIST MAGIC "table\tvcpu_stat_hist\ncolumn\twait\tcounter\tns\n"

/* The labels of a row, as saved. */
static void test_labels_and_bucket(void **state)
{
	(void)state;
	check(HIST "row\t0\tvm-1::vcpu0\t\t8-15\t3\n"
		   "labels\t{\"vm\":\"vm-1\",\"vcpu\":0,\"bucket\":\"8-15\"}\n"
		   "row\t1\tvm-1::vcpu1\t\t16-18446744073709551615\t5\n"
		   "labels\t{\"vm\":\"vm-1\",\"vcpu\":1,\"bucket\":\"16+\"}\n",
	      "[{'vm':'vm-1','vcpu':0,'bucket':'8-15'},"
	      "{'vm':'vm-1','vcpu':1,'bucket':'16+'}]");
}

/* A row without labels has none, not those of another row. */
static void test_no_labels(void **state)
{
	(void)state;
	check(HIST "row\t0\tvm-1::vcpu0\t\t8-15\t3\n"
		   "labels\t{\"vm\":\"vm-1\"}\n"
		   "row\t1\tvm-1::vcpu1\t\t16-31\t5\n"
		   "row\t2\t\t\t0-7\t5\nlabels\t{}\n",
	      "[{'vm':'vm-1'},{},{}]");
}

/* Rows share the labels of their owner, and some also those of their key and range. */
static struct labels *owners_labels(void)
{
	return labels_new((const struct label[]){ { "vm", "a \xc3\xa9\"", 0 },
						  { "pid", NULL, INT64_MAX } },
			  2);
}

static struct labels *keys_labels(const char *key, const char *text)
{
	return labels_new(&(const struct label){ key, text, 0 }, 1);
}

static void label_row(size_t row, struct labels *labels, struct labels *own)
{
	struct snapshot_row *to = &snapshot.tables[0]->rows[row];

	to->labels = labels_ref(labels);
	to->own = labels_ref(own);
}

#define ROWS                                                 \
	HIST "row\t0\ta\t\t8-15\t3\nrow\t1\ta\t\t16-31\t5\n" \
	     "row\t2\tb\t\t8-15\t7\nrow\t3\tc\t\t8-15\t7\n"

/* Both kinds of labels, one of them, and none; what one row has does not show in another. */
static void test_shared_labels(void **state)
{
	struct labels *labels = owners_labels(), *small = keys_labels("bucket", "8-15"),
		      *large = keys_labels("bucket", "16-31");

	(void)state;
	load(ROWS);
	label_row(0, labels, small);
	label_row(1, labels, large);
	label_row(2, NULL, small);
	label_row(3, labels, NULL);
	for (unsigned i = 0; i < 2; i++)
		assert_labels("[{'vm':'a \xc3\xa9\\'','pid':9223372036854775807,'bucket':'8-15'},"
			      "{'vm':'a \xc3\xa9\\'','pid':9223372036854775807,'bucket':'16-31'},"
			      "{'bucket':'8-15'},"
			      "{'vm':'a \xc3\xa9\\'','pid':9223372036854775807}]");
	labels_unref(labels);
	labels_unref(small);
	labels_unref(large);
}

/* A guest's label cannot replace one of key and range. */
static void test_a_label_of_the_same_name(void **state)
{
	struct labels *labels = owners_labels(), *own = keys_labels("vm", "mine");

	(void)state;
	load(HIST "row\t0\ta\t\t8-15\t3\n");
	label_row(0, labels, own);
	assert_labels("[{'pid':9223372036854775807,'vm':'mine'}]");
	labels_unref(labels);
	labels_unref(own);
}

static void test_numbers_and_labels(void **state)
{
	(void)state;
	check(MAGIC "table\ttrace\ncolumn\tkvm_exit\n"
		    "row\t3\tcpu3\t\t-\t1\nlabels\t{\"node\":1,\"cpu\":3}\n"
		    "row\t4294967295\tcpu\t\t-\t1\nlabels\t{\"cpu\":4294967295}\n",
	      "[{'node':1,'cpu':3},{'cpu':4294967295}]");
}

/* A metric without an instance domain has one value, without labels even if its row has some. */
static void test_no_domain(void **state)
{
	(void)state;
	check(MAGIC "table\tvms\ncolumn\tvms\nrow\t0\t\t\t-\t2\nlabels\t{\"a\":1}\n", "[{}]");
}

/* Labels that JSON cannot represent make output_json() fail without a crash. */
static void test_labels_that_are_none(void **state)
{
	static const struct label bad[] = { { "a", "\xff", 0 }, { "\xff", "a", 0 } };

	(void)state;
	for (size_t i = 0; i < 2 * ARRAY_SIZE(bad); i++) {
		struct labels *labels = labels_new(&bad[i / 2], 1);
		FILE *file = fopen("/dev/null", "we");

		load(HIST "row\t0\ta\t\t8-15\t3\n");
		label_row(0, i % 2 ? labels : NULL, i % 2 ? NULL : labels);
		labels_unref(labels);
		assert_non_null(file);
		assert_true(output_json(&snapshot, &(struct output_options){ 0 }, file) < 0);
		fclose(file);
	}
}

/* Name, semantics and units of each metric. */
static void test_semantics_and_units(void **state)
{
	static const char text[] = MAGIC
		"table\tvm_stat\n"
		"column\texits\tcounter\tcount\n"
		"column\tpages\tinstant\tbyte\n"
		"column\twait\tcounter\tns\n"
		"column\tmode\tdiscrete\t\n"
		"row\t0\tvm-1\t\t-\t1\t2\t3\t4\n"
		"table\tmap\ncolumn\tbytes\tcounter\tns\nrow\t0\t\tm\t-\t5\n";
	static const char *const found[][3] = {
		{ "kvm.agent.map.bytes", "instant", "byte" }, /* overrides the column's */
		{ "kvm.vm.stat.exits", "counter", "count" },
		{ "kvm.vm.stat.pages", "instant", "byte" },
		{ "kvm.vm.stat.wait", "counter", "ns" },
		{ "kvm.vm.stat.mode", "discrete", "" },
	};
	json_t *list;

	(void)state;
	load(text);
	list = output();
	assert_int_equal(json_array_size(list), ARRAY_SIZE(found));
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		static const char *const keys[] = { "name", "semantics", "units" };

		for (size_t j = 0; j < ARRAY_SIZE(keys); j++)
			assert_string_equal(json_string_value(json_object_get(
						    json_array_get(list, i), keys[j])),
					    found[i][j]);
	}
	json_decref(list);
}

#define labels_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		labels_test(test_labels_and_bucket),	labels_test(test_no_labels),
		labels_test(test_shared_labels),	labels_test(test_a_label_of_the_same_name),
		labels_test(test_numbers_and_labels),	labels_test(test_no_domain),
		labels_test(test_labels_that_are_none), labels_test(test_semantics_and_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
