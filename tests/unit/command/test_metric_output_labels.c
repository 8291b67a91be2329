// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Labels of instances in JSON; semantics and units that the column determines. */
#include "fakes/support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "command/metric_output.h"

#define MAGIC "pmdakvm-snapshot\t1\n"

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

/* The row's own labels, and the label that the instance domain makes from the row's name. */
static void test_labels_and_bucket(void **state)
{
	(void)state;
	check(HIST "row\t0\tvm-1::vcpu0::8-15\t3\n"
		   "labels\t{\"vm\":\"vm-1\",\"vcpu\":0}\n"
		   "row\t1\tvm-1::vcpu1::16-\t5\n"
		   "labels\t{\"vm\":\"vm-1\",\"vcpu\":1}\n",
	      "[{'vm':'vm-1','vcpu':0,'bucket':'8-15'},"
	      "{'vm':'vm-1','vcpu':1,'bucket':'16-'}]");
}

/* A row without labels has only the label of its instance domain, not those of another row. */
static void test_bucket_alone(void **state)
{
	(void)state;
	check(HIST "row\t0\tvm-1::vcpu0::8-15\t3\n"
		   "labels\t{\"vm\":\"vm-1\"}\n"
		   "row\t1\tvm-1::vcpu1::16-\t5\n"
		   "row\t2\t0-7\t5\nlabels\t{}\n",
	      "[{'vm':'vm-1','bucket':'8-15'},{'bucket':'16-'},{'bucket':'0-7'}]");
}

/* The instance domain's label overrides a row's label of the same name. */
static void test_a_label_of_the_same_name(void **state)
{
	(void)state;
	check(HIST "row\t0\tvm-1::vcpu0::8-15\t3\n"
		   "labels\t{\"bucket\":\"other\",\"vm\":\"a\"}\n",
	      "[{'bucket':'8-15','vm':'a'}]");
}

/* An instance domain that makes no label adds none to the row's. */
static void test_labels_alone(void **state)
{
	static const char text[] = MAGIC
		"table\tvm\ncolumn\tpid\n"
		"row\t7\tvm-1\t1\nlabels\t{\"vm\":\"a \xc3\xa9\",\"n\":1.5,"
		"\"deep\":{\"er\":[1,null,true]}}\n"
		"row\t8\tvm-2\t2\n";

	(void)state;
	check(text, "[{'vm':'a \xc3\xa9','n':1.5,'deep':{'er':[1,null,true]}},{}]");
}

static void test_number_and_labels(void **state)
{
	(void)state;
	check(MAGIC "table\ttrace\ncolumn\tkvm_exit\n"
		    "row\t3\tcpu3\t1\nlabels\t{\"node\":1}\n"
		    "row\t4294967295\tcpu\t1\n",
	      "[{'node':1,'cpu':3},{'cpu':4294967295}]");
}

/* A metric without an instance domain has one value, without labels even if its row has some. */
static void test_no_domain(void **state)
{
	(void)state;
	check(MAGIC "table\tvms\ncolumn\tvms\nrow\t0\t\t2\nlabels\t{\"a\":1}\n", "[{}]");
}

/* Rows share labels: the bucket added for one row does not appear in another, or later. */
static void test_shared_labels(void **state)
{
	(void)state;
	load(HIST "row\t0\ta::8-15\t3\nlabels\t{\"vm\":\"a\"}\nrow\t1\ta::16-\t5\n");
	snapshot_row_label(&snapshot.tables[0]->rows[1], snapshot.tables[0]->rows[0].labels);
	for (unsigned i = 0; i < 2; i++)
		assert_labels("[{'vm':'a','bucket':'8-15'},{'vm':'a','bucket':'16-'}]");
}

/* Labels that are no JSON object make output_json() fail without a crash. */
static void test_labels_that_are_none(void **state)
{
	static const char *const bad[] = { "", "{", "[1]", "{} {}", "7" };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct snapshot_labels *labels = snapshot_labels_new(bad[i]);
		FILE *file = fopen("/dev/null", "we");

		load(HIST "row\t0\ta::8-15\t3\n");
		snapshot_row_label(&snapshot.tables[0]->rows[0], labels);
		snapshot_labels_unref(labels);
		assert_non_null(file);
		assert_true(output_json(&snapshot, &(struct output_options){ 0 }, file) < 0);
		fclose(file);
	}
}

/* Name, semantics and units of each metric. */
static void test_semantics_and_units(void **state)
{
	static const char text[] = MAGIC "table\tvm_stat\n"
					 "column\texits\tcounter\tcount\n"
					 "column\tpages\tinstant\tbyte\n"
					 "column\twait\tcounter\tns\n"
					 "column\tmode\tdiscrete\t\n"
					 "row\t0\tvm-1\t1\t2\t3\t4\n"
					 "table\tmap\ncolumn\tbytes\tcounter\tns\nrow\t0\tm\t5\n";
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
		labels_test(test_labels_and_bucket),
		labels_test(test_bucket_alone),
		labels_test(test_a_label_of_the_same_name),
		labels_test(test_labels_alone),
		labels_test(test_number_and_labels),
		labels_test(test_no_domain),
		labels_test(test_shared_labels),
		labels_test(test_labels_that_are_none),
		labels_test(test_semantics_and_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
