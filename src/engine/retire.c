// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/retire.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/sorted_array.h"
#include "engine/threads.h"

/* Records looked up in /proc at one tick. */
#define REAP_MAX 64

/*
 * A record that no thread can find can still be written by a program that found it before. That
 * program runs for less than a microsecond, and this is a second. Where a thread can be switched
 * out in it (a raw tracepoint, where perf cannot run it: kvm/classic_events.h), that is if it is
 * not kept off its CPU for a second just there, while another thread has closed its vCPU.
 */
#define GRACE_NS UINT64_C(1000000000)

/* Ticks for which a record of an unknown vCPU is kept; the register is filled once a second. */
#define VCPU_WAITS 3

/* The compiler must keep the order of writes to the journal: a kill can come between any two. */
#define write_barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* --- the index --- */

static struct record_key key_of(const struct record *record)
{
	return (struct record_key){
		.start = record->start,
		.vcpu = record->further ? record->vcpu : 0,
		.tid = record->tid,
		.tgid = record->tgid,
	};
}

static bool is_indexed(const struct vcpu_counters *counters, uint32_t number,
		       const struct record *record)
{
	struct record_key key = key_of(record);
	__u32 found;

	return bpf_map_lookup_elem(counters->index_fd, &key, &found) == 0 && found == number;
}

/* No thread finds the record from now on. */
static void record_hide(const struct vcpu_counters *counters, uint32_t number,
			struct record *record)
{
	struct record_key key = key_of(record);

	if (is_indexed(counters, number, record))
		bpf_map_delete_elem(counters->index_fd, &key);
	__atomic_store_n(&record->start, RECORD_GONE, __ATOMIC_RELEASE);
}

/* --- moving counts --- */

/* Repeating this from any point gives the same. */
static void move_finish(struct vcpu_counters *counters)
{
	struct engine_state *state = counters->state;
	struct record *record = pool_at(&counters->records, state->record);
	struct block *block = pool_at(&counters->blocks, state->block);

	if (state->slot < counters->nslots)
		counters->ended[state->slot] = state->sum;
	write_barrier();
	if (record && state->slot < counters->nslots)
		record_blocks(record)[state->slot] = 0;
	if (block)
		memset(block, 0, sizeof(*block));
	write_barrier();
	state->moves = 0;
}

static void block_move(struct vcpu_counters *counters, uint32_t number, unsigned slot,
		       uint32_t block)
{
	struct engine_state *state = counters->state;

	state->sum = counters->ended[slot];
	block_add(&state->sum, pool_at(&counters->blocks, block), state->epoch);
	state->record = number;
	state->block = block;
	state->slot = slot;
	write_barrier();
	state->moves = 1;
	write_barrier();
	move_finish(counters);
}

/* Returns 0 or -ENOMEM: then the record is as before. */
static int record_retire(struct vm_counters *all, uint32_t number)
{
	struct vcpu_counters *counters = all->counters;
	struct record *record = vcpu_counters_record(counters, number);
	int err = vm_counters_keep(all, number);

	if (err)
		return err;
	if (record->start != RECORD_GONE)
		record_hide(counters, number, record);
	if (counters->retire)
		err = counters->retire(counters->retire_data, number);
	if (err)
		return err;
	if (record->isa)
		counters->state->isa = record->isa;
	for (unsigned slot = 0; slot < counters->nslots; slot++) {
		uint32_t block = record_blocks(record)[slot];

		if (!pool_at(&counters->blocks, block))
			continue;
		block_move(counters, number, slot, block);
		if (block < counters->nseen)
			counters->seen[block] = 0;
		vcpu_counters_forget(counters, block);
		pool_give(&counters->blocks, block);
	}
	memset(record, 0, counters->records.size);
	write_barrier();
	pool_give(&counters->records, number);
	if (number < all->nuses)
		all->uses[number] = (struct record_use){ 0 };
	all->outdated = true;
	return 0;
}

/* --- taking over from an earlier agent --- */

/* Delete what leads to no record, or to another's. */
static void index_clean(struct vcpu_counters *counters)
{
	struct record_key key, *last = NULL, stale;
	bool is_stale = false;
	__u32 number;

	while (bpf_map_get_next_key(counters->index_fd, last, &key) == 0) {
		const struct record *record = NULL;
		struct record_key own;

		/* the key to go on from must exist while the next one is looked for */
		if (is_stale)
			bpf_map_delete_elem(counters->index_fd, &stale);
		if (bpf_map_lookup_elem(counters->index_fd, &key, &number) == 0)
			record = vcpu_counters_record(counters, number);
		if (record)
			own = key_of(record);
		is_stale = !record || memcmp(&own, &key, sizeof(key)) != 0;
		stale = key;
		last = &stale;
	}
	if (is_stale)
		bpf_map_delete_elem(counters->index_fd, &stale);
}

/* Note the blocks of a record; a number that is none, or is another record's, leads nowhere. */
static void blocks_note(struct vcpu_counters *counters, struct record *record, bool *used)
{
	for (unsigned slot = 0; slot < counters->nslots; slot++) {
		__u32 *number = &record_blocks(record)[slot];

		if (!*number)
			continue;
		if (!pool_at(&counters->blocks, *number) || used[*number])
			*number = 0;
		else
			used[*number] = true;
	}
}

void retire_recover(struct vcpu_counters *counters)
{
	bool *used;

	if (counters->state->moves)
		move_finish(counters);
	pool_clear(&counters->records);
	if (counters->ended)
		pool_clear(&counters->blocks);
	used = calloc(pool_end(&counters->blocks) + 1, sizeof(*used));
	if (!used)
		return;
	for (uint32_t i = 1; i < pool_end(&counters->records); i++) {
		struct record *record = vcpu_counters_record(counters, i);

		if (!record) {
			memset(pool_at(&counters->records, i), 0, counters->records.size);
			pool_give(&counters->records, i);
			continue;
		}
		blocks_note(counters, record, used);
		if (record->start != RECORD_GONE && !is_indexed(counters, i, record))
			record_hide(counters, i, record);
	}
	for (uint32_t i = 1; i < pool_end(&counters->blocks); i++) {
		if (used[i])
			continue;
		memset(pool_at(&counters->blocks, i), 0, sizeof(struct block));
		pool_give(&counters->blocks, i);
	}
	free(used);
	index_clean(counters);
}

/* --- threads that have ended --- */

static void record_reap(struct vcpu_counters *counters, uint32_t number)
{
	struct record *record = vcpu_counters_record(counters, number);

	if (record && record->start != RECORD_GONE && !record->ended &&
	    !thread_exists(counters->proc, record->tgid, record->tid, record->start))
		record->ended = 1;
}

void retire_reap(struct vcpu_counters *counters)
{
	if (!threads_show_all(counters->proc))
		return;
	for (uint32_t i = 1; i < pool_end(&counters->records); i++)
		record_reap(counters, i);
}

/*
 * Look up some records. sched_process_exit can be missed, and a thread that is not its process's
 * first loses its TID when it calls exec. Of most the register knows that their thread is there.
 */
static void reap_some(const struct vm_counters *all, const struct vms *vms)
{
	struct vcpu_counters *counters = all->counters;
	uint32_t end = pool_end(&counters->records);
	bool asked = false;

	for (unsigned i = 0; i < REAP_MAX && i + 1 < end; i++) {
		counters->reaped = counters->reaped + 1 < end ? counters->reaped + 1 : 1;
		if (!vcpu_counters_record(counters, counters->reaped) ||
		    vm_counters_thread_seen(all, vms, counters->reaped))
			continue;
		if (!asked && !threads_show_all(counters->proc))
			return;
		asked = true;
		record_reap(counters, counters->reaped);
	}
}

static int thread_compare(const void *left, const void *right)
{
	const struct record_key *a = left, *b = right;
	int order = sorted_numbers(a->start, b->start);

	if (!order)
		order = sorted_numbers(a->tid, b->tid);
	return order ? order : sorted_numbers(a->tgid, b->tgid);
}

/*
 * A thread's end marks its first record; mark those of its further vCPUs, before the first one is
 * gone. Returns 0 or -ENOMEM.
 */
static int further_mark(struct vcpu_counters *counters)
{
	uint32_t end = pool_end(&counters->records);
	struct record_key *ended = NULL;
	size_t n = 0;

	for (unsigned pass = 0; pass < 2; pass++) {
		for (uint32_t i = 1; i < end; i++) {
			struct record *record = vcpu_counters_record(counters, i);
			struct record_key key;

			if (!record || record->start == RECORD_GONE ||
			    !record->further != (pass == 0) || (!pass && !record->ended))
				continue;
			key = key_of(record);
			if (pass) {
				record->ended |= bsearch(&key, ended, n, sizeof(key),
							 thread_compare) != NULL;
				continue;
			}
			if (!ended)
				ended = calloc(end, sizeof(*ended));
			if (!ended)
				return -ENOMEM;
			ended[n++] = key;
		}
		if (!n)
			return 0;
		if (!pass)
			qsort(ended, n, sizeof(*ended), thread_compare);
	}
	free(ended);
	return 0;
}

/* --- a tick --- */

/* Can the record be retired now? */
static bool is_over(const struct record *record, struct record_use *use, const struct vms *vms,
		    uint64_t now)
{
	if (record->start == RECORD_GONE)
		return !use || !use->gone || now - use->gone >= GRACE_NS;
	if (!record->ended)
		return false;
	/* its vCPU may still appear in the register */
	return !use || use->vm || use->gone || !vms->passes || use->waits++ >= VCPU_WAITS;
}

/*
 * Does the record of a thread that has ended stay? While its vCPU is there it does, where the next
 * agent finds it and while there is room: what a VM has counted does not fall then at a restart.
 */
static bool stays(const struct vcpu_counters *counters, const struct record *record,
		  const struct record_use *use)
{
	const struct pool *records = &counters->records, *blocks = &counters->blocks;

	return records->pins && record->start != RECORD_GONE && use && use->there &&
	       pool_used(records) <= records->limit / 2 && pool_used(blocks) <= blocks->limit / 2;
}

static void record_settle(struct vcpu_counters *counters, uint32_t number, struct record_use *use)
{
	if (!use->settled)
		use->settled = !counters->settle ||
			       counters->settle(counters->retire_data, number) == 0;
}

void retire_tick(struct vm_counters *all, const struct vms *vms, uint64_t now, unsigned most)
{
	struct vcpu_counters *counters = all->counters;

	if (!counters->object.family)
		return;
	reap_some(all, vms);
	if (further_mark(counters))
		return;
	for (uint32_t i = 1; i < pool_end(&counters->records) && most; i++) {
		struct record *record = vcpu_counters_record(counters, i);
		struct record_use *use = i < all->nuses ? &all->uses[i] : NULL;

		if (!record)
			continue;
		if (use && use->gone == RECORD_GONE) {
			if (record->start != RECORD_GONE)
				record_hide(counters, i, record);
			use->gone = now;
		}
		if (!is_over(record, use, vms, now))
			continue;
		if (stays(counters, record, use)) {
			record_settle(counters, i, use);
			continue;
		}
		most--;
		record_retire(all, i);
	}
}
