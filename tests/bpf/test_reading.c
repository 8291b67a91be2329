// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A second collector reads the maps of an agent that runs: it loads and attaches nothing, sees what
 * is counted, and changes nothing. Of another layout it loads its own.
 */
#define _GNU_SOURCE
#include "bpf/family.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/ledger.h"

enum { CPUID = 0x72, HLT = 0x78, IO = 0x7b, ISA_SVM = 2, VCPU = 0x1000 };

static char mounted[] = "/tmp/reading.XXXXXX", folder[64];
static struct collector *agent;
static struct items no_items;
static struct report said;

/* The mount is in a mount namespace of this process, so it does not outlive it. */
static int mount_setup(void **state)
{
	static const char *const events[] = { "kvm_cpuid", "kvm_entry", "kvm_exit",
					      "kvm_fpu",   "kvm_pio",	"kvm_userspace_exit",
					      NULL };

	if (family_setup(state) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
		return -1;
	strcpy(mounted, "/tmp/reading.XXXXXX");
	if (!mkdtemp(mounted) || mount("bpf", mounted, "bpf", 0, ""))
		return -1;
	snprintf(folder, sizeof(folder), "%s/pins", mounted);
	free(config.pin);
	config.pin = strdup(folder);
	host.events = events;
	agent = NULL;
	return 0;
}

static int mount_teardown(void **state)
{
	collector_close(collector);
	collector = agent;
	report_clear(&said);
	umount2(mounted, MNT_DETACH);
	rmdir(mounted);
	return family_teardown(state);
}

#define reading_test(test) cmocka_unit_test_setup_teardown(test, mount_setup, mount_teardown)

/* From here on the tables that are read are the second collector's. */
static void begin_reading(void)
{
	assert_int_equal(
		collector_open(&config, &no_items, NULL, COLLECTOR_READS, &said, &collector), 0);
}

static void agent_open(const char *name)
{
	host.pins = COLLECTOR_PINS;
	family_open(name);
	agent = collector;
	collector = NULL;
}

static void exits(unsigned n, uint64_t code)
{
	for (unsigned i = 0; i < n; i++) {
		fire("kvm_exit", code, VCPU, ISA_SVM);
		fire("kvm_entry", VCPU);
	}
}

static void assert_reads(bool reads)
{
	assert_int_equal(collector_reads(collector) != NULL, reads);
}

/* The names of all pins, sorted. */
static const char *pins_list(void)
{
	static char text[2048];
	struct dirent **list;
	int n = scandir(folder, &list, NULL, alphasort);

	*text = '\0';
	assert_true(n > 0);
	for (int i = 0; i < n; i++) {
		strcat(strcat(text, " "), list[i]->d_name);
		free(list[i]);
	}
	free(list);
	return text;
}

static void agent_tick(void)
{
	collector_tick(agent, &said);
	report_clear(&said);
}

/* What was counted before is seen, what is counted meanwhile, and reasons that are new. */
static void test_sees_what_is_counted(void **state)
{
	unsigned objects;
	char attached[256];

	(void)state;
	agent_open("exit");
	exits(13, HLT);
	objects = host.objects;
	strcpy(attached, attached_events());
	begin_reading();
	assert_reads(true);
	assert_string_equal(family_status(), "read from the maps of the agent that runs");
	read_tables();
	assert_int_equal(value_at("exit", "hlt", "count"), 13);
	assert_int_equal(counted_rows("exit"), 1);
	exits(29, IO);
	exits(4, HLT);
	read_tables();
	assert_int_equal(value_at("exit", "hlt", "count"), 17);
	assert_int_equal(value_at("exit", "io", "count"), 29);
	assert_int_equal(value_at("exit_total", "", "total"), 46);
	assert_true(rows_of("exit_latency") > 0);
	assert_int_equal(host.objects, objects);
	assert_string_equal(attached_events(), attached);
}

static void exits_of_a_thread(void)
{
	exits(3, CPUID);
}

/* Threads end: the agent moves their counts, and has room for new ones in a further chunk. */
static void test_follows_the_agent(void **state)
{
	(void)state;
	agent_open("exit");
	begin_reading();
	read_tables();
	for (unsigned round = 1; round <= 2; round++) {
		for (unsigned i = 0; i < 100; i++)
			in_thread(exits_of_a_thread);
		read_tables();
		assert_int_equal(value_at("exit", "cpuid", "count"), round * 300);
		agent_tick();
	}
	assert_non_null(strstr(pins_list(), " exit_cells_1 "));
	for (unsigned i = 0; i < 8; i++) {
		agent_tick();
		read_tables();
		assert_int_equal(value_at("exit", "cpuid", "count"), 600);
	}
	assert_true(value_at("map", "exit_cells", "used") < 100); /* the others have moved */
	in_thread(exits_of_a_thread);
	read_tables();
	assert_int_equal(value_at("exit", "cpuid", "count"), 603);
}

static void test_changes_nothing(void **state)
{
	char before[2048];

	(void)state;
	agent_open("exit");
	exits(7, HLT);
	strcpy(before, pins_list());
	begin_reading();
	read_tables();
	assert_int_equal(collector_reset_max(collector), -EROFS);
	for (unsigned i = 0; i < 3; i++) {
		assert_false(collector_tick(collector, &said));
		read_tables();
	}
	assert_int_equal(said.n, 0);
	collector_close(collector);
	assert_string_equal(pins_list(), before);
	exits(5, HLT);
	collector = agent;
	read_tables();
	assert_int_equal(value_at("exit", "hlt", "count"), 12);
	collector = NULL;
}

static const char *pin_path(const char *map)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, map);
	return path;
}

/* Read the element of a pinned array, or write it. */
static void element(const char *map, void *value, bool writes)
{
	int fd = bpf_obj_get(pin_path(map));
	__u32 key = 0;

	assert_true(fd >= 0);
	assert_int_equal(writes ? bpf_map_update_elem(fd, &key, value, BPF_ANY) :
				  bpf_map_lookup_elem(fd, &key, value),
			 0);
	close(fd);
}

/* A reader says this, and counts by its own programs. */
static void assert_counts_alone(const char *words)
{
	unsigned objects = host.objects;

	begin_reading();
	assert_int_equal(said.n, 1);
	assert_non_null(strstr(said.lines[0].text, words));
	assert_true(host.objects > objects);
	assert_string_equal(family_status(), "attached");
	read_tables();
	assert_int_equal(counted_rows("exit"), 0);
	collector_close(collector);
	collector = NULL;
}

/* Another version's maps are let be, and counted are only events from now on. */
static void test_another_layout(void **state)
{
	struct pin_meta meta;
	char before[2048];

	(void)state;
	agent_open("exit");
	exits(7, HLT);
	strcpy(before, pins_list());
	element("exit_meta", &meta, false);
	meta.layout++;
	element("exit_meta", &meta, true);
	assert_counts_alone("/pins: the maps of exit are of another version: "
			    "counting by programs of our own");
	assert_string_equal(pins_list(), before);
	exits(5, HLT);
}

/* A map that cannot be opened is not one of another version. */
static void test_not_to_be_opened(void **state)
{
	(void)state;
	agent_open("exit");
	assert_int_equal(unlink(pin_path("exit_rows")), 0);
	assert_int_equal(mkdir(pin_path("exit_rows"), 0700), 0);
	assert_counts_alone("/pins: cannot open the maps of exit (not a pinned map): "
			    "counting by programs of our own");
}

static void test_no_agent_runs(void **state)
{
	char before[2048];

	(void)state;
	agent_open("exit");
	exits(7, HLT);
	collector_close(agent);
	agent = NULL;
	strcpy(before, pins_list());
	begin_reading();
	assert_reads(false);
	assert_int_equal(said.n, 0);
	read_tables();
	assert_int_equal(counted_rows("exit"), 0);
	assert_string_equal(pins_list(), before);
}

static void test_the_agent_ends(void **state)
{
	(void)state;
	agent_open("exit");
	exits(7, HLT);
	begin_reading();
	collector_close(agent);
	agent = NULL;
	for (unsigned i = 0; i < 3; i++)
		collector_tick(collector, &said);
	assert_int_equal(said.n, 1);
	assert_non_null(strstr(said.lines[0].text, "the agent has ended: its counts stand still"));
	read_tables();
	assert_int_equal(value_at("exit", "hlt", "count"), 7);
}

/* Keys of causes that the agent has published; those of now come with its next tick. */
static void test_causes(void **state)
{
	uint64_t value;

	(void)state;
	agent_open("cause");
	for (unsigned i = 0; i < 11; i++)
		fire("kvm_pio", 1, 0x3f8, 1, 1);
	agent_tick();
	begin_reading();
	read_tables();
	assert_int_equal(value_at("cause", "io:0x3f8:w", "accesses"), 11);
	for (unsigned i = 0; i < 5; i++)
		fire("kvm_pio", 0, 0x60, 1, 1);
	fire("kvm_pio", 1, 0x3f8, 1, 1);
	read_tables();
	assert_int_equal(value_at("cause", "io:0x3f8:w", "accesses"), 11);
	assert_false(value_of("cause", "io:0x60:r", "accesses", &value));
	agent_tick();
	read_tables();
	assert_int_equal(value_at("cause", "io:0x3f8:w", "accesses"), 12);
	assert_int_equal(value_at("cause", "io:0x60:r", "accesses"), 5);
}

/* Keys that have given their place to others: what they had is in the agent's list of sums. */
static void test_causes_that_gave_way(void **state)
{
	struct collector *reader;

	(void)state;
	agent_open("cause");
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned port = 0; port < 200; port++) {
			for (unsigned i = 0; i <= port % 3; i++)
				fire("kvm_pio", 1, 0x1000 + port, 1, 1);
		}
		agent_tick();
	}
	begin_reading();
	reader = collector;
	collector = agent;
	read_tables();
	for (size_t i = 0; i < rows_of("cause"); i++) {
		const char *row = row_name("cause", i);
		uint64_t accesses, theirs;
		bool has = value_of("cause", row, "accesses", &theirs);

		collector = reader;
		if (i == 0)
			read_tables();
		assert_int_equal(value_of("cause", row, "accesses", &accesses), has);
		assert_true(!has || accesses == theirs);
		collector = agent;
	}
	assert_true(rows_of("cause") > 64);
	collector = reader;
}

static void test_trips(void **state)
{
	(void)state;
	agent_open("userspace_exit");
	for (unsigned i = 0; i < 3; i++)
		fire("kvm_userspace_exit", 2, 0);
	begin_reading();
	read_tables();
	assert_int_equal(value_at("userspace_exit", "IO", "count"), 3);
}

/* Only events of known numbers, and that were counted once. */
static void test_events(void **state)
{
	const char *row = "cpu0";
	uint64_t value;
	unsigned objects;

	(void)state;
	assert_int_equal(config_add_event(&config, "*", 0), 0);
	agent_open("trace");
	stay_on_cpu(0);
	for (unsigned i = 0; i < 19; i++)
		fire("kvm_cpuid", 0);
	objects = host.objects;
	begin_reading();
	read_tables();
	assert_int_equal(value_at("trace", row, "kvm_cpuid"), 19);
	assert_false(value_of("trace", row, "kvm_pio", &value));
	fire("kvm_pio", 0);
	read_tables();
	assert_int_equal(value_at("trace", row, "kvm_pio"), 1);
	assert_int_equal(host.objects, objects);
	leave_cpu();
}

/* The flag of the ledger's programs, as a reader finds it. */
static __u32 ledger_flag(void)
{
	struct engine_state state = { 0 };

	element("ledger_state", &state, false);
	return state.flag;
}

/* That an interval can be open is told while programs are attached, and not after. */
static void test_ledger_is_attached(void **state)
{
	static const char *const events[] = { "kvm_cpuid", "kvm_entry",		 "kvm_exit",
					      "kvm_fpu",   "kvm_userspace_exit", "kvm_vcpu_wakeup",
					      NULL };
	__u32 flag, again;

	(void)state;
	host.events = events;
	agent_open("ledger");
	flag = ledger_flag();
	assert_int_not_equal(flag, 0);
	assert_int_equal(flag % LEDGER_PLACES,
			 LEDGER_UNKNOWN); /* neither exits nor trips are seen */
	collector = agent;
	assert_int_equal(family_switch(false), 0);
	assert_int_equal(ledger_flag(), 0);
	assert_int_equal(family_switch(true), 0);
	again = ledger_flag();
	assert_true(again && again != flag);
	collector_close(agent);
	assert_int_equal(ledger_flag(), 0);
	collector = agent = NULL;
}

/* An agent that was killed has told nobody: the next one begins with nothing attached. */
static void test_ledger_after_a_kill(void **state)
{
	static const char *const none[] = { NULL };
	struct engine_state killed;

	(void)state;
	agent_open("ledger");
	collector_close(agent);
	element("ledger_state", &killed, false);
	killed.flag = LEDGER_FLAG(killed.generation, LEDGER_KVM);
	element("ledger_state", &killed, true);
	host.events = none;
	agent_open("ledger");
	assert_int_equal(ledger_flag(), 0);
}

/* What an agent counted before KVM was unloaded is there; but that nothing is counted now is told.
 */
static void test_without_kvm(void **state)
{
	static const char *const none[] = { NULL };

	(void)state;
	agent_open("exit");
	exits(13, HLT);
	begin_reading();
	assert_false(collector_waits(collector));
	collector_close(collector);
	host.events = none;
	begin_reading();
	assert_reads(true);
	read_tables();
	assert_int_equal(value_at("exit", "hlt", "count"), 13);
	assert_true(collector_waits(collector));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		reading_test(test_sees_what_is_counted),
		reading_test(test_follows_the_agent),
		reading_test(test_changes_nothing),
		reading_test(test_another_layout),
		reading_test(test_not_to_be_opened),
		reading_test(test_no_agent_runs),
		reading_test(test_the_agent_ends),
		reading_test(test_causes),
		reading_test(test_causes_that_gave_way),
		reading_test(test_trips),
		reading_test(test_events),
		reading_test(test_ledger_is_attached),
		reading_test(test_ledger_after_a_kill),
		reading_test(test_without_kvm),
	};

	return run_group("reading", tests, ARRAY_SIZE(tests));
}
