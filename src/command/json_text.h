/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Write JSON whose integers are unsigned and have 64 bits. */
#ifndef PMDAKVM_JSON_TEXT_H
#define PMDAKVM_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/*
 * A document that is written as it is made, so that no more of it than a value is in memory: a
 * member or element a line. Writing needs no memory; ferror() tells whether it has failed. One
 * whose making has failed is not ended, so that nobody takes it for whole.
 */
struct json_writer {
	FILE *file;
	int depth; /* of what is open */
	bool some; /* the innermost has an element */
};

/* Begin an object, "{", or an array, "[". key: of it in the object that is open; NULL: none. */
void json_begin(struct json_writer *writer, const char *key, char bracket);

/*
 * Write a value made of objects, arrays, strings and integers as an element, and drop the reference
 * to it. jansson's integers are signed: the bits of each are written as a uint64_t. Returns 0, or
 * -ENOMEM if it is NULL.
 */
int json_put(struct json_writer *writer, const char *key, json_t *value);

/* End what was begun last, with "}" or "]". */
void json_end(struct json_writer *writer, char bracket);

#endif /* PMDAKVM_JSON_TEXT_H */
