// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/cause/cause_sums.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The kernel's memory outlives a kill, which can come between any two writes: keep their order. */
#define write_barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

/* How often to read a set that changes meanwhile. */
#define TRIES 64

static struct cause_record *record_at(const struct cause_sums *sums, uint32_t number)
{
	return pool_at(sums->records, number);
}

static void counts_sub(struct cause_counts *from, const struct cause_counts *what)
{
	from->accesses -= what->accesses;
	from->count -= what->count;
	from->time -= what->time;
	from->trips -= what->trips;
	from->trip_time -= what->trip_time;
}

static uint64_t most(uint64_t one, uint64_t other)
{
	return one > other ? one : other;
}

/* Raise each count to at least this. */
static void counts_raise(struct cause_counts *to, const struct cause_counts *least)
{
	to->accesses = most(to->accesses, least->accesses);
	to->count = most(to->count, least->count);
	to->time = most(to->time, least->time);
	to->trips = most(to->trips, least->trips);
	to->trip_time = most(to->trip_time, least->trip_time);
}

/* --- sets --- */

/*
 * Note in which sets of a record a slot has a key, a bit each. A set keeps its keys, of which the
 * first slot has one, while its number of changes comes round to 0 in the end.
 */
static void sets_follow(struct cause_sums *sums, uint32_t number, bool first)
{
	const struct cause_record *record = record_at(sums, number);

	if (first)
		sums->sets[number] = 0;
	for (unsigned set = 0; record && set < CAUSE_SETS; set++) {
		if (__atomic_load_n(&record->changes[set], __ATOMIC_ACQUIRE) ||
		    (first && record->slots[set * CAUSE_WAYS].key))
			sums->sets[number] |= (uint16_t)(1U << set);
	}
}

static bool set_has(const struct cause_sums *sums, uint32_t number, unsigned set)
{
	return number < sums->nheads && sums->sets[number] >> set & 1;
}

/* The slots of a record that can have a key. Most records have few: the others are not read. */
#define for_each_used_slot(sums, number, slot)                                                    \
	for (unsigned set = 0; set < CAUSE_SETS; set++)                                           \
		for (unsigned slot = set_has(sums, number, set) ? set * CAUSE_WAYS : CAUSE_SLOTS; \
		     slot < (set + 1) * CAUSE_WAYS; slot++)

/* --- lists of sums --- */

static int heads_room(struct cause_sums *sums, uint32_t number)
{
	size_t n = number >= pool_end(sums->records) ? number + 1 : pool_end(sums->records);
	uint32_t *heads;
	uint16_t *sets;

	if (number < sums->nheads)
		return 0;
	heads = reallocarray(sums->heads, n, sizeof(*heads));
	if (!heads)
		return -ENOMEM;
	sums->heads = heads;
	sets = reallocarray(sums->sets, n, sizeof(*sets));
	if (!sets)
		return -ENOMEM;
	sums->sets = sets;
	for (; sums->nheads < n; sums->nheads++) {
		heads[sums->nheads] = 0;
		sets_follow(sums, (uint32_t)sums->nheads, true);
	}
	return 0;
}

static uint32_t sum_find(const struct cause_sums *sums, uint32_t number, uint64_t key)
{
	uint32_t at = number < sums->nheads ? sums->heads[number] : 0;

	while (at && sums->list[at].key != key)
		at = sums->next[at];
	return at;
}

size_t cause_sums_of(const struct cause_sums *sums, uint32_t number)
{
	size_t n = 0;

	for (uint32_t at = number < sums->nheads ? sums->heads[number] : 0; at; at = sums->next[at])
		n++;
	return n;
}

static bool list_map(struct cause_sums *sums)
{
	if (!sums->list)
		sums->list = sums->map(sums->map_data);
	return sums->list;
}

/* Take a free one for a record's key. Returns its number, or 0 if there is none. */
static uint32_t sum_take(struct cause_sums *sums, uint32_t number, uint64_t key)
{
	uint32_t at = sums->free;
	struct cause_sum *sum;

	if (!at || heads_room(sums, number) || !list_map(sums)) {
		sums->dropped++;
		return 0;
	}
	sum = &sums->list[at];
	sums->free = sums->next[at];
	sum->record = number;
	sum->counts = (struct cause_counts){ 0 };
	write_barrier();
	sum->key = key;
	sums->next[at] = sums->heads[number];
	sums->heads[number] = at;
	sums->used++;
	return at;
}

/* --- the journal --- */

/* Repeating this from any point gives the same. */
static void move_finish(struct cause_sums *sums)
{
	struct cause_journal *journal = &sums->ended->journal;
	struct cause_record *record = record_at(sums, journal->record);

	if (journal->to && journal->to <= sums->n)
		sums->list[journal->to] = journal->sum;
	if (journal->from && journal->from <= sums->n)
		sums->list[journal->from] = (struct cause_sum){ 0 };
	if (journal->moves == CAUSE_MOVE_REST) {
		sums->ended->none = journal->none;
		sums->ended->other = journal->other;
		if (record)
			memset(&record->key, 0,
			       sizeof(*record) - offsetof(struct cause_record, key));
	} else if (record) {
		record->taken_off = journal->taken_off;
		if (journal->slot < CAUSE_SLOTS) {
			record->published[journal->slot].counts = (struct cause_counts){ 0 };
			record->published[journal->slot].sum = 0;
		}
	}
	write_barrier();
	journal->moves = CAUSE_NO_MOVE;
}

static void move(struct cause_sums *sums, struct cause_journal journal, enum cause_move moves)
{
	sums->ended->journal = journal;
	write_barrier();
	sums->ended->journal.moves = moves;
	write_barrier();
	move_finish(sums);
}

/* What was published of a slot becomes part of its key's sum; other has it, too. */
static void slot_keep(struct cause_sums *sums, uint32_t number, unsigned slot)
{
	struct cause_record *record = record_at(sums, number);
	struct cause_published *published = &record->published[slot];
	struct cause_journal journal = {
		.record = number,
		.slot = slot,
		.to = published->sum,
		.sum = sums->list[published->sum],
		.taken_off = record->taken_off,
	};

	cause_counts_add(&journal.sum.counts, &published->counts);
	cause_counts_add(&journal.taken_off, &published->counts);
	move(sums, journal, CAUSE_MOVE_SLOT);
}

/* --- opening --- */

/* A slot's sum is its record's and its key's, or the agent before was another's. */
static void published_check(struct cause_sums *sums)
{
	for (uint32_t i = 1; i < pool_end(sums->records); i++) {
		struct cause_record *record = record_at(sums, i);

		for (unsigned slot = 0; slot < CAUSE_SLOTS; slot++) {
			struct cause_published *published = &record->published[slot];

			if (published->sum > sums->n ||
			    (published->sum && sums->list[published->sum].record != i))
				published->sum = 0;
		}
	}
}

int cause_sums_open(struct cause_sums *sums, const struct pool *records, struct cause_sum *list,
		    uint32_t n, struct cause_ended *ended)
{
	struct cause_sums fresh = { .records = records, .list = list, .n = n, .ended = ended };

	fresh.next = calloc((size_t)n + 1, sizeof(*fresh.next));
	if (!fresh.next || heads_room(&fresh, 0)) {
		cause_sums_free(&fresh);
		return -ENOMEM;
	}
	if (ended->journal.moves)
		move_finish(&fresh);
	for (uint32_t i = n; i > 0; i--) {
		uint32_t *head = &fresh.free;

		/* records whose memory is gone were another agent's */
		if (list[i].key && list[i].record < fresh.nheads) {
			head = &fresh.heads[list[i].record];
			fresh.used++;
		} else {
			list[i] = (struct cause_sum){ 0 };
		}
		fresh.next[i] = *head;
		*head = i;
	}
	published_check(&fresh);
	*sums = fresh;
	return 0;
}

int cause_sums_watch(struct cause_sums *sums, const struct pool *records, struct cause_sum *list,
		     uint32_t n, struct cause_ended *ended)
{
	*sums = (struct cause_sums){ .records = records, .list = list, .n = n, .ended = ended };
	sums->next = calloc((size_t)n + 1, sizeof(*sums->next));
	return sums->next ? 0 : -ENOMEM;
}

int cause_sums_follow(struct cause_sums *sums)
{
	if (heads_room(sums, 0))
		return -ENOMEM;
	memset(sums->heads, 0, sums->nheads * sizeof(*sums->heads));
	for (uint32_t i = 1; i < sums->nheads; i++)
		sets_follow(sums, i, false);
	sums->used = 0;
	for (uint32_t i = sums->n; i > 0; i--) {
		struct cause_sum sum = sums->list[i];

		if (!sum.key || sum.record >= sums->nheads)
			continue;
		sums->next[i] = sums->heads[sum.record];
		sums->heads[sum.record] = i;
		sums->used++;
	}
	return 0;
}

void cause_sums_free(struct cause_sums *sums)
{
	free(sums->next);
	free(sums->heads);
	free(sums->sets);
	*sums = (struct cause_sums){ 0 };
}

/* --- reading --- */

/* Copy a set of which no slot started with a key meanwhile. Returns whether that worked. */
static bool set_copy(const struct cause_record *record, unsigned set,
		     struct cause_slot ret_slots[CAUSE_WAYS])
{
	const __u32 *changes = &record->changes[set];

	for (unsigned i = 0; i < TRIES; i++) {
		__u32 before = __atomic_load_n(changes, __ATOMIC_ACQUIRE);

		memcpy(ret_slots, &record->slots[set * CAUSE_WAYS],
		       CAUSE_WAYS * sizeof(*ret_slots));
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (before % 2 == 0 && __atomic_load_n(changes, __ATOMIC_RELAXED) == before)
			return true;
	}
	return false;
}

static void slot_publish(struct cause_sums *sums, uint32_t number, unsigned place,
			 const struct cause_slot *slot, cause_admits *admits, void *data)
{
	struct cause_published *published = &record_at(sums, number)->published[place];

	if (!slot->key)
		return;
	if (published->turn != slot->turn) {
		uint32_t sum;

		if (published->sum)
			slot_keep(sums, number, place);
		published->counts = (struct cause_counts){ 0 };
		sum = sum_find(sums, number, slot->key);
		if (!sum && admits && admits(data, slot->key))
			sum = sum_take(sums, number, slot->key);
		published->sum = sum;
		write_barrier();
		published->turn = slot->turn;
	}
	published->counts = slot->counts;
}

/*
 * Publish other. It was read before the slots: what a slot has moved there since is missed, as it
 * is in the slot, until the next time; so it is not to fall.
 */
static void other_publish(const struct cause_sums *sums, uint32_t number,
			  const struct cause_counts *other)
{
	struct cause_record *record = record_at(sums, number);
	struct cause_counts counts = *other;

	for_each_used_slot(sums, number, slot)
	{
		if (!record->published[slot].sum)
			cause_counts_add(&counts, &record->published[slot].counts);
	}
	counts_sub(&counts, &record->taken_off);
	/* below 0 is a very large number */
	if (counts.accesses + record->taken_off.accesses >= counts.accesses &&
	    counts.count + record->taken_off.count >= counts.count &&
	    counts.time + record->taken_off.time >= counts.time &&
	    counts.trips + record->taken_off.trips >= counts.trips &&
	    counts.trip_time + record->taken_off.trip_time >= counts.trip_time)
		counts_raise(&record->shown, &counts);
}

int cause_sums_read(struct cause_sums *sums, uint32_t number, cause_admits *admits, void *data)
{
	struct cause_record *record = record_at(sums, number);
	struct cause_counts other = record->other;
	struct cause_slot slots[CAUSE_WAYS];
	bool all = true;

	if (heads_room(sums, number))
		return -ENOMEM;
	__atomic_thread_fence(__ATOMIC_ACQUIRE);
	sets_follow(sums, number, false);
	for (unsigned set = 0; set < CAUSE_SETS; set++) {
		if (!set_has(sums, number, set))
			continue;
		if (!set_copy(record, set, slots)) {
			all = false;
			continue;
		}
		for (unsigned i = 0; i < CAUSE_WAYS; i++)
			slot_publish(sums, number, set * CAUSE_WAYS + i, &slots[i], admits, data);
	}
	if (all)
		other_publish(sums, number, &other);
	return 0;
}

static void list_visit(const struct cause_sums *sums, uint32_t number, cause_visit *visit,
		       void *data)
{
	for (uint32_t at = number < sums->nheads ? sums->heads[number] : 0; at; at = sums->next[at])
		visit(data, sums->list[at].key, &sums->list[at].counts);
}

void cause_sums_visit(const struct cause_sums *sums, uint32_t number, cause_visit *visit,
		      void *data)
{
	const struct cause_record *record = record_at(sums, number);
	const struct cause_counts none = record->none;

	list_visit(sums, number, visit, data);
	for_each_used_slot(sums, number, slot)
	{
		const struct cause_published *published = &record->published[slot];

		if (published->sum && published->sum <= sums->n)
			visit(data, sums->list[published->sum].key, &published->counts);
	}
	visit(data, CAUSE_NONE, &none);
	visit(data, CAUSE_OTHER, &record->shown);
}

void cause_sums_visit_ended(const struct cause_sums *sums, cause_visit *visit, void *data)
{
	list_visit(sums, 0, visit, data);
	visit(data, CAUSE_NONE, &sums->ended->none);
	visit(data, CAUSE_OTHER, &sums->ended->other);
}

/* --- retiring --- */

static struct cause_counts *counts_of(struct cause_record *record, uint64_t key)
{
	if (key == CAUSE_NONE)
		return &record->none;
	for (unsigned i = 0; i < CAUSE_SLOTS; i++) {
		if (record->slots[i].key == key)
			return &record->slots[i].counts;
	}
	return &record->other;
}

int cause_sums_finish(struct cause_sums *sums, uint32_t number)
{
	struct cause_record *record = record_at(sums, number);
	struct cause_counts trips = { .trips = record->trips, .trip_time = record->trip_time };
	uint64_t trip_key = record->open ? record->key : record->trip_key;
	bool open = record->open;

	record->open = 0;
	record->trips = 0;
	record->trip_time = 0;
	if (open)
		counts_of(record, record->key)->count++;
	cause_counts_add(counts_of(record, trip_key), &trips);
	return cause_sums_read(sums, number, NULL, NULL);
}

/* The slot whose sum this is; CAUSE_SLOTS: none. */
static unsigned slot_of(const struct cause_record *record, uint32_t sum)
{
	unsigned slot = 0;

	while (slot < CAUSE_SLOTS && record->published[slot].sum != sum)
		slot++;
	return slot;
}

/* Move a record's sum, the first of its list, to that of the same key of retired records. */
static void sum_retire(struct cause_sums *sums, uint32_t number)
{
	struct cause_record *record = record_at(sums, number);
	uint32_t at = sums->heads[number], target = sum_find(sums, 0, sums->list[at].key);
	unsigned slot = slot_of(record, at);
	struct cause_journal journal = {
		.record = number,
		.slot = slot,
		.to = target ? target : at,
		.from = target ? at : 0,
		.sum = sums->list[at],
		.taken_off = record->taken_off,
	};

	journal.sum.record = 0;
	if (target)
		cause_counts_add(&journal.sum.counts, &sums->list[target].counts);
	if (slot < CAUSE_SLOTS) {
		cause_counts_add(&journal.sum.counts, &record->published[slot].counts);
		cause_counts_add(&journal.taken_off, &record->published[slot].counts);
	}
	sums->heads[number] = sums->next[at];
	move(sums, journal, CAUSE_MOVE_SLOT);
	sums->next[at] = target ? sums->free : sums->heads[0];
	*(target ? &sums->free : &sums->heads[0]) = at;
	sums->used -= target != 0;
}

void cause_sums_retire(struct cause_sums *sums, uint32_t number)
{
	struct cause_record *record = record_at(sums, number);
	struct cause_journal journal = { .record = number, .slot = CAUSE_SLOTS };

	while (number < sums->nheads && sums->heads[number])
		sum_retire(sums, number);
	/* now what slots have, and was published by itself, is taken off */
	journal.none = sums->ended->none;
	cause_counts_add(&journal.none, &record->none);
	journal.other = sums->ended->other;
	cause_counts_add(&journal.other, &record->other);
	for (unsigned i = 0; i < CAUSE_SLOTS; i++)
		cause_counts_add(&journal.other, &record->slots[i].counts);
	counts_sub(&journal.other, &record->taken_off);
	move(sums, journal, CAUSE_MOVE_REST);
	if (number < sums->nheads)
		sums->sets[number] = 0;
}
