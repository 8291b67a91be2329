/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Fake families in place of the real ones, and fake CPUs and events. */
#ifndef PMDAKVM_TESTS_FAKES_H
#define PMDAKVM_TESTS_FAKES_H

#include <bpf/libbpf.h>

#include "collector/collector.h"
#include "fakes/support.h"

enum { ALPHA, BETA, GAMMA, DELTA, FAKES };

/* A fake family: the results of its hooks, and counts of their calls. */
struct fake {
	int open_err, attach_err, sync_err, read_err, missed_err;
	const char *error, *attach_error; /* texts of open_err and attach_err */
	const char *said;		  /* a warning that attach adds to the report */
	bool no_state;
	uint64_t missed, generation;
	size_t more_rows, more_columns; /* in addition to each table's first row and column */
	void (*when_opened)(const struct family_env *env);
	void (*when_attached)(const struct family_env *env);
	struct family_env env;
	unsigned opens, attaches, detaches, closes, syncs, reads[2];
	/* The results of the hooks of fake_hooks(), and counts of their calls. */
	int refresh_ret;
	const struct map_usage *maps;
	size_t nmaps;
	unsigned refreshes, ticks;
	uint64_t wanted;       /* tables of its own, at the last refresh */
	unsigned reads_before; /* fake_reads() at the last refresh */
};

extern struct fake fakes[FAKES];

/* Give alpha other tables, until the next setup. */
void fake_alpha_tables(const struct table *tables, size_t n);

/* Give a family the optional hooks refresh, tick and map, until the next setup. */
void fake_hooks(size_t family);

/* Have a family be attached after the others, until the next setup. */
void fake_last(size_t family);

/* The number of table reads, over all families. */
unsigned fake_reads(void);

/* Functions of a table with a column "reads", which counts the fills of the table. */
int fake_columns(void *state, const struct table *table, struct snapshot_table *to);
int fake_keys(void *state, const struct owner *owner, struct table_sync *sync);
int fake_fill(void *state, const struct table_row *row);

/* A table with these functions. */
#define FAKE_TABLE(table_name) \
	.name = (table_name), .make_columns = fake_columns, .keys = fake_keys, .fill = fake_fill

/* The fake machine: results of the calls to it, and counts of these calls. */
extern struct machine {
	int cpus_err, events_err, pins_err, update_ret;
	bool preemptible; /* what tracepoints_preemptible() says */
	unsigned asked;	  /* how often */
	bool pin;	  /* arguments of collector_open() */
	struct instance_numbers *numbers;
	const char *tracefs; /* of its configuration; NULL: "/its/tracefs" */
	bool no_kvm;	     /* the list of events is empty */
	uint64_t stamp;
	struct kernel_types *types; /* of the last search for events */
	bool types_open;	    /* they were not closed since */
	unsigned closes;	    /* how often they were */
	unsigned updates, finds, pins_opens, pins_closes, register_attaches;
} machine;

extern struct config config;
extern struct items items;
extern struct report report;
extern struct collector *collector;

/* Setup: all families work. Teardown: checks that each opened family was closed exactly once. */
int fake_setup(void **state);
int fake_teardown(void **state);

#define fake_test(test) cmocka_unit_test_setup_teardown(test, fake_setup, fake_teardown)

void open_all(void);

/* collector_open() fails with this error and leaves nothing open. */
void assert_open_fails(int err);

/* The cell of this table, row and column in the collector's snapshot. */
struct snapshot_cell *cell_at(const char *table, size_t row, const char *column);

/* Print a message through libbpf's current print function. */
int say_as_libbpf(enum libbpf_print_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif /* PMDAKVM_TESTS_FAKES_H */
