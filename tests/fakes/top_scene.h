/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf top of the two recorded snapshots tests/data/top-*.snapshot, 2 s apart, without a
 * terminal. */
#ifndef PMDAKVM_TESTS_TOP_SCENE_H
#define PMDAKVM_TESTS_TOP_SCENE_H

#include "command/top_page.h"

extern struct snapshot before, after;
extern struct rates rates;
extern struct top_model model;
extern struct top_view view;
extern struct top_page page; /* what top_scene_make() has made last */
extern struct top_about about;

/* A test's setup: the snapshots are loaded, the first is what rates are of. Its teardown. */
int top_scene_setup(void **state);
int top_scene_teardown(void **state);

/* Make the page of so many columns and lines, of the host or the view's VM. */
void top_scene_make(int width, int height);

#endif /* PMDAKVM_TESTS_TOP_SCENE_H */
