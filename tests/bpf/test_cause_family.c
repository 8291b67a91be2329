// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The cause family: what it loads and attaches, as raw tracepoints or by perf. */
#define _GNU_SOURCE
#include "bpf/family.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const x86[] = {
	"kvm_apic",	 "kvm_cpuid", "kvm_cr",	 "kvm_fast_mmio", "kvm_hv_hypercall",
	"kvm_hypercall", "kvm_mmio",  "kvm_msr", "kvm_pio",	  NULL
};
static const char *const arm64[] = { "kvm_handle_sys_reg", "kvm_hvc_arm64", "kvm_mmio", NULL };

/* Fields of events' records, as tracefs shows them. */
static const struct {
	const char *event, *fields[3];
} formats[] = {
	{ "kvm_apic",
	  { "unsigned int rw;\toffset:8;\tsize:4;", "unsigned int reg;\toffset:12;\tsize:4;" } },
	{ "kvm_cpuid", { "unsigned int function;\toffset:8;\tsize:4;" } },
	{ "kvm_cr",
	  { "unsigned int rw;\toffset:8;\tsize:4;", "unsigned int cr;\toffset:12;\tsize:4;" } },
	{ "kvm_fast_mmio", { "u64 gpa;\toffset:8;\tsize:8;" } },
	{ "kvm_hv_hypercall", { "__u16 code;\toffset:32;\tsize:2;" } },
	{ "kvm_hypercall", { "unsigned long nr;\toffset:8;\tsize:8;" } },
	{ "kvm_mmio", { "u32 type;\toffset:8;\tsize:4;", "u64 gpa;\toffset:16;\tsize:8;" } },
	{ "kvm_msr", { "unsigned write;\toffset:8;\tsize:4;", "u32 ecx;\toffset:12;\tsize:4;" } },
	{ "kvm_pio",
	  { "unsigned int rw;\toffset:8;\tsize:4;", "unsigned int port;\toffset:12;\tsize:4;" } },
	{ "kvm_handle_sys_reg", { "unsigned long hsr;\toffset:8;\tsize:8;" } },
	{ "kvm_hvc_arm64", { "unsigned long r0;\toffset:16;\tsize:8;" } },
};

#define RAW                                                                                  \
	"sched_process_exit kvm_pio kvm_mmio kvm_fast_mmio kvm_msr kvm_cpuid kvm_hypercall " \
	"kvm_hv_hypercall kvm_cr kvm_apic"
#define BY_PERF                                                                     \
	"sched_process_exit +kvm_pio +kvm_mmio +kvm_fast_mmio +kvm_msr +kvm_cpuid " \
	"+kvm_hypercall +kvm_hv_hypercall +kvm_cr +kvm_apic"

/* --- tracefs --- */

static char tracefs[] = "/tmp/tracefs.XXXXXX";

static void format_write(const char *event, const char *const *fields)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/events/kvm/%s", tracefs, event);
	mkdir(path, 0755);
	strcat(path, "/format");
	file = fopen(path, "we");
	assert_non_null(file);
	for (size_t i = 0; i < 3 && fields[i]; i++)
		fprintf(file, "\tfield:%s\tsigned:0;\n", fields[i]);
	fclose(file);
}

static void folder_make(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", tracefs, name);
	assert_int_equal(mkdir(path, 0755), 0);
}

static int setup(void **state)
{
	int err = family_setup(state);

	strcpy(tracefs, "/tmp/tracefs.XXXXXX");
	assert_non_null(mkdtemp(tracefs));
	folder_make("events");
	folder_make("events/kvm");
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		format_write(formats[i].event, formats[i].fields);
	free(config.tracefs);
	config.tracefs = strdup(tracefs);
	host.events = x86;
	return err;
}

static int file_remove(const char *path, const struct stat *status, int type, struct FTW *ftw)
{
	(void)status, (void)type, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	int err = family_teardown(state);

	nftw(tracefs, file_remove, 8, FTW_DEPTH | FTW_PHYS);
	return err;
}

/* --- events --- */

static uint64_t accesses(const char *key)
{
	uint64_t n;

	read_tables();
	return value_of("cause", key, "accesses", &n) ? n : 0;
}

/* A write to port 0x3f8, as the event's record has it. */
static void port_written(int prog_fd)
{
	const uint64_t record[] = { 0x5eed, 1 | 0x3f8ULL << 32, 1 };

	assert_int_equal(result_program(prog_fd, record, ARRAY_SIZE(record)), 1);
}

static void test_raw(void **state)
{
	(void)state;
	family_open("cause");
	assert_string_equal(family_status(), "attached");
	assert_string_equal(attached_events(), RAW);
	fire("kvm_pio", 1, 0x3f8, 1);
	fire("kvm_cpuid", 7);
	assert_int_equal(accesses("io:0x3f8:w"), 1);
	assert_int_equal(accesses("cpuid:0x7"), 1);
	host.missed = 3;
	read_tables();
	assert_int_equal(value_at("family_missed", "cause", "missed"), 10 * 3);
	assert_false(family_reported("raw tracepoints"));
}

/* Where tracepoints can be preempted. What is missed is by all that is loaded: not arm64's. */
static void test_by_perf(void **state)
{
	(void)state;
	host.preemptible = true;
	family_open("cause");
	assert_string_equal(family_status(), "attached");
	assert_string_equal(attached_events(), BY_PERF);
	port_written(event_program("kvm_pio"));
	assert_int_equal(accesses("io:0x3f8:w"), 1);
	host.missed = 3;
	read_tables();
	assert_int_equal(value_at("family_missed", "cause", "missed"), (10 + 9) * 3);
	assert_false(family_reported("raw tracepoints"));
}

static void test_arm64(void **state)
{
	(void)state;
	host.events = arm64;
	host.preemptible = true;
	family_open("cause");
	assert_string_equal(attached_events(),
			    "sched_process_exit +kvm_mmio +kvm_handle_sys_reg +kvm_hvc_arm64");
}

/* A program that perf has not let go yet counts nothing, from the detach to the next attach. */
static void test_detached_late(void **state)
{
	int prog_fd;

	(void)state;
	host.preemptible = true;
	family_open("cause");
	prog_fd = event_program("kvm_pio");
	port_written(prog_fd);
	assert_int_equal(family_switch(false), 0);
	port_written(prog_fd);
	assert_int_equal(accesses("io:0x3f8:w"), 1);
	assert_int_equal(family_switch(true), 0);
	port_written(prog_fd);
	assert_int_equal(accesses("io:0x3f8:w"), 2);
}

static void test_perf_refuses(void **state)
{
	(void)state;
	host.preemptible = true;
	host.perf_err = -EACCES;
	family_open("cause");
	assert_string_equal(family_status(), "attached");
	assert_string_equal(attached_events(), RAW);
	fire("kvm_pio", 1, 0x3f8, 1);
	assert_int_equal(accesses("io:0x3f8:w"), 1);
	assert_true(family_reported("events are counted by raw tracepoints"));
}

/* Fields are compared for each event: of one with another record the raw tracepoint is attached. */
static void test_other_record(void **state)
{
	(void)state;
	host.preemptible = true;
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++) {
		const char *const moved[] = { "u64 other;\toffset:8;\tsize:8;", NULL };
		const char *const *events = i < ARRAY_SIZE(formats) - 2 ? x86 : arm64;
		char raw[64], perf[64], text[256];

		host.events = events;
		format_write(formats[i].event, moved);
		family_open("cause");
		snprintf(raw, sizeof(raw), " %s ", formats[i].event);
		snprintf(perf, sizeof(perf), " +%s ", formats[i].event);
		snprintf(text, sizeof(text), "%s ", attached_events());
		assert_non_null(strstr(text, raw));
		assert_null(strstr(text, perf));
		assert_non_null(strstr(text, "+kvm_mmio") ?: strstr(text, "+kvm_pio"));
		assert_true(family_reported("no record of the form that the program reads"));
		family_close();
		format_write(formats[i].event, formats[i].fields);
	}
}

int main(void)
{
#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		test(test_raw),		  test(test_by_perf),	   test(test_arm64),
		test(test_detached_late), test(test_perf_refuses), test(test_other_record),
	};

	return run_group("test_cause_family", tests, ARRAY_SIZE(tests));
}
