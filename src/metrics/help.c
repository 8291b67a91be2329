// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "metrics/help.h"

#include <string.h>

const struct help *help_of(const char *name)
{
	for (size_t i = 0; i < helps_count; i++) {
		if (strcmp(helps[i].name, name) == 0)
			return &helps[i];
	}
	return NULL;
}
