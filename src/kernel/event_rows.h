/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * One program per event: which family's program counts an event in the trace family's rows. A
 * family that has a program at an event offers to count it there, at the price of an increment;
 * then the trace family does not attach its own. Neither family knows the other.
 */
#ifndef PMDAKVM_EVENT_ROWS_H
#define PMDAKVM_EVENT_ROWS_H

#include <linux/types.h>
#include <stddef.h>

#define EVENT_SOURCES 6

/* An attached program of another family that can count. */
struct event_source {
	const char *event; /* a constant */
	__u32 *slot;	   /* where it reads which slot to count in; 0: none */
	int prog_fd;
};

struct event_rows {
	int fd; /* map of the rows; -1: nobody has rows */
	struct event_source sources[EVENT_SOURCES];
	size_t n;
	void (*changed)(void *data, const char *event); /* NULL: nobody has rows */
	void *data;
};

/* The program that offers to count an event; NULL: none. */
const struct event_source *event_rows_source(const struct event_rows *rows, const char *event);

/* Once a program is attached: offer it, in place of an earlier one. Its slot is 0. */
void event_rows_offer(struct event_rows *rows, const struct event_source *source);

/* Before it is detached. Takes an event that nobody offers. */
void event_rows_withdraw(struct event_rows *rows, const char *event);

#endif /* PMDAKVM_EVENT_ROWS_H */
