// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "base/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void report_add(struct report *report, enum report_level level, const char *format, ...)
{
	struct report_line *lines;
	char *text = NULL;
	va_list args;
	int len;

	va_start(args, format);
	len = vasprintf(&text, format, args);
	va_end(args);
	if (len < 0) {
		report->dropped++;
		return;
	}
	while (len > 0 && text[len - 1] == '\n')
		text[--len] = '\0';
	for (char *p = text; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	}
	lines = reallocarray(report->lines, report->n + 1, sizeof(*lines));
	if (!lines) {
		free(text);
		report->dropped++;
		return;
	}
	report->lines = lines;
	report->lines[report->n++] = (struct report_line){ level, text };
}

void report_vadd_at(struct report *report, enum report_level level, const char *path, unsigned line,
		    const char *format, va_list args)
{
	char *text, number[16] = "";

	if (vasprintf(&text, format, args) < 0) {
		report->dropped++;
		return;
	}
	if (line)
		snprintf(number, sizeof(number), ":%u", line);
	report_add(report, level, "%s%s: %s", path, number, text);
	free(text);
}

void report_move(struct report *report, struct report *from)
{
	struct report_line *lines =
		from->n ? reallocarray(report->lines, report->n + from->n, sizeof(*lines)) : NULL;

	report->dropped += from->dropped;
	if (lines) {
		memcpy(lines + report->n, from->lines, from->n * sizeof(*lines));
		report->lines = lines;
		report->n += from->n;
		from->n = 0; /* the texts have moved */
	} else {
		report->dropped += from->n;
	}
	report_clear(from);
}

void report_clear(struct report *report)
{
	for (size_t i = 0; i < report->n; i++)
		free(report->lines[i].text);
	free(report->lines);
	*report = (struct report){ 0 };
}
