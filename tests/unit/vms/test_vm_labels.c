// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "vms/vm_identity.h"

#define EURO "\xe2\x82\xac"

static void assert_instance(const char *name, const char *expected)
{
	char found[VM_NAME_MAX + 1];

	memset(found, 'x', sizeof(found));
	vm_identity_instance(name, found);
	assert_string_equal(found, expected);
}

static void test_instance(void **state)
{
	(void)state;
	assert_instance("web-1", "web-1");
	assert_instance("w" EURO "b", "w" EURO "b");
	assert_instance("", "_");
	assert_instance("/", "_");
	assert_instance("a/b//c", "a_b__c");
	assert_instance("a.b,c=\"d\"\\", "a.b,c=\"d\"\\");
}

static void test_instance_colons(void **state)
{
	(void)state;
	assert_instance("a:b", "a:b");
	assert_instance("a::b", "a_b");
	assert_instance("a:::b", "a_:b");
	assert_instance("a::::b", "a__b");
	assert_instance("::", "_");
	assert_instance(":", ":");
	assert_instance("a:/:b", "a:_:b");
	assert_instance("a:", "a:");
}

/* Each becomes one "_", whatever its length; adjacent characters stay. */
static void test_instance_white_space_and_controls(void **state)
{
	static const char *const odd[] = {
		" ",
		"\t",
		"\n",
		"\r",
		"\v",
		"\f",
		"\x01",
		"\x1b",
		"\x1f",
		"\x7f",
		"\xc2\x80",
		"\xc2\x85",
		"\xc2\x9f",
		"\xc2\xa0",
		"\xe1\x9a\x80",
		"\xe2\x80\x80",
		"\xe2\x80\x8a",
		"\xe2\x80\xa8",
		"\xe2\x80\xa9",
		"\xe2\x80\xaf",
		"\xe2\x81\x9f",
		"\xe3\x80\x80",
		"\xef\xbf\xbd",
	};
	static const char *const plain[] = {
		"!",
		"~",
		"\xc2\xa1",
		"\xe1\x99\xbf",
		"\xe1\x9a\x81",
		"\xe1\xbf\xbf",
		"\xe2\x80\x8b",
		"\xe2\x80\xa7",
		"\xe2\x80\x8d",
		"\xe2\x80\x90",
		"\xe2\x80\xb0",
		"\xe2\x81\x9e",
		"\xe2\x81\xa0",
		"\xe2\x81\xa5",
		"\xe2\x81\xaa",
		"\xd8\x9b",
		"\xd8\x9d",
		"\xe2\xbf\xbf",
		"\xe3\x80\x81",
		"\xef\xbf\xbc",
		".",
		"0",
	};
	char name[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		snprintf(name, sizeof(name), "a%sb", odd[i]);
		assert_instance(name, "a_b");
	}
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++) {
		snprintf(name, sizeof(name), "a%sb", plain[i]);
		assert_instance(name, name);
	}
}

/* What turns the direction of text would show one VM as another. */
static void test_instance_direction(void **state)
{
	static const char *const odd[] = {
		"\xd8\x9c",	"\xe2\x80\x8e", "\xe2\x80\x8f", "\xe2\x80\xaa",
		"\xe2\x80\xab", "\xe2\x80\xac", "\xe2\x80\xad", "\xe2\x80\xae",
		"\xe2\x81\xa6", "\xe2\x81\xa7", "\xe2\x81\xa8", "\xe2\x81\xa9",
	};
	char name[16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		snprintf(name, sizeof(name), "a%sb", odd[i]);
		assert_instance(name, "a_b");
	}
}

static void test_instance_what_is_no_utf8(void **state)
{
	(void)state;
	assert_instance("a\xff\xfe"
			"b",
			"a__b");
	assert_instance("a\xe2\x82", "a_");
	assert_instance("\xed\xa0\x80", "___");
	assert_instance("\xc3:", "_:");
}

/* A name of n times what, cut to 64 bytes. */
static void assert_cut(const char *begin, const char *what, size_t n, const char *expected)
{
	char name[512];

	strcpy(name, begin);
	while (n--)
		strcat(name, what);
	assert_instance(name, expected);
}

#define X63 "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
#define E21                                                                                       \
	EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO \
		EURO EURO EURO

static void test_instance_cut(void **state)
{
	(void)state;
	assert_int_equal(strlen(X63), 63);
	assert_cut("", "x", 64, X63 "x");
	assert_cut("", "x", 300, X63 "x");
	assert_cut(X63, EURO, 1, X63);
	assert_cut(X63, " ", 3, X63 "_");
	assert_cut(X63, "\xc2\xa0", 3, X63 "_");
	assert_cut(X63, "::", 3, X63 "_");
	assert_cut("", EURO, 100, E21);
	assert_cut("y", EURO, 100, "y" E21);
	assert_cut("yy", EURO, 20,
		   "yy" EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO EURO
			   EURO EURO EURO EURO EURO);
}

static struct vm_identity whole = {
	.name = "w " EURO "\"\\/\n",
	.uuid = "a-b",
	.cgroup = { .path = "/machine.slice", .machine = "qemu-1-w", .pod = "c-d" },
};

/* The labels as JSON, which the caller frees. */
static char *labels_text(const struct vm_identity *identity, pid_t pid, long vcpu)
{
	const struct labels *labels = vm_identity_labels(identity, pid, vcpu);
	char *json;

	assert_non_null(labels);
	assert_int_equal(labels->refs, 1);
	json = labels_json(&labels, 1);
	assert_non_null(json);
	labels_unref((struct labels *)labels);
	return json;
}

static void assert_labels(const struct vm_identity *identity, long vcpu, const char *expected)
{
	char *json = labels_text(identity, 4711, vcpu);

	assert_string_equal(json, expected);
	free(json);
}

static void test_labels(void **state)
{
	static const char text[] =
		"{\"vm\":\"w " EURO "\\\"\\\\/\\n\",\"pid\":4711,\"uuid\":\"a-b\","
		"\"cgroup\":\"/machine.slice\",\"machine\":\"qemu-1-w\",\"pod\":\"c-d\"";
	char expected[256];

	(void)state;
	snprintf(expected, sizeof(expected), "%s}", text);
	assert_labels(&whole, -1, expected);
	snprintf(expected, sizeof(expected), "%s,\"vcpu\":0}", text);
	assert_labels(&whole, 0, expected);
	snprintf(expected, sizeof(expected), "%s,\"vcpu\":4095}", text);
	assert_labels(&whole, 4095, expected);
}

static void test_labels_unknown(void **state)
{
	struct vm_identity identity = { .name = "web" };

	(void)state;
	assert_labels(&identity, -1, "{\"vm\":\"web\",\"pid\":4711}");
	assert_labels(&identity, 2, "{\"vm\":\"web\",\"pid\":4711,\"vcpu\":2}");
	for (pid_t pid = -1; pid <= 0; pid++) {
		char *json = labels_text(&identity, pid, -1);

		assert_string_equal(json, pid ? "{\"vm\":\"web\"}" : "{\"vm\":\"web\",\"pid\":0}");
		free(json);
	}
	identity.cgroup.pod = "p";
	assert_labels(&identity, 2, "{\"vm\":\"web\",\"pid\":4711,\"pod\":\"p\",\"vcpu\":2}");
}

/* The worst case, six JSON bytes for every byte, is within PCP's limit. */
static void test_labels_cut(void **state)
{
	static char control[100001], euros[5000], even[1025];
	struct vm_identity identity = {
		.name = control,
		.uuid = control,
		.cgroup = { .path = control, .machine = control, .pod = control },
	};
	const char *value;
	char *json;
	json_t *root;

	(void)state;
	memset(control, '\x01', sizeof(control) - 1);
	json = labels_text(&identity, 4194304, 4095);
	assert_true(strlen(json) > 5 * 6 * 1024);
	assert_true(strlen(json) < 65535);
	free(json);

	for (size_t i = 0; i + 3 < sizeof(euros); i += 3)
		memcpy(euros + i, EURO, 3);
	memset(even, 'x', sizeof(even) - 1);
	identity = (struct vm_identity){ .name = euros, .cgroup.path = even };
	json = labels_text(&identity, 1, -1);
	root = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(root);
	value = json_string_value(json_object_get(root, "vm"));
	assert_int_equal(strlen(value), 1023);
	assert_memory_equal(value, euros, 1023);
	assert_string_equal(json_string_value(json_object_get(root, "cgroup")), even);
	json_decref(root);
	free(json);
}

static void test_labels_without_memory(void **state)
{
	bool failed = true;
	unsigned n;

	(void)state;
	for (n = 0; failed; n++) {
		struct labels *labels;

		alloc_fail_at(n);
		labels = vm_identity_labels(&whole, 4711, 1);
		failed = alloc_failed();
		assert_true(failed == !labels);
		labels_unref(labels);
	}
	assert_true(n > 1);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_instance),
		cmocka_unit_test(test_instance_colons),
		cmocka_unit_test(test_instance_white_space_and_controls),
		cmocka_unit_test(test_instance_direction),
		cmocka_unit_test(test_instance_what_is_no_utf8),
		cmocka_unit_test(test_instance_cut),
		cmocka_unit_test(test_labels),
		cmocka_unit_test(test_labels_unknown),
		cmocka_unit_test(test_labels_cut),
		cmocka_unit_test(test_labels_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
