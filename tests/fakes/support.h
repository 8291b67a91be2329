/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Helpers that all unit tests share: files, reports, kvm.conf, failing allocations. */
#ifndef PMDAKVM_TESTS_SUPPORT_H
#define PMDAKVM_TESTS_SUPPORT_H

/* cmocka.h needs these includes before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdio.h>

#include "base/config.h"
#include "metrics/snapshot.h"
#include "base/report.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Setup and teardown of a test that needs files: the test's working directory is a new empty
 * folder below $TMPDIR or /tmp. The teardown fails if the test left a file descriptor open.
 */
int work_setup(void **state);
int work_teardown(void **state);

/* A test in its own folder. */
#define work_test(test) cmocka_unit_test_setup_teardown(test, work_setup, work_teardown)

void write_bytes(const char *path, const void *bytes, size_t size);
void write_text(const char *path, const char *text);
char *read_text(const char *path);

/* Create a folder and its parents. */
void make_folders(const char *path);

/* Fill an output with a pattern; check later that a failed call left it untouched. */
void untouched_fill(void *output, size_t size);
void assert_untouched(const void *output, size_t size);

/* The report has exactly these warnings, in this order; texts is NULL-terminated. */
void assert_warnings(const struct report *report, const char *const *texts);

/* The report has exactly this warning. */
void assert_warning(const struct report *report, const char *text);

/* Load a kvm.conf with these bytes into a new config and report; free both. */
void load_config(const char *text, size_t size, struct report *report, struct config *config);
void unload_config(struct report *report, struct config *config);

/* The configuration has exactly these events, in this order, separated by blanks. */
void assert_config_events(const struct config *config, const char *names);

/*
 * A file that accepts room bytes and then fails with errno err; a file that returns this text
 * and then fails with errno err.
 */
FILE *open_failing_writer(size_t room, int err);
FILE *open_failing_reader(const char *text, int err);

/* Close descriptor 0, so that the next open returns it; restore it. */
int descriptor_0_free(void);
void descriptor_0_restore(int saved);

/*
 * Make the nth allocation (0: the next) of our own code fail. alloc_failed() disarms this, and
 * returns whether that allocation was reached.
 */
void alloc_fail_at(unsigned n);
bool alloc_failed(void);

/* For a test's own allocator: count an allocation; returns whether it must fail. */
bool alloc_fails(void);

/* Load a snapshot from a text in memory; returns as snapshot_load() does. */
int snapshot_bytes_load(const char *text, size_t size, struct snapshot *snapshot, unsigned *line);

#endif /* PMDAKVM_TESTS_SUPPORT_H */
