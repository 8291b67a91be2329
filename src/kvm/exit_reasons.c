// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kvm/exit_reasons.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#if defined(__x86_64__)
#define X86 1
#else
#define X86 0
#endif

#define RANGE(slot, first, count)
#define REASON(code, name, listed) { code, name, listed },
static const struct reason vmx[] = {
#include "kvm/reasons/vmx.def"
};
static const struct reason svm[] = {
#include "kvm/reasons/svm.def"
};
static const struct reason arm64[] = {
#include "kvm/reasons/arm64.def"
};
static const struct reason userspace[] = {
#include "kvm/reasons/userspace.def"
};
#undef RANGE
#undef REASON

#define RANGE(slot, first, count) { first, count, slot },
#define REASON(code, name, listed)
static const struct reasons_range vmx_ranges[] = {
#include "kvm/reasons/vmx.def"
};
static const struct reasons_range svm_ranges[] = {
#include "kvm/reasons/svm.def"
};
static const struct reasons_range arm64_ranges[] = {
#include "kvm/reasons/arm64.def"
};
static const struct reasons_range userspace_ranges[] = {
#include "kvm/reasons/userspace.def"
};
#undef RANGE
#undef REASON

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct table {
	const struct reason *list;
	size_t count;
	const struct reasons_range *ranges;
	size_t ranges_count;
} tables[REASONS_ISAS] = {
#define TABLE(name) name, COUNT(name), name##_ranges, COUNT(name##_ranges)
	[REASONS_VMX] = { TABLE(vmx) },
	[REASONS_SVM] = { TABLE(svm) },
	[REASONS_ARM64] = { TABLE(arm64) },
	[REASONS_USERSPACE] = { TABLE(userspace) },
#undef TABLE
};

const struct reason *reasons_list(enum reasons_isa isa, size_t *ret_count)
{
	*ret_count = tables[isa].count;
	return tables[isa].list;
}

const struct reason *reasons_find(enum reasons_isa isa, uint64_t code)
{
	const struct table *table = &tables[isa];

	for (size_t i = 0; i < table->count; i++) {
		if (table->list[i].code == code)
			return &table->list[i];
	}
	return NULL;
}

const struct reason *reasons_find_name(enum reasons_isa isa, const char *name)
{
	const struct table *table = &tables[isa];

	for (size_t i = 0; i < table->count; i++) {
		if (strcmp(table->list[i].name, name) == 0)
			return &table->list[i];
	}
	return NULL;
}

const char *reasons_name(enum reasons_isa isa, uint64_t code, char buffer[REASONS_NAME_SIZE])
{
	const struct reason *reason = reasons_find(isa, code);

	if (reason)
		return reason->name;
	snprintf(buffer, REASONS_NAME_SIZE, "0x%" PRIx64, code);
	return buffer;
}

const struct reasons_range *reasons_ranges(enum reasons_isa isa, size_t *ret_count)
{
	*ret_count = tables[isa].ranges_count;
	return tables[isa].ranges;
}

unsigned reasons_slots(enum reasons_isa isa)
{
	const struct table *table = &tables[isa];
	const struct reasons_range *last = &table->ranges[table->ranges_count - 1];

	return last->slot + last->count;
}

int reasons_slot_of(enum reasons_isa isa, uint64_t code)
{
	const struct table *table = &tables[isa];

	for (size_t i = 0; i < table->ranges_count; i++) {
		const struct reasons_range *range = &table->ranges[i];

		if (code - range->first < range->count)
			return range->slot + (code - range->first);
	}
	return -ENOENT;
}

int reasons_code_of(enum reasons_isa isa, unsigned slot, uint64_t *ret_code)
{
	const struct table *table = &tables[isa];

	for (size_t i = 0; i < table->ranges_count; i++) {
		const struct reasons_range *range = &table->ranges[i];

		if (slot - range->slot < range->count) {
			*ret_code = range->first + (slot - range->slot);
			return 0;
		}
	}
	return -ENOENT;
}

bool reasons_listed(enum reasons_isa isa, unsigned slot)
{
	const struct reason *reason;
	uint64_t code;

	if (reasons_code_of(isa, slot, &code))
		return false;
	reason = reasons_find(isa, code);
	return reason && reason->listed;
}

bool reasons_sleeps(const char *name, size_t len)
{
	/* of AMD, arm64, Intel and the VMM, in this order */
	static const char *const sleeping[] = {
		"hlt", "idle-halt", "vmgexit_ap_hlt_loop", "WFx", "HLT", "AP_RESET_HOLD",
	};

	for (size_t i = 0; i < sizeof(sleeping) / sizeof(sleeping[0]); i++) {
		if (strlen(sleeping[i]) == len && memcmp(sleeping[i], name, len) == 0)
			return true;
	}
	return false;
}
