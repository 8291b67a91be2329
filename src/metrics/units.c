// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "metrics/units.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

static const char *const semantics_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_INSTANT] = "instant",
	[METRIC_DISCRETE] = "discrete",
	[METRIC_BY_COLUMN] = "by column",
};

static const char *const units_names[] = {
	[METRIC_NONE] = "",
	[METRIC_COUNT] = "count",
	[METRIC_NSEC] = "ns",
	[METRIC_BYTES] = "byte",
};

const char *metric_semantics_name(enum metric_semantics semantics)
{
	return semantics_names[semantics];
}

const char *metric_units_name(enum metric_units units)
{
	return units_names[units];
}

static int name_parse(const char *const *names, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], name) == 0)
			return (int)i;
	}
	return -EINVAL;
}

int metric_semantics_parse(const char *name, enum metric_semantics *ret_semantics)
{
	int found = name_parse(semantics_names, METRIC_BY_COLUMN, name);

	if (found < 0)
		return found;
	*ret_semantics = (enum metric_semantics)found;
	return 0;
}

int metric_units_parse(const char *name, enum metric_units *ret_units)
{
	int found = name_parse(units_names, sizeof(units_names) / sizeof(units_names[0]), name);

	if (found < 0)
		return found;
	*ret_units = (enum metric_units)found;
	return 0;
}
