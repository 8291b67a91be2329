// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Changes while the collector is open: stores, CPUs, and KVM being loaded and unloaded. */
#include "fakes/fake_families.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

/* Ticks that retry attaching after KVM is loaded. */
#define LATE_TICKS   5

#define SWITCHED_OFF "detached by kvm.control.attached"

/* Every family's err is 0, except this one's. */
static void assert_family(size_t family, int err, const char *error)
{
	const struct collector_family *all = collector_families(collector);

	for (size_t i = 0; i < FAKES; i++)
		assert_int_equal(all[i].err, i == family ? err : 0);
	assert_int_equal(collector_attached(collector), err ? FAKES - 1 : FAKES);
	if (error)
		assert_string_equal(all[family].error, error);
	else
		assert_null(all[family].error);
}

/* The report has exactly this line; clears the report. */
static void assert_info(const char *text)
{
	assert_int_equal(report.n, 1);
	assert_string_equal(report.lines[0].text, text);
	assert_int_equal(report.lines[0].level, REPORT_INFO);
	report_clear(&report);
}

static void test_switch_off_and_on(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(collector_switch(collector, BETA, false, &report), 0);
	assert_int_equal(fakes[BETA].detaches, 1);
	assert_family(BETA, -ECANCELED, SWITCHED_OFF);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(cell_at("family", BETA, "attached")->number, 0);
	assert_string_equal(cell_at("family", BETA, "status")->text, SWITCHED_OFF);
	assert_int_equal(cell_at("control", BETA, "attached")->number, 0);
	assert_int_equal(cell_at("control", ALPHA, "attached")->number, 1);
	assert_int_equal(cell_at("beta_one", 0, "reads")->number, 1); /* still read */

	assert_int_equal(collector_switch(collector, BETA, true, &report), 0);
	assert_int_equal(fakes[BETA].attaches, 2);
	assert_int_equal(fakes[BETA].detaches, 1);
	assert_int_equal(machine.register_attaches, 2);
	assert_int_equal(machine.closes, 2);
	assert_family(BETA, 0, NULL);
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
	assert_int_equal(cell_at("family", BETA, "attached")->number, 1);
	assert_string_equal(cell_at("family", BETA, "status")->text, "attached");
	assert_int_equal(cell_at("control", BETA, "attached")->number, 1);
	assert_int_equal(fakes[ALPHA].attaches, 1);
	assert_int_equal(fakes[ALPHA].detaches, 0);
	assert_int_equal(report.n, 0);
}

static void test_switch_to_what_it_is(void **state)
{
	unsigned finds;

	(void)state;
	open_all();
	finds = machine.finds;
	assert_int_equal(collector_switch(collector, GAMMA, true, &report), 0);
	assert_int_equal(fakes[GAMMA].attaches, 1);
	assert_int_equal(machine.finds, finds);
	assert_int_equal(collector_switch(collector, GAMMA, false, &report), 0);
	assert_int_equal(collector_switch(collector, GAMMA, false, &report), 0);
	assert_family(GAMMA, -ECANCELED, SWITCHED_OFF);
	assert_int_equal(fakes[GAMMA].attaches, 1);
	assert_int_equal(report.n, 0);
}

/* A family that is not loaded cannot be attached: an error, except if it has nothing to count. */
static void test_switch_what_was_not_loaded(void **state)
{
	(void)state;
	fakes[ALPHA].open_err = -EPERM;
	fakes[ALPHA].no_state = true;
	fakes[BETA].open_err = -ENODATA;
	open_all();
	report_clear(&report);
	for (int on = 0; on <= 1; on++) {
		assert_int_equal(collector_switch(collector, ALPHA, on, &report), -ENODEV);
		assert_int_equal(collector_switch(collector, BETA, on, &report), 0);
	}
	assert_int_equal(collector_families(collector)[ALPHA].err, -EPERM);
	assert_int_equal(collector_families(collector)[BETA].err, -ENODATA);
	assert_int_equal(fakes[BETA].attaches, 0);
	assert_int_equal(fakes[BETA].detaches, 0);
	assert_int_equal(report.n, 0);
}

/* Switching on without KVM succeeds, since a later tick attaches; other errors are returned. */
static void test_switch_on_in_vain(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(collector_switch(collector, DELTA, false, &report), 0);
	fakes[DELTA].attach_err = -ENOENT;
	fakes[DELTA].attach_error = "where is KVM?";
	assert_int_equal(collector_switch(collector, DELTA, true, &report), 0);
	assert_family(DELTA, -ENOENT, "where is KVM?");
	assert_info("delta: where is KVM?");
	assert_true(collector_families(collector)[DELTA].wanted);
	fakes[DELTA].attach_err = -EACCES;
	fakes[DELTA].attach_error = NULL;
	assert_int_equal(collector_switch(collector, DELTA, true, &report), -EACCES);
	assert_family(DELTA, -EACCES, NULL);
	assert_warning(&report, "delta: Permission denied");
	report_clear(&report);
	assert_int_equal(collector_switch(collector, DELTA, true, &report), -EACCES);
	assert_int_equal(report.n, 0); /* already reported */
	fakes[DELTA].attach_error = "one reason";
	collector_switch(collector, DELTA, true, &report);
	report_clear(&report);
	fakes[DELTA].attach_error = "another reason";
	collector_switch(collector, DELTA, true, &report);
	assert_warning(&report, "delta: another reason");
}

/* Switching on reads the kernel's events anew; it does not use the last tick's list. */
static void test_switch_on_looks_for_kvm(void **state)
{
	(void)state;
	machine.no_kvm = true;
	open_all();
	assert_int_equal(collector_switch(collector, BETA, false, &report), 0);
	machine.no_kvm = false;
	machine.stamp = 1;
	assert_int_equal(collector_switch(collector, BETA, true, &report), 0);
	assert_int_equal(fakes[BETA].env.events->n, 1);
}

/* Switching on syncs the tables of the family, but not those of other families. */
static void test_switch_on_with_news(void **state)
{
	(void)state;
	open_all();
	assert_int_equal(collector_switch(collector, BETA, false, &report), 0);
	fakes[ALPHA].more_columns = 1;
	fakes[BETA].more_columns = 2;
	assert_int_equal(collector_switch(collector, BETA, true, &report), 0);
	assert_false(cell_at("beta_one", 0, "more2")->present);
	assert_false(cell_at("beta_two", 0, "more2")->present);
	assert_int_equal(snapshot_find_table(collector_snapshot(collector), "alpha_one")->ncolumns,
			 1);
}

static void test_tick_with_no_news(void **state)
{
	unsigned syncs;

	(void)state;
	machine.stamp = 4711;
	open_all();
	assert_int_equal(machine.finds, 1);
	syncs = fakes[ALPHA].syncs;
	fakes[ALPHA].more_rows = 1; /* no sync, so not noticed */
	for (int ret = -1; ret <= 0; ret++) {
		machine.update_ret = ret;
		assert_false(collector_tick(collector, &report));
	}
	assert_int_equal(machine.updates, 2);
	assert_int_equal(machine.finds, 1);
	assert_int_equal(machine.register_attaches, 1);
	assert_int_equal(fakes[ALPHA].attaches, 1);
	assert_int_equal(fakes[ALPHA].syncs, syncs);
	assert_int_equal(report.n, 0);
}

/* A new CPU syncs the tables; the tick returns true only if a table gained rows. */
static void test_tick_with_a_new_cpu(void **state)
{
	(void)state;
	open_all();
	machine.update_ret = 1;
	assert_false(collector_tick(collector, &report));
	fakes[BETA].more_rows = 1;
	assert_true(collector_tick(collector, &report));
	assert_false(cell_at("beta_one", 1, "reads")->present);
	assert_false(cell_at("beta_two", 1, "reads")->present);
	assert_false(collector_tick(collector, &report));
	assert_int_equal(fakes[BETA].attaches, 1);
	fakes[DELTA].more_columns = 1;
	assert_true(collector_tick(collector, &report));
	assert_false(cell_at("delta_two", 0, "more1")->present);
}

static void test_tick_when_kvm_comes(void **state)
{
	(void)state;
	machine.no_kvm = true;
	fakes[BETA].attach_err = -ENOENT;
	open_all();
	report_clear(&report);
	assert_int_equal(fakes[BETA].env.events->n, 0);
	machine.stamp = 1;
	machine.no_kvm = false;
	fakes[BETA].attach_err = 0;
	fakes[BETA].more_columns = 1;
	assert_true(collector_tick(collector, &report));
	assert_string_equal(fakes[BETA].env.events->names[0], "kvm_exit");
	assert_info("beta: attached");
	assert_family(BETA, 0, NULL);
	assert_false(cell_at("beta_one", 0, "more1")->present);
	for (int i = 1; i < LATE_TICKS + 2; i++)
		assert_false(collector_tick(collector, &report));
	assert_int_equal(report.n, 0);
	assert_int_equal(fakes[BETA].attaches, 1 + LATE_TICKS);
	assert_int_equal(fakes[ALPHA].attaches, 1 + LATE_TICKS);
	assert_int_equal(machine.finds, 1 + LATE_TICKS);
	assert_int_equal(machine.closes, 1 + LATE_TICKS);
	assert_int_equal(machine.register_attaches, 1 + LATE_TICKS);
}

/* KVM may not be ready at once: only the last retry reports failures. */
static void test_tick_is_quiet_but_for_the_last(void **state)
{
	(void)state;
	open_all();
	machine.stamp = 1;
	fakes[GAMMA].said = "not all is well";
	for (int i = 1; i < LATE_TICKS; i++) {
		collector_tick(collector, &report);
		assert_int_equal(report.n, 0);
	}
	collector_tick(collector, &report);
	assert_warning(&report, "not all is well");
	report_clear(&report);
	collector_tick(collector, &report);
	assert_int_equal(report.n, 0);
	assert_int_equal(fakes[GAMMA].attaches, 1 + LATE_TICKS);
}

/* The last retry reports an error that came at a quiet one. */
static void test_tick_says_at_last_why_it_failed(void **state)
{
	(void)state;
	fakes[GAMMA].attach_err = -ENOENT;
	open_all();
	report_clear(&report);
	machine.stamp = 1;
	fakes[GAMMA].attach_err = -EPERM;
	for (int i = 1; i < LATE_TICKS; i++) {
		collector_tick(collector, &report);
		assert_int_equal(report.n, 0);
	}
	collector_tick(collector, &report);
	assert_warning(&report, "gamma: Operation not permitted");
	report_clear(&report);
	machine.stamp = 2;
	for (int i = 0; i < LATE_TICKS; i++)
		collector_tick(collector, &report);
	assert_int_equal(report.n, 0); /* the error did not change */
}

/* The next tick attaches all families, even if a store has already found KVM. */
static void test_tick_after_a_switch(void **state)
{
	(void)state;
	machine.no_kvm = true;
	fakes[BETA].attach_err = -ENOENT;
	open_all();
	assert_int_equal(collector_switch(collector, ALPHA, false, &report), 0);
	machine.no_kvm = false;
	machine.stamp = 1;
	fakes[BETA].attach_err = 0;
	assert_int_equal(collector_switch(collector, ALPHA, true, &report), 0);
	report_clear(&report);
	collector_tick(collector, &report);
	assert_info("beta: attached");
}

/* The third tick attaches: it reports that once. */
static void test_tick_until_it_is_attached(void **state)
{
	(void)state;
	fakes[GAMMA].attach_err = -ENOENT;
	open_all();
	report_clear(&report);
	machine.stamp = 1;
	for (int i = 1; i <= LATE_TICKS; i++) {
		if (i == 3)
			fakes[GAMMA].attach_err = 0;
		collector_tick(collector, &report);
		if (i == 3)
			assert_info("gamma: attached");
		assert_int_equal(report.n, 0);
	}
}

/* Each reload of KVM starts the full number of retries. */
static void test_tick_when_kvm_comes_anew(void **state)
{
	(void)state;
	open_all();
	machine.stamp = 1;
	collector_tick(collector, &report);
	collector_tick(collector, &report);
	machine.stamp = 2;
	for (int i = 0; i < LATE_TICKS + 2; i++)
		collector_tick(collector, &report);
	assert_int_equal(fakes[ALPHA].attaches, 1 + 2 + LATE_TICKS);
	machine.stamp = 0;
	for (int i = 0; i < LATE_TICKS + 2; i++)
		collector_tick(collector, &report);
	assert_int_equal(fakes[ALPHA].attaches, 1 + 2 + 2 * LATE_TICKS);
}

/* Ticks do not attach a family that is switched off or not loaded. */
static void test_tick_leaves_some_alone(void **state)
{
	(void)state;
	fakes[DELTA].open_err = -EPERM;
	open_all();
	report_clear(&report);
	assert_int_equal(collector_switch(collector, BETA, false, &report), 0);
	machine.stamp = 1;
	for (int i = 0; i < LATE_TICKS; i++)
		collector_tick(collector, &report);
	assert_int_equal(fakes[ALPHA].attaches, 1 + LATE_TICKS);
	assert_int_equal(fakes[BETA].attaches, 1);
	assert_int_equal(fakes[DELTA].attaches, 0);
	assert_int_equal(collector_families(collector)[BETA].err, -ECANCELED);
	assert_int_equal(collector_families(collector)[DELTA].err, -EPERM);
	assert_int_equal(report.n, 0);
}

/* If the list of events cannot be allocated, the old one stays, and the next tick tries again. */
static void test_tick_without_memory(void **state)
{
	(void)state;
	open_all();
	machine.stamp = 1;
	machine.events_err = -ENOMEM;
	collector_tick(collector, &report);
	assert_string_equal(fakes[ALPHA].env.events->names[0], "kvm_exit");
	machine.events_err = 0;
	machine.no_kvm = true;
	collector_tick(collector, &report);
	assert_int_equal(fakes[ALPHA].env.events->n, 0);
}

static void test_waits(void **state)
{
	(void)state;
	machine.no_kvm = true;
	fakes[BETA].attach_err = -ENOENT;
	open_all();
	assert_true(collector_waits(collector));
	assert_int_equal(collector_switch(collector, BETA, false, &report), 0);
	assert_false(collector_waits(collector)); /* beta is not wanted */
	assert_int_equal(collector_switch(collector, BETA, true, &report), 0);
	assert_true(collector_waits(collector));
	machine.no_kvm = false;
	machine.stamp = 1;
	collector_tick(collector, &report);
	assert_false(collector_waits(collector)); /* KVM is loaded, but lacks beta's events */
	fakes[BETA].attach_err = 0;
	collector_tick(collector, &report);
	assert_false(collector_waits(collector));
}

/* The loops include the first family and its first table. */
static void test_the_first_one_waits_and_grows(void **state)
{
	(void)state;
	machine.no_kvm = true;
	fakes[ALPHA].attach_err = -ENOENT;
	open_all();
	assert_true(collector_waits(collector));
	machine.no_kvm = false;
	machine.stamp = 1;
	fakes[ALPHA].attach_err = 0;
	fakes[ALPHA].more_columns = 1;
	assert_true(collector_tick(collector, &report));
	assert_false(cell_at("alpha_one", 0, "more1")->present);
	assert_false(collector_waits(collector));
}

/* Families that do not wait for KVM. */
static void test_does_not_wait(void **state)
{
	(void)state;
	machine.no_kvm = true;
	fakes[ALPHA].open_err = -ENOENT;
	fakes[BETA].attach_err = -EPERM;
	fakes[GAMMA].open_err = -ENODATA;
	open_all();
	assert_false(collector_waits(collector));
	fakes[BETA].attach_err = -ENOENT;
	machine.stamp = 1;
	collector_tick(collector, &report);
	assert_true(collector_waits(collector));
}

static void say_something(const struct family_env *env)
{
	(void)env;
	say_as_libbpf(LIBBPF_WARN, "libbpf: %s\n", "words");
}

static void assert_debug(const char *text)
{
	assert_int_equal(report.n, 1);
	assert_string_equal(report.lines[0].text, text);
	assert_int_equal(report.lines[0].level, REPORT_DEBUG);
	report_clear(&report);
}

static int callers_print(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	fail();
	return 0;
}

/* libbpf's output goes to the report only while families attach. */
static void test_words_of_libbpf(void **state)
{
	libbpf_print_fn_t before = libbpf_set_print(callers_print);

	(void)state;
	open_all();
	fakes[ALPHA].when_attached = say_something;
	assert_int_equal(collector_switch(collector, ALPHA, false, &report), 0);
	assert_int_equal(collector_switch(collector, ALPHA, true, &report), 0);
	assert_debug("libbpf: words");
	assert_ptr_equal(libbpf_set_print(callers_print), callers_print);
	machine.stamp = 1;
	collector_tick(collector, &report);
	assert_debug("libbpf: words");
	assert_ptr_equal(libbpf_set_print(before), callers_print);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		fake_test(test_switch_off_and_on),
		fake_test(test_switch_to_what_it_is),
		fake_test(test_switch_what_was_not_loaded),
		fake_test(test_switch_on_in_vain),
		fake_test(test_switch_on_looks_for_kvm),
		fake_test(test_switch_on_with_news),
		fake_test(test_tick_with_no_news),
		fake_test(test_tick_with_a_new_cpu),
		fake_test(test_tick_when_kvm_comes),
		fake_test(test_tick_is_quiet_but_for_the_last),
		fake_test(test_tick_says_at_last_why_it_failed),
		fake_test(test_tick_after_a_switch),
		fake_test(test_tick_until_it_is_attached),
		fake_test(test_tick_when_kvm_comes_anew),
		fake_test(test_tick_leaves_some_alone),
		fake_test(test_tick_without_memory),
		fake_test(test_waits),
		fake_test(test_the_first_one_waits_and_grows),
		fake_test(test_does_not_wait),
		fake_test(test_words_of_libbpf),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
