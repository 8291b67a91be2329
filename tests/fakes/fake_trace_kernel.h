/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The trace family with a libbpf that is a fake: its object's map is a file of rows. Perf attaches
 * kvm_pio, if anything.
 */
#ifndef PMDAKVM_TESTS_FAKE_TRACE_KERNEL_H
#define PMDAKVM_TESTS_FAKE_TRACE_KERNEL_H

#include "fakes/fake_skeleton.h"
#include "fakes/support.h"

#include "bpf/trace.h"
#include "families/family.h"

#define CPUS 4

extern const struct family_ops trace_family;

/* The fake kernel: one object with one map, trace_rows. */
struct trace_kernel {
	int map_fd, load_err;
	struct trace_row *rows; /* [CPUS], the map's memory */
	const char *fails;	/* the event that cannot be attached, with this error */
	int attach_err;
	uint64_t misses;
	unsigned closes;
	unsigned opens;
	__u8 counts[TRACE_SLOTS]; /* the programs' global data */
	bool no_perf;
	unsigned perf_opens, loads, puts;
	int kept; /* what is to be closed late; -1: nothing */
};

extern struct trace_kernel kernel;

/* The family's environment. */
extern struct events events;
extern bool present[CPUS];
extern struct event_rows shared;
extern struct snapshot snapshot;
extern struct classic_events *classic; /* NULL: nothing is attached by perf */
extern void *trace;		       /* the family's state */

/* Of a test; NULL trace is closed, too. */
int trace_setup(void **state);
int trace_teardown(void **state);

/* Open the family for these events, separated by blanks. */
void open_trace(const char *names, int err);
void attach(int err);
void open_and_attach(const char *names);

struct snapshot_table *sync_table(const char *name);

/* After a sync the table has these columns, and rows "NUMBER NAME VALUE ..."; "-": absent. */
void assert_table(const char *name, const char *columns, const char *expected);

#define trace_test(test) cmocka_unit_test_setup_teardown(test, trace_setup, trace_teardown)

#endif /* PMDAKVM_TESTS_FAKE_TRACE_KERNEL_H */
