/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A private BPF file system in a private mount namespace. If bpf() or mounting is refused, the
 * tests that need it are skipped.
 */
#ifndef PMDAKVM_TESTS_BPFFS_H
#define PMDAKVM_TESTS_BPFFS_H

#include "kernel/pinned_maps.h"
#include "fakes/support.h"

#define AFTER ": counters restart at 0 with the agent"

extern const char *why_not; /* why tests are skipped, or NULL */
extern char mounted[64];    /* the mount point */

/* State of a test; the teardown frees it. */
extern struct report report;
extern struct pins *pins;
extern struct trace_bpf *skeleton;

int bpffs_group_setup(void **state);
int bpffs_group_teardown(void **state);
int bpffs_setup(void **state);
int bpffs_teardown(void **state);

#define bpffs_test(test) cmocka_unit_test_setup_teardown(test, bpffs_setup, bpffs_teardown)

#define need_bpf()                                        \
	do {                                              \
		if (why_not) {                            \
			print_message("# %s\n", why_not); \
			skip();                           \
		}                                         \
	} while (0)

/* Free the state of a test, as an agent does when it ends; pins stay. */
void let_go(void);

/* Create a small array map. Returns its descriptor or a negative errno. */
int map_make(void);

/* The path of a name in the file system. The results of two consecutive calls stay valid. */
const char *on_bpffs(const char *name);

/* The report has exactly one line, path followed by words; clears the report. */
void assert_line(enum report_level level, const char *path, const char *words);

/* Open the folder "ours" of the file system as pins. */
void open_folder(void);

#endif /* PMDAKVM_TESTS_BPFFS_H */
