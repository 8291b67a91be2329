/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What went wrong or is worth knowing, as lines of text. The library never
 * prints: it adds lines to a report, and the program that called it shows them
 * in its own way.
 */
#ifndef PMDAKVM_REPORT_H
#define PMDAKVM_REPORT_H

#include <stddef.h>

enum report_level {
	REPORT_DEBUG, /* for who debugs the library itself, libbpf's words too */
	REPORT_INFO,
	REPORT_WARNING,
};

struct report_line {
	enum report_level level;
	char *text; /* one line, without the newline */
};

struct report {
	struct report_line *lines;
	size_t n;
	size_t dropped; /* lines lost because there was no memory for them */
};

/*
 * Add one line. Control characters in what the format brings in are shown as
 * '?', so that a line stays one line. Never fails: a line that finds no memory
 * is counted in dropped.
 */
void report_add(struct report *report, enum report_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Free the lines; the report is empty afterwards and may be used again. */
void report_clear(struct report *report);

#endif /* PMDAKVM_REPORT_H */
