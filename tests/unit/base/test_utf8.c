// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define FFFD "\xef\xbf\xbd"

/* All bytes of text are one character. */
static void assert_character(const char *text, uint32_t expected)
{
	uint32_t code = 0;

	assert_int_equal(utf8_read(text, &code), strlen(text));
	assert_int_equal(code, expected);
}

/* The first and last character of each length, and those around the surrogates. */
static void test_characters(void **state)
{
	(void)state;
	assert_character("\x01", 1);
	assert_character("\x7f", 0x7f);
	assert_character("\xc2\x80", 0x80);
	assert_character("\xdf\xbf", 0x7ff);
	assert_character("\xe0\xa0\x80", 0x800);
	assert_character("\xe2\x82\xac", 0x20ac);
	assert_character("\xec\xbf\xbf", 0xcfff);
	assert_character("\xed\x80\x80", 0xd000);
	assert_character("\xed\x9f\xbf", 0xd7ff);
	assert_character("\xee\x80\x80", 0xe000);
	assert_character("\xef\xbf\xbf", 0xffff);
	assert_character("\xf0\x90\x80\x80", 0x10000);
	assert_character("\xf3\xbf\xbf\xbf", 0xfffff);
	assert_character("\xf4\x8f\xbf\xbf", 0x10ffff);
}

/* Every code point that UTF-8 can encode, encoded by its definition. */
static void test_every_code_point(void **state)
{
	(void)state;
	for (uint32_t code = 0x80; code < 0x110000; code++) {
		unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
		char text[5] = { 0 };
		uint32_t found = 0;

		text[0] = (char)(0xff00 >> (more + 1) | code >> 6 * more);
		for (unsigned i = 1; i <= more; i++)
			text[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
		if (code >= 0xd800 && code < 0xe000) {
			assert_int_equal(utf8_read(text, &found), 1);
			assert_int_equal(found, UTF8_REPLACEMENT);
		} else {
			assert_int_equal(utf8_read(text, &found), more + 1);
			assert_int_equal(found, code);
		}
	}
}

static void assert_copy(const char *text, const char *expected)
{
	char *copy;

	assert_int_equal(utf8_copy(text, &copy), 0);
	assert_string_equal(copy, expected);
	free(copy);
}

static void test_copy(void **state)
{
	(void)state;
	assert_copy("", "");
	assert_copy("web-1", "web-1");
	assert_copy("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80", "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_copy("a" FFFD "b", "a" FFFD "b");
}

/* Each maximal prefix of a character becomes one U+FFFD. */
static void test_copy_of_what_is_none(void **state)
{
	(void)state;
	assert_copy("a\x80z", "a" FFFD "z"); /* a continuation byte */
	assert_copy("\xbf", FFFD);
	assert_copy("\xc3", FFFD); /* truncated */
	assert_copy("\xc3z", FFFD "z");
	assert_copy("\xe2\x82z", FFFD "z");
	assert_copy("\xf0\x9f\x98", FFFD);
	assert_copy("\xf0\x9f\x98z", FFFD "z");
	assert_copy("\xf0\x9f\xc3\xbc", FFFD "\xc3\xbc");
	assert_copy("\xc0\xaf", FFFD FFFD); /* overlong */
	assert_copy("\xc1\xbf", FFFD FFFD);
	assert_copy("\xe0\x9f\xbf", FFFD FFFD FFFD);
	assert_copy("\xf0\x8f\xbf\xbf", FFFD FFFD FFFD FFFD);
	assert_copy("\xed\xa0\x80", FFFD FFFD FFFD);	      /* a surrogate */
	assert_copy("\xf4\x90\x80\x80", FFFD FFFD FFFD FFFD); /* beyond U+10FFFF */
	assert_copy("\xf5\x80", FFFD FFFD);
	assert_copy("\xff\xfe", FFFD FFFD);
	/* the standard's own example */
	assert_copy("\x61\xf1\x80\x80\xe1\x80\xc2\x62\x80\x63\x80\xbf\x64",
		    "a" FFFD FFFD FFFD "b" FFFD "c" FFFD FFFD "d");
}

static void test_copy_without_memory(void **state)
{
	char *copy;

	(void)state;
	untouched_fill(&copy, sizeof(copy));
	alloc_fail_at(0);
	assert_int_equal(utf8_copy("web", &copy), -ENOMEM);
	assert_true(alloc_failed());
	assert_untouched(&copy, sizeof(copy));
}

static void assert_marked(const char *text, const char *expected)
{
	char *copy = strdup(text);

	assert_int_equal(utf8_is_valid(text), strcmp(text, expected) == 0);
	utf8_mark_invalid(copy, '?');
	assert_string_equal(copy, expected);
	free(copy);
}

static void test_valid_and_marked(void **state)
{
	(void)state;
	assert_marked("", "");
	assert_marked("web-1", "web-1");
	assert_marked("\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80",
		      "\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80");
	assert_marked("a" FFFD "b", "a" FFFD "b");
	assert_marked("a" FFFD "\xff", "a" FFFD "?");
	assert_marked("\xef\xbf", "??"); /* begins as U+FFFD does */
	assert_marked("a\x80z", "a?z");
	assert_marked("\xf0\x9f\x98z", "???z");
	assert_marked("\xed\xa0\x80", "???");
}

static void test_cut(void **state)
{
	(void)state;
	assert_int_equal(utf8_cut("", 3), 0);
	assert_int_equal(utf8_cut("abc", 4), 3);
	assert_int_equal(utf8_cut("abc", 3), 3);
	assert_int_equal(utf8_cut("abc", 2), 2);
	assert_int_equal(utf8_cut("abc", 0), 0);
	assert_int_equal(utf8_cut("a\xe2\x82\xac", 4), 4);
	assert_int_equal(utf8_cut("a\xe2\x82\xac", 3), 1);
	assert_int_equal(utf8_cut("a\xe2\x82\xac", 2), 1);
	assert_int_equal(utf8_cut("\xe2\x82\xac", 2), 0);
	assert_int_equal(utf8_cut("a\xe2\x82\xac"
				  "bc",
				  5),
			 5);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),
		cmocka_unit_test(test_every_code_point),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_copy_of_what_is_none),
		cmocka_unit_test(test_copy_without_memory),
		cmocka_unit_test(test_valid_and_marked),
		cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
