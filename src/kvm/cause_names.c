// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kvm/cause_names.h"

#define LAPIC_PAGE   0xfee00000u /* the local APIC's registers, where the guest leaves them */
#define LAPIC_SIZE   0x1000u
#define X2APIC_FIRST 0x800u /* its registers as MSRs, one for each 16 bytes of that page */
#define X2APIC_COUNT 0x100u

#define SYSREG(op0, op1, crn, crm, op2) \
	((op0) << 19 | (op1) << 16 | (crn) << 12 | (crm) << 8 | (op2) << 5)

#define ROW(kind, first, last, direction, device) \
	{ CAUSE_##kind, first, last, CAUSE_##direction, device },

#define X86(kind, first, last, direction, device, source) ROW(kind, first, last, direction, device)
#define ARM64(kind, first, last, direction, device, source)
static const struct cause_name x86[] = {
#include "kvm/cause_names.def"
};
#undef X86
#undef ARM64

#define X86(kind, first, last, direction, device, source)
#define ARM64(kind, first, last, direction, device, source) \
	ROW(kind, first, last, direction, device)
static const struct cause_name arm64[] = {
#include "kvm/cause_names.def"
};
#undef X86
#undef ARM64

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const struct machine {
	const struct cause_name *rows;
	size_t count;
} machines[CAUSE_MACHINES] = {
	[CAUSE_X86] = { x86, COUNT(x86) },
	[CAUSE_ARM64] = { arm64, COUNT(arm64) },
};

const struct cause_name *cause_names(enum cause_machine machine, size_t *ret_count)
{
	*ret_count = machines[machine].count;
	return machines[machine].rows;
}

/* The local APIC has its registers' names, however the guest reaches them. */
static uint64_t lapic_register(uint64_t key)
{
	uint64_t number = key & CAUSE_NUMBER, direction = key & CAUSE_WRITE;
	const uint64_t apic = (uint64_t)CAUSE_APIC << CAUSE_KIND_SHIFT | direction;

	switch (key >> CAUSE_KIND_SHIFT) {
	case CAUSE_MMIO:
		if (number - LAPIC_PAGE < LAPIC_SIZE)
			return apic | (number - LAPIC_PAGE);
		break;
	case CAUSE_MSR:
		if (number - X2APIC_FIRST < X2APIC_COUNT)
			return apic | (number - X2APIC_FIRST) << 4;
		break;
	}
	return key;
}

/* How many rows begin at or below a number. */
static size_t rows_up_to(const struct machine *machine, unsigned kind, uint64_t number)
{
	size_t low = 0, high = machine->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct cause_name *row = &machine->rows[middle];

		if (row->kind < kind || (row->kind == kind && row->first <= number))
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *cause_device_on(enum cause_machine machine, uint64_t key)
{
	const struct machine *table = &machines[machine];
	uint64_t number;
	unsigned kind, direction;

	if (machine == CAUSE_X86)
		key = lapic_register(key);
	number = key & CAUSE_NUMBER;
	kind = key >> CAUSE_KIND_SHIFT;
	direction = key & CAUSE_WRITE ? CAUSE_WRITES : CAUSE_READS;
	/* at most two rows have a number: for reads and for writes */
	for (size_t n = rows_up_to(table, kind, number), last = 2; n > 0 && last > 0; n--, last--) {
		const struct cause_name *row = &table->rows[n - 1];

		if (row->kind == kind && number <= row->last && row->direction & direction)
			return row->device;
	}
	return CAUSE_DEVICE_UNKNOWN;
}

const char *cause_device(uint64_t key)
{
#ifdef __aarch64__
	return cause_device_on(CAUSE_ARM64, key);
#else
	return cause_device_on(CAUSE_X86, key);
#endif
}
