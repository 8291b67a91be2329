/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A BPF file system of the tests' own, in a mount namespace of their own. Where
 * bpf() or mounting is refused, the tests that need it are skipped.
 */
#ifndef PMDAKVM_TESTS_BPFFS_H
#define PMDAKVM_TESTS_BPFFS_H

#include "kernel/pinned_maps.h"
#include "fakes/support.h"

#define AFTER ": counters restart at 0 with the agent"

extern const char *why_not; /* why tests are skipped; NULL: they are not */
extern char mounted[64];    /* where the file system is */

/* What a test works with; the teardown lets go of it. */
extern struct report report;
extern struct pins *pins;
extern struct bpf_object *object;

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

/* Let go of what a test works with, as an agent that ends. */
void let_go(void);

/* A small array map, or an error. */
int map_make(void);

/* The path of a thing on the file system; of two calls, each has its own. */
const char *on_bpffs(const char *name);

/* The report has this one line, "PATHWORDS", which is then taken away. */
void assert_line(enum report_level level, const char *path, const char *words);

/* Open the folder "ours" there as pins. */
void open_folder(void);

#endif /* PMDAKVM_TESTS_BPFFS_H */
