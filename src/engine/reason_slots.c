// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/reason_slots.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The home is not decided yet. */
#define NO_HOME UINT16_MAX

void reason_slots_set_isa(struct reason_slots *slots, enum reasons_isa isa)
{
	slots->isa = isa;
	memset(slots->names, 0, sizeof(slots->names));
	for (unsigned slot = 0; slot < COUNTER_SLOTS_MAX; slot++)
		slots->homes[slot] = NO_HOME;
}

void reason_slots_init(struct reason_slots *slots, enum reasons_isa isa, unsigned n)
{
	slots->n = n;
	slots->codes_fd = -1;
	reason_slots_set_isa(slots, isa);
}

/* The unknown code that claimed a slot. Returns 0 or -ENOENT. */
static int claimed_code(const struct reason_slots *slots, unsigned slot, uint64_t *ret_code)
{
	__u32 key = slot;
	__u64 code;

	if (slot < REASONS_SLOT_UNKNOWN || slot >= REASONS_SLOT_FIRST || slots->codes_fd < 0 ||
	    bpf_map_lookup_elem(slots->codes_fd, &key, &code))
		return -ENOENT;
	*ret_code = code;
	return 0;
}

/* The slot of a range that has this claimed code, or the first slot that the code has claimed. */
static unsigned home_of_code(const struct reason_slots *slots, unsigned slot, uint64_t code)
{
	int ranged = reasons_slot_of(slots->isa, code);
	uint64_t other;

	if (ranged >= 0 && (unsigned)ranged < slots->n)
		return (unsigned)ranged;
	for (unsigned i = REASONS_SLOT_UNKNOWN; i < slot; i++) {
		if (claimed_code(slots, i, &other) == 0 && other == code)
			return i;
	}
	return slot;
}

static unsigned home_find(const struct reason_slots *slots, unsigned slot)
{
	uint64_t code;

	if (slots->homes[slot] != NO_HOME)
		return slots->homes[slot];
	if (slot >= slots->n)
		return slot;
	if (reasons_code_of(slots->isa, slot, &code) == 0)
		return slot;
	if (claimed_code(slots, slot, &code) == 0)
		return home_of_code(slots, slot, code);
	return REASONS_SLOT_OTHER;
}

unsigned reason_slots_home(struct reason_slots *slots, unsigned slot)
{
	slots->homes[slot] = (uint16_t)home_find(slots, slot);
	return slots->homes[slot];
}

const char *reason_slots_name(struct reason_slots *slots, unsigned slot)
{
	unsigned home = home_find(slots, slot);
	char *name = slots->names[home];
	const struct reason *reason;
	uint64_t code;

	if (reasons_code_of(slots->isa, home, &code) && claimed_code(slots, home, &code))
		return REASONS_OTHER_NAME;
	reason = reasons_find(slots->isa, code);
	if (reason)
		return reason->name;
	if (!*name)
		snprintf(name, REASONS_NAME_SIZE, "0x%" PRIx64, code);
	return name;
}
