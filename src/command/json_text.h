/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Write JSON whose integers are unsigned and have 64 bits. */
#ifndef PMDAKVM_JSON_TEXT_H
#define PMDAKVM_JSON_TEXT_H

#include <jansson.h>
#include <stdio.h>

/*
 * Write a value made of objects, arrays, strings and integers, a member or element a line.
 * jansson's integers are signed: the bits of each are written as a uint64_t. Needs no memory;
 * ferror() tells whether writing has failed.
 */
void json_text_write(const json_t *value, FILE *file);

#endif /* PMDAKVM_JSON_TEXT_H */
