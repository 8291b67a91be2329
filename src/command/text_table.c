// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/text_table.h"

#include <errno.h>
#include <stdlib.h>

struct libscols_table *text_table_new(FILE *file)
{
	struct libscols_table *table;

	scols_init_debug(0);
	table = scols_new_table();
	if (table)
		scols_table_set_stream(table, file);
	return table;
}

int text_table_take(struct libscols_line *line, size_t column, char *text)
{
	int err = scols_line_refer_data(line, column, text); /* on success it owns text */

	if (err)
		free(text);
	return err;
}

int text_table_written(FILE *file)
{
	errno = 0;
	if (fflush(file) || ferror(file))
		return errno ? -errno : -EIO;
	return 0;
}
