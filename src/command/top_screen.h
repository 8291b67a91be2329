/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The terminal of kvmbpf top: shows a page, and reads keys. Only its file knows ncurses. */
#ifndef PMDAKVM_TOP_SCREEN_H
#define PMDAKVM_TOP_SCREEN_H

#include <stdbool.h>

#include "command/top_page.h"

/*
 * Take over the terminal; stderr is held back until top_screen_close(). Returns false if it cannot
 * show a screen: it is none, is dumb, or is of an unknown type.
 */
bool top_screen_open(void);
void top_screen_close(void);

void top_screen_size(int *ret_width, int *ret_height);

void top_screen_show(const struct top_page *page);

/*
 * Wait so many seconds for a key, which enum top_key or a byte tells. TOP_KEY_NONE: there was none,
 * or the size has changed.
 */
int top_screen_key(double seconds);

#endif /* PMDAKVM_TOP_SCREEN_H */
