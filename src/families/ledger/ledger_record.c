// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/ledger/ledger_record.h"

#include <string.h>

#include "kvm/exit_reasons.h"

/* An edge is written in some 10 ns, and the next one comes some 100 ns later. */
#define TRIES 64

/* The compiler must keep the order of writes to the journal: a kill can come between any two. */
#define write_barrier() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#define load(value)	__atomic_load_n(&(value), __ATOMIC_ACQUIRE)

void ledger_halts_add(struct ledger_halts *to, const struct ledger_halts *from)
{
	to->poll_time += load(from->poll_time);
	to->poll_attempts += load(from->poll_attempts);
	for (unsigned i = 0; i < LEDGER_HISTOGRAMS; i++) {
		for (unsigned j = 0; j < EXIT_BUCKETS; j++)
			to->bucket[i][j] += load(from->bucket[i][j]);
	}
}

static bool sleeps_in(uint32_t reason)
{
	uint32_t isa = (reason & ~LEDGER_MARKED) >> LEDGER_ISA_SHIFT;
	uint32_t slot = reason % (1U << LEDGER_ISA_SHIFT);
	const struct reason *list;
	size_t n;

	if (isa < 1 || isa > REASONS_ISAS)
		return false;
	list = reasons_list((enum reasons_isa)(isa - 1), &n);
	for (size_t i = 0; i < n; i++) {
		if (reasons_slot_of((enum reasons_isa)(isa - 1), list[i].code) == (int)slot)
			return reasons_sleeps(list[i].name, strlen(list[i].name));
	}
	return false;
}

/* Returns the sum. */
static uint64_t times_load(const struct ledger_record *record, struct ledger_times *ret_times)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < LEDGER_STATES; i++) {
		ret_times->time[i] = load(record->time[i]);
		sum += ret_times->time[i];
	}
	return sum;
}

void ledger_record_read(const struct ledger_record *record, uint32_t flag,
			struct ledger_reading *ret_reading)
{
	*ret_reading = (struct ledger_reading){ .is_open = false };
	for (unsigned i = 0; i < TRIES; i++) {
		uint32_t generation = load(record->head.generation);
		uint64_t last = load(record->last), sum;
		uint32_t reason = load(record->reason);

		sum = times_load(record, &ret_reading->times);
		if (!flag || generation != flag || record->head.ended)
			return;
		if (sum + load(record->origin) != last >> LEDGER_STATE_BITS)
			continue; /* the thread writes an edge */
		ret_reading->is_open = true;
		ret_reading->since = last >> LEDGER_STATE_BITS;
		ret_reading->state = (enum ledger_state)(last % LEDGER_PLACES);
		if (ret_reading->state == LEDGER_KVM && sleeps_in(reason))
			ret_reading->state = LEDGER_HALTED;
		return;
	}
}

/* Repeating this from any point gives the same. */
static void move_finish(struct ledger_ended *ended, const struct pool *records)
{
	struct ledger_record *record = pool_at(records, ended->record);

	memcpy(ended->time, ended->sum, sizeof(ended->time));
	write_barrier();
	if (record)
		memset(record->time, 0, sizeof(record->time));
	write_barrier();
	ended->moves = 0;
}

void ledger_record_retire(struct ledger_ended *ended, const struct pool *records, uint32_t number)
{
	const struct ledger_record *record = pool_at(records, number);

	for (unsigned i = 0; i < LEDGER_PLACES; i++)
		ended->sum[i] = ended->time[i] + record->time[i];
	ended->record = number;
	write_barrier();
	ended->moves = 1;
	write_barrier();
	move_finish(ended, records);
}

void ledger_record_recover(struct ledger_ended *ended, const struct pool *records)
{
	if (ended->moves)
		move_finish(ended, records);
}
