// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/pinned_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fnv1a.h"
#include "bpf/pin.h"
#include "kernel/pinned_maps_move.h"

#define META "_meta"

bool pins_are_of(const char *family, size_t length, const struct bpf_map *map)
{
	const char *name = bpf_map__name(map);

	return !bpf_map__is_internal(map) && strncmp(name, family, length) == 0 &&
	       name[length] == '_';
}

/* Is the map pinned with this object? */
static bool is_own(const struct pinned *pinned, const struct bpf_map *map)
{
	const char *meta = bpf_map__name(pinned->meta);

	return pins_are_of(meta, strlen(meta) - strlen(META), map);
}

/*
 * FNV-1a hash of everything that must match for what pinned maps hold to be used. Maps may have
 * room for more or fewer entries.
 */
static __u64 layout_hash(const struct pinned *pinned)
{
	__u64 hash = HASH_START;
	struct bpf_map *map;
	char text[128];

	snprintf(text, sizeof(text), "%u", pinned->layout);
	hash = hash_text(hash, text);
	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		if (!is_own(pinned, map))
			continue;
		snprintf(text, sizeof(text), "%s %u %u %u %u", bpf_map__name(map),
			 bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map),
			 bpf_map__map_flags(map));
		hash = hash_text(hash, text);
	}
	return hash;
}

enum match { OTHER, OTHER_SIZE, SAME };

static enum match map_match(int fd, const struct bpf_map *map)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &size) || info.type != bpf_map__type(map) ||
	    info.key_size != bpf_map__key_size(map) ||
	    info.value_size != bpf_map__value_size(map) ||
	    info.map_flags != bpf_map__map_flags(map))
		return OTHER;
	return info.max_entries == bpf_map__max_entries(map) ? SAME : OTHER_SIZE;
}

static bool layout_matches(const struct pins *pins, const struct pinned *pinned)
{
	int fd = pins_get(pins, bpf_map__name(pinned->meta));
	struct pin_meta value = { 0 };
	__u32 key = 0;
	bool same;

	if (fd < 0)
		return false;
	same = map_match(fd, pinned->meta) == SAME && bpf_map_lookup_elem(fd, &key, &value) == 0 &&
	       value.layout == layout_hash(pinned);
	close(fd);
	return same;
}

/* Count an object's maps, their existing pins, and the pins that match, whatever their size. */
static int pins_count(const struct pins *pins, const struct pinned *pinned, struct report *report,
		      size_t *ret_maps, size_t *ret_pins, size_t *ret_fit)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		int fd;

		if (!is_own(pinned, map))
			continue;
		++*ret_maps;
		fd = pins_get(pins, bpf_map__name(map));
		if (fd == -ENOENT)
			continue;
		if (fd < 0) {
			report_add(report, REPORT_WARNING,
				   "%s/%s: %s: counters restart at 0 with the agent", pins->path,
				   bpf_map__name(map),
				   fd == -EEXIST ? "not a pinned map" : strerror(-fd));
			return fd;
		}
		++*ret_pins;
		*ret_fit += map_match(fd, map) != OTHER;
		close(fd);
	}
	return 0;
}

static void pins_unlink(const struct pins *pins, const struct pinned *pinned)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		if (is_own(pinned, map))
			unlinkat(pins->fd, bpf_map__name(map), 0);
	}
}

/* Can all maps that have another size take over what the pinned ones hold? */
static bool can_move_all(const struct pins *pins, const struct pinned *pinned,
			 struct report *report)
{
	struct bpf_map *map;
	bool can = true;

	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		int fd;

		if (!can || !is_own(pinned, map))
			continue;
		fd = pins_get(pins, bpf_map__name(map));
		can = fd >= 0 &&
		      (map_match(fd, map) == SAME || pin_can_move(pins, fd, map, report));
		if (fd >= 0)
			close(fd);
	}
	return can;
}

/* Reuse the maps that have the same size; to read them, all. */
static int reuse_all(const struct pins *pins, const struct pinned *pinned)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		int fd;

		if (!is_own(pinned, map))
			continue;
		fd = bpf_map__map_flags(map) & BPF_F_MMAPABLE ?
			     pins_get_mapped(pins, bpf_map__name(map)) :
			     pins_get(pins, bpf_map__name(map));
		if (fd < 0)
			return fd;
		if (pins->reading || map_match(fd, map) == SAME)
			err = bpf_map__reuse_fd(map, fd); /* duplicates fd */
		close(fd);
		if (err)
			return err;
	}
	return 0;
}

/* The length of the family's name in the name of its map NAME_meta. */
static int family_length(const struct pinned *pinned)
{
	return (int)(strlen(bpf_map__name(pinned->meta)) - strlen(META));
}

int pins_reuse(const struct pins *pins, const struct pinned *pinned, struct report *report)
{
	size_t maps = 0, found = 0, fit = 0;
	int err;

	err = pins_count(pins, pinned, report, &maps, &found, &fit);
	if (err)
		return err;
	if (found == maps && fit == maps && layout_matches(pins, pinned) &&
	    can_move_all(pins, pinned, report)) {
		err = reuse_all(pins, pinned);
		return err ? err : 1;
	}
	if (found) {
		report_add(report, REPORT_INFO,
			   "%s: replacing the maps of %.*s: its counters restart at 0", pins->path,
			   family_length(pinned), bpf_map__name(pinned->meta));
		pins_unlink(pins, pinned);
	}
	return 0;
}

int pins_read(const struct pins *pins, const struct pinned *pinned, struct report *report)
{
	size_t maps = 0, found = 0, fit = 0;
	struct report quiet = { 0 }; /* that counters restart is not our matter */
	int err = pins_count(pins, pinned, &quiet, &maps, &found, &fit);

	report_clear(&quiet);
	if (err) {
		report_add(report, REPORT_INFO,
			   "%s: cannot open the maps of %.*s (%s): counting by programs of our own",
			   pins->path, family_length(pinned), bpf_map__name(pinned->meta),
			   err == -EEXIST ? "not a pinned map" : strerror(-err));
		return -ESTALE;
	}
	if (!found)
		return -ENOENT;
	if (found == maps && fit == maps && layout_matches(pins, pinned))
		return reuse_all(pins, pinned);
	report_add(report, REPORT_INFO,
		   "%s: the maps of %.*s are of another version: counting by programs of our own",
		   pins->path, family_length(pinned), bpf_map__name(pinned->meta));
	return -ESTALE;
}

int pins_pin(const struct pins *pins, const struct pinned *pinned, struct report *report)
{
	struct pin_meta value = { .layout = layout_hash(pinned) };
	struct bpf_map *map;
	__u32 key = 0;
	int err;

	err = bpf_map_update_elem(bpf_map__fd(pinned->meta), &key, &value, BPF_ANY);
	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		if (!err && is_own(pinned, map))
			err = pins_put(pins, bpf_map__name(map), bpf_map__fd(map));
	}
	if (err) {
		report_add(report, REPORT_WARNING,
			   "%s: cannot pin maps (%s): counters restart at 0 with the agent",
			   pins->path, strerror(-err));
		pins_unlink(pins, pinned);
	}
	return err;
}

int pins_move(const struct pins *pins, const struct pinned *pinned, struct report *report)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, *pinned->skeleton->obj)
	{
		if (!err && is_own(pinned, map))
			err = pin_move(pins, map, report);
	}
	return err;
}

int pins_load(const struct pins *pins, const struct pinned *pinned, struct report *report)
{
	int reused = pins ? pins_reuse(pins, pinned, report) : -ENOENT;
	int err = bpf_object__load_skeleton(pinned->skeleton);

	if (!err && reused == 0)
		pins_pin(pins, pinned, report);
	if (!err && reused == 1 && pins_move(pins, pinned, report)) {
		/* so that the pins are those of the maps that count now */
		pins_unlink(pins, pinned);
		pins_pin(pins, pinned, report);
	}
	return err;
}

uint64_t pins_generation(const struct bpf_map *meta, uint64_t step)
{
	struct pin_meta value = { 0 };
	__u32 key = 0;

	if (bpf_map_lookup_elem(bpf_map__fd(meta), &key, &value))
		return 0;
	value.generation += step;
	if (step)
		bpf_map_update_elem(bpf_map__fd(meta), &key, &value, BPF_ANY);
	return value.generation;
}
