/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* libbpf's messages as lines of a report: its print function takes no user data. */
#ifndef PMDAKVM_LIBBPF_REPORT_H
#define PMDAKVM_LIBBPF_REPORT_H

#include <bpf/libbpf.h>

#include "base/report.h"

/*
 * From now on libbpf's messages, but for those for debugging, are added to the report if they are
 * of this thread. Returns the caller's print function, for libbpf_report_end(), which restores it.
 */
libbpf_print_fn_t libbpf_report_begin(struct report *report);
void libbpf_report_end(libbpf_print_fn_t callers);

/* In between: those of this thread go to another report. NULL: nowhere. Returns the last one. */
struct report *libbpf_report_use(struct report *report);

#endif /* PMDAKVM_LIBBPF_REPORT_H */
