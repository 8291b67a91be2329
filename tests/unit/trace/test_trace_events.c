// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/trace.h"
#include "families/trace/trace_events.h"

/* The kernel's events, sorted as by events_find. */
static char *kernel_names[] = {
	(char *)"kvm_entry",	(char *)"kvm_exit", (char *)"kvm_mmio",
	(char *)"kvm_mmu_sync", (char *)"kvm_pio",  (char *)"vgic_thing",
};

/* Fixture: an environment with these events, and none configured. */
static struct events events;
static struct config config;
static struct report report;
static struct family_env env;
static struct trace_events list;

static int setup(void **state)
{
	free(config.path);
	if (config_init(&config))
		return -1;
	free(config.path);
	config.path = strdup("kvm.conf");
	events = (struct events){ .names = kernel_names, .n = ARRAY_SIZE(kernel_names) };
	report = (struct report){ 0 };
	env = (struct family_env){ .config = &config, .events = &events, .report = &report };
	list = (struct trace_events){ 0 };
	return work_setup(state);
}

static int teardown(void **state)
{
	trace_events_free(&list);
	report_clear(&report);
	config_free(&config);
	return work_teardown(state);
}

/* The cause of a refusal depends on the host, and has a test of its own. */
char *__wrap_privs_load_text(int err, const char *lockdown);
char *__wrap_privs_load_text(int err, const char *lockdown)
{
	assert_ptr_equal(lockdown, config.lockdown);
	return strdup(err == -EPERM ? "the cause of EPERM" : "the cause of EACCES");
}

/* Configure events, separated by blanks, on lines 10, 11, ..., and resolve them. */
static void resolve(const char *names)
{
	char *copy = strdup(names), *rest = copy, *name;
	unsigned line = 10;

	while ((name = strtok_r(rest, " ", &rest)))
		assert_int_equal(config_add_event(&config, name, line++), 0);
	free(copy);
	assert_int_equal(trace_events_resolve(&env, &list), 0);
}

/* The list as "NAME:LINE", with "?" for an unknown event. */
static void assert_list(const char *text)
{
	char found[1024] = "";

	for (size_t i = 0; i < list.n; i++) {
		const struct trace_event *event = &list.list[i];

		snprintf(found + strlen(found), sizeof(found) - strlen(found), "%s%s:%u%s",
			 i ? " " : "", event->name, event->line,
			 event->state == TRACE_EVENT_UNKNOWN ? "?" : "");
		assert_true(event->state == TRACE_EVENT_UNKNOWN ||
			    event->state == TRACE_EVENT_WANTED);
		assert_int_equal(event->prog_fd, -1);
		assert_int_equal(event->link_fd, -1);
		assert_int_equal(event->err, 0);
		assert_int_equal(event->slot, 0);
		assert_int_equal(event->column, -1);
		assert_false(event->counted);
	}
	assert_string_equal(found, text);
}

#define assert_warned(...) assert_warnings(&report, (const char *const[]){ __VA_ARGS__, NULL })

static void test_nothing_configured(void **state)
{
	(void)state;
	resolve("");
	assert_list("");
	assert_int_equal(report.n, 0);
}

static void test_names(void **state)
{
	(void)state;
	resolve("kvm_pio kvm_exit vgic_thing");
	assert_list("kvm_pio:10 kvm_exit:11 vgic_thing:12");
	assert_int_equal(report.n, 0);
}

static void test_patterns(void **state)
{
	(void)state;
	resolve("kvm_m* *_e[nx]* ?gic_[!x]*");
	assert_list("kvm_mmio:10 kvm_mmu_sync:10 kvm_entry:11 kvm_exit:11 vgic_thing:12");
	assert_int_equal(report.n, 0);
}

/* Each event once, at its first position. */
static void test_patterns_and_names_that_overlap(void **state)
{
	(void)state;
	resolve("kvm_mmio kvm_* kvm_exit *");
	assert_list("kvm_mmio:10 kvm_entry:11 kvm_exit:11 kvm_mmu_sync:11 kvm_pio:11 "
		    "vgic_thing:13");
	assert_int_equal(report.n, 0);
}

static void test_patterns_that_match_nothing(void **state)
{
	(void)state;
	resolve("kvm_none* kvm_exit k?m");
	assert_list("kvm_exit:11");
	assert_warned("kvm.conf:10: pattern \"kvm_none*\" matches none of this kernel's 6 events",
		      "kvm.conf:12: pattern \"k?m\" matches none of this kernel's 6 events");
}

/* The reason follows the pattern, however long that is. */
static void test_a_long_pattern(void **state)
{
	char pattern[400], warning[512];

	(void)state;
	snprintf(pattern, sizeof(pattern), "kvm_%0380d*", 7);
	snprintf(warning, sizeof(warning),
		 "kvm.conf:10: pattern \"%s\" matches none of this kernel's 6 events", pattern);
	resolve(pattern);
	assert_warned(warning);
}

/* An event that tracepoint_items.def has is tried; another one only if the kernel has it. */
static void test_unknown_names(void **state)
{
	(void)state;
	resolve("kvm_nosuch sched_switch mark_mmio_spte kvm_exit");
	assert_list("kvm_nosuch:10? sched_switch:11? mark_mmio_spte:12 kvm_exit:13");
	assert_warned("kvm.conf:10: there is no event \"kvm_nosuch\" in this kernel's kvm group",
		      "kvm.conf:11: there is no event \"sched_switch\" in this kernel's kvm group");
}

/* An event that is not from a file has no line. */
static void test_no_line(void **state)
{
	(void)state;
	assert_int_equal(config_add_event(&config, "kvm_nosuch", 0), 0);
	resolve("");
	assert_warned("kvm.conf: there is no event \"kvm_nosuch\" in this kernel's kvm group");
}

/*
 * KVM may be loaded later: nothing is reported, and only events of tracepoint_items.def are tried.
 */
static void test_no_events_in_the_kernel(void **state)
{
	(void)state;
	events.n = 0;
	resolve("kvm_new kvm_* mark_mmio_spte sched_switch akvm_x");
	assert_list("kvm_new:10? mark_mmio_spte:12 sched_switch:13? akvm_x:14?");
	assert_int_equal(report.n, 0);
}

/* KVM is loaded: listed events keep their place, new ones are appended. */
static void test_resolve_again(void **state)
{
	(void)state;
	events.n = 0;
	resolve("sched_switch vgic_thing kvm_m* kvm_exit");
	assert_list("sched_switch:10? vgic_thing:11? kvm_exit:13");
	events.n = ARRAY_SIZE(kernel_names);
	assert_int_equal(trace_events_resolve(&env, &list), 0);
	assert_list("sched_switch:10? vgic_thing:11 kvm_exit:13 kvm_mmio:12 kvm_mmu_sync:12");
	assert_warned("kvm.conf:10: there is no event \"sched_switch\" in this kernel's kvm group");
	report_clear(&report);
	assert_int_equal(trace_events_resolve(&env, &list), 0);
	assert_list("sched_switch:10? vgic_thing:11 kvm_exit:13 kvm_mmio:12 kvm_mmu_sync:12");
	assert_int_equal(report.n, 1);
}

/* KVM is unloaded: known events stay known. */
static void test_resolve_again_with_less(void **state)
{
	(void)state;
	resolve("vgic_thing kvm_m* kvm_pio kvm_exit");
	trace_event_attached(&list.list[3], 0);
	trace_event_attached(&list.list[4], -EBUSY);
	list.list[3].slot = 17;
	events.n = 0;
	assert_int_equal(trace_events_resolve(&env, &list), 0);
	assert_int_equal(list.n, 5);
	assert_int_equal(list.list[0].state, TRACE_EVENT_WANTED);
	assert_int_equal(list.list[1].state, TRACE_EVENT_WANTED);
	assert_string_equal(list.list[3].name, "kvm_pio");
	assert_int_equal(list.list[3].state, TRACE_EVENT_ATTACHED);
	assert_int_equal(list.list[3].slot, 17);
	assert_int_equal(list.list[4].state, TRACE_EVENT_FAILED);
	assert_int_equal(list.list[4].err, -EBUSY);
	assert_int_equal(report.n, 0);
}

/* A slot is an item number, so the list can have any length. */
static void test_many_events(void **state)
{
	char name[32];

	(void)state;
	for (unsigned i = 0; i < TRACE_SLOTS + 7; i++) {
		snprintf(name, sizeof(name), "kvm_many_%u", i);
		assert_int_equal(config_add_event(&config, name, i + 1), 0);
	}
	events.n = 0;
	resolve("");
	assert_int_equal(list.n, TRACE_SLOTS + 7);
	assert_string_equal(list.list[TRACE_SLOTS + 6].name, "kvm_many_1030");
	assert_int_equal(report.n, 0);
}

/* Set the result of attaching each event of the list; 0: attached. */
static void attach(const int *errors)
{
	for (size_t i = 0; i < list.n; i++) {
		if (list.list[i].state == TRACE_EVENT_WANTED)
			trace_event_attached(&list.list[i], errors[i]);
	}
}

/* Expect this error from reporting, and this text (NULL: none). */
static void assert_reported(int err, const char *words)
{
	char *error = NULL;

	assert_int_equal(trace_events_report(&list, &env, &error), err);
	if (words)
		assert_string_equal(error, words);
	else
		assert_null(error);
	free(error);
}

static void test_all_attached(void **state)
{
	(void)state;
	resolve("kvm_pio kvm_exi*");
	attach((const int[]){ 0, 0 });
	assert_reported(0, NULL);
	assert_int_equal(report.n, 0);
	assert_int_equal(list.list[1].state, TRACE_EVENT_ATTACHED);
	assert_true(list.list[1].counted);
	assert_string_equal(trace_event_status(&list.list[1]), "attached");
}

static void test_some_failed(void **state)
{
	(void)state;
	resolve("kvm_pio kvm_exit kvm_mmio kvm_entry");
	attach((const int[]){ -ENOENT, 0, -EPERM, -EPERM });
	assert_reported(0, NULL);
	assert_warned("kvm.conf:10: event \"kvm_pio\" is not traced: no such event in this kernel",
		      "kvm.conf:12: event \"kvm_mmio\" is not traced: the cause of EPERM",
		      "kvm.conf:13: event \"kvm_entry\" is not traced: the cause of EPERM");
	assert_int_equal(list.list[0].state, TRACE_EVENT_FAILED);
	assert_int_equal(list.list[0].err, -ENOENT);
	assert_false(list.list[0].counted);
	assert_true(list.list[1].counted);
}

static void test_all_failed_alike(void **state)
{
	(void)state;
	resolve("kvm_pio kvm_exit mark_mmio_spte");
	attach((const int[]){ -EPERM, -EPERM, -EPERM });
	assert_reported(-EPERM, "the cause of EPERM");
	assert_int_equal(report.n, 0);
}

/* An unknown event was reported before, and changes nothing. */
static void test_all_failed_alike_but_for_unknown_ones(void **state)
{
	(void)state;
	resolve("kvm_nosuch kvm_pio kvm_exit");
	report_clear(&report);
	attach((const int[]){ 0, -ENOENT, -ENOENT });
	assert_reported(-ENOENT, "no such event in this kernel");
	assert_int_equal(report.n, 0);
}

static void test_all_failed_each_in_its_way(void **state)
{
	(void)state;
	resolve("kvm_pio kvm_exit");
	attach((const int[]){ -EACCES, -EPERM });
	assert_reported(-EACCES, NULL);
	assert_warned("kvm.conf:10: event \"kvm_pio\" is not traced: the cause of EACCES",
		      "kvm.conf:11: event \"kvm_exit\" is not traced: the cause of EPERM");
}

#define NOT_LOADED "KVM is not loaded: tracepoints are attached when it is loaded"

static void test_kvm_is_not_loaded(void **state)
{
	(void)state;
	events.n = 0;
	resolve("kvm_pio kvm_exit");
	trace_events_fail(&list, -ENOENT);
	assert_reported(-ENOENT, NOT_LOADED);
	assert_int_equal(report.n, 0);
}

static void test_kvm_is_not_loaded_nor_allowed(void **state)
{
	(void)state;
	events.n = 0;
	resolve("kvm_pio kvm_exit");
	trace_events_fail(&list, -EPERM);
	assert_reported(-EPERM, "the cause of EPERM");
}

/* KVM is there, but nothing says what events it has: that is a fault. */
static void test_kvm_is_loaded_and_says_nothing(void **state)
{
	(void)state;
	events = (struct events){ .loaded = true, .btf_err = -ENOENT, .tracefs_err = -EACCES };
	resolve("kvm_*");
	assert_reported(
		-EOPNOTSUPP,
		"KVM is loaded, but its tracepoints are listed neither in its type information "
		"(/sys/kernel/btf: none there) nor in tracefs (/sys/kernel/tracing/events: "
		"Permission denied); mount tracefs or let it be read");
	assert_int_equal(report.n, 0);
}

/* Patterns alone list no event while KVM is not loaded. */
static void test_kvm_is_not_loaded_for_patterns(void **state)
{
	(void)state;
	events.n = 0;
	resolve("kvm_* kvm_new");
	assert_list("kvm_new:11?");
	assert_reported(-ENOENT, NOT_LOADED);
	assert_int_equal(report.n, 0);
}

/* KVM is loaded, since an event attaches, but its other events are unknown. */
static void test_patterns_without_a_list(void **state)
{
	(void)state;
	events.n = 0;
	resolve("kvm_m* kvm_exit ? kvm_pio");
	attach((const int[]){ 0, -EPERM });
	assert_reported(0, NULL);
	assert_warned("kvm.conf:10: pattern \"kvm_m*\" matches nothing: no kvm event is listed in "
		      "/sys/kernel/btf or /sys/kernel/tracing/events",
		      "kvm.conf:12: pattern \"?\" matches nothing: no kvm event is listed in "
		      "/sys/kernel/btf or /sys/kernel/tracing/events",
		      "kvm.conf:13: event \"kvm_pio\" is not traced: the cause of EPERM");
}

static void test_only_unknown_ones(void **state)
{
	(void)state;
	resolve("kvm_nosuch sched_switch");
	report_clear(&report);
	attach((const int[]){ 0, 0 });
	assert_reported(-ENOENT, "this kernel has none of the events in [trace]");
	assert_int_equal(report.n, 0);
}

/* None could be tried: all wanted events share the error. */
static void test_fail(void **state)
{
	(void)state;
	resolve("kvm_nosuch kvm_pio kvm_exit");
	trace_event_attached(&list.list[1], 0);
	trace_events_fail(&list, -ENOSYS);
	assert_int_equal(list.list[0].state, TRACE_EVENT_UNKNOWN);
	assert_int_equal(list.list[1].state, TRACE_EVENT_ATTACHED);
	assert_int_equal(list.list[1].err, 0);
	assert_int_equal(list.list[2].state, TRACE_EVENT_FAILED);
	assert_int_equal(list.list[2].err, -ENOSYS);
}

/* The teardown counts descriptors. */
static void test_free_closes(void **state)
{
	int saved;

	(void)state;
	resolve("kvm_pio kvm_exit kvm_mmio");
	saved = descriptor_0_free();
	list.list[1].prog_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	list.list[0].prog_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	list.list[0].link_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	list.list[2].prog_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(list.list[1].prog_fd, 0); /* a descriptor like any other */
	assert_true(list.list[2].prog_fd > 0);
	trace_events_free(&list);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	resolve("");
	list.list[0].link_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(list.list[0].link_fd, 0);
	trace_events_free(&list);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	descriptor_0_restore(saved);
	assert_int_equal(list.n, 0);
	assert_null(list.list);
	trace_events_free(&list);
}

/* Events found before stay, and are not added again. */
static void test_no_memory(void **state)
{
	unsigned n;

	(void)state;
	assert_int_equal(config_add_event(&config, "kvm_pio", 1), 0);
	assert_int_equal(config_add_event(&config, "kvm_m*", 2), 0);
	for (n = 0;; n++) {
		int err;

		trace_events_free(&list);
		alloc_fail_at(n);
		err = trace_events_resolve(&env, &list);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_int_equal(list.n, n / 2);
		assert_int_equal(report.n, 0);
		assert_int_equal(trace_events_resolve(&env, &list), 0);
		assert_list("kvm_pio:1 kvm_mmio:2 kvm_mmu_sync:2");
	}
	assert_int_equal(n, 2 * 3); /* an array and a name for each */
	assert_list("kvm_pio:1 kvm_mmio:2 kvm_mmu_sync:2");
	assert_int_equal(report.n, 0);
}

#define events_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		events_test(test_nothing_configured),
		events_test(test_names),
		events_test(test_patterns),
		events_test(test_patterns_and_names_that_overlap),
		events_test(test_patterns_that_match_nothing),
		events_test(test_a_long_pattern),
		events_test(test_unknown_names),
		events_test(test_no_line),
		events_test(test_no_events_in_the_kernel),
		events_test(test_resolve_again),
		events_test(test_resolve_again_with_less),
		events_test(test_many_events),
		events_test(test_all_attached),
		events_test(test_some_failed),
		events_test(test_all_failed_alike),
		events_test(test_all_failed_alike_but_for_unknown_ones),
		events_test(test_all_failed_each_in_its_way),
		events_test(test_kvm_is_not_loaded),
		events_test(test_kvm_is_not_loaded_nor_allowed),
		events_test(test_kvm_is_not_loaded_for_patterns),
		events_test(test_kvm_is_loaded_and_says_nothing),
		events_test(test_patterns_without_a_list),
		events_test(test_only_unknown_ones),
		events_test(test_fail),
		events_test(test_free_closes),
		events_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
