/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What the fuzzers have in common. A fuzzer is LLVMFuzzerTestOneInput() of libFuzzer. Beside what
 * the sanitizers find, it checks what the function's header promises.
 */
#ifndef PMDAKVM_TESTS_FUZZ_H
#define PMDAKVM_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A promise that was broken ends the fuzzer, which then keeps the input. */
#define promise(condition)                                                                      \
	do {                                                                                    \
		if (!(condition)) {                                                             \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition); \
			abort();                                                                \
		}                                                                               \
	} while (0)

/*
 * The path of NAME in a folder of this process's own, which is removed at exit; NAME may hold one
 * "/". The path is good until the next call.
 */
const char *fuzz_path(const char *name);

/* Write the bytes to the file NAME there. Returns its path, as fuzz_path(). */
const char *fuzz_file(const char *name, const uint8_t *data, size_t size);

/* The bytes as a string, which the caller frees; it ends at the first NUL. */
char *fuzz_string(const uint8_t *data, size_t size);

/*
 * Take two bytes, a length, and then as many bytes as that, or what is left. Returns them, moves
 * data and size past them, and stores their number.
 */
const uint8_t *fuzz_take(const uint8_t **data, size_t *size, size_t *ret_taken);

/* Is this valid UTF-8? Written after the standard's table of well-formed sequences. */
int fuzz_is_utf8(const char *text);

#endif /* PMDAKVM_TESTS_FUZZ_H */
