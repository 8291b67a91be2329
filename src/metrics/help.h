/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The help texts of the file help, by metric; tools/help.awk generates the array at build time. */
#ifndef PMDAKVM_HELP_H
#define PMDAKVM_HELP_H

#include <stddef.h>

struct help {
	const char *name;
	const char *oneline;
	const char *text; /* lines separated by newlines; "" if there are none */
};

extern const struct help helps[];
extern const size_t helps_count;

/* The help text of the metric of that name, or NULL. */
const struct help *help_of(const char *name);

#endif /* PMDAKVM_HELP_H */
