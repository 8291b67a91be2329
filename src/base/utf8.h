/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Text from outside as UTF-8, which JSON and PCP's labels have to be.
 */
#ifndef PMDAKVM_UTF8_H
#define PMDAKVM_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* U+FFFD, which stands for what is no UTF-8. */
#define UTF8_REPLACEMENT 0xfffd

/*
 * Read the character at text, which must not be at its end. Returns its length in bytes;
 * for what is no UTF-8, U+FFFD and the length of as much as could begin a character, as
 * the Unicode standard advises.
 */
size_t utf8_read(const char *text, uint32_t *ret_code);

/* A copy of text as valid UTF-8, to be freed. Returns 0 or -ENOMEM. */
int utf8_copy(const char *text, char **ret_copy);

/* The length of text, or of as many whole characters as max bytes hold. */
size_t utf8_cut(const char *text, size_t max);

#endif /* PMDAKVM_UTF8_H */
