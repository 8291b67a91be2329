// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kvm/cause_key.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum number { HEX, DECIMAL, SYSREG };

static const struct kind {
	const char *name;
	enum number number;
	bool direction;
} kinds[CAUSE_KINDS] = {
	[CAUSE_PIO] = { "io", HEX, true },
	[CAUSE_MSR] = { "msr", HEX, true },
	[CAUSE_CPUID] = { "cpuid", HEX, false },
	[CAUSE_HYPERCALL] = { "hypercall", DECIMAL, false },
	[CAUSE_HV] = { "hv", HEX, false },
	[CAUSE_CR] = { "cr", DECIMAL, true },
	[CAUSE_MMIO] = { "mmio", HEX, true },
	[CAUSE_APIC] = { "apic", HEX, true },
	[CAUSE_SYSREG] = { "sysreg", SYSREG, true },
	[CAUSE_HVC] = { "hvc", DECIMAL, false },
};

uint64_t cause_key(enum cause_kind kind, uint64_t number, bool write)
{
	return (uint64_t)kind << CAUSE_KIND_SHIFT | (write ? CAUSE_WRITE : 0) |
	       (number & CAUSE_NUMBER);
}

static const struct kind *kind_of(uint64_t key)
{
	uint64_t kind = key >> CAUSE_KIND_SHIFT;

	return kind < CAUSE_KINDS && kinds[kind].name ? &kinds[kind] : NULL;
}

bool cause_kind_has_direction(unsigned kind)
{
	return kind < CAUSE_KINDS && kinds[kind].direction;
}

const char *cause_key_kind(uint64_t key)
{
	const struct kind *kind = kind_of(key);

	if (key == CAUSE_NONE)
		return "none";
	if (key == CAUSE_OTHER)
		return "other";
	return kind ? kind->name : NULL;
}

/* A number has at most 17 digits, so every text fits. */
static int number_text(const struct kind *kind, uint64_t number, char *buffer)
{
	unsigned n = (unsigned)number;

	switch (kind->number) {
	case HEX:
		return snprintf(buffer, CAUSE_KEY_TEXT_SIZE, "%s:0x%" PRIx64, kind->name, number);
	case DECIMAL:
		return snprintf(buffer, CAUSE_KEY_TEXT_SIZE, "%s:%" PRIu64, kind->name, number);
	case SYSREG:
		break;
	}
	if (number >> 21 || number & 0x1f)
		return -EINVAL;
	return snprintf(buffer, CAUSE_KEY_TEXT_SIZE, "%s:s%u_%u_c%u_c%u_%u", kind->name, n >> 19,
			n >> 16 & 7, n >> 12 & 15, n >> 8 & 15, n >> 5 & 7);
}

int cause_key_text(uint64_t key, char buffer[CAUSE_KEY_TEXT_SIZE])
{
	const struct kind *kind = kind_of(key);
	char text[CAUSE_KEY_TEXT_SIZE];
	bool write = key & CAUSE_WRITE;
	int len;

	if (key == CAUSE_NONE || key == CAUSE_OTHER)
		return sprintf(buffer, "%s", cause_key_kind(key));
	if (!kind || (write && !kind->direction))
		return -EINVAL;
	len = number_text(kind, key & CAUSE_NUMBER, text);
	if (len < 0)
		return len;
	if (kind->direction)
		len += sprintf(text + len, ":%c", write ? 'w' : 'r');
	memcpy(buffer, text, len + 1);
	return len;
}

static uint64_t parse_number(enum number number, const char *text)
{
	unsigned op0 = 0, op1 = 0, crn = 0, crm = 0, op2 = 0;

	if (number != SYSREG)
		return strtoull(text, NULL, number == HEX ? 16 : 10);
	sscanf(text, "s%2u_%2u_c%2u_c%2u_%2u", &op0, &op1, &crn, &crm, &op2);
	return op0 << 19 | op1 << 16 | crn << 12 | crm << 8 | op2 << 5;
}

/* Reads any text of a kind, and takes it if the key's own text is the same. */
int cause_key_parse(const char *text, uint64_t *ret_key)
{
	size_t len = strlen(text), word = strcspn(text, ":");
	char again[CAUSE_KEY_TEXT_SIZE];
	uint64_t key = CAUSE_NONE;

	if (strcmp(text, "other") == 0)
		key = CAUSE_OTHER;
	for (unsigned kind = 0; kind < CAUSE_KINDS && text[word]; kind++) {
		const char *name = kinds[kind].name;

		if (name && strlen(name) == word && memcmp(name, text, word) == 0)
			key = cause_key(kind, parse_number(kinds[kind].number, text + word + 1),
					kinds[kind].direction && text[len - 1] == 'w');
	}
	if (cause_key_text(key, again) < 0 || strcmp(text, again) != 0)
		return -EINVAL;
	*ret_key = key;
	return 0;
}
