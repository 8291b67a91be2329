/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Reports: warnings and information as lines of text. The library never prints; it adds lines
 * to a report, which the calling program prints or logs.
 */
#ifndef PMDAKVM_REPORT_H
#define PMDAKVM_REPORT_H

#include <stdarg.h>
#include <stddef.h>

enum report_level {
	REPORT_DEBUG, /* for debugging the library; includes libbpf's messages */
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
	size_t dropped; /* lines lost for lack of memory */
};

/*
 * Add one line. Control characters in the formatted text are replaced by '?', so a line stays
 * one line. Never fails: a line without memory is counted in dropped.
 */
void report_add(struct report *report, enum report_level level, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * The same about a place in a file, which the line begins with: "PATH:LINE: ", or "PATH: " if
 * line is 0.
 */
void report_vadd_at(struct report *report, enum report_level level, const char *path, unsigned line,
		    const char *format, va_list args) __attribute__((format(printf, 5, 0)));

/* Move all lines of another report behind those of this one; it is empty afterwards. */
void report_move(struct report *report, struct report *from);

/* Free all lines. The report is empty afterwards and can be reused. */
void report_clear(struct report *report);

#endif /* PMDAKVM_REPORT_H */
