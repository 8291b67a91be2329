/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Files of instance numbers, as tests see them. The day, hashes and system calls are the test's:
 * a text that begins "=" and 16 hexadecimal digits has that hash.
 */
#ifndef PMDAKVM_TESTS_FAKE_NUMBERS_H
#define PMDAKVM_TESTS_FAKE_NUMBERS_H

#include "fakes/support.h"
#include "metrics/instance_file.h"
#include "metrics/instance_numbers.h"

#define NUMBERS_HEADER 4096

/* Names of one hash number, 7. */
#define FIRST  "=0000000100000007"
#define SECOND "=0000000200000007"
#define THIRD  "=0000000300000007"

extern struct fake_numbers {
	unsigned day;	    /* 0: the clock's */
	int read_error;	    /* reads fail */
	int write_error;    /* writes fail */
	size_t write_short; /* writes end after so many bytes; 0: they do not */
	unsigned writes;    /* that were tried */
	size_t written;	    /* bytes */
	const char *rename; /* at the next lock: rename this file to "store" first */
} fake_numbers;

/* work_setup, with no fault set. */
int numbers_setup(void **state);
#define numbers_test(test) cmocka_unit_test_setup_teardown(test, numbers_setup, work_teardown)

/* Open "store"; no line is reported, or this one. */
struct instance_numbers *numbers_open(size_t names);
struct instance_numbers *numbers_open_line(size_t names, enum report_level level, const char *text);

uint32_t numbers_take(struct instance_numbers *numbers, const char *name);
struct instance_numbers_stats numbers_stats(const struct instance_numbers *numbers);

/* Take a name and release it: it is remembered. */
uint32_t numbers_meet(struct instance_numbers *numbers, const char *name);

/* A file's bytes; text of any size. */
unsigned char *file_bytes(const char *path, size_t *ret_size);

/* The place in "store" of the valid record of this number; 0: there is none. */
size_t record_find(uint32_t number);

/* How many records of "store" are neither valid nor all zeros; with this number of sets. */
size_t records_invalid(uint32_t sets);

#endif /* PMDAKVM_TESTS_FAKE_NUMBERS_H */
