/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * One family in a real collector, loaded into the kernel, with what KVM there is decided by the
 * test. Attaching notes the event and its program, and attaches nothing; an event is a run of its
 * program. Counts are read as a fetch reads them: from the snapshot's tables.
 */
#ifndef PMDAKVM_TESTS_BPF_FAMILY_H
#define PMDAKVM_TESTS_BPF_FAMILY_H

#include "bpf/run.h"
#include "collector/collector.h"
#include "kvm/exit_offsets.h"
#include "kvm/exit_reasons.h"

extern struct collector *collector;
extern struct config config;

/* What the family finds; the setup decides for a KVM on AMD of before Linux 5.16. */
extern struct host {
	const char *const *events; /* of this kernel, NULL-terminated */
	bool unlisted;		   /* KVM is loaded, and its events are listed nowhere */
	struct exit_layout layout;
	int layout_err; /* of reading that */
	int vendor;	/* enum reasons_isa of the vendor's module; -ENOENT: there is none */
	uint64_t stamp; /* changes as KVM is reloaded */
	unsigned refused_loads; /* how many of the next loads are refused */
	bool typed_loads;	/* the kernel's types say that it has them */
	bool atomic;		/* no thread is switched out in a program */
	char loads[64];		/* by which reads the exit family was to be loaded, in order */
	unsigned arguments;	/* of kvm_exit: a program that uses a third is refused; 0: any */
	const char *no_attach;	/* the event that cannot be attached, with attach_err */
	int attach_err;
	bool preemptible;	  /* tracepoints are; perf attaches events of config.tracefs */
	int perf_err;		  /* of attaching by perf */
	uint64_t missed;	  /* by each program */
	unsigned objects;	  /* objects that were loaded, or tried */
	enum collector_pins pins; /* argument of collector_open() */
} host;

int family_setup(void **state);
int family_teardown(void **state);

#define family_test(test) cmocka_unit_test_setup_teardown(test, family_setup, family_teardown)

/* Open the family of this name, and nothing else. */
void family_open(const char *name);

/*
 * From now on families are opened with their maps pinned, in a BPF file system of the test's own,
 * or the test is skipped. family_close() ends an agent, so that the next one can be opened.
 */
void family_pins(void);
void family_close(void);

/* A descriptor of the pinned map of this name, which the caller closes; negative: there is none. */
int family_pinned(const char *name);

/* Is there a line of the report, since the last family_open(), that has these words? */
bool family_reported(const char *words);

/* The program that is attached to an event. */
int event_program(const char *event);

/* Store to kvm.control.attached; returns its result. */
int family_switch(bool attached);

/* What the collector does once a second. */
void family_tick(void);

/* The result of the last attempt to attach, and kvm.agent.family.status. */
int family_err(void);
const char *family_status(void);

/* The attached events, in the order of attaching, separated by blanks; perf's have a "+". */
const char *attached_events(void);

/* Fire an event that must be attached. */
void fire_event(const char *event, const uint64_t *args, size_t n);

#define fire(event, ...)                                       \
	fire_event((event), (const uint64_t[]){ __VA_ARGS__ }, \
		   sizeof((const uint64_t[]){ __VA_ARGS__ }) / sizeof(uint64_t))

/* Read the collector's tables. */
void read_tables(void);

/* A value as last read; false: no such row, or the value is absent. */
bool value_of(const char *table, const char *row, const char *column, uint64_t *ret_value);

/* The value; it must be present. */
uint64_t value_at(const char *table, const char *row, const char *column);

size_t rows_of(const char *table);

/* The rows whose column "count" is not 0. */
size_t counted_rows(const char *table);

const char *row_name(const char *table, size_t row);

#endif /* PMDAKVM_TESTS_BPF_FAMILY_H */
