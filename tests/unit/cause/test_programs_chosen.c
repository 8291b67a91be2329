// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Which programs of the families cause and userspace_exit are loaded, by the events that there are.
 */
#include "fakes/support.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/cause.h"
#include "cause.skel.h"
#include "engine/exit_common.h"
#include "families/cause/cause_programs.h"
#include "families/family.h"

static char *x86[] = { "kvm_cpuid", "kvm_entry", "kvm_fpu",
		       "kvm_msr",   "kvm_pio",	 "kvm_userspace_exit" };
static char *arm64[] = { "kvm_entry", "kvm_hvc_arm64", "kvm_userspace_exit" };

static const struct events x86_events = { .names = x86, .n = ARRAY_SIZE(x86) };
static const struct events arm64_events = { .names = arm64, .n = ARRAY_SIZE(arm64) };
static const struct events no_events;

/* The programs that are to be loaded, by name, in the object's order. */
static char chosen[1024];

static void chosen_note(const struct bpf_object *object)
{
	struct bpf_program *program;

	*chosen = '\0';
	bpf_object__for_each_program(program, object)
	{
		if (bpf_program__autoload(program))
			strcat(strcat(chosen, " "), bpf_program__name(program));
	}
}

static struct cause_bpf *causes(const struct events *events, bool by_perf)
{
	struct cause_bpf *skeleton = cause_bpf__open();

	assert_non_null(skeleton);
	assert_int_equal(cause_programs_choose(skeleton, events, by_perf), 0);
	chosen_note(skeleton->obj);
	return skeleton;
}

static void test_cause(void **state)
{
	struct cause_bpf *skeleton;

	(void)state;
	skeleton = causes(&x86_events, false);
	assert_string_equal(chosen, " cause_pio cause_msr cause_cpuid cause_thread");
	cause_bpf__destroy(skeleton);
	skeleton = causes(&x86_events, true);
	assert_non_null(strstr(chosen, " cause_pio_tp"));
	assert_null(strstr(chosen, "cause_mmio"));
	cause_bpf__destroy(skeleton);
	skeleton = causes(&arm64_events, false);
	assert_string_equal(chosen, " cause_hvc cause_thread");
	cause_bpf__destroy(skeleton);
	skeleton = causes(&no_events, false); /* KVM may come */
	assert_non_null(strstr(chosen, "cause_mmio"));
	assert_non_null(strstr(chosen, "cause_sysreg"));
	assert_null(strstr(chosen, "_tp"));
	cause_bpf__destroy(skeleton);
}

/* What is not loaded is not in the list, whose programs are asked what they missed. */
static void test_cause_list(void **state)
{
	struct record_family family = { .nprograms = 0 };
	struct cause_bpf *skeleton = causes(&x86_events, false);

	(void)state;
	cause_programs_list(&family, skeleton, false);
	assert_int_equal(family.nprograms, 4);
	assert_string_equal(family.programs[0].event, "sched_process_exit");
	assert_string_equal(family.programs[3].event, "kvm_cpuid");
	for (size_t i = 0; i < family.nprograms; i++)
		assert_null(family.programs[i].classic);
	cause_bpf__destroy(skeleton);
	skeleton = causes(&x86_events, true);
	cause_programs_list(&family, skeleton, true);
	assert_int_equal(family.nprograms, 4);
	assert_non_null(family.programs[1].classic);
	cause_bpf__destroy(skeleton);
}

/* The object of userspace_exit as it is about to be loaded, which the kernel refuses. */
int __wrap_exits_load_object(struct exits *exits, const struct counters_object *object,
			     struct report *report);
int __wrap_exits_load_object(struct exits *exits, const struct counters_object *object,
			     struct report *report)
{
	(void)exits;
	(void)report;
	chosen_note(*object->skeleton->obj);
	object->destroy(object->family);
	return -EPERM;
}

const char *__wrap_kernel_types_core(struct kernel_types *types);
const char *__wrap_kernel_types_core(struct kernel_types *types)
{
	(void)types;
	return NULL;
}

extern const struct family_ops userspace_exit_family;

static void assert_trips(const struct events *events, bool by_perf, const char *programs)
{
	const struct config config = { .slow_us = 1000, .lockdown = "nowhere" };
	struct classic_events classic = { .wanted = by_perf };
	struct vms vms = { .proc = "/proc" };
	struct record_links links[3] = { { .n = 0 } };
	struct event_rows rows = { .fd = -1 };
	struct cpus cpus = { .n = 1 };
	struct kernel_types types = { .dir = "nowhere" };
	struct report report = { 0 };
	const struct family_env env = {
		.config = &config,
		.events = events,
		.cpus = &cpus,
		.vms = &vms,
		.rows = &rows,
		.classic = &classic,
		.causes = &links[0],
		.ledger = &links[1],
		.slow = &links[2],
		.types = &types,
		.report = &report,
	};
	char *error = NULL;
	void *exits = NULL;

	assert_int_equal(userspace_exit_family.open(&env, &exits, &error), -EPERM);
	assert_string_equal(chosen, programs);
	userspace_exit_family.close(exits);
	free(error);
	report_clear(&report);
}

/* One program sees the start of KVM_RUN; the other takes milliseconds to load. */
static void test_userspace_exit(void **state)
{
	(void)state;
	assert_trips(&x86_events, false,
		     " userspace_exit_begin userspace_exit_fpu userspace_exit_thread");
	assert_trips(&arm64_events, false,
		     " userspace_exit_begin userspace_exit_entry userspace_exit_thread");
	assert_trips(
		&no_events, false,
		" userspace_exit_begin userspace_exit_fpu userspace_exit_entry userspace_exit_thread");
	assert_trips(
		&arm64_events, true,
		" userspace_exit_begin userspace_exit_entry userspace_exit_thread userspace_exit_begin_tp");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_cause),
		work_test(test_cause_list),
		work_test(test_userspace_exit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
