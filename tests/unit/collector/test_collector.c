// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_families.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

static void assert_tables(const char *names)
{
	const struct snapshot *snapshot = collector_snapshot(collector);
	char found[512] = "";

	for (size_t i = 0; i < snapshot->ntables; i++) {
		strcat(found, i ? " " : "");
		strcat(found, snapshot->tables[i]->name);
	}
	assert_string_equal(found, names);
}

#define ALL_TABLES                                                                              \
	"alpha_one alpha_two beta_one beta_two gamma_one gamma_two delta_one delta_two vms vm " \
	"vcpu_thread agent family family_missed control control_reset map"

static void test_all_open(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(collector_attached(collector), FAKES);
	assert_tables(ALL_TABLES);
	assert_int_equal(report.n, 0);
	assert_int_equal(machine.register_attaches, 1);
	assert_int_equal(machine.finds, 1);
	assert_int_equal(machine.closes, 1);
	for (size_t i = 0; i < FAKES; i++) {
		const struct family_env *env = &fakes[i].env;

		assert_ptr_equal(env->config, &config);
		assert_non_null(env->report);
		assert_ptr_equal(env->items, &items);
		assert_null(env->pins);
		assert_ptr_equal(env->types, machine.types);
		assert_int_equal(env->cpus->n, 5);
		assert_string_equal(env->vms->proc, "/proc");
		assert_string_equal(env->events->names[0], "kvm_exit");
		assert_ptr_equal(collector_families(collector)[i].family, &families[i]);
		assert_ptr_equal(collector_families(collector)[i].state, &fakes[i]);
		assert_null(collector_families(collector)[i].error);
		assert_int_equal(fakes[i].opens, 1);
		assert_int_equal(fakes[i].attaches, 1);
		assert_int_equal(fakes[i].detaches, 0);
		assert_true(collector_families(collector)[i].loaded);
		assert_true(collector_families(collector)[i].wanted);
	}
}

/* A family that fails to open loses its own values only; its tables exist. */
static void test_one_fails(void **state)
{
	(void)state;
	fakes[BETA].open_err = -EPERM;
	fakes[BETA].error = "it was not to be";
	open_all();
	assert_int_equal(collector_attached(collector), FAKES - 1);
	assert_tables(ALL_TABLES);
	assert_warning(&report, "beta: it was not to be");
	assert_int_equal(collector_families(collector)[BETA].err, -EPERM);
	assert_string_equal(collector_families(collector)[BETA].error, "it was not to be");
	assert_false(collector_families(collector)[BETA].loaded);
	assert_int_equal(fakes[BETA].attaches, 0);
	assert_int_equal(collector_families(collector)[GAMMA].err, 0);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(cell_at("alpha_one", 0, "reads")->number, 1);
	assert_int_equal(cell_at("delta_two", 0, "reads")->number, 1);
}

/* A family that fails to attach looks the same to readers of its values. */
static void test_one_cannot_be_attached(void **state)
{
	(void)state;
	fakes[BETA].attach_err = -EBUSY;
	fakes[DELTA].attach_err = -ENOSYS;
	fakes[DELTA].attach_error = "it has its reasons";
	open_all();
	assert_int_equal(collector_attached(collector), FAKES - 2);
	assert_tables(ALL_TABLES);
	assert_warnings(&report, (const char *const[]){ "beta: Device or resource busy",
							"delta: it has its reasons", NULL });
	assert_int_equal(collector_families(collector)[BETA].err, -EBUSY);
	assert_true(collector_families(collector)[BETA].loaded);
	assert_null(collector_families(collector)[BETA].error);
	assert_string_equal(collector_families(collector)[DELTA].error, "it has its reasons");
}

/* KVM that is not loaded (-ENOENT) is reported as information, not as a warning. */
static void test_one_waits(void **state)
{
	(void)state;
	fakes[GAMMA].attach_err = -ENOENT;
	fakes[GAMMA].attach_error = "not yet";
	open_all();
	assert_int_equal(report.n, 1);
	assert_int_equal(report.lines[0].level, REPORT_INFO);
	assert_string_equal(report.lines[0].text, "gamma: not yet");
	assert_int_equal(collector_attached(collector), FAKES - 1);
}

static void test_one_fails_without_words_and_state(void **state)
{
	(void)state;
	fakes[ALPHA].open_err = -ENOMEM;
	fakes[ALPHA].no_state = true;
	open_all();
	assert_int_equal(collector_attached(collector), FAKES - 1);
	assert_tables("beta_one beta_two gamma_one gamma_two delta_one delta_two vms vm "
		      "vcpu_thread agent family family_missed control control_reset map");
	assert_warning(&report, "alpha: Cannot allocate memory");
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(cell_at("beta_one", 0, "reads")->number, 1);
	assert_string_equal(cell_at("family", ALPHA, "status")->text, "Cannot allocate memory");
	assert_false(cell_at("family_missed", ALPHA, "missed")->present);
}

/* Nothing to count (-ENODATA) adds no line to the report, but the family is not attached. */
static void test_nothing_to_count(void **state)
{
	(void)state;
	fakes[GAMMA].open_err = -ENODATA;
	fakes[GAMMA].error = "no event is configured";
	open_all();
	assert_int_equal(report.n, 0);
	assert_int_equal(collector_attached(collector), FAKES - 1);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(cell_at("family", GAMMA, "attached")->number, 0);
	assert_string_equal(cell_at("family", GAMMA, "status")->text, "no event is configured");
}

static void test_all_fail(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].open_err = -ENOSYS;
	open_all();
	assert_int_equal(collector_attached(collector), 0);
	assert_tables(ALL_TABLES);
	assert_int_equal(report.n, FAKES);
	assert_string_equal(report.lines[3].text, "delta: Function not implemented");
}

/* The bit of a table in a mask. */
static uint64_t bit_of(const char *name)
{
	const struct snapshot *snapshot = collector_snapshot(collector);
	size_t i = 0;

	while (i < snapshot->ntables && strcmp(snapshot->tables[i]->name, name) != 0)
		i++;
	assert_true(i < snapshot->ntables);
	return 1ULL << i;
}

static void test_only_tables_of_the_mask_are_read(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(collector_read(collector, 0), 0);
	assert_false(cell_at("alpha_one", 0, "reads")->present);
	assert_int_equal(collector_read(collector, 1ULL << 1 | 1ULL << 6), 0);
	assert_int_equal(collector_read(collector, 1ULL << 6 | 1ULL << 63), 0);
	for (size_t i = 0; i < FAKES; i++) {
		assert_int_equal(fakes[i].reads[0], i == DELTA ? 2 : 0);
		assert_int_equal(fakes[i].reads[1], i == ALPHA ? 1 : 0);
	}
	assert_int_equal(cell_at("alpha_two", 0, "reads")->number, 1);
	assert_int_equal(cell_at("delta_one", 0, "reads")->number, 2);
	assert_false(cell_at("delta_two", 0, "reads")->present);
	assert_false(cell_at("agent", 0, "version")->present);
	assert_int_equal(collector_read(collector, bit_of("agent")), 0);
	assert_true(cell_at("agent", 0, "version")->present);
	assert_false(cell_at("family", 0, "attached")->present);
}

static void test_reading_that_fails(void **state)
{
	(void)state;
	open_all();
	fakes[BETA].read_err = -ENOMEM;
	assert_int_equal(collector_read(collector, UINT64_MAX), -ENOMEM);
	assert_int_equal(fakes[ALPHA].reads[0], 1);
	assert_int_equal(fakes[BETA].reads[0], 1);
	assert_int_equal(collector_read(collector, UINT64_MAX & ~(3ULL << 2)), 0);
	assert_int_equal(fakes[BETA].reads[0], 1);
	assert_int_equal(fakes[DELTA].reads[1], 1);
}

static void test_cpus_that_cannot_be_read(void **state)
{
	(void)state;
	machine.cpus_err = -EACCES;
	assert_open_fails(-EACCES);
	assert_int_equal(fakes[ALPHA].opens, 0);
	machine.cpus_err = 0;
	machine.events_err = -ENOMEM;
	assert_open_fails(-ENOMEM);
	assert_int_equal(fakes[ALPHA].opens, 0);
}

static void test_a_table_that_cannot_be_made(void **state)
{
	(void)state;
	fakes[BETA].sync_err = -ENOMEM;
	assert_open_fails(-ENOMEM);
	assert_int_equal(fakes[BETA].attaches, 1);
	assert_int_equal(fakes[GAMMA].opens, 1);
	assert_int_equal(fakes[GAMMA].attaches, 1); /* all are, before any has tables */
}

static unsigned attached_before[FAKES];

static void note_attached(const struct family_env *env)
{
	(void)env;
	for (size_t i = 0; i < FAKES; i++)
		attached_before[i] = fakes[i].attaches;
}

/* One that others count events for is attached after them, and its tables keep their place. */
static void test_attached_last(void **state)
{
	(void)state;
	fake_last(BETA);
	fakes[BETA].when_attached = note_attached;
	open_all();
	for (size_t i = 0; i < FAKES; i++) {
		assert_int_equal(fakes[i].opens, 1);
		assert_int_equal(attached_before[i], 1);
	}
	assert_string_equal(collector_snapshot(collector)->tables[2]->name, "beta_one");
}

/* The limit is the number of bits in the mask of collector_read(); 9 tables belong to no family. */
static void test_the_most_tables(void **state)
{
	static struct table tables[64 - 9 - 2 * (FAKES - 1) + 1];
	static char names[ARRAY_SIZE(tables)][16];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++) {
		snprintf(names[i], sizeof(names[i]), "table%zu", i);
		tables[i] = (struct table){ FAKE_TABLE(names[i]) };
	}
	fake_alpha_tables(tables, ARRAY_SIZE(tables));
	assert_open_fails(-ENOSPC);
	fake_alpha_tables(tables, ARRAY_SIZE(tables) - 1);
	open_all();
	assert_int_equal(collector_snapshot(collector)->ntables, 64);
	assert_string_equal(collector_snapshot(collector)->tables[63]->name, "map");
	assert_int_equal(collector_read(collector, 7ULL << 61), 0);
	assert_true(cell_at("control", 0, "attached")->present);
	assert_false(cell_at("family_missed", 0, "missed")->present);
	assert_int_equal(fakes[ALPHA].reads[0], 0);
}

static void test_two_tables_of_one_name(void **state)
{
	static const struct table tables[] = { { FAKE_TABLE("beta_one") } };

	(void)state;
	fake_alpha_tables(tables, 1);
	assert_open_fails(-EEXIST);
}

/* Pins are opened only if asked for, and passed to every family. */
static void test_pins(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(machine.pins_opens, 0);
	assert_null(fakes[ALPHA].env.pins);
	collector_close(collector);
	collector = NULL;
	machine.pin = true;
	open_all();
	assert_int_equal(machine.pins_opens, 1);
	for (size_t i = 0; i < FAKES; i++)
		assert_non_null(fakes[i].env.pins);
	assert_int_equal(machine.pins_closes, 0);
}

/*
 * Families are told that perf is to attach events where tracepoints are preemptible, and that none
 * is to where they are known not to be; a DSO does not even look.
 */
static void test_classic_events(void **state)
{
	static const struct {
		bool preemptible, raw_only, wanted, atomic;
	} cases[] = { { true, false, true, false },
		      { false, false, false, true },
		      { true, true, false, false },
		      { false, true, false, false } };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct classic_events *classic;

		machine.preemptible = cases[i].preemptible;
		machine.asked = 0;
		config.raw_only = cases[i].raw_only;
		open_all();
		assert_int_equal(machine.asked, !cases[i].raw_only);
		classic = fakes[ALPHA].env.classic;
		assert_int_equal(classic->wanted, cases[i].wanted);
		assert_int_equal(classic->atomic, cases[i].atomic);
		assert_int_equal(classic->late != NULL, cases[i].wanted);
		assert_string_equal(classic->tracefs, "/its/tracefs");
		collector_close(collector);
		collector = NULL;
	}
	config.raw_only = false;
}

/* Labels follow VMs, unless nobody looks at them. */
static void test_labels_stay(void **state)
{
	(void)state;
	open_all();
	assert_false(fakes[ALPHA].env.vms->labels_stay);
	collector_close(collector);
	config.labels_stay = true;
	open_all();
	config.labels_stay = false;
	assert_true(fakes[ALPHA].env.vms->labels_stay);
}

static void test_pins_without_memory(void **state)
{
	(void)state;
	machine.pin = true;
	machine.pins_err = -ENOMEM;
	assert_open_fails(-ENOMEM);
	assert_int_equal(fakes[ALPHA].opens, 0);
}

static libbpf_print_fn_t collectors_print;

static void say_things(const struct family_env *env)
{
	char text[1024] = "";

	(void)env;
	collectors_print = libbpf_set_print(NULL);
	libbpf_set_print(collectors_print);
	assert_int_equal(say_as_libbpf(LIBBPF_WARN, "libbpf: %s %d\n", "warning", 7), 0);
	assert_int_equal(say_as_libbpf(LIBBPF_DEBUG, "libbpf: %s\n", "chatter"), 0);
	assert_int_equal(say_as_libbpf(LIBBPF_INFO, "libbpf: %s\n", "info"), 0);
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(say_as_libbpf(LIBBPF_WARN, "%s", text), 0);
}

static unsigned said_to_caller;

static int callers_print(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	said_to_caller++;
	return 0;
}

/* libbpf's output goes to the report only while families open. */
static void test_words_of_libbpf(void **state)
{
	libbpf_print_fn_t before = libbpf_set_print(callers_print);

	(void)state;
	fakes[BETA].when_opened = say_things;
	said_to_caller = 0;
	open_all();
	assert_int_equal(said_to_caller, 0);
	assert_int_equal(report.n, 3);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(report.lines[i].level, REPORT_DEBUG);
	assert_string_equal(report.lines[0].text, "libbpf: warning 7");
	assert_string_equal(report.lines[1].text, "libbpf: info");
	assert_int_equal(strlen(report.lines[2].text), 511);
	say_as_libbpf(LIBBPF_WARN, "more\n");
	assert_int_equal(said_to_caller, 1);
	libbpf_set_print(collectors_print); /* must not touch the report, which may be freed */
	assert_int_equal(say_as_libbpf(LIBBPF_WARN, "more\n"), 0);
	libbpf_set_print(callers_print);
	assert_int_equal(report.n, 3);
	collector_close(collector);
	collector = NULL;
	machine.cpus_err = -EIO;
	assert_open_fails(-EIO);
	assert_ptr_equal(libbpf_set_print(before), callers_print);
	assert_int_equal(report.n, 3);
}

static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		int err;

		untouched_fill(&collector, sizeof(struct collector *));
		alloc_fail_at(n);
		err = collector_open(&config, &items, NULL, COLLECTOR_ALONE, &report, &collector);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&collector, sizeof(struct collector *));
	}
	assert_true(n > 50);
	assert_int_equal(report.n, 0);
	alloc_fail_at(0); /* the copy of the version */
	assert_int_equal(collector_read(collector, UINT64_MAX), -ENOMEM);
	assert_true(alloc_failed());
	alloc_fail_at(0); /* the copy of a family's status */
	assert_int_equal(collector_read(collector, bit_of("family")), -ENOMEM);
	assert_true(alloc_failed());
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
}

/* Only one family is asked for: the others, and passes over VMs, cost nothing. */
static void test_only_one_family(void **state)
{
	(void)state;
	config.only = "beta";
	open_all();
	config.only = NULL;
	assert_tables("beta_one beta_two vms vm vcpu_thread agent family family_missed control "
		      "control_reset map");
	assert_int_equal(collector_attached(collector), 1);
	assert_int_equal(report.n, 0);
	assert_int_equal(fakes[ALPHA].opens, 0);
	assert_int_equal(machine.register_attaches, 0);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_string_equal(cell_at("family", ALPHA, "status")->text, "not selected");
	assert_int_equal(cell_at("control", ALPHA, "attached")->number, 0);
}

/* The passes are made for it if it has rows of VMs. */
static void test_only_one_family_with_vms(void **state)
{
	static const struct table of_vms = { FAKE_TABLE("of_vms"), .owner = OWNER_VM };

	(void)state;
	fake_alpha_tables(&of_vms, 1);
	config.only = "alpha";
	open_all();
	config.only = NULL;
	assert_int_equal(machine.register_attaches, 1);
	assert_int_equal(collector_attached(collector), 1);
}

static void test_close_nothing(void **state)
{
	(void)state;
	collector_close(NULL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		fake_test(test_all_open),
		fake_test(test_one_fails),
		fake_test(test_one_cannot_be_attached),
		fake_test(test_attached_last),
		fake_test(test_one_waits),
		fake_test(test_one_fails_without_words_and_state),
		fake_test(test_nothing_to_count),
		fake_test(test_all_fail),
		fake_test(test_only_tables_of_the_mask_are_read),
		fake_test(test_reading_that_fails),
		fake_test(test_cpus_that_cannot_be_read),
		fake_test(test_a_table_that_cannot_be_made),
		fake_test(test_the_most_tables),
		fake_test(test_two_tables_of_one_name),
		fake_test(test_pins),
		fake_test(test_classic_events),
		fake_test(test_labels_stay),
		fake_test(test_pins_without_memory),
		fake_test(test_words_of_libbpf),
		fake_test(test_no_memory),
		fake_test(test_only_one_family),
		fake_test(test_only_one_family_with_vms),
		fake_test(test_close_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
