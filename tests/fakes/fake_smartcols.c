// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_smartcols.h"

#include <errno.h>

#include "fakes/support.h"

#define WRAP(type, name, parameters, arguments, failed)                    \
	type __real_##name parameters;                                     \
	type __wrap_##name parameters;                                     \
	type __wrap_##name parameters                                      \
	{                                                                  \
		return alloc_fails() ? (failed) : __real_##name arguments; \
	}

WRAP(struct libscols_table *, scols_new_table, (void), (), NULL)
WRAP(struct libscols_column *, scols_table_new_column,
     (struct libscols_table * table, const char *name, double width, int flags),
     (table, name, width, flags), NULL)
WRAP(struct libscols_line *, scols_table_new_line,
     (struct libscols_table * table, struct libscols_line *parent), (table, parent), NULL)
WRAP(int, scols_line_refer_data, (struct libscols_line * line, size_t n, char *data),
     (line, n, data), -ENOMEM)
WRAP(int, scols_line_set_data, (struct libscols_line * line, size_t n, const char *data),
     (line, n, data), -ENOMEM)
