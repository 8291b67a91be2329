// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "engine/vcpu_counters.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/map_prealloc.h"

#define MAX_MASK ((UINT64_C(1) << MAX_TIME_BITS) - 1)

/* Inode numbers of the initial namespaces, from include/linux/proc_ns.h. */
#define FIRST_PID_NAMESPACE  "pid:[4026531836]"
#define FIRST_TIME_NAMESPACE "time:[4026531834]"

static size_t reasons_bytes(const struct vcpu_counters *counters)
{
	return counters->nslots * sizeof(struct reason_counters);
}

static struct reason_counters *retired_reasons(const struct vcpu_counters *counters)
{
	return (struct reason_counters *)(counters->retired + 1);
}

/* --- instruction sets --- */

/* Set the reasons in which a vCPU may sleep until it is woken. */
static void sleeps_find(struct vcpu_counters *counters)
{
	enum reasons_isa isa = counters->slots.isa;
	const struct reason *list;
	size_t n;

	memset(counters->vms.sleeps, 0, sizeof(counters->vms.sleeps));
	if (isa == REASONS_USERSPACE)
		return;
	list = reasons_list(isa, &n);
	for (size_t i = 0; i < n; i++) {
		int slot = reasons_slot_of(isa, list[i].code);

		if (slot >= 0 && reasons_sleeps(list[i].name, strlen(list[i].name)))
			counters->vms.sleeps[slot] = true;
	}
}

/* Set the instruction set from a counter's isa field (enum reasons_isa + 1). */
static void isa_set(struct vcpu_counters *counters, uint64_t isa)
{
	if (isa < 1 || isa > REASONS_ISAS || isa - 1 == counters->slots.isa)
		return;
	reason_slots_set_isa(&counters->slots, (enum reasons_isa)(isa - 1));
	sleeps_find(counters);
}

/* --- loading --- */

int vcpu_counters_init(struct vcpu_counters *counters, const char *name, uint32_t layout,
		       unsigned nslots, enum reasons_isa isa, const struct cpus *cpus,
		       const char *proc)
{
	*counters = (struct vcpu_counters){
		.name = name, .layout = layout, .nslots = nslots, .cpus = cpus, .proc = proc
	};
	reason_slots_init(&counters->slots, isa, nslots);
	vm_counters_init(&counters->vms, nslots);
	counters->retired = calloc(1, sizeof(*counters->retired) + reasons_bytes(counters));
	counters->scratch = calloc(1, sizeof(*counters->scratch) + reasons_bytes(counters));
	counters->total = calloc(1, reasons_bytes(counters));
	if (!counters->retired || !counters->scratch || !counters->total)
		return -ENOMEM;
	sleeps_find(counters);
	return 0;
}

static void object_drop(struct vcpu_counters *counters)
{
	if (counters->overflow)
		munmap((void *)counters->overflow, counters->cpus->n * sizeof(*counters->overflow));
	counters->overflow = NULL;
	if (counters->object.family)
		counters->object.destroy(counters->object.family);
	counters->object.family = NULL;
}

void vcpu_counters_free(struct vcpu_counters *counters)
{
	object_drop(counters);
	vm_counters_free(&counters->vms);
	free(counters->retired);
	free(counters->scratch);
	map_dump_free(&counters->dump);
	free(counters->later);
	free(counters->total);
}

/* Let an object reuse the maps of its predecessor, which has the same in the same order. */
static int maps_inherit(const struct bpf_object *from, struct bpf_object *to)
{
	const struct bpf_map *old = NULL;
	struct bpf_map *map;
	int err = 0;

	bpf_object__for_each_map(map, to)
	{
		old = bpf_object__next_map(from, old);
		if (!err && !bpf_map__is_internal(map))
			err = bpf_map__reuse_fd(map, bpf_map__fd(old));
	}
	return err;
}

static int object_load(struct vcpu_counters *counters, const struct counters_object *object,
		       uint32_t limit, const struct pins *pins, struct kernel_types *types,
		       struct report *report)
{
	struct pinned pinned = { object->skeleton, object->meta, counters->layout };
	struct bpf_object *fresh = *object->skeleton->obj;
	int err = bpf_map__set_max_entries(object->cells, limit);

	if (!err)
		err = bpf_map__set_max_entries(object->rows, (__u32)counters->cpus->n);
	if (!err && counters->object.family)
		err = maps_inherit(*counters->object.skeleton->obj, fresh);
	if (err)
		return err;
	if (counters->object.family)
		return bpf_object__load_skeleton(object->skeleton);
	if (maps_preallocate(fresh, types))
		report_add(
			report, REPORT_INFO,
			"%s: this kernel has no bpf_mem_alloc: maps take their memory at once, for %u vCPUs",
			counters->name, limit);
	return pins_load(pins, &pinned, report);
}

/*
 * Take over the counts of an earlier agent. If that agent was killed between adding a thread's
 * counters to the retired ones and deleting them, they are still in the map and must not be added
 * again.
 */
static void take_over(struct vcpu_counters *counters)
{
	__u32 zero = 0;

	if (bpf_map_lookup_elem(counters->retired_fd, &zero, counters->retired) == 0)
		bpf_map_delete_elem(counters->fd, &counters->retired->last);
	bpf_map_lookup_elem(counters->control_fd, &zero, &counters->control);
	isa_set(counters, counters->retired->isa);
	reason_slots_fold(&counters->slots, retired_reasons(counters));
}

int vcpu_counters_load(struct vcpu_counters *counters, const struct counters_object *object,
		       uint32_t limit, const struct pins *pins, struct kernel_types *types,
		       struct report *report)
{
	bool first = !counters->object.family;
	void *overflow = MAP_FAILED;
	int err = object_load(counters, object, limit, pins, types, report);

	if (!err) {
		overflow = mmap(NULL, counters->cpus->n * sizeof(*counters->overflow), PROT_READ,
				MAP_SHARED, bpf_map__fd(object->rows), 0);
		err = overflow == MAP_FAILED ? -errno : 0;
	}
	if (err) {
		object->destroy(object->family);
		return err;
	}
	object_drop(counters);
	counters->object = *object;
	counters->overflow = overflow;
	counters->fd = bpf_map__fd(object->cells);
	counters->retired_fd = bpf_map__fd(object->ended);
	counters->slots.codes_fd = bpf_map__fd(object->codes);
	counters->control_fd = bpf_map__fd(object->control);
	if (first)
		take_over(counters);
	return 0;
}

static int control_write(const struct vcpu_counters *counters)
{
	__u32 zero = 0;

	return bpf_map_update_elem(counters->control_fd, &zero, &counters->control, BPF_ANY);
}

void vcpu_counters_begin(struct vcpu_counters *counters)
{
	counters->control.generation++;
	control_write(counters);
}

/* --- reading --- */

/* The larger of sum and max, a time of the map; max counts as 0 if it is of another epoch. */
static uint64_t longest(const struct vcpu_counters *counters, uint64_t sum, uint64_t max)
{
	if (max >> MAX_TIME_BITS != counters->control.epoch)
		max = 0;
	max &= MAX_MASK;
	return sum > max ? sum : max;
}

static void total_add(const struct vcpu_counters *counters, const struct reason_counters *reasons)
{
	for (unsigned slot = 0; slot < counters->nslots; slot++) {
		counters->total[slot].count += reasons[slot].count;
		counters->total[slot].time += reasons[slot].time;
		counters->total[slot].max = longest(counters, counters->total[slot].max,
						    reasons[slot].max);
	}
}

/* Add exits that found no room for their thread's counters. They have no time. */
static void total_add_overflow(struct vcpu_counters *counters)
{
	counters->dropped = 0;
	for (size_t cpu = 0; cpu < counters->cpus->n; cpu++) {
		for (unsigned slot = 0; slot < counters->nslots; slot++) {
			uint64_t count = __atomic_load_n(&counters->overflow[cpu].count[slot],
							 __ATOMIC_RELAXED);

			if (!count)
				continue;
			counters->total[reason_slots_home(&counters->slots, slot)].count += count;
			counters->dropped += count;
		}
	}
}

/* Add a thread's reasons to the retired ones, or subtract them if out is set. */
static void retired_add(struct vcpu_counters *counters, const struct thread_counters *thread,
			bool out)
{
	struct reason_counters *kept = retired_reasons(counters);
	const struct reason_counters *reasons = counters_reasons(thread);
	uint64_t epoch = (uint64_t)counters->control.epoch << MAX_TIME_BITS;

	for (unsigned slot = 0; slot < counters->nslots; slot++) {
		kept[slot].count += out ? -reasons[slot].count : reasons[slot].count;
		kept[slot].time += out ? -reasons[slot].time : reasons[slot].time;
		kept[slot].max = epoch | longest(counters, longest(counters, 0, kept[slot].max),
						 reasons[slot].max);
	}
}

/*
 * Retire an ended thread's counters. One write adds them to the retired ones and records the key,
 * then they are deleted: at whatever point the agent is killed, they count exactly once.
 */
static void retire(struct vcpu_counters *counters, const struct thread_key *key,
		   const struct thread_counters *thread)
{
	struct thread_key last = counters->retired->last;
	__u32 zero = 0;

	counters->used--;
	if (thread_key_compare(key, &last) ==
	    0) { /* they are added already, but could not be deleted */
		bpf_map_delete_elem(counters->fd, key);
		return;
	}
	retired_add(counters, thread, false);
	counters->retired->last = *key;
	counters->retired->isa = thread->isa;
	if (bpf_map_update_elem(counters->retired_fd, &zero, counters->retired, BPF_ANY)) {
		retired_add(counters, thread, true);
		counters->retired->last = last;
		total_add(counters, counters_reasons(thread)); /* they stay in the map */
		counters->used++;
		return;
	}
	bpf_map_delete_elem(counters->fd, key);
}

static bool same_thread(const struct thread_key *one, const struct thread_key *other)
{
	return one->start == other->start && one->tid == other->tid && one->tgid == other->tgid;
}

/* Take a copy of a thread's counters; retire them if the thread has ended. */
static int thread_take(struct vcpu_counters *counters, const struct thread_key *key,
		       struct thread_counters *thread, bool ended)
{
	int err;

	counters->used++;
	isa_set(counters, thread->isa);
	reason_slots_fold(&counters->slots, counters_reasons(thread));
	err = vm_counters_take(&counters->vms, key, thread);
	if (ended && !err)
		retire(counters, key, thread);
	else
		total_add(counters, counters_reasons(thread));
	return err == -EAGAIN ? 0 : err;
}

/*
 * Read one thread's counters, and retire them if the thread has ended; *gone is the last ended
 * thread.
 */
static int thread_read(struct vcpu_counters *counters, const struct thread_key *key,
		       const struct thread_key **gone)
{
	struct thread_counters *thread = counters->scratch;
	bool ended = *gone && same_thread(key, *gone);

	if (bpf_map_lookup_elem(counters->fd, key, thread))
		return 0;
	if (thread->ended && !ended) {
		/* counts from before the mark may be missing from the first copy, so copy again */
		if (bpf_map_lookup_elem(counters->fd, key, thread))
			return 0;
		ended = true;
		*gone = key;
	}
	return thread_take(counters, key, thread, ended);
}

/* A read under way. */
struct reading {
	struct vcpu_counters *counters;
	int err;
};

static int later_add(struct vcpu_counters *counters, const struct thread_key *key)
{
	if (counters->nlater == counters->later_room) {
		size_t room = counters->later_room ? counters->later_room * 2 : 16;
		struct thread_key *grown = reallocarray(counters->later, room, sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		counters->later = grown;
		counters->later_room = room;
	}
	counters->later[counters->nlater++] = *key;
	return 0;
}

/*
 * Take an entry. One whose thread has ended may lack counts in this copy, and that of a thread's
 * further vCPU has no mark of its own: both are read later, in order.
 */
static void entry_take(void *data, const void *key, void *value)
{
	struct reading *reading = data;
	const struct thread_key *thread_key = key;
	struct thread_counters *thread = value;
	int err = 0;

	if (thread_key->vcpu || thread->ended)
		err = later_add(reading->counters, thread_key);
	if (err || (!thread_key->vcpu && !thread->ended)) {
		int take_err = thread_take(reading->counters, thread_key, thread, false);

		err = err ? err : take_err;
	}
	reading->err = reading->err ? reading->err : err;
}

static int later_read(struct vcpu_counters *counters)
{
	const struct thread_key *gone = NULL;
	int err = 0;

	if (counters->nlater)
		qsort(counters->later, counters->nlater, sizeof(*counters->later),
		      thread_key_compare);
	for (size_t i = 0; i < counters->nlater; i++) {
		int thread_err = thread_read(counters, &counters->later[i], &gone);

		err = err ? err : thread_err;
	}
	return err;
}

static size_t entry_bytes(const struct vcpu_counters *counters)
{
	return sizeof(struct thread_counters) + reasons_bytes(counters);
}

int vcpu_counters_read(struct vcpu_counters *counters, const struct vms *vms)
{
	struct reading reading = { .counters = counters };
	int err, later_err;

	if (!counters->object.family)
		return 0;
	err = vm_counters_begin(&counters->vms, vms);
	if (err)
		return err;
	memset(counters->total, 0, reasons_bytes(counters));
	counters->used = 0;
	counters->nlater = 0;
	err = map_dump_read(&counters->dump, counters->fd, sizeof(struct thread_key),
			    entry_bytes(counters), entry_take, &reading);
	later_err = later_read(counters);
	total_add(counters, retired_reasons(counters));
	total_add_overflow(counters);
	vm_counters_end(&counters->vms);
	if (err)
		return err;
	return reading.err ? reading.err : later_err;
}

int vcpu_counters_reset_max(struct vcpu_counters *counters)
{
	counters->control.epoch = (counters->control.epoch + 1) & 0xffff;
	return counters->object.family ? control_write(counters) : 0;
}

/* --- threads that ended while nothing was attached --- */

static bool link_is(const char *proc, const char *name, const char *target)
{
	char path[128], is[64] = "";

	snprintf(path, sizeof(path), "%s/%s", proc, name);
	return readlink(path, is, sizeof(is) - 1) > 0 && strcmp(is, target) == 0;
}

/*
 * Does /proc show all threads, with the TIDs and start times that the keys have? It does in the
 * initial PID and time namespaces.
 */
static bool proc_shows_all(const char *proc)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/1/stat", proc);
	return access(path, R_OK) == 0 && link_is(proc, "self/ns/pid", FIRST_PID_NAMESPACE) &&
	       (link_is(proc, "self/ns/time", FIRST_TIME_NAMESPACE) || errno == ENOENT);
}

/* Does the thread still exist? Field 22 is its start in hundredths of a second. */
static bool thread_is_there(const char *proc, const struct thread_key *key)
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
		after = strrchr(line, ')'); /* the command can contain any character */
	fclose(file);
	for (int field = 2; after && field < 22; field++)
		after = strchr(after + 1, ' ');
	if (!after || sscanf(after, "%llu", &start) != 1)
		return true;
	return start == key->start / 10000000;
}

static void entry_reap(void *data, const void *key, void *value)
{
	const struct vcpu_counters *counters = data;
	struct thread_counters *thread = value;

	if (thread_is_there(counters->proc, key))
		return;
	thread->ended = 1;
	bpf_map_update_elem(counters->fd, key, thread, BPF_EXIST);
}

void vcpu_counters_reap(struct vcpu_counters *counters)
{
	if (proc_shows_all(counters->proc))
		map_dump_read(&counters->dump, counters->fd, sizeof(struct thread_key),
			      entry_bytes(counters), entry_reap, counters);
}
