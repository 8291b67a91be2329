/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Pin maps in a directory of the BPF file system, so that counters continue after an agent
 * restart. A lock on the directory admits one agent at a time. Links of programs that run when
 * guests do are never pinned: after the agent is gone, no program may hold a kernel module or slow
 * down a guest. That of the register's iterator is, for readers (vms/vm_passes.h): it runs as it is
 * read.
 *
 * Why not bpf_map__set_pin_path(), by which bpf_object__load() pins and reuses maps (tried with
 * libbpf 1.1.2): it compares what map_matches() does, type, sizes, number of entries and flags, and
 * besides them only map_extra, which no map here has. It compares map by map: where one pin of two
 * is missing, it takes the other with its old counts beside a new map. It knows no NAME_LAYOUT. A
 * pin that does not match, or a file that is no map, fails the load with -EINVAL, and a failed
 * object cannot be loaded again; here such a pin costs the family its old counts, and a folder that
 * nothing can be pinned in costs only the next agent's. And it makes the folder if that has been
 * removed: one that is not locked.
 */
#ifndef PMDAKVM_PINS_H
#define PMDAKVM_PINS_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stdint.h>

#include "kernel/pinned_folder.h"

/*
 * An object whose maps are pinned, by its generated skeleton: those whose names begin as that of
 * meta does. Others belong to another family.
 */
struct pinned {
	struct bpf_object_skeleton *skeleton;
	struct bpf_map *meta; /* its map NAME_meta */
	uint32_t layout;      /* the family's NAME_LAYOUT */
};

/*
 * Before loading an object: reuse the maps pinned by an agent of the same layout, all or none.
 * The layout is the family's layout version plus the maps' types, sizes of keys and values, and
 * flags. A map that has room for another number of entries is not reused: pins_move() copies to it
 * what the pinned one holds. Maps of another layout, and of those whose content has no room, are
 * unlinked and reported; files that are not maps stay. Returns 1 if the maps are reused, and then
 * the caller must call pins_move() after loading; 0 if it must pin new maps after loading, or an
 * error if the maps must not be pinned.
 */
int pins_reuse(const struct pins *pins, const struct pinned *pinned, struct report *report);

/*
 * After loading, if pins_reuse() returned 1: copy from each pinned map of another size what it
 * holds, and pin the object's in its place. Nothing may write to either meanwhile. Returns 0, or an
 * error if the pins are not all those of the object's maps.
 */
int pins_move(const struct pins *pins, const struct pinned *pinned, struct report *report);

/* After loading, if pins_reuse() returned 0: pin the maps. Returns 0 or an error, which is
 * reported. */
int pins_pin(const struct pins *pins, const struct pinned *pinned, struct report *report);

/*
 * Of pins that are for reading: have an object's maps be those that the agent has pinned, without
 * loading it; what is mapped of them must be mapped for reading. They can have another number of
 * entries, which bpf_map__max_entries() tells then. Returns 0; -ENOENT if the agent has none of
 * them; -ESTALE if they are of another layout or cannot be opened, which is reported; or an error.
 */
int pins_read(const struct pins *pins, const struct pinned *pinned, struct report *report);

/* Is it a map of this family, whose name has this length: does its name begin with NAME_? */
bool pins_are_of(const char *family, size_t length, const struct bpf_map *map);

/*
 * Remove the pins of a family's maps, which its object names, with the chunks NAME_1, NAME_2 ... of
 * an array of maps, and nothing else. A file of such a name that is not a pinned map is kept and
 * reported. Adds the number of removed pins to *ret_removed. Returns 0 or the last error.
 */
int pins_remove(const struct pins *pins, const char *family, struct bpf_object *object,
		struct report *report, size_t *ret_removed);

/* Remove the directory if it is empty. Otherwise it is kept, and its files are reported. */
void pins_remove_folder(const struct pins *pins, struct report *report);

/*
 * Load an object; reuse its pinned maps or pin new ones. pins may be NULL: nothing is pinned.
 * Returns the result of loading.
 */
int pins_load(const struct pins *pins, const struct pinned *pinned, struct report *report);

/*
 * Add step to the generation in a map NAME_meta and return the new value; 0 on failure. The
 * generation counts how often the family was attached since its maps were created.
 */
uint64_t pins_generation(const struct bpf_map *meta, uint64_t step);

#endif /* PMDAKVM_PINS_H */
