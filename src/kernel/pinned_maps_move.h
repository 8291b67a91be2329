/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A map of another size takes over what a pinned map holds, when a limit in kvm.conf has changed.
 * Hash maps, arrays and arrays of chunks can (pinned_chunks.h). A queue begins empty: who uses it
 * fills it anew after loading.
 */
#ifndef PMDAKVM_PINS_MOVE_H
#define PMDAKVM_PINS_MOVE_H

#include <stdbool.h>

#include "kernel/pinned_folder.h"

#define FRESH_NAME_SIZE 64

/*
 * The pin that a map has until it takes the place of another, which an agent that is killed then
 * leaves. A name with a dot is refused by the kernel.
 */
void fresh_name(const char *map, char name[FRESH_NAME_SIZE]);

/*
 * Before loading: can the map take over all that the pinned map fd holds, from which it differs in
 * the number of entries only? If not for lack of room, a report line says so.
 */
bool pin_can_move(const struct pins *pins, int fd, const struct bpf_map *map,
		  struct report *report);

/*
 * After loading: if the map's pin has another size, copy what it holds, and pin the map in its
 * place. Nothing may write to either meanwhile. Returns 0 or an error.
 */
int pin_move(const struct pins *pins, const struct bpf_map *map, struct report *report);

#endif /* PMDAKVM_PINS_MOVE_H */
