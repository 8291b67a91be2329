// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Records and blocks in chunks beyond the second: each vCPU's counts are in its own, where the user
 * side looks for them. Sums alone do not tell, if two numbers lead to one place.
 */
#include "bpf/counters.h"
#include "bpf/family.h"

#include <bpf/bpf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/engine.h"
#include "bpf/exit.h"
#include "kvm/exit_reasons.h"

enum { ISA_SVM = 2, VCPU = 0x1000 };

#define VCPUS (2 * RECORDS_CHUNK + 44)

static const uint64_t codes[] = { 0x60, 0x61, 0x64, 0x72, 0x78, 0x7b, 0x7c, 0x81 };

#define CODES ARRAY_SIZE(codes)

_Static_assert(VCPUS *CODES > 2 * BLOCKS_CHUNK, "blocks are in three chunks");

typedef uint64_t counts_t[VCPUS][CODES];

/* Each vCPU leaves the guest for each reason: n times, or by a number of its own. */
static void exits(unsigned n)
{
	for (unsigned i = 0; i < VCPUS; i++) {
		for (unsigned j = 0; j < CODES; j++) {
			unsigned times = n ? n : 1 + (i * 7 + j * 3) % 5;

			while (times--) {
				fire("kvm_exit", codes[j], VCPU + i, ISA_SVM);
				fire("kvm_entry", VCPU + i);
			}
		}
	}
}

/* Read an element of a family's chunks by its number, as the layout says. */
static void element_read(const char *array, uint32_t number, unsigned bits, void *value)
{
	__u32 at = number & ((1U << bits) - 1);
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "%s_%u", array, number >> bits);
	fd = family_pinned(name);
	assert_true(fd >= 0);
	if (number >> bits)
		assert_int_equal(bpf_map_lookup_elem(fd, &at, value), 0);
	else
		element_get(fd, bits, at, value);
	close(fd);
}

static void counts_read(counts_t counts)
{
	struct {
		struct record head;
		__u32 blocks[EXIT_SLOTS];
		__u32 rest[16]; /* what records have behind them */
	} record;
	struct block block;
	unsigned records = 0;

	memset(counts, 0, sizeof(counts_t));
	for (uint32_t number = 1; number <= VCPUS; number++) {
		element_read("exit_cells", number, RECORDS_BITS, &record);
		assert_in_range(record.head.vcpu, VCPU, VCPU + VCPUS - 1);
		records++;
		for (unsigned j = 0; j < CODES; j++) {
			int slot = reasons_slot_of(REASONS_SVM, codes[j]);

			assert_true(slot >= 0 && record.blocks[slot]);
			element_read("exit_blocks", record.blocks[slot], BLOCKS_BITS, &block);
			assert_int_equal(counts[record.head.vcpu - VCPU][j], 0);
			counts[record.head.vcpu - VCPU][j] = block.count;
		}
	}
	assert_int_equal(records, VCPUS);
}

static uint64_t sum_of(unsigned code)
{
	char buffer[REASONS_NAME_SIZE];

	return value_at("exit", reasons_name(REASONS_SVM, codes[code], buffer), "count");
}

static void test_far(void **state)
{
	static counts_t before, after;
	uint64_t sums[CODES], added[CODES] = { 0 };
	unsigned rounds = 0;

	(void)state;
	family_pins();
	config.growth_ns = UINT64_MAX / 4;
	family_open("exit");
	do {
		assert_true(rounds++ < 8);
		exits(1);
		family_tick();
		read_tables();
	} while (value_at("map", "exit_blocks", "used") < VCPUS * CODES);
	assert_int_equal(value_at("map", "exit_cells", "used"), VCPUS);
	read_tables();
	for (unsigned j = 0; j < CODES; j++)
		sums[j] = sum_of(j);
	counts_read(before);
	exits(0);
	counts_read(after);
	for (unsigned i = 0; i < VCPUS; i++) {
		for (unsigned j = 0; j < CODES; j++) {
			assert_int_equal(after[i][j] - before[i][j], 1 + (i * 7 + j * 3) % 5);
			added[j] += after[i][j] - before[i][j];
		}
	}
	read_tables();
	for (unsigned j = 0; j < CODES; j++)
		assert_int_equal(sum_of(j), sums[j] + added[j]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = { family_test(test_far) };

	return run_group("test_exit_far", tests, ARRAY_SIZE(tests));
}
