// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#define NCURSES_WIDECHAR 0
#include "command/top_screen.h"

#include <ncurses.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* An escape sequence follows its first byte within this, ms. */
#define ESCAPE_MS 25

enum { YELLOW = 1, RED };

static struct {
	SCREEN *screen;
	int errors;  /* the real stderr */
	int holding; /* what stands in for it */
	bool colours;
} terminal = { .errors = -1, .holding = -1 };

/* What is said meanwhile would tear the screen. */
static void errors_hold(void)
{
	terminal.holding = memfd_create("stderr", MFD_CLOEXEC);
	terminal.errors = dup(STDERR_FILENO);
	if (terminal.holding >= 0 && terminal.errors >= 0)
		dup2(terminal.holding, STDERR_FILENO);
}

static void errors_release(void)
{
	char text[4096];
	ssize_t n;

	if (terminal.errors < 0 || terminal.holding < 0)
		return;
	fflush(stderr);
	dup2(terminal.errors, STDERR_FILENO);
	lseek(terminal.holding, 0, SEEK_SET);
	while ((n = read(terminal.holding, text, sizeof(text))) > 0)
		fwrite(text, 1, (size_t)n, stderr);
	close(terminal.errors);
	close(terminal.holding);
	terminal.errors = terminal.holding = -1;
}

bool top_screen_open(void)
{
	const char *type = getenv("TERM"), *plain = getenv("NO_COLOR");

	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || !type || !*type ||
	    strcmp(type, "dumb") == 0)
		return false;
	terminal.screen = newterm(NULL, stdout, stdin);
	if (!terminal.screen)
		return false;
	errors_hold();
	raw();
	noecho();
	nonl();
	keypad(stdscr, TRUE);
	set_escdelay(ESCAPE_MS);
	curs_set(0);
	terminal.colours = has_colors() && !(plain && *plain) && start_color() == OK;
	if (terminal.colours) {
		use_default_colors();
		init_pair(YELLOW, COLOR_YELLOW, -1);
		init_pair(RED, COLOR_RED, -1);
	}
	return true;
}

void top_screen_close(void)
{
	if (!terminal.screen)
		return;
	endwin();
	delscreen(terminal.screen);
	terminal.screen = NULL;
	errors_release();
}

void top_screen_size(int *ret_width, int *ret_height)
{
	getmaxyx(stdscr, *ret_height, *ret_width);
}

/* Colour is never alone: what warns is bold, too, and what alarms is bold and reversed. */
static attr_t attributes(enum grid_marked how)
{
	switch (how) {
	case GRID_SORTED:
		return A_BOLD;
	case GRID_WARNS:
		return A_BOLD | (terminal.colours ? (attr_t)COLOR_PAIR(YELLOW) : 0);
	case GRID_ALARMS:
		return A_BOLD | A_REVERSE | (terminal.colours ? (attr_t)COLOR_PAIR(RED) : 0);
	default:
		return A_NORMAL;
	}
}

static void line_show(int y, const struct grid_line *line, attr_t all)
{
	int at = 0;

	move(y, 0);
	for (size_t i = 0; i < line->nmarks; i++) {
		const struct grid_mark *mark = &line->marks[i];

		attrset(all);
		addnstr(line->text + at, mark->at - at);
		attrset(all | attributes(mark->how));
		addnstr(line->text + mark->at, mark->bytes);
		at = mark->at + mark->bytes;
	}
	attrset(all);
	addstr(line->text + at);
	clrtoeol();
}

void top_screen_show(const struct top_page *page)
{
	int width, height;

	top_screen_size(&width, &height);
	for (int y = 0; y < height; y++) {
		if ((size_t)y < page->n)
			line_show(y, &page->lines[y],
				  (size_t)y == page->cursor ? A_UNDERLINE : A_NORMAL);
		else
			move(y, 0), clrtoeol();
	}
	refresh();
}

int top_screen_key(double seconds)
{
	static const struct {
		int key;
		enum top_key means;
	} keys[] = {
		{ KEY_UP, TOP_KEY_UP },
		{ KEY_DOWN, TOP_KEY_DOWN },
		{ KEY_LEFT, TOP_KEY_LEFT },
		{ KEY_RIGHT, TOP_KEY_RIGHT },
		{ KEY_PPAGE, TOP_KEY_PAGE_UP },
		{ KEY_NPAGE, TOP_KEY_PAGE_DOWN },
		{ KEY_HOME, TOP_KEY_HOME },
		{ KEY_END, TOP_KEY_END },
		{ KEY_ENTER, TOP_KEY_ENTER },
		{ '\r', TOP_KEY_ENTER },
		{ KEY_BACKSPACE, TOP_KEY_BACKSPACE },
		{ '\b', TOP_KEY_BACKSPACE },
		{ '<', TOP_KEY_LEFT },
		{ '>', TOP_KEY_RIGHT },
	};
	int key;

	timeout((int)(seconds * 1000) + 1);
	key = getch();
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		if (keys[i].key == key)
			return keys[i].means;
	}
	return key > 0 && key < 256 ? key : TOP_KEY_NONE;
}
