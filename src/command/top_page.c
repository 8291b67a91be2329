// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/top_page.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char host_keys[] =
	"Enter VM  s sort  / filter  d delay  space pause  r base  x detail  h help  q";
static const char vm_keys[] =
	"Esc back  Tab section  s sort  / filter  space pause  r base  h help  q quit";

static const char *const help[] = {
	"Keys of kvmbpf top",
	"",
	"  arrows, PgUp, PgDn, Home, End  move among VMs, or in a VM's section",
	"  Enter, Esc    the VM's screen, and back to the host's",
	"  Tab           the next section of a VM's screen: vCPUs, reasons, causes, slow",
	"  s S, < >      sort by the next column, the one before (left, right arrow)",
	"  /             show only what has these words, or matches *?[]; c: show all",
	"  d             seconds between two screens",
	"  space         pause; again: go on",
	"  r             rates from now on, not of the last interval; again: undo",
	"  x             numbers with all their digits",
	"  h ?, q        this page, quit",
	"",
	"\"-\" cannot be told, 0 is measured. Shares are per cent of the vCPUs' time: in the",
	"guest, KVM, the VMM; halted; ready, waiting for a CPU; unknown.",
	"As in kvm_stat: c f g h o p q r x. Not as there: s sorts and d sets the delay;",
	"b (by guest) does nothing, since all is by guest.",
	"",
	"Any key goes back.",
};

void top_page_free(struct top_page *page)
{
	free(page->lines);
	*page = (struct top_page){ 0 };
}

/* The next line, empty; NULL: no memory. */
static struct grid_line *line_add(struct top_page *page)
{
	struct grid_line *line;

	if (page->n == page->room) {
		size_t room = page->room ? 2 * page->room : 32;

		line = reallocarray(page->lines, room, sizeof(*line));
		if (!line)
			return NULL;
		page->lines = line;
		page->room = room;
	}
	line = &page->lines[page->n++];
	line->text[0] = '\0';
	line->nmarks = 0;
	return line;
}

static int text_add(struct top_page *page, int width, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static int text_add(struct top_page *page, int width, const char *format, ...)
{
	struct grid_line *line = line_add(page);
	char text[GRID_LINE];
	size_t bytes;
	va_list args;

	if (!line)
		return -ENOMEM;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	grid_fit(text, width, line->text, GRID_LINE, &bytes);
	while (bytes && line->text[bytes - 1] == ' ')
		bytes--;
	line->text[bytes] = '\0';
	return 0;
}

/* --- headers --- */

/* A number or "-". The result is valid until the fourth call from now. */
static const char *shown(const struct grid_cell *cell, enum grid_format format, bool exact)
{
	static char texts[8][GRID_NUMBER];
	static unsigned next;
	char *text = texts[next++ % 8];

	if (!cell->known)
		return "-";
	grid_number_text(format, cell->number, exact, text);
	return text;
}

/* A line with a part at its right end; where both have no room, the left one is cut. */
static int split_add(struct top_page *page, int width, const char *left, const char *right)
{
	char fitted[GRID_LINE];
	size_t bytes;
	int room = width - (int)strlen(right) - 1, used;

	if (room < 12)
		return text_add(page, width, "%s", left);
	used = grid_fit(left, room, fitted, sizeof(fitted), &bytes);
	fitted[bytes] = '\0';
	return text_add(page, width, "%s%*s%s", fitted, width - used - (int)strlen(right), "",
			right);
}

static const char *sort_heading(const struct top_view *view, const struct top_model *model)
{
	enum top_section section = *view->vm ? view->section : TOP_VMS;

	return model->grids[section].columns[view->sorts[section]].heading;
}

static int title_add(struct top_page *page, const struct top_view *view,
		     const struct top_model *model, const struct top_about *about, int width)
{
	char left[GRID_LINE], right[128];

	if (*view->vm)
		snprintf(left, sizeof(left), "kvmbpf top > %s  %s", view->vm,
			 model->there ? "" : "(does not run)");
	else
		snprintf(left, sizeof(left), "kvmbpf top  vm  %s", about->host);
	if (*view->vm && model->there)
		snprintf(left + strlen(left), sizeof(left) - strlen(left), "%u vCPU%s",
			 model->vcpus, model->vcpus == 1 ? "" : "s");
	snprintf(right, sizeof(right), "%s  %.1f s%s%s  sort:%s", about->clock, about->seconds,
		 view->paused ? "  paused" : "", view->based ? "  since r" : "",
		 sort_heading(view, model));
	return split_add(page, width, left, right);
}

static const char *about_text(const struct top_model *model, const struct top_about *about)
{
	if (about->note)
		return about->note;
	if (about->first)
		return "counting ...";
	return model->exits ? "" : "\"-\": no kvm_exit fires here";
}

static int host_add(struct top_page *page, const struct top_view *view,
		    const struct top_model *model, const struct top_about *about, int width)
{
	/* the words between the numbers, shorter where the screen is too narrow for them */
	static const char *const formats[][3] = { { "  ", "to VMM", "emulated" },
						  { " ", "VMM", "emul" } };
	const struct top_host *host = &model->host;
	char line[GRID_LINE];
	int err;

	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++) {
		const char *const *words = formats[i];

		snprintf(line, sizeof(line),
			 " %s VMs%s%s vCPUs  exits %s/s  %s %s/s  halts %s/s  %s %s/s",
			 shown(&host->vms, GRID_COUNT, view->exact), words[0],
			 shown(&host->vcpus, GRID_COUNT, view->exact),
			 shown(&host->exits, GRID_RATE, view->exact), words[1],
			 shown(&host->trips, GRID_RATE, view->exact),
			 shown(&host->halts, GRID_RATE, view->exact), words[2],
			 shown(&host->emulated, GRID_RATE, view->exact));
		if (strlen(line) <= (size_t)width)
			break;
	}
	err = text_add(page, width, "%s", line);
	if (err)
		return err;
	return text_add(page, width, " CPUs: VMM %s  KVM %s  poll %s  ready %s   %s",
			shown(&host->cpus[TOP_VMM], GRID_MILLI, false),
			shown(&host->cpus[TOP_KVM], GRID_MILLI, false),
			shown(&host->cpus[TOP_POLL], GRID_MILLI, false),
			shown(&host->cpus[TOP_READY], GRID_MILLI, false), about_text(model, about));
}

static int shares_add(struct top_page *page, const struct top_model *model, int width)
{
	static const struct {
		const char *name;
		enum top_share share;
	} list[] = { { "GST", TOP_GUEST },  { "KVM", TOP_KVM },	   { "POL", TOP_POLL },
		     { "VMM", TOP_VMM },    { "HLT", TOP_HALTED }, { "RDY", TOP_READY },
		     { "UNK", TOP_UNKNOWN } };
	char text[256] = "";

	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		const struct grid_cell *cell = &model->shares[list[i].share];
		size_t n = strlen(text);

		if (cell->known)
			snprintf(text + n, sizeof(text) - n, "%s%s %.1f %%", i ? "   " : " ",
				 list[i].name, cell->number);
		else
			snprintf(text + n, sizeof(text) - n, "%s%s -", i ? "   " : " ",
				 list[i].name);
	}
	return text_add(page, width, "%s", text);
}

/* --- sections --- */

/* A section's heading, and rows from the first one that is to be shown. */
static int section_add(struct top_page *page, const struct top_view *view,
		       const struct top_model *model, enum top_section section, int width,
		       size_t rows)
{
	const struct grid *grid = &model->grids[section];
	size_t first = view->first[section];
	struct grid_layout layout;
	struct grid_line *line;
	char text[GRID_LINE];

	if (section == TOP_SLOW && !grid->nrows && !*view->filters[section]) {
		top_slow_text(model, text, sizeof(text));
		return text_add(page, width, "%s", text);
	}
	line = line_add(page);
	if (!line)
		return -ENOMEM;
	grid_lay_out(grid, width, &layout);
	grid_heading(grid, &layout, view->sorts[section], line);
	for (size_t i = first; i < grid->nrows && i - first < rows; i++) {
		line = line_add(page);
		if (!line)
			return -ENOMEM;
		grid_row(grid, &layout, i, view->sorts[section], view->exact, line);
	}
	return 0;
}

/* Scroll so that the cursor is seen. */
static void scroll(struct top_view *view, const struct grid *grid, size_t rows)
{
	size_t row = top_view_row(view, grid), *first = &view->first[TOP_VMS];

	if (row < *first)
		*first = row;
	else if (row >= *first + rows)
		*first = row - rows + 1;
	if (*first + rows > grid->nrows)
		*first = grid->nrows > rows ? grid->nrows - rows : 0;
}

static int vms_add(struct top_page *page, struct top_view *view, struct top_model *model, int width,
		   size_t rows)
{
	const struct grid *grid = &model->grids[TOP_VMS];
	size_t at = page->n + 1;
	int err = 0;

	page->rows = rows;
	if (rows)
		scroll(view, grid, rows);
	for (size_t i = view->first[TOP_VMS], n = 0; !err && n < rows && i < grid->nrows; i++, n++)
		err = top_model_rest(model, i);
	if (!err)
		err = section_add(page, view, model, TOP_VMS, width, rows);
	if (grid->nrows && rows)
		page->cursor = at + top_view_row(view, grid) - view->first[TOP_VMS];
	if (!err && !grid->nrows && rows)
		err = text_add(page, width, "%s",
			       *view->filters[TOP_VMS] ? "(no VM has the words of the filter)" :
							 "(no VM runs)");
	return err;
}

/*
 * Share out the lines: each section gets what it needs or its part, the one that keys are for
 * first, then what is left.
 */
static void lines_share(const struct top_view *view, const struct top_model *model, size_t lines,
			size_t rows[TOP_SECTIONS])
{
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < TOP_VM_SECTIONS; i++) {
			int section = TOP_VCPUS + (view->section - TOP_VCPUS + i) % TOP_VM_SECTIONS;
			size_t left = (size_t)(TOP_VM_SECTIONS - i);
			size_t most = pass ? lines : (lines + left - 1) / left;
			size_t needs = model->grids[section].nrows - rows[section];
			size_t gets = needs < most ? needs : most;

			rows[section] += gets;
			lines -= gets;
		}
	}
}

static int sections_add(struct top_page *page, struct top_view *view, const struct top_model *model,
			int width, size_t lines)
{
	size_t rows[TOP_SECTIONS] = { 0 };
	size_t heads = 2 * TOP_VM_SECTIONS - 1; /* headings, and blank lines between */
	int err = 0;

	lines_share(view, model, lines > heads ? lines - heads : 0, rows);
	for (int i = TOP_VCPUS; !err && i < TOP_SECTIONS; i++) {
		size_t n = model->grids[i].nrows;

		if (view->first[i] + rows[i] > n)
			view->first[i] = n > rows[i] ? n - rows[i] : 0;
		if (i > TOP_VCPUS)
			err = text_add(page, width, "%s", "");
		if (!err)
			err = section_add(page, view, model, (enum top_section)i, width, rows[i]);
	}
	return err;
}

/* --- the whole --- */

static int keys_add(struct top_page *page, const struct top_view *view, int width)
{
	if (view->message)
		return text_add(page, width, "%s", view->message);
	if (view->mode == TOP_FILTERING)
		return text_add(page, width, "show only: %s_", view->typed);
	if (view->mode == TOP_DELAYING)
		return text_add(page, width, "seconds (now %.1f): %s_", view->delay, view->typed);
	return text_add(page, width, "%s", *view->vm ? vm_keys : host_keys);
}

static int help_add(struct top_page *page, int width)
{
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(help) / sizeof(help[0]); i++)
		err = text_add(page, width, "%s", help[i]);
	return err;
}

static int body_add(struct top_page *page, struct top_view *view, struct top_model *model,
		    const struct top_about *about, int width, size_t lines)
{
	int err = title_add(page, view, model, about, width);

	if (!err)
		err = *view->vm ? shares_add(page, model, width) :
				  host_add(page, view, model, about, width);
	if (!err)
		err = text_add(page, width, "%s", "");
	if (err)
		return err;
	lines = lines > page->n ? lines - page->n : 0;
	if (*view->vm)
		return sections_add(page, view, model, width, lines);
	return vms_add(page, view, model, width, lines ? lines - 1 : 0);
}

int top_page_make(struct top_page *page, struct top_view *view, struct top_model *model,
		  const struct top_about *about, int width, int height)
{
	size_t lines = height ? (size_t)height - 1 : SIZE_MAX / 2;
	int err;

	page->n = 0;
	page->cursor = SIZE_MAX;
	if (view->mode == TOP_HELPING)
		return help_add(page, width);
	err = body_add(page, view, model, about, width, lines);
	if (err || !height)
		return err;
	if (page->n > lines) {
		page->n = lines;
		if (page->cursor >= lines)
			page->cursor = SIZE_MAX;
	}
	while (!err && page->n < lines)
		err = text_add(page, width, "%s", "");
	return err ? err : keys_add(page, view, width);
}
