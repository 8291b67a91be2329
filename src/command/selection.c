// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/selection.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kvm/exit_reasons.h"
#include "metrics/snapshot_copy.h"

/* The table with a column for each event. */
#define EVENTS "trace"

/* The table with the thread of each vCPU. */
#define THREADS "vcpu_thread"

/* What a pattern is of: the label or column that has it, and what people call it. */
static const struct {
	const char *label;
	const char *what;
	const char *hint;
} kinds[SELECTION_BYS] = {
	[BY_VM] = { "vm", "VM", "kvmbpf vms lists them" },
	[BY_PID] = { "pid", "process of a VM", "kvmbpf vms lists them" },
	[BY_TID] = { "tid", "thread of a vCPU", "kvmbpf dump -m kvm.vcpu.tid lists them" },
	[BY_VCPU] = { "vcpu", "vCPU", "kvmbpf vms shows how many each VM has" },
	[BY_REASON] = { "reason", "exit reason", "kvmbpf dump shows those that occur" },
	[BY_CAUSE] = { "cause", "cause", "kvmbpf dump shows those that occur" },
	[BY_EVENT] = { "event", "event", "kvmbpf events lists them" },
};

int selection_init(struct selection *selection, size_t room)
{
	*selection = (struct selection){ 0 };
	for (size_t i = 0; i < SELECTION_BYS; i++) {
		selection->patterns[i] = calloc(room + 1, sizeof(*selection->patterns[i]));
		if (!selection->patterns[i]) {
			selection_free(selection);
			return -ENOMEM;
		}
	}
	return 0;
}

void selection_free(struct selection *selection)
{
	for (size_t i = 0; i < SELECTION_BYS; i++)
		free(selection->patterns[i]);
	*selection = (struct selection){ 0 };
}

/* Parse the next of NUMBER[-NUMBER][,...]. Returns 1, 0 at the end, or -EINVAL. */
static int range_next(const char **text, uint64_t *ret_first, uint64_t *ret_last)
{
	char *end;

	if (!**text)
		return 0;
	if (!strchr("0123456789", **text))
		return -EINVAL;
	errno = 0;
	*ret_first = *ret_last = strtoull(*text, &end, 10);
	if (*end == '-' && end[1] && strchr("0123456789", end[1]))
		*ret_last = strtoull(end + 1, &end, 10);
	if (errno || *ret_last < *ret_first || (*end && (*end != ',' || !end[1])))
		return -EINVAL;
	*text = *end ? end + 1 : end;
	return 1;
}

static bool number_matches(const char *pattern, uint64_t number)
{
	uint64_t first, last;

	while (range_next(&pattern, &first, &last) > 0) {
		if (number >= first && number <= last)
			return true;
	}
	return false;
}

static bool is_ranges(const char *text)
{
	uint64_t first, last;
	int ret = *text ? 1 : -EINVAL;

	while (ret > 0)
		ret = range_next(&text, &first, &last);
	return ret == 0;
}

bool selection_is_of_numbers(enum selection_by by)
{
	return by == BY_PID || by == BY_TID || by == BY_VCPU;
}

int selection_add(struct selection *selection, enum selection_by by, const char *pattern)
{
	if (!*pattern || (selection_is_of_numbers(by) && !is_ranges(pattern)))
		return -EINVAL;
	selection->patterns[by][selection->n[by]++] = pattern;
	return 0;
}

bool selection_is_of_vms(const struct selection *selection)
{
	for (size_t i = 0; i < SELECTION_BYS; i++) {
		if (i != BY_EVENT && selection->n[i])
			return true;
	}
	return selection->slower;
}

static const struct label *label_find(const struct snapshot_row *row, const char *key)
{
	const struct labels *sets[] = { row->own, row->labels };

	for (size_t i = 0; i < 2; i++) {
		for (size_t j = 0; sets[i] && j < sets[i]->n; j++) {
			if (strcmp(sets[i]->list[j].key, key) == 0)
				return &sets[i]->list[j];
		}
	}
	return NULL;
}

/* Does a VM's instance name, which may be followed by a vCPU's, match? */
static bool instance_matches(const char *pattern, const struct snapshot_row *row)
{
	const struct label *vcpu = label_find(row, "vcpu");
	char *name = strndup(row->name, row->owner_bytes), *cut;
	bool matches;

	if (!name)
		return false;
	cut = vcpu ? strstr(name, "::vcpu") : NULL;
	if (cut)
		*cut = '\0';
	matches = fnmatch(pattern, name, 0) == 0;
	free(name);
	return matches;
}

/* A slow exit's reason and cause are values, as is a vCPU's thread. */
static bool cell_matches(const struct snapshot_table *table, size_t row, enum selection_by by,
			 const char *pattern)
{
	int column = snapshot_table_column(table, kinds[by].label);
	const struct snapshot_cell *cell = column < 0 ?
						   NULL :
						   snapshot_table_cell(table, row, (size_t)column);

	if (!cell || !cell->present)
		return false;
	if (selection_is_of_numbers(by))
		return !cell->text && number_matches(pattern, cell->number);
	return cell->text && fnmatch(pattern, cell->text, by == BY_REASON ? FNM_CASEFOLD : 0) == 0;
}

/* Reasons are names in capitals on Intel and in small letters on AMD: either is taken. */
static bool row_matches(const struct snapshot_table *table, size_t at, enum selection_by by,
			const char *pattern)
{
	const struct snapshot_row *row = &table->rows[at];
	const struct label *label = label_find(row, kinds[by].label);

	if (!label)
		return cell_matches(table, at, by, pattern);
	if (selection_is_of_numbers(by))
		return !label->text && number_matches(pattern, label->number);
	if (label->text && fnmatch(pattern, label->text, by == BY_REASON ? FNM_CASEFOLD : 0) == 0)
		return true;
	return by == BY_VM && instance_matches(pattern, row);
}

static bool row_matches_any(const struct selection *selection, const struct snapshot_table *table,
			    size_t row, enum selection_by by)
{
	for (size_t i = 0; i < selection->n[by]; i++) {
		if (row_matches(table, row, by, selection->patterns[by][i]))
			return true;
	}
	return false;
}

/* The rows to keep, and the vCPUs of the chosen threads: no other table has these. */
struct kept {
	const struct selection *selection;
	char **vcpus; /* [nvcpus] their names */
	size_t nvcpus;
};

static bool is_of_vcpus(const struct kept *kept, const struct snapshot_row *row)
{
	for (size_t i = 0; i < kept->nvcpus; i++) {
		if (strlen(kept->vcpus[i]) == row->owner_bytes &&
		    strncmp(kept->vcpus[i], row->name, row->owner_bytes) == 0)
			return true;
	}
	return false;
}

static bool row_is_kept(const struct snapshot_table *table, size_t row, void *data)
{
	const struct kept *kept = data;

	for (size_t by = 0; by < SELECTION_BYS; by++) {
		if (!kept->selection->n[by])
			continue;
		if (by == BY_TID ? !is_of_vcpus(kept, &table->rows[row]) :
				   !row_matches_any(kept->selection, table, row, by))
			return false;
	}
	return true;
}

/* Copy the names of the chosen threads' vCPUs, whose rows may go. Returns 0 or -ENOMEM. */
static int vcpus_of_threads(const struct selection *selection, const struct snapshot *snapshot,
			    struct kept *kept)
{
	const struct snapshot_table *table = snapshot_find_table(snapshot, THREADS);

	if (!table || !selection->n[BY_TID])
		return 0;
	kept->vcpus = calloc(table->nrows + 1, sizeof(*kept->vcpus));
	for (size_t row = 0; kept->vcpus && row < table->nrows; row++) {
		if (!row_matches_any(selection, table, row, BY_TID))
			continue;
		kept->vcpus[kept->nvcpus] = strdup(table->rows[row].name);
		if (!kept->vcpus[kept->nvcpus])
			return -ENOMEM;
		kept->nvcpus++;
	}
	return kept->vcpus ? 0 : -ENOMEM;
}

static bool column_matches(const struct snapshot_table *table, const char *pattern)
{
	for (size_t column = 0; column < table->ncolumns; column++) {
		if (fnmatch(pattern, table->columns[column].name, 0) == 0)
			return true;
	}
	return false;
}

static bool is_matched(const struct snapshot *snapshot, enum selection_by by, const char *pattern)
{
	for (size_t i = 0; i < snapshot->ntables; i++) {
		const struct snapshot_table *table = snapshot->tables[i];

		if (by == BY_EVENT && strcmp(table->name, EVENTS) == 0 &&
		    column_matches(table, pattern))
			return true;
		for (size_t row = 0; row < table->nrows; row++) {
			if (row_matches(table, row, by, pattern))
				return true;
		}
	}
	return false;
}

static bool is_reason(const char *pattern)
{
	for (enum reasons_isa isa = 0; isa < REASONS_ISAS; isa++) {
		size_t n;
		const struct reason *list = reasons_list(isa, &n);

		for (size_t i = 0; i < n; i++) {
			if (fnmatch(pattern, list[i].name, FNM_CASEFOLD) == 0)
				return true;
		}
	}
	return false;
}

bool selection_unknown(const struct selection *selection, const struct snapshot *snapshot)
{
	bool unknown = false;

	for (size_t by = 0; by < SELECTION_BYS; by++) {
		for (size_t i = 0; i < selection->n[by]; i++) {
			const char *pattern = selection->patterns[by][i];

			if (is_matched(snapshot, by, pattern) ||
			    (by == BY_REASON && is_reason(pattern)))
				continue;
			fprintf(stderr, "kvmbpf: no %s matches \"%s\"; %s\n", kinds[by].what,
				pattern, kinds[by].hint);
			unknown = true;
		}
	}
	return unknown;
}

/* The events' own counts are columns, by CPU. */
static void events_apply(const struct selection *selection, struct snapshot_table *table)
{
	for (size_t column = 0; column < table->ncolumns; column++) {
		bool matches = false;

		for (size_t i = 0; !matches && i < selection->n[BY_EVENT]; i++)
			matches = fnmatch(selection->patterns[BY_EVENT][i],
					  table->columns[column].name, 0) == 0;
		for (size_t row = 0; !matches && row < table->nrows; row++)
			snapshot_cell_unset(snapshot_table_cell(table, row, column));
	}
}

int selection_apply(const struct selection *selection, struct snapshot *snapshot)
{
	struct kept kept = { .selection = selection };
	int err = vcpus_of_threads(selection, snapshot, &kept);
	size_t n = 0;

	for (size_t by = 0; by < SELECTION_BYS; by++)
		n += selection->n[by];
	for (size_t i = 0; !err && n && i < snapshot->ntables; i++) {
		struct snapshot_table *table = snapshot->tables[i];

		if (selection->n[BY_EVENT] == n && strcmp(table->name, EVENTS) == 0)
			events_apply(selection, table);
		else
			snapshot_table_keep(table, row_is_kept, &kept);
	}
	for (size_t i = 0; i < kept.nvcpus; i++)
		free(kept.vcpus[i]);
	free(kept.vcpus);
	return err;
}
