// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "base/utf8.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

/* The Unicode standard's table of well-formed sequences, by the first byte. */
static const struct lead {
	unsigned char last;	 /* highest first byte of this row; it starts after the row above */
	unsigned char low, high; /* range of the second byte */
	unsigned char more;	 /* number of continuation bytes */
} leads[] = {
	{ 0x7f, 0, 0, 0 },	 /* ASCII */
	{ 0xc1, 1, 0, 1 },	 /* invalid: a continuation byte, or overlong */
	{ 0xdf, 0x80, 0xbf, 1 }, /* U+0080 */
	{ 0xe0, 0xa0, 0xbf, 2 }, /* U+0800; lower second bytes are overlong */
	{ 0xec, 0x80, 0xbf, 2 }, /* U+1000 */
	{ 0xed, 0x80, 0x9f, 2 }, /* U+D000; higher second bytes are surrogates */
	{ 0xef, 0x80, 0xbf, 2 }, /* U+E000 */
	{ 0xf0, 0x90, 0xbf, 3 }, /* U+10000; lower second bytes are overlong */
	{ 0xf3, 0x80, 0xbf, 3 }, /* U+40000 */
	{ 0xf4, 0x80, 0x8f, 3 }, /* U+100000; higher second bytes exceed U+10FFFF */
	{ 0xff, 1, 0, 1 },	 /* invalid */
};

size_t utf8_read(const char *text, uint32_t *ret_code)
{
	const unsigned char *bytes = (const unsigned char *)text;
	const struct lead *lead = leads;
	unsigned char low, high;
	uint32_t code;

	while (bytes[0] > lead->last)
		lead++;
	low = lead->low;
	high = lead->high;
	code = lead->more ? bytes[0] & (0x3f >> lead->more) : bytes[0];
	for (size_t i = 1; i <= lead->more; i++) {
		if (bytes[i] < low || bytes[i] > high) {
			*ret_code = UTF8_REPLACEMENT;
			return i;
		}
		code = code << 6 | (bytes[i] & 0x3f);
		low = 0x80;
		high = 0xbf;
	}
	*ret_code = code;
	return lead->more + 1U;
}

/* Is the character at text, of that length and code, no valid one? */
static bool is_invalid(const char *text, size_t len, uint32_t code)
{
	return code == UTF8_REPLACEMENT &&
	       (len != strlen(replacement) || memcmp(text, replacement, len) != 0);
}

bool utf8_is_valid(const char *text)
{
	uint32_t code;
	size_t len;

	for (; *text; text += len) {
		len = utf8_read(text, &code);
		if (is_invalid(text, len, code))
			return false;
	}
	return true;
}

void utf8_mark_invalid(char *text, char mark)
{
	uint32_t code;
	size_t len;

	for (; *text; text += len) {
		len = utf8_read(text, &code);
		if (is_invalid(text, len, code))
			memset(text, mark, len);
	}
}

/* Write text to to as valid UTF-8, without a NUL; to may be NULL. Returns the size in bytes. */
static size_t utf8_put(const char *text, char *to)
{
	size_t size = 0, len, put;
	const char *from;
	uint32_t code;

	for (; *text; text += len) {
		len = utf8_read(text, &code);
		from = code == UTF8_REPLACEMENT ? replacement : text;
		put = code == UTF8_REPLACEMENT ? strlen(replacement) : len;
		if (to)
			memcpy(to + size, from, put);
		size += put;
	}
	return size;
}

int utf8_copy(const char *text, char **ret_copy)
{
	size_t size = utf8_put(text, NULL);
	char *copy = malloc(size + 1);

	if (!copy)
		return -ENOMEM;
	utf8_put(text, copy);
	copy[size] = '\0';
	*ret_copy = copy;
	return 0;
}

size_t utf8_cut(const char *text, size_t max)
{
	size_t size = 0, len;
	uint32_t code;

	while (text[size]) {
		len = utf8_read(text + size, &code);
		if (size + len > max)
			break;
		size += len;
	}
	return size;
}
