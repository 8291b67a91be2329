// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "engine/vcpu_counters.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_MASK ((UINT64_C(1) << CELL_MAX_BITS) - 1)

/* Numbers of the first namespaces, include/linux/proc_ns.h. */
#define FIRST_PID_NAMESPACE  "pid:[4026531836]"
#define FIRST_TIME_NAMESPACE "time:[4026531834]"

static size_t reasons_bytes(const struct cells *cells)
{
	return cells->nslots * sizeof(struct cell_reason);
}

static struct cell_reason *ended_reasons(const struct cells *cells)
{
	return (struct cell_reason *)(cells->ended + 1);
}

/* --- names --- */

/* Reasons in which a vCPU may sleep until it is woken. */
static void find_sleeps(struct cells *cells)
{
	const struct reason *list;
	size_t n;

	memset(cells->vms.sleeps, 0, sizeof(cells->vms.sleeps));
	memset(cells->names, 0, sizeof(cells->names));
	if (cells->isa == REASONS_USERSPACE)
		return;
	list = reasons_list(cells->isa, &n);
	for (size_t i = 0; i < n; i++) {
		int slot = reasons_slot_of(cells->isa, list[i].code);

		if (slot >= 0 && reasons_sleeps(list[i].name, strlen(list[i].name)))
			cells->vms.sleeps[slot] = true;
	}
}

/* As a cell has it. */
static void isa_set(struct cells *cells, uint64_t isa)
{
	if (isa < 1 || isa > REASONS_ISAS || isa - 1 == cells->isa)
		return;
	cells->isa = (enum reasons_isa)(isa - 1);
	find_sleeps(cells);
}

/* The code that has claimed a slot. 0 or -ENOENT. */
static int claimed_code(const struct cells *cells, unsigned slot, uint64_t *ret_code)
{
	__u32 key = slot;
	__u64 code;

	if (slot < REASONS_SLOT_UNKNOWN || slot >= REASONS_SLOT_FIRST || !cells->object ||
	    bpf_map_lookup_elem(cells->codes_fd, &key, &code))
		return -ENOENT;
	*ret_code = code;
	return 0;
}

const char *cells_reason_name(struct cells *cells, unsigned slot)
{
	char *name = cells->names[slot];
	const struct reason *reason;
	uint64_t code;

	if (reasons_code_of(cells->isa, slot, &code) && claimed_code(cells, slot, &code))
		return REASONS_OTHER_NAME;
	reason = reasons_find(cells->isa, code);
	if (reason)
		return reason->name;
	if (!*name)
		snprintf(name, REASONS_NAME_SIZE, "0x%" PRIx64, code);
	return name;
}

/* --- loading --- */

int cells_init(struct cells *cells, const char *name, uint32_t layout, unsigned nslots,
	       enum reasons_isa isa, const struct cpus *cpus, const char *proc)
{
	*cells = (struct cells){ .name = name,
				 .layout = layout,
				 .nslots = nslots,
				 .isa = isa,
				 .cpus = cpus,
				 .proc = proc };
	cells_vms_init(&cells->vms, nslots);
	cells->ended = calloc(1, sizeof(*cells->ended) + reasons_bytes(cells));
	cells->room = calloc(1, sizeof(*cells->room) + reasons_bytes(cells));
	cells->total = calloc(1, reasons_bytes(cells));
	if (!cells->ended || !cells->room || !cells->total)
		return -ENOMEM;
	find_sleeps(cells);
	return 0;
}

static void object_drop(struct cells *cells)
{
	if (cells->rows)
		munmap((void *)cells->rows, cells->cpus->n * sizeof(*cells->rows));
	cells->rows = NULL;
	bpf_object__close(cells->object);
	cells->object = NULL;
}

void cells_free(struct cells *cells)
{
	object_drop(cells);
	cells_vms_free(&cells->vms);
	free(cells->ended);
	free(cells->room);
	map_keys_free(&cells->keys);
	free(cells->total);
}

static struct bpf_map *map_of(const struct cells *cells, struct bpf_object *object,
			      const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "%s_%s", cells->name, what);
	return bpf_object__find_map_by_name(object, name);
}

static int map_fd(const struct cells *cells, struct bpf_object *object, const char *what)
{
	const struct bpf_map *map = map_of(cells, object, what);

	return map ? bpf_map__fd(map) : -ENOENT;
}

/* Have an object count on in the maps of the one before it. */
static int maps_inherit(struct bpf_object *from, struct bpf_object *to)
{
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, to)
	{
		const struct bpf_map *old = bpf_object__find_map_by_name(from, bpf_map__name(map));

		if (!err && old && !bpf_map__is_internal(map))
			err = bpf_map__reuse_fd(map, bpf_map__fd(old));
	}
	return err;
}

static int object_load(struct cells *cells, struct bpf_object *object, uint32_t limit,
		       const struct pins *pins, struct report *report)
{
	struct bpf_map *map = map_of(cells, object, "cells"), *rows = map_of(cells, object, "rows");
	int err = map && rows ? bpf_map__set_max_entries(map, limit) : -ENOENT;

	if (!err)
		err = bpf_map__set_max_entries(rows, (__u32)cells->cpus->n);
	if (!err && cells->object)
		err = maps_inherit(cells->object, object);
	if (err)
		return err;
	return cells->object ? bpf_object__load(object) :
			       pins_load(pins, object, cells->layout, report);
}

/*
 * What an earlier agent has kept. If it was killed between adding a cell and deleting it,
 * the cell is still there: it must not be added again.
 */
static void take_up(struct cells *cells)
{
	__u32 zero = 0;

	if (bpf_map_lookup_elem(cells->ended_fd, &zero, cells->ended) == 0)
		bpf_map_delete_elem(cells->fd, &cells->ended->last);
	bpf_map_lookup_elem(cells->control_fd, &zero, &cells->control);
	isa_set(cells, cells->ended->isa);
}

int cells_load(struct cells *cells, struct bpf_object *object, uint32_t limit,
	       const struct pins *pins, struct report *report)
{
	bool first = !cells->object;
	void *rows = MAP_FAILED;
	int err = object_load(cells, object, limit, pins, report);

	if (!err) {
		rows = mmap(NULL, cells->cpus->n * sizeof(*cells->rows), PROT_READ, MAP_SHARED,
			    map_fd(cells, object, "rows"), 0);
		err = rows == MAP_FAILED ? -errno : 0;
	}
	if (err) {
		bpf_object__close(object);
		return err;
	}
	object_drop(cells);
	cells->object = object;
	cells->rows = rows;
	cells->fd = map_fd(cells, object, "cells");
	cells->ended_fd = map_fd(cells, object, "ended");
	cells->codes_fd = map_fd(cells, object, "codes");
	cells->control_fd = map_fd(cells, object, "control");
	if (first)
		take_up(cells);
	return 0;
}

static int control_write(const struct cells *cells)
{
	__u32 zero = 0;

	return bpf_map_update_elem(cells->control_fd, &zero, &cells->control, BPF_ANY);
}

void cells_begin(struct cells *cells)
{
	cells->control.generation++;
	control_write(cells);
}

/* --- reading --- */

/* All keys that there are, in order. */
static int keys_read(struct cells *cells)
{
	int err = map_keys_read(cells->fd, sizeof(struct cell_key), &cells->keys);

	if (!err && cells->keys.n)
		qsort(cells->keys.list, cells->keys.n, sizeof(struct cell_key), cell_key_compare);
	return err;
}

/* The longest of two; one of another turn is none. */
static uint64_t longest(const struct cells *cells, uint64_t sum, uint64_t max)
{
	if (max >> CELL_MAX_BITS != cells->control.turn)
		max = 0;
	max &= MAX_MASK;
	return sum > max ? sum : max;
}

static void total_add(const struct cells *cells, const struct cell_reason *reasons)
{
	for (unsigned slot = 0; slot < cells->nslots; slot++) {
		cells->total[slot].count += reasons[slot].count;
		cells->total[slot].time += reasons[slot].time;
		cells->total[slot].max = longest(cells, cells->total[slot].max, reasons[slot].max);
	}
}

/* Exits that found no cell. They have no time. */
static void total_add_rows(struct cells *cells)
{
	cells->unfit = 0;
	for (size_t cpu = 0; cpu < cells->cpus->n; cpu++) {
		for (unsigned slot = 0; slot < cells->nslots; slot++) {
			uint64_t count = __atomic_load_n(&cells->rows[cpu].count[slot],
							 __ATOMIC_RELAXED);

			cells->total[slot].count += count;
			cells->unfit += count;
		}
	}
}

/* Add a cell's reasons to those that are kept, or take them out again. */
static void ended_add(struct cells *cells, const struct cell *cell, bool out)
{
	struct cell_reason *kept = ended_reasons(cells);
	const struct cell_reason *reasons = cell_reasons(cell);
	uint64_t turn = (uint64_t)cells->control.turn << CELL_MAX_BITS;

	for (unsigned slot = 0; slot < cells->nslots; slot++) {
		kept[slot].count += out ? -reasons[slot].count : reasons[slot].count;
		kept[slot].time += out ? -reasons[slot].time : reasons[slot].time;
		kept[slot].max = turn | longest(cells, longest(cells, 0, kept[slot].max),
						reasons[slot].max);
	}
}

/*
 * A thread has ended. One write adds its cell to what is kept and says so, then the cell is
 * deleted: whenever the agent is killed, the cell counts once.
 */
static void fold(struct cells *cells, const struct cell_key *key, const struct cell *cell)
{
	struct cell_key last = cells->ended->last;
	__u32 zero = 0;

	cells->used--;
	if (cell_key_compare(key, &last) == 0) { /* it is in there, and could not be deleted */
		bpf_map_delete_elem(cells->fd, key);
		return;
	}
	ended_add(cells, cell, false);
	cells->ended->last = *key;
	cells->ended->isa = cell->isa;
	if (bpf_map_update_elem(cells->ended_fd, &zero, cells->ended, BPF_ANY)) {
		ended_add(cells, cell, true);
		cells->ended->last = last;
		total_add(cells, cell_reasons(cell)); /* it stays where it is */
		cells->used++;
		return;
	}
	bpf_map_delete_elem(cells->fd, key);
}

static bool same_thread(const struct cell_key *one, const struct cell_key *other)
{
	return one->start == other->start && one->tid == other->tid && one->tgid == other->tgid;
}

/* Read one cell, and fold it if its thread is gone; *gone is the last thread that was. */
static int cell_read(struct cells *cells, const struct cell_key *key, const struct cell_key **gone)
{
	struct cell *cell = cells->room;
	bool ended = *gone && same_thread(key, *gone);
	int err;

	if (bpf_map_lookup_elem(cells->fd, key, cell))
		return 0;
	if (cell->ended && !ended) {
		/* what came before the mark may not have been copied yet when it was */
		if (bpf_map_lookup_elem(cells->fd, key, cell))
			return 0;
		ended = true;
		*gone = key;
	}
	cells->used++;
	isa_set(cells, cell->isa);
	err = cells_vms_take(&cells->vms, key, cell);
	if (ended && !err)
		fold(cells, key, cell);
	else
		total_add(cells, cell_reasons(cell));
	return err == -EAGAIN ? 0 : err;
}

int cells_read(struct cells *cells, const struct vms *vms)
{
	const struct cell_key *gone = NULL, *keys;
	int err;

	if (!cells->object)
		return 0;
	err = keys_read(cells);
	if (!err)
		err = cells_vms_begin(&cells->vms, vms);
	if (err)
		return err;
	memset(cells->total, 0, reasons_bytes(cells));
	cells->used = 0;
	keys = cells->keys.list;
	for (size_t i = 0; i < cells->keys.n; i++) {
		int cell_err = cell_read(cells, &keys[i], &gone);

		err = err ? err : cell_err;
	}
	total_add(cells, ended_reasons(cells));
	total_add_rows(cells);
	cells_vms_end(&cells->vms);
	return err;
}

int cells_reset_max(struct cells *cells)
{
	cells->control.turn = (cells->control.turn + 1) & 0xffff;
	return cells->object ? control_write(cells) : 0;
}

/* --- threads that ended unseen --- */

static bool link_is(const char *proc, const char *name, const char *target)
{
	char path[128], is[64] = "";

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	return readlink(path, is, sizeof(is) - 1) > 0 && strcmp(is, target) == 0;
}

/* Does /proc show all threads, under the numbers and with the times that cells have? */
static bool proc_shows_all(const char *proc)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/1/stat", proc);
	return access(path, R_OK) == 0 && link_is(proc, "self/ns/pid", FIRST_PID_NAMESPACE) &&
	       (link_is(proc, "self/ns/time", FIRST_TIME_NAMESPACE) || errno == ENOENT);
}

/* Is that thread still there? Its start, in hundredths of a second, is the 22nd field. */
static bool thread_is_there(const char *proc, const struct cell_key *key)
{
	char path[128], line[1024];
	unsigned long long start = 0;
	const char *after = NULL;
	FILE *file;

	snprintf(path, sizeof(path), "%s/%u/task/%u/stat", proc, key->tgid, key->tid);
	file = fopen(path, "re");
	if (!file)
		return errno != ENOENT && errno != ESRCH;
	if (fgets(line, sizeof(line), file))
		after = strrchr(line, ')'); /* the command may have anything in it */
	fclose(file);
	for (int field = 2; after && field < 22; field++)
		after = strchr(after + 1, ' ');
	if (!after || sscanf(after, "%llu", &start) != 1)
		return true;
	return start == key->start / 10000000;
}

void cells_sweep(struct cells *cells)
{
	const struct cell_key *keys;

	if (!proc_shows_all(cells->proc) || keys_read(cells))
		return;
	keys = cells->keys.list;
	for (size_t i = 0; i < cells->keys.n; i++) {
		const struct cell_key *key = &keys[i];

		if (thread_is_there(cells->proc, key) ||
		    bpf_map_lookup_elem(cells->fd, key, cells->room))
			continue;
		cells->room->ended = 1;
		bpf_map_update_elem(cells->fd, key, cells->room, BPF_EXIST);
	}
}
