// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/sheet.h"

#include <errno.h>
#include <string.h>

int sheet_cell_text(struct sheet_cell *cell, const char *text)
{
	if (!text)
		return 0;
	cell->text = strdup(text);
	cell->present = cell->text;
	return cell->text ? 0 : -ENOMEM;
}

void sheet_cell_number(struct sheet_cell *cell, uint64_t number)
{
	cell->present = cell->is_number = true;
	cell->number = number;
}
