/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the unit tests share. */
#ifndef PMDAKVM_TESTS_SUPPORT_H
#define PMDAKVM_TESTS_SUPPORT_H

/* cmocka.h needs these before it. */
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
 * Setup and teardown of a test that needs files: it runs in an empty folder of its
 * own below $TMPDIR or /tmp, so that a file's name needs no folder before it. The
 * teardown fails if the test left a file descriptor open.
 */
int work_setup(void **state);
int work_teardown(void **state);

/* A test in such a folder. */
#define work_test(test) cmocka_unit_test_setup_teardown(test, work_setup, work_teardown)

void write_bytes(const char *path, const void *bytes, size_t size);
void write_text(const char *path, const char *text);
char *read_text(const char *path);

/* Make a folder, and those that it is in. */
void make_folders(const char *path);

/* Fill an output with bytes; later: is it as it was? */
void untouched_fill(void *output, size_t size);
void assert_untouched(const void *output, size_t size);

/* The report has these warnings, in this order, and no other line. A NULL ends them. */
void assert_warnings(const struct report *report, const char *const *texts);

/* The same with a single warning. */
void assert_warning(const struct report *report, const char *text);

/* Load a file kvm.conf of these bytes, with a report of its own; let go of both. */
void load_config(const char *text, size_t size, struct report *report, struct config *config);
void unload_config(struct report *report, struct config *config);

/* The configuration has these events, in this order. */
void assert_config_events(const struct config *config, const char *names);

/*
 * A file that takes this many bytes and then fails with -err; one that gives this
 * text and then fails.
 */
FILE *open_failing_writer(size_t room, int err);
FILE *open_failing_reader(const char *text, int err);

/* Make 0 the next descriptor that is opened; put back what it was. */
int descriptor_0_free(void);
void descriptor_0_restore(int saved);

/*
 * Let the nth allocation (0: the next) that our own code makes fail. alloc_failed
 * ends that, and says if it came so far.
 */
void alloc_fail_at(unsigned n);
bool alloc_failed(void);

/* For what a test replaces itself: count an allocation, and say if it is to fail. */
bool alloc_fails(void);

/* Load a snapshot from a text in memory; returns as snapshot_load. */
int snapshot_bytes_load(const char *text, size_t size, struct snapshot *snapshot, unsigned *line);

#endif /* PMDAKVM_TESTS_SUPPORT_H */
