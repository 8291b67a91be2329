/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Convert external text to valid UTF-8, which JSON and PCP labels require. */
#ifndef PMDAKVM_UTF8_H
#define PMDAKVM_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* U+FFFD, the replacement for invalid UTF-8. */
#define UTF8_REPLACEMENT 0xfffd

/*
 * Read the character at text, which must not be empty. Returns its length in bytes. Invalid
 * UTF-8 yields U+FFFD and the length of the longest prefix of a valid character, as the
 * Unicode standard recommends.
 */
size_t utf8_read(const char *text, uint32_t *ret_code);

/* Is the text valid UTF-8? U+FFFD itself is. */
bool utf8_is_valid(const char *text);

/* Replace each invalid byte by the mark, so that the length stays. */
void utf8_mark_invalid(char *text, char mark);

/* Copy text as valid UTF-8; the caller frees the copy. Returns 0 or -ENOMEM. */
int utf8_copy(const char *text, char **ret_copy);

/* Return the length in bytes of the longest prefix of whole characters within max bytes. */
size_t utf8_cut(const char *text, size_t max);

#endif /* PMDAKVM_UTF8_H */
