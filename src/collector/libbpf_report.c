// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "collector/libbpf_report.h"

#include <stdarg.h>
#include <stdio.h>

static __thread struct report *print_report;

static int print_to_report(enum libbpf_print_level level, const char *format, va_list args)
{
	char text[512];

	if (level == LIBBPF_DEBUG || !print_report)
		return 0;
	vsnprintf(text, sizeof(text), format, args);
	report_add(print_report, REPORT_DEBUG, "%s", text);
	return 0;
}

libbpf_print_fn_t libbpf_report_begin(struct report *report)
{
	print_report = report;
	return libbpf_set_print(print_to_report);
}

void libbpf_report_end(libbpf_print_fn_t callers)
{
	print_report = NULL;
	libbpf_set_print(callers);
}

struct report *libbpf_report_use(struct report *report)
{
	struct report *last = print_report;

	print_report = report;
	return last;
}
