// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvm.conf line by line: the result and exact warning of each line. */
#include "fakes/support.h"

#include <string.h>

#define NONE  "kvm.conf: [trace] lists no events; tracing none"
#define PATHS "(known: debugfs, tracefs, lockdown)"
#define SIXTY "123456789 123456789 123456789 123456789 123456789 123456789 "

/* A file's text, the resulting events by name, and the warnings. */
struct row {
	const char *text, *events;
	const char *warnings[6];
};

static void check_rows(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct report report;
		struct config config;

		load_config(rows[i].text, strlen(rows[i].text), &report, &config);
		assert_config_events(&config, rows[i].events);
		assert_warnings(&report, rows[i].warnings);
		unload_config(&report, &config);
	}
}

static void test_sections(void **state)
{
	static const struct row rows[] = {
		{ "[dynamic]\nkvm_exit\n", "kvm_exit", { NULL } },
		{ "[ trace\t]\nkvm_exit\n", "kvm_exit", { NULL } },
		{ " [trace]  # here\nkvm_exit\n", "kvm_exit", { NULL } },
		{ "[trace]\na\n[dynamic]\nb\n[trace]\nc\n", "a b c", { NULL } },
		{ "[trace]\na\n[paths]\ntracefs = /t\n[trace]\nb\n", "a b", { NULL } },
		{ "kvm_exit\n[trace]\nkvm_pio\nx=1\n",
		  "kvm_pio x",
		  { "kvm.conf:1: \"kvm_exit\" is outside any section; ignored",
		    "kvm.conf:4: event \"x\" takes no value; the value is ignored" } },
		{ "[trce]\nkvm_exit\n!!!\n[trace]\nkvm_pio\n",
		  "kvm_pio",
		  { "kvm.conf:1: unknown section [trce]; the lines below it are ignored (known: paths, bpf, trace)" } },
		{ "[Trace]\n[]\n[trace]\nkvm_pio\n",
		  "kvm_pio",
		  { "kvm.conf:1: unknown section [Trace]; the lines below it are ignored (known: paths, bpf, trace)",
		    "kvm.conf:2: unknown section []; the lines below it are ignored (known: paths, bpf, trace)" } },
		{ "[" SIXTY "x]\n[trace]\na\n",
		  "a",
		  { "kvm.conf:1: unknown section [" SIXTY
		    "]; the lines below it are ignored (known: paths, bpf, trace)" } },
		{ "[trace]\na\n[trace\nb\n[trace]]\nc\n",
		  "a",
		  { "kvm.conf:3: malformed section header, expected [name]; the lines below it are ignored",
		    "kvm.conf:5: malformed section header, expected [name]; the lines below it are ignored" } },
		{ "[\n[trace]\na\n",
		  "a",
		  { "kvm.conf:1: malformed section header, expected [name]; the lines below it are ignored" } },
		{ "trace]\n[trace] kvm_exit\n",
		  "",
		  { "kvm.conf:1: \"trace]\" is outside any section; ignored",
		    "kvm.conf:2: \"[trace] kvm_exit\" is outside any section; ignored", NONE } },
		{ "[trace]\n[paths] x\n",
		  "",
		  { "kvm.conf:2: invalid event name \"[paths] x\"; write one event or pattern per line",
		    NONE } },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_bad_paths(void **state)
{
	static const struct row rows[] = {
		{ "[paths]\nbpffs = /b\ntracefs\n[trace]\na\n",
		  "a",
		  { "kvm.conf:2: unknown option \"bpffs\" in [paths] " PATHS,
		    "kvm.conf:3: expected NAME = PATH in [paths], got \"tracefs\"" } },
		{ "[paths]\n=/x\n" SIXTY "x=/x\n" SIXTY "x\n[trace]\na\n",
		  "a",
		  { "kvm.conf:2: unknown option \"\" in [paths] " PATHS,
		    "kvm.conf:3: unknown option \"" SIXTY "\" in [paths] " PATHS,
		    "kvm.conf:4: expected NAME = PATH in [paths], got \"" SIXTY "\"" } },
		{ "[paths]\ntracefs = trace/fs\ndebugfs =\nlockdown = ~/l\n[trace]\na\n",
		  "a",
		  { "kvm.conf:2: tracefs: expected an absolute path, got \"trace/fs\"; keeping /sys/kernel/tracing",
		    "kvm.conf:3: debugfs: expected an absolute path, got \"\"; keeping /sys/kernel/debug",
		    "kvm.conf:4: lockdown: expected an absolute path, got \"~/l\"; keeping /sys/kernel/security/lockdown" } },
		{ "[paths]\ntracefs = /a\ntracefs = b\n[trace]\na\n",
		  "a",
		  { "kvm.conf:3: tracefs: expected an absolute path, got \"b\"; keeping /a" } },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

/* A warning is not truncated, however long the quoted value. */
static void test_a_long_warning(void **state)
{
	char path[400], text[512], warning[512];
	struct report report;
	struct config config;

	(void)state;
	snprintf(path, sizeof(path), "/%0380d", 7);
	snprintf(text, sizeof(text), "[paths]\ntracefs = %s\ntracefs = b\n[trace]\na\n", path);
	snprintf(warning, sizeof(warning),
		 "kvm.conf:3: tracefs: expected an absolute path, got \"b\"; keeping %s", path);
	load_config(text, strlen(text), &report, &config);
	assert_warning(&report, warning);
	unload_config(&report, &config);
}

static void test_bad_pins(void **state)
{
	static const struct row rows[] = {
		{ "[bpf]\npin = a/b\npin =\npin = .\npin = ../x\npin = b/\n[trace]\na\n",
		  "a",
		  { "kvm.conf:2: pin: expected an absolute path, a directory name, or none, got \"a/b\"; keeping pmdakvm",
		    "kvm.conf:3: pin: expected an absolute path, a directory name, or none, got \"\"; keeping pmdakvm",
		    "kvm.conf:4: pin: expected an absolute path, a directory name, or none, got \".\"; keeping pmdakvm",
		    "kvm.conf:5: pin: expected an absolute path, a directory name, or none, got \"../x\"; keeping pmdakvm",
		    "kvm.conf:6: pin: expected an absolute path, a directory name, or none, got \"b/\"; keeping pmdakvm" } },
		{ "[bpf]\npin = /p\npin = .hidden\n[trace]\na\n",
		  "a",
		  { "kvm.conf:3: pin: expected an absolute path, a directory name, or none, got \".hidden\"; keeping /p" } },
		{ "[bpf]\npin\npins = x\ntracefs = /t\n[paths]\npin = x\n[trace]\na\n",
		  "a",
		  { "kvm.conf:2: expected NAME = VALUE in [bpf], got \"pin\"",
		    "kvm.conf:3: unknown option \"pins\" in [bpf] (known: pin, vms, vcpus, counters, causes, vm_causes, ledger, slow_us)",
		    "kvm.conf:4: unknown option \"tracefs\" in [bpf] (known: pin, vms, vcpus, counters, causes, vm_causes, ledger, slow_us)",
		    "kvm.conf:6: unknown option \"pin\" in [paths] " PATHS } },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

/* The last valid number wins; an invalid one changes nothing. */
static void test_vms(void **state)
{
	static const struct {
		const char *lines;
		uint32_t vms;
	} rows[] = {
		{ "", 4096 },
		{ "vms = 1\n", 1 },
		{ "vms=1000000\n", 1000000 },
		{ " vms\t=\t0007  # seven\n", 7 },
		{ "vms = 000000000000000012\n", 12 },
		{ "vms = 5\nvms = 3\n", 3 },
		{ "pin = none\nvms = 9\n", 9 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct report report;
		struct config config;
		char text[128];

		snprintf(text, sizeof(text), "[bpf]\n%s[trace]\na\n", rows[i].lines);
		load_config(text, strlen(text), &report, &config);
		assert_int_equal(report.n, 0);
		assert_int_equal(config.vms, rows[i].vms);
		unload_config(&report, &config);
	}
}

static void test_bad_vms(void **state)
{
	static const char *const values[] = {
		"0",
		"-1",
		"+1",
		"1000001",
		"4294967297", /* 1 if truncated to 32 bits */
		"many",
		"",
		"12x",
		"x12",
		"1 2",
		"1.5",
		"0x10",
		"1e3",
		"18446744073709551617", /* 20 digits */
		"99999999999999999999",
		"0000000000000000012", /* 19 digits, small value */
		SIXTY "1",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		struct report report;
		struct config config;
		char text[256], warning[256];

		snprintf(text, sizeof(text), "[bpf]\nvms = 77\nvms = %s\n[trace]\na\n", values[i]);
		snprintf(
			warning, sizeof(warning),
			"kvm.conf:3: vms: expected a number from 1 to 1000000, got \"%.60s\"; keeping 77",
			values[i]);
		load_config(text, strlen(text), &report, &config);
		assert_int_equal(config.vms, 77);
		assert_warning(&report, warning);
		unload_config(&report, &config);
	}
}

/* Limits of vCPUs and of their counters. */
static void test_bad_limits(void **state)
{
	static const struct row rows[] = {
		{ "[bpf]\nvcpus = 0\nvcpus = 1000001\ncounters = 0\ncounters = 16000001\n"
		  "counters = 65k\n[trace]\na\n",
		  "a",
		  { "kvm.conf:2: vcpus: expected a number from 1 to 1000000, got \"0\"; keeping 4096",
		    "kvm.conf:3: vcpus: expected a number from 1 to 1000000, got \"1000001\"; keeping 4096",
		    "kvm.conf:4: counters: expected a number from 1 to 16000000, got \"0\"; keeping 65536",
		    "kvm.conf:5: counters: expected a number from 1 to 16000000, got \"16000001\"; keeping 65536",
		    "kvm.conf:6: counters: expected a number from 1 to 16000000, got \"65k\"; keeping 65536" } },
		{ "[bpf]\nslow_us = 9\nslow_us = 3600000001\nslow_us = 10ms\nslow_us = Off\nslow_us = off\nslow_us = -1\n[trace]\na\n",
		  "a",
		  { "kvm.conf:2: slow_us: expected a number from 10 to 3600000000 or off, got \"9\"; keeping 10000",
		    "kvm.conf:3: slow_us: expected a number from 10 to 3600000000 or off, got \"3600000001\"; keeping 10000",
		    "kvm.conf:4: slow_us: expected a number from 10 to 3600000000 or off, got \"10ms\"; keeping 10000",
		    "kvm.conf:5: slow_us: expected a number from 10 to 3600000000 or off, got \"Off\"; keeping 10000",
		    "kvm.conf:7: slow_us: expected a number from 10 to 3600000000 or off, got \"-1\"; keeping 0" } },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

/* The last valid word wins; an invalid one changes nothing. */
static void test_switch(void **state)
{
	static const struct {
		const char *lines;
		uint32_t ledger;
		const char *warning;
	} rows[] = {
		{ "", 1, NULL },
		{ "ledger = off\n", 0, NULL },
		{ "ledger = off\nledger=on\n", 1, NULL },
		{ "ledger = 0\n", 1,
		  "kvm.conf:2: ledger: expected on or off, got \"0\"; keeping on" },
		{ "ledger = off\nledger = On\n", 0,
		  "kvm.conf:3: ledger: expected on or off, got \"On\"; keeping off" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct report report;
		struct config config;
		char text[128];

		snprintf(text, sizeof(text), "[bpf]\n%s[trace]\na\n", rows[i].lines);
		load_config(text, strlen(text), &report, &config);
		assert_int_equal(config.ledger, rows[i].ledger);
		assert_int_equal(report.n, rows[i].warning != NULL);
		if (rows[i].warning)
			assert_string_equal(report.lines[0].text, rows[i].warning);
		unload_config(&report, &config);
	}
}

/* An option of an earlier version has no effect, whatever its value; one line says so. */
static void test_obsolete(void **state)
{
	static const char text[] = "[bpf]\nvm_histograms = 100\nvcpus = 3\nvm_histograms = 0\n"
				   "[trace]\na\n";
	struct report report = { 0 };
	struct config config;

	(void)state;
	load_config(text, sizeof(text) - 1, &report, &config);
	assert_int_equal(config.vcpus, 3);
	assert_int_equal(config.counters, CONFIG_COUNTERS);
	assert_int_equal(report.n, 1);
	assert_int_equal(report.lines[0].level, REPORT_INFO);
	assert_string_equal(
		report.lines[0].text,
		"kvm.conf:2: vm_histograms has no effect any more: all VMs have histograms");
	unload_config(&report, &config);
}

/* Names are case-sensitive and per section; the default applies otherwise. */
static void test_bad_vms_lines(void **state)
{
	static const struct row rows[] = {
		{ "[bpf]\nvms = none\nvms\nVMs = 1\n[paths]\nvms = 1\n[trace]\na\n",
		  "a",
		  { "kvm.conf:2: vms: expected a number from 1 to 1000000, got \"none\"; keeping 4096",
		    "kvm.conf:3: expected NAME = VALUE in [bpf], got \"vms\"",
		    "kvm.conf:4: unknown option \"VMs\" in [bpf] (known: pin, vms, vcpus, counters, causes, vm_causes, ledger, slow_us)",
		    "kvm.conf:6: unknown option \"vms\" in [paths] " PATHS } },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_bad_events(void **state)
{
	static const struct row rows[] = {
		{ "[trace]\nkvm_exit\nkvm_pio\nkvm_exit\nkvm_p*\nkvm_p*\n",
		  "kvm_exit kvm_pio kvm_p*",
		  { "kvm.conf:4: duplicate event \"kvm_exit\"; ignored",
		    "kvm.conf:6: duplicate event \"kvm_p*\"; ignored" } },
		{ "[trace]\nkvm_exit = 1\nkvm_pio=\nkvm_exit=2\n",
		  "kvm_exit kvm_pio",
		  { "kvm.conf:2: event \"kvm_exit\" takes no value; the value is ignored",
		    "kvm.conf:3: event \"kvm_pio\" takes no value; the value is ignored",
		    "kvm.conf:4: event \"kvm_exit\" takes no value; the value is ignored",
		    "kvm.conf:4: duplicate event \"kvm_exit\"; ignored" } },
		{ "[trace]\n=1\n",
		  "",
		  { "kvm.conf:2: event \"\" takes no value; the value is ignored",
		    "kvm.conf:2: invalid event name \"\"; write one event or pattern per line",
		    NONE } },
		{ "[trace]\nkvm_exit kvm_pio\n9kvm\nkvm-exit\nkvm:kvm_exit\n",
		  "",
		  { "kvm.conf:2: invalid event name \"kvm_exit kvm_pio\"; write one event or pattern per line",
		    "kvm.conf:3: invalid event name \"9kvm\"; write one event or pattern per line",
		    "kvm.conf:4: invalid event name \"kvm-exit\"; write one event or pattern per line",
		    "kvm.conf:5: invalid event name \"kvm:kvm_exit\"; write one event or pattern per line",
		    NONE } },
		{ "[trace]\nkvm_\xc3\xa9\na\001b\n" SIXTY "x\n",
		  "",
		  { "kvm.conf:2: invalid event name \"kvm_\xc3\xa9\"; write one event or pattern per line",
		    "kvm.conf:3: invalid event name \"a?b\"; write one event or pattern per line",
		    "kvm.conf:4: invalid event name \"" SIXTY
		    "\"; write one event or pattern per line",
		    NONE } },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_forms_of_a_text_file(void **state)
{
	static const struct row rows[] = {
		{ "", "", { NONE } },
		{ "\n\n \t\n", "", { NONE } },
		{ "[trace]", "", { NONE } },
		{ "[trace]\n", "", { NONE } },
		{ "[trace]\n[paths]\ndebugfs = /d\n", "", { NONE } },
		{ "[trace]\n# kvm_exit\n", "", { NONE } },
		{ "[trace]\na\nb", "a b", { NULL } },
		{ "[trace]\r\na\r\n\r\nb \r\n", "a b", { NULL } },
		{ "\xef\xbb\xbf[trace]\na\n", "a", { NULL } },
		{ "\xef\xbb\xbf", "", { NONE } },
		{ "\xef\xbb\xbf# comment\n[trace]\na\n", "a", { NULL } },
		{ "[trace]\n\xef\xbb\xbf"
		  "a\n",
		  "",
		  { "kvm.conf:2: invalid event name \"\xef\xbb\xbf"
		    "a\"; write one event or pattern per line",
		    NONE } },
		{ "# [paths]\n; x\n\t# y\n[trace]#\na\n",
		  "",
		  { "kvm.conf:4: \"[trace]#\" is outside any section; ignored",
		    "kvm.conf:5: \"a\" is outside any section; ignored", NONE } },
		{ "[trace] ;x\na # b\nc\t;d\ne ;# f\n#g\n;h\n", "a c e", { NULL } },
		{ "[trace]\na#b\nc;d\n",
		  "",
		  { "kvm.conf:2: invalid event name \"a#b\"; write one event or pattern per line",
		    "kvm.conf:3: invalid event name \"c;d\"; write one event or pattern per line",
		    NONE } },
	};

	(void)state;
	check_rows(rows, ARRAY_SIZE(rows));
}

static void test_nul_bytes(void **state)
{
	static const char text[] = "[trace]\na\nb\0c\nd\0\n\0\ne\n\0";
	struct report report;
	struct config config;

	(void)state;
	load_config(text, sizeof(text) - 1, &report, &config);
	assert_config_events(&config, "a e");
	assert_warnings(&report,
			(const char *const[]){ "kvm.conf:3: the line contains NUL bytes; ignored",
					       "kvm.conf:4: the line contains NUL bytes; ignored",
					       "kvm.conf:5: the line contains NUL bytes; ignored",
					       "kvm.conf:7: the line contains NUL bytes; ignored",
					       NULL });
	unload_config(&report, &config);
}

/* An event of len bytes is accepted up to CONFIG_LINE_MAX. */
static void check_long_line(size_t len, const char *events, const char *const *warnings)
{
	struct report report;
	struct config config;
	char text[8192];
	int head = snprintf(text, sizeof(text), "[trace]\na\nlong");

	memset(text + head, 'g', len - strlen("long"));
	strcpy(text + strlen("[trace]\na\n") + len, "\nb\n");
	load_config(text, strlen(text), &report, &config);
	assert_int_equal(config.nevents, events ? 2 : 3);
	if (events)
		assert_config_events(&config, events);
	assert_warnings(&report, warnings);
	unload_config(&report, &config);
}

static void test_long_lines(void **state)
{
	(void)state;
	check_long_line(CONFIG_LINE_MAX, NULL, (const char *const[]){ NULL });
	check_long_line(CONFIG_LINE_MAX + 1, "a b",
			(const char *const[]){
				"kvm.conf:3: the line has 4096 bytes, the limit is 4095; ignored",
				NULL });
	check_long_line(5000, "a b",
			(const char *const[]){
				"kvm.conf:3: the line has 5000 bytes, the limit is 4095; ignored",
				NULL });
}

/* Of many invalid lines 20 are reported, the rest is counted. */
static void check_bad_lines(unsigned lines, const char *last)
{
	struct report report;
	struct config config;
	char text[512] = "[trace]\na\n", line[96];
	unsigned shown = lines < 20 ? lines : 20;

	for (unsigned i = 0; i < lines; i++)
		strcat(text, "!\n");
	load_config(text, strlen(text), &report, &config);
	assert_int_equal(report.n, shown + (last ? 1 : 0));
	for (unsigned i = 0; i < shown; i++) {
		snprintf(
			line, sizeof(line),
			"kvm.conf:%u: invalid event name \"!\"; write one event or pattern per line",
			i + 3);
		assert_string_equal(report.lines[i].text, line);
	}
	if (last) {
		assert_string_equal(report.lines[shown].text, last);
		assert_int_equal(report.lines[shown].level, REPORT_WARNING);
	}
	assert_config_events(&config, "a");
	unload_config(&report, &config);
}

static void test_many_warnings(void **state)
{
	(void)state;
	check_bad_lines(1, NULL);
	check_bad_lines(19, NULL);
	check_bad_lines(20, NULL);
	check_bad_lines(21, "kvm.conf: 1 more warnings not shown");
	check_bad_lines(59, "kvm.conf: 39 more warnings not shown");
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_sections),
		work_test(test_bad_paths),
		work_test(test_a_long_warning),
		work_test(test_bad_pins),
		work_test(test_vms),
		work_test(test_bad_vms),
		work_test(test_switch),
		work_test(test_obsolete),
		work_test(test_bad_limits),
		work_test(test_bad_vms_lines),
		work_test(test_bad_events),
		work_test(test_forms_of_a_text_file),
		work_test(test_nul_bytes),
		work_test(test_long_lines),
		work_test(test_many_warnings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
