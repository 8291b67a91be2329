// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* When the rows of exit's tables change, what a fetch sums up, and how full its maps are. */
#include "fakes/fake_engine.h"
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "bpf/exit.h"
#include "engine/exit_common.h"

static struct vms vms = { .proc = "proc" };
static struct config config = { .vcpus = 100, .counters = 1000 };
static struct vcpu vcpu = { .id = 11, .address = 0x1000 };
static struct vm vm = { .id = 1, .vcpus = &vcpu, .nvcpus = 1 };
static struct vm *list[] = { &vm };
static struct exits *exits;

static const struct exits_kind kind = {
	"exit", EXIT_LAYOUT, EXIT_SLOTS, REASONS_SVM, exit_tables, EXIT_TABLES, EXIT_NO_REASONS,
};

/* Masks of tables. */
enum { TOTAL = 1, REASONS = 2, LATENCY = 4, VM_REASONS = 16, VM_LATENCY = 32, VCPU = 64 };

/* How far pools were to grow at the last tick: of records, of blocks. */
static struct {
	uint32_t wanted[2];
	uint64_t until[2];
} growth;

int __wrap_pool_grow(struct pool *pool, uint32_t wanted, uint64_t until);
int __wrap_pool_grow(struct pool *pool, uint32_t wanted, uint64_t until)
{
	bool blocks = pool == &exits->counters.blocks;

	assert_true(blocks || pool == &exits->counters.records);
	growth.wanted[blocks] = wanted;
	growth.until[blocks] = until;
	return 0;
}

static int setup(void **state)
{
	struct family_env env = { .config = &config, .cpus = &fake_engine_cpus, .vms = &vms };

	(void)state;
	vms = (struct vms){ .proc = "proc", .list = list, .n = 1 };
	return exits_new(&env, &kind, &exits);
}

static int teardown(void **state)
{
	(void)state;
	fake_engine_unload(&exits->counters);
	fake_engine_free();
	exits_close(exits);
	return 0;
}

static void test_new(void **state)
{
	uint64_t missed;

	(void)state;
	assert_null(exits->env.report);
	assert_ptr_equal(exits->env.vms, &vms);
	assert_int_equal(exits->counters.nslots, EXIT_SLOTS);
	assert_int_equal(exits->counters.slots.n, EXIT_SLOT_NESTED);
	assert_string_equal(exits->counters.proc, "proc");
	for (size_t i = 0; i < EXITS_PROGRAMS; i++)
		assert_int_equal(exits->programs[i].link_fd, -1);
	assert_int_equal(exits_generation(exits), 0);
	assert_int_equal(exits_missed(exits, &missed), -ENODATA);
	assert_int_equal(exits_reset_max(exits), 0);
	assert_int_equal(exits_refresh(exits, UINT64_MAX), 0);
	exits_tick(exits, NULL);
	exits_detach(exits);
	exits_close(NULL);
}

/* A reason, bucket or VM's reason that is counted for the first time is a new row. */
static void test_refresh(void **state)
{
	uint32_t record;

	(void)state;
	fake_engine_load(&exits->counters);
	exits_refresh(exits, UINT64_MAX);
	assert_int_equal(exits_refresh(exits, UINT64_MAX), 0);
	record = fake_record(1, 0x1000, false);
	fake_count(record, 9, 1, 1, 0);
	assert_int_equal(exits_refresh(exits, UINT64_MAX), 1);
	assert_int_equal(exits_refresh(exits, UINT64_MAX), 0);
	fake_count(record, 9, 1, 1, 0);
	assert_int_equal(exits_refresh(exits, UINT64_MAX), 0);
	fake_count(record, 9, 1, 1, 31);
	assert_int_equal(exits_refresh(exits, UINT64_MAX), 1);
	assert_int_equal(exits_refresh(exits, UINT64_MAX), 0);
	fake_engine->rows[1].count[EXIT_SLOT_NESTED - 1] = 1;
	assert_int_equal(exits_refresh(exits, TOTAL), 1);
	assert_int_equal(exits_refresh(exits, TOTAL), 0);
	fake_count(record, 10, 1, 1, 1);
	assert_int_equal(exits_refresh(exits, VM_REASONS), 1);
	vms.changes++;
	assert_int_equal(exits_refresh(exits, VCPU), 1);
	assert_int_equal(exits_refresh(exits, VCPU), 0);
}

/* Only what was asked for is summed up, and the host's sums make no system call. */
static void test_wanted(void **state)
{
	struct vcpu_counters *counters = &exits->counters;
	uint32_t record;

	(void)state;
	fake_engine_load(counters);
	record = fake_record(1, 0x1000, false);
	fake_count(record, 9, 1, 1, 0);
	fake_engine_calls = 0;
	exits_refresh(exits, VM_REASONS);
	assert_int_equal(counters->total[9].count, 0);
	assert_int_equal(counters->latency[9][0], 0);
	assert_int_equal(exits->vms.nplaces, 1);
	exits_refresh(exits, LATENCY);
	assert_int_equal(counters->total[9].count, 0);
	assert_int_equal(counters->latency[9][0], 1);
	exits_refresh(exits, REASONS);
	assert_int_equal(counters->total[9].count, 1);
	fake_count(record, 9, 1, 1, 0);
	exits_refresh(exits, REASONS | VM_REASONS);
	assert_int_equal(counters->total[9].count, 2);
	assert_int_equal(counters->latency[9][0], 1);
	exits_refresh(exits, VM_LATENCY);
	assert_int_equal(counters->latency[9][0], 2);
	assert_int_equal(fake_engine_calls, 0);
}

static void test_maps(void **state)
{
	struct map_usage usage = { 0 };
	uint32_t record;

	(void)state;
	fake_engine_load(&exits->counters);
	record = fake_record(1, 0x1000, false);
	fake_count(record, 9, 1, 1, 0);
	fake_count(record, 10, 1, 1, 0);
	fake_engine->rows[0].count[3] = 11;
	fake_engine->rows[1].no_block = 4;
	exits_refresh(exits, TOTAL);
	exits_records_map(exits, &usage);
	assert_int_equal(usage.limit, 100);
	assert_int_equal(usage.used, 1);
	assert_in_range(usage.bytes, FAKE_RECORDS * sizeof(struct fake_record), 65536);
	assert_int_equal(usage.dropped, 7);
	usage = (struct map_usage){ 0 };
	exits_blocks_map(exits, &usage);
	assert_int_equal(usage.limit, 1000);
	assert_int_equal(usage.used, 2);
	assert_in_range(usage.bytes, FAKE_BLOCKS * sizeof(struct block), 65536);
	assert_int_equal(usage.dropped, 4);
}

/* A tick takes back what is over; a fetch does not. */
static void test_tick(void **state)
{
	uint32_t record;

	(void)state;
	fake_engine_load(&exits->counters);
	record = fake_record(1, 0x1000, false);
	fake_count(record, 9, 1, 1, 0);
	fake_engine->records[record].head.ended = 1;
	for (int i = 0; i < 5; i++)
		exits_refresh(exits, UINT64_MAX);
	assert_int_equal(pool_used(&exits->counters.records), 1);
	exits_tick(exits, NULL);
	assert_int_equal(pool_used(&exits->counters.records), 0);
	assert_int_equal(exits_refresh(exits, UINT64_MAX), 1);
	assert_int_equal(exits->counters.total[9].count, 1);
	assert_pools(&exits->counters);
}

static void assert_growth(uint32_t records, uint32_t blocks)
{
	exits_tick(exits, NULL);
	assert_int_equal(growth.wanted[0], records);
	assert_int_equal(growth.wanted[1], blocks);
}

/* What is to be free: half a chunk, and what events have not found since the last tick. */
static void test_growth(void **state)
{
	static struct vcpu vcpus[4000];
	struct vcpu_counters *counters = &exits->counters;
	uint32_t record;

	(void)state;
	fake_engine_load(counters);
	counters->records.limit = counters->blocks.limit = 1000000;
	for (uint32_t i = 0; i < ARRAY_SIZE(vcpus); i++)
		vcpus[i] = (struct vcpu){ .id = 1000 + i, .address = 0x10000 + i * 64 };
	assert_growth(64, 512);
	/* threads that the register does not know: as many again, with as many blocks each */
	for (uint32_t i = 0; i < 2; i++) {
		record = fake_record(1 + i, vcpus[i].address, false);
		for (unsigned slot = 9; slot < 12; slot++)
			fake_count(record, slot, 1, 1, 0);
	}
	fake_engine->rows[1].count[9] = 10;
	assert_growth(64 + 2, 512 + 2 * (3 + 1));
	assert_growth(64, 512);
	/* it knows them */
	vm.vcpus = vcpus;
	vm.nvcpus = ARRAY_SIZE(vcpus);
	vms.changes++;
	fake_engine->rows[0].count[9] = 1;
	assert_growth(64 + 3998, 512 + 3998 * (3 + 1));
	assert_growth(64, 512);
	/* records that find no block: as many again */
	fake_engine->control.blocks_taken += 700;
	fake_engine->rows[0].count[9]++;
	fake_engine->rows[0].no_block++;
	assert_growth(64, 706);
	assert_growth(64, 512);
	/* not beyond the limit */
	counters->records.limit = 8;
	assert_growth(8, 512);
	counters->records.limit = 7;
	counters->blocks.limit = 15;
	fake_engine->control.blocks_taken -= 700;
	vm.vcpus = &vcpu;
	vm.nvcpus = 1;
}

/* The daemon's tick may take some time for it, the DSO's none. */
static void test_growth_time(void **state)
{
	uint64_t before;

	(void)state;
	fake_engine_load(&exits->counters);
	before = clock_ns();
	config.growth_ns = 1000000000000;
	exits_tick(exits, NULL);
	assert_in_range(growth.until[1], before + config.growth_ns, clock_ns() + config.growth_ns);
	assert_int_equal(growth.until[0], growth.until[1]);
	config.growth_ns = 0;
	exits_tick(exits, NULL);
	assert_in_range(growth.until[0], before, clock_ns());
}

static void test_no_memory(void **state)
{
	struct family_env env = { .config = &config, .cpus = &fake_engine_cpus, .vms = &vms };
	struct exits *made;
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		int err;

		untouched_fill(&made, sizeof(struct exits *));
		alloc_fail_at(n);
		err = exits_new(&env, &kind, &made);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&made, sizeof(struct exits *));
	}
	assert_true(n > 0);
	exits_close(made);
}

/* An object does without the families that are not loaded. */
static void test_without(void **state)
{
	struct record_links links[3] = { 0 };
	const struct bpf_map *const map = (const struct bpf_map *)&links;

	(void)state;
	assert_int_equal(exits_without(exits), WITHOUT_CAUSES | WITHOUT_LEDGER | WITHOUT_SLOW);
	exits->env.causes = &links[0];
	exits->env.ledger = &links[1];
	exits->env.slow = &links[2];
	assert_int_equal(exits_without(exits), WITHOUT_CAUSES | WITHOUT_LEDGER | WITHOUT_SLOW);
	links[1].maps[LINK_SHARED] = map;
	assert_int_equal(exits_without(exits), WITHOUT_CAUSES | WITHOUT_SLOW);
	links[0].maps[LINK_SHARED] = map;
	links[2].maps[LINK_SHARED] = map;
	assert_int_equal(exits_without(exits), 0);
	exits->env.causes = exits->env.ledger = exits->env.slow = NULL;
}

#define exits_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		exits_test(test_new),	 exits_test(test_refresh),     exits_test(test_wanted),
		exits_test(test_maps),	 exits_test(test_tick),	       exits_test(test_no_memory),
		exits_test(test_growth), exits_test(test_growth_time), exits_test(test_without),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
