/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the subcommands that print one list, such as kvmbpf vms, have in common. */
#ifndef PMDAKVM_LIST_H
#define PMDAKVM_LIST_H

#include "command/sheet.h"
#include "metrics/snapshot.h"

struct list {
	const char *command; /* the subcommand, which is also the list's name in JSON */
	const char *about;   /* what --help says of it, lines of text */
	const char *family;  /* the only family that is counted with */
	bool events;	     /* all events are attached */
	bool seconds;	     /* has option -d, which is 0 by default */
	const struct sheet_column *columns;
	size_t ncolumns;
	/*
	 * Make the rows of a sheet, which has columns already; sheet_free takes what it made.
	 * Return 0 or -ENOMEM.
	 */
	int (*sheet_make)(const struct snapshot *snapshot, struct sheet *sheet);
	void (*sheet_free)(struct sheet *sheet);
};

/* Run the subcommand: parse its options, read or load, and print. Returns an exit status. */
int list_run(const struct list *list, int argc, char **argv);

#endif /* PMDAKVM_LIST_H */
