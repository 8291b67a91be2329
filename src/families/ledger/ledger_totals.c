// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/ledger/ledger_totals.h"

#include <errno.h>
#include <stdlib.h>

/* Add one thread's to another's of the same vCPU. */
static void total_add(void *to_total, const void *from_total)
{
	const struct ledger_total *from = from_total;
	struct ledger_total *to = to_total;

	ledger_times_add(&to->times, &from->times);
	if (from->halts) {
		ledger_halts_add(to->halts, from->halts);
		free(from->halts);
	}
	if (!from->is_open || (to->is_open && to->since >= from->since))
		return;
	to->is_open = true;
	to->state = from->state;
	to->since = from->since;
}

static void total_drop(void *total)
{
	free(((struct ledger_total *)total)->halts);
}

static const struct vcpu_list_kind kind = {
	.size = sizeof(struct ledger_total),
	.add = total_add,
	.drop = total_drop,
};

void ledger_totals_free(struct ledger_totals *totals)
{
	vcpu_list_free(&totals->vcpus, &kind);
	vcpu_list_free(&totals->kept, &kind);
	*totals = (struct ledger_totals){ .records = NULL };
}

/* --- reading --- */

static struct ledger_total total_of(const struct ledger_totals *totals, uint32_t number,
				    const struct ledger_reading *reading)
{
	return (struct ledger_total){ .of = vcpu_ids_of(totals->records, number),
				      .times = reading->times,
				      .is_open = reading->is_open,
				      .state = reading->state,
				      .since = reading->since };
}

struct records_reader {
	struct ledger_totals *totals;
	uint32_t flag;
};

static int record_read(void *data, uint32_t number, const void *record)
{
	const struct records_reader *reader = data;
	struct ledger_totals *totals = reader->totals;
	const struct record *head = record;
	struct ledger_reading reading;
	struct ledger_total total;

	/* an ended thread is in no state */
	ledger_record_read(record, head->ended ? 0 : reader->flag, &reading);
	ledger_times_add(&totals->host, &reading.times);
	total = total_of(totals, number, &reading);
	return total.of.vm ? vcpu_list_add(&totals->vcpus, &kind, &total) : 0;
}

int ledger_totals_read(struct ledger_totals *totals, const struct vms *vms, uint32_t flag,
		       uint64_t now)
{
	struct records_reader reader = { totals, flag };
	const struct ledger_total *list;
	int err;

	vcpu_list_update(&totals->kept, &kind, vms);
	totals->now = now;
	totals->vcpus.n = 0;
	for (unsigned i = 0; i < LEDGER_STATES; i++)
		totals->host.time[i] = totals->ended->time[i];
	err = vcpu_records_walk(totals->records, record_read, &reader);
	list = totals->kept.list;
	for (size_t i = 0; !err && i < totals->kept.n; i++) {
		struct ledger_total kept = list[i];

		kept.halts = NULL;
		err = vcpu_list_add(&totals->vcpus, &kind, &kept);
	}
	vcpu_list_merge(&totals->vcpus, &kind);
	return err;
}

int ledger_totals_retire(struct ledger_totals *totals, uint32_t number)
{
	const struct pool *records = &totals->records->counters->records;
	const struct ledger_record *record = pool_at(records, number);
	struct ledger_reading reading;
	struct ledger_total total;
	int err = 0;

	ledger_record_read(record, 0, &reading);
	total = total_of(totals, number, &reading);
	if (total.of.vm) {
		total.halts = malloc(sizeof(*total.halts));
		err = total.halts ? vcpu_list_add(&totals->kept, &kind, &total) : -ENOMEM;
		if (err)
			free(total.halts);
		else
			*total.halts = record->halts;
	}
	if (!err)
		ledger_record_retire(totals->ended, records, number);
	return err;
}

const struct ledger_total *ledger_totals_of(const struct ledger_totals *totals, uint32_t vm,
					    uint32_t vcpu, size_t *ret_n)
{
	return vcpu_list_find(&totals->vcpus, &kind, (struct vcpu_ids){ vm, vcpu }, ret_n);
}

const struct ledger_total *ledger_totals_kept(const struct ledger_totals *totals, uint32_t vm,
					      uint32_t vcpu, size_t *ret_n)
{
	return vcpu_list_find(&totals->kept, &kind, (struct vcpu_ids){ vm, vcpu }, ret_n);
}
