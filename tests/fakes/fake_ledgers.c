// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_ledgers.h"

static struct pool pool;
static char *chunks[1];

const struct pool *fake_ledgers_pool(struct fake_ledgers *memory)
{
	chunks[0] = (char *)memory->records;
	pool = (struct pool){
		.bits = 3,
		.size = sizeof(struct ledger_record),
		.limit = FAKE_LEDGERS - 1,
		.chunks = chunks,
		.nchunks = 1,
		.max_chunks = 1,
	};
	return &pool;
}

void fake_ledger_begin(struct ledger_record *record, uint64_t now, enum ledger_state state)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < LEDGER_PLACES; i++)
		sum += record->time[i];
	record->origin = now - sum;
	record->last = now << LEDGER_STATE_BITS | state;
	record->head.generation = FAKE_FLAG;
}

void fake_ledger_edge(struct ledger_record *record, uint64_t now, enum ledger_state next)
{
	record->time[record->last % LEDGER_PLACES] += now - (record->last >> LEDGER_STATE_BITS);
	record->last = now << LEDGER_STATE_BITS | next;
}

uint64_t fake_ledger_sum(const struct ledger_times *times)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < LEDGER_STATES; i++)
		sum += times->time[i];
	return sum;
}
