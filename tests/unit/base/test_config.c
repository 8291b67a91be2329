// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvm.conf as a whole file; test_config_lines.c tests single lines. */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Replaces the module's fopen(); reading the file "failing" ends in EIO. */
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	if (strcmp(path, "failing") != 0)
		return __real_fopen(path, mode);
	return open_failing_reader("[paths]\ndebugfs = /d\n[trace]\nkvm_exit\nx y\nkvm_pio\n", EIO);
}

static void assert_default_paths(const struct config *config)
{
	assert_string_equal(config->debugfs, "/sys/kernel/debug");
	assert_string_equal(config->tracefs, "/sys/kernel/tracing");
	assert_string_equal(config->lockdown, "/sys/kernel/security/lockdown");
	assert_string_equal(config->pin, "pmdakvm");
}

static void test_defaults(void **state)
{
	struct config config;

	(void)state;
	assert_int_equal(config_init(&config), 0);
	assert_string_equal(config.path, "-e");
	assert_int_equal(config.vms, CONFIG_VMS);
	assert_default_paths(&config);
	assert_int_equal(config.nevents, 0);
	config_free(&config);
	assert_null(config.path);
	assert_null(config.pin);
	assert_null(config.events);
	config_free(&config);
}

static void test_add_event(void **state)
{
	static const char *const bad[] = { "",	   "0kvm", "9*",   "kvm exit", "kvm-exit",
					   "kvm!", "kvm]", "^kvm", "a.b*",     "kvm/*",
					   "*\n",  " kvm", "{a}",  "a,b",      "kvm\\*" };
	struct config config;

	(void)state;
	assert_int_equal(config_init(&config), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(config_add_event(&config, bad[i], 1), -EINVAL);
	assert_int_equal(config.nevents, 0);
	assert_int_equal(config_add_event(&config, "kvm_exit", 0), 0);
	assert_int_equal(config_add_event(&config, "_Z9", 3), 0);
	assert_int_equal(config_add_event(&config, "kvm_exi?", 5), 0);
	assert_int_equal(config_add_event(&config, "kvm_exit", 7), -EEXIST);
	assert_int_equal(config_add_event(&config, "kvm_exi?", 8), -EEXIST);
	assert_config_events(&config, "kvm_exit _Z9 kvm_exi?");
	assert_int_equal(config.events[0].line, 0);
	assert_int_equal(config.events[1].line, 3);
	assert_int_equal(config.events[2].line, 5);
	assert_false(config.events[0].pattern);
	assert_false(config.events[1].pattern);
	assert_true(config.events[2].pattern);
	config_free(&config);
}

static void test_a_whole_file(void **state)
{
	static const char text[] = "# kvm.conf\n\n[paths]\ndebugfs = /d/e b\n"
				   "tracefs=/t#1\n\tlockdown\t=\t/l;x # why\n\n[trace]\n"
				   "  kvm_exit\nkvm_mmu_*\t; all of them\n";
	struct report report;
	struct config config;

	(void)state;
	load_config(text, strlen(text), &report, &config);
	assert_string_equal(config.debugfs, "/d/e b");
	assert_string_equal(config.tracefs, "/t#1");
	assert_string_equal(config.lockdown, "/l;x");
	assert_int_equal(config.nevents, 2);
	assert_string_equal(config.events[0].name, "kvm_exit");
	assert_false(config.events[0].pattern);
	assert_int_equal(config.events[0].line, 9);
	assert_string_equal(config.events[1].name, "kvm_mmu_*");
	assert_true(config.events[1].pattern);
	assert_int_equal(config.events[1].line, 10);
	assert_int_equal(report.n, 0);
	unload_config(&report, &config);
}

/* An invalid line is ignored; the last valid one wins. */
static void test_paths_beside_bad_ones(void **state)
{
	static const char text[] = "[paths]\ntracefs = /a\ntracefs = b\nbpffs = /c\n"
				   "debugfs = /d=e\ndebugfs = /f=g\n[trace]\na\n";
	struct report report;
	struct config config;

	(void)state;
	load_config(text, strlen(text), &report, &config);
	assert_string_equal(config.tracefs, "/a");
	assert_string_equal(config.debugfs, "/f=g");
	assert_string_equal(config.lockdown, "/sys/kernel/security/lockdown");
	assert_int_equal(report.n, 2);
	unload_config(&report, &config);
}

/* pin is a name, a path or none; the last valid one wins. */
static void test_pin(void **state)
{
	static const struct {
		const char *text, *pin;
	} rows[] = {
		{ "", "pmdakvm" },
		{ "[bpf]\n", "pmdakvm" },
		{ "[bpf]\npin = other\n", "other" },
		{ "[bpf]\npin=none # not at all\n", "none" },
		{ "[ bpf ]\n\tpin = /sys/fs/bpf/a b/c\n", "/sys/fs/bpf/a b/c" },
		{ "[bpf]\npin = /a\n[trace]\n[bpf]\npin = b.c\n", "b.c" },
		{ "[trace]\nkvm_pio\n[bpf]\npin = a=b\n", "a=b" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char text[128];
		struct report report;
		struct config config;

		snprintf(text, sizeof(text), "%s[trace]\nkvm_exit\n", rows[i].text);
		load_config(text, strlen(text), &report, &config);
		assert_string_equal(config.pin, rows[i].pin);
		assert_string_equal(config.tracefs, "/sys/kernel/tracing");
		assert_string_equal(config.events[config.nevents - 1].name, "kvm_exit");
		assert_int_equal(report.n, 0);
		unload_config(&report, &config);
	}
}

static void test_patterns(void **state)
{
	static const char text[] = "[trace]\n*\nkvm_?io\nkvm_[a-z]*\n[!k]vm_x\n[k]vm[^z]_e\n"
				   "kvm_[\nkvm_]*\nk*!\n[k]vm_[a-z]\n";
	struct report report;
	struct config config;

	(void)state;
	load_config(text, strlen(text), &report, &config);
	assert_config_events(
		&config, "* kvm_?io kvm_[a-z]* [!k]vm_x [k]vm[^z]_e kvm_[ kvm_]* k*! [k]vm_[a-z]");
	for (size_t i = 0; i < config.nevents; i++)
		assert_true(config.events[i].pattern);
	assert_int_equal(report.n, 0);
	unload_config(&report, &config);
}

static void test_200_events(void **state)
{
	struct report report;
	struct config config;
	char text[8192] = "[trace]\n", name[32];

	(void)state;
	for (int i = 0; i < 200; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "kvm_event_%d\n", i);
	load_config(text, strlen(text), &report, &config);
	assert_int_equal(config.nevents, 200);
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof(name), "kvm_event_%d", i);
		assert_string_equal(config.events[i].name, name);
		assert_int_equal(config.events[i].line, i + 2);
	}
	assert_int_equal(report.n, 0);
	unload_config(&report, &config);
}

/* The stock agent's, in its order. */
#define DEFAULT_EVENTS "kvm_exit kvm_entry kvm_mmio kvm_hypercall kvm_vcpu_wakeup"

/* Loading fails with this error and message; the defaults apply. */
static void check_unreadable(const char *path, int err, const char *text)
{
	struct report report = { 0 };
	struct config config;

	assert_int_equal(config_load(path, &report, &config), err);
	assert_warning(&report, text);
	assert_string_equal(config.path, path);
	assert_default_paths(&config);
	assert_config_events(&config, DEFAULT_EVENTS);
	unload_config(&report, &config);
}

static void test_files_that_cannot_be_read(void **state)
{
	(void)state;
	check_unreadable("none", -ENOENT,
			 "none: cannot read: No such file or directory; tracing 5 default events");
	make_folders("folder");
	check_unreadable("folder", -EISDIR,
			 "folder: cannot read: Is a directory; tracing 5 default events");
	assert_int_equal(symlink("loop", "loop"), 0);
	check_unreadable(
		"loop", -ELOOP,
		"loop: cannot read: Too many levels of symbolic links; tracing 5 default events");
}

static void test_a_file_without_permission(void **state)
{
	struct report report = { 0 };
	struct config config;
	bool root = geteuid() == 0;
	int err;

	(void)state;
	write_text("kvm.conf", "[trace]\nkvm_exit\n");
	assert_int_equal(chmod("kvm.conf", 0), 0);
	assert_int_equal(chmod(".", 0755), 0);
	if (root && seteuid(65534)) {
		print_message("# root may read all, and cannot become nobody here\n");
		skip();
	}
	err = config_load("kvm.conf", &report, &config);
	if (root)
		assert_int_equal(seteuid(0), 0);
	assert_int_equal(err, -EACCES);
	assert_warning(&report,
		       "kvm.conf: cannot read: Permission denied; tracing 5 default events");
	assert_config_events(&config, DEFAULT_EVENTS);
	unload_config(&report, &config);
}

static void test_reading_that_fails(void **state)
{
	struct report report = { 0 };
	struct config config;

	(void)state;
	assert_int_equal(config_load("failing", &report, &config), -EIO);
	assert_config_events(&config, "kvm_exit kvm_pio");
	assert_string_equal(config.debugfs, "/d");
	assert_warnings(
		&report,
		(const char *const[]){
			"failing:5: invalid event name \"x y\"; write one event or pattern per line",
			"failing: cannot read: Input/output error; tracing 2 events", NULL });
	report_clear(&report);
	config_free(&config);
}

static void test_no_memory(void **state)
{
	static const char text[] = "[trace]\nkvm_exit\nkvm_*\n[paths]\ndebugfs = /d\n";
	struct report report = { 0 };
	struct config config;
	unsigned n;

	(void)state;
	write_text("kvm.conf", text);
	for (n = 0;; n++) {
		int err;

		untouched_fill(&config, sizeof(config));
		alloc_fail_at(n);
		err = config_load("kvm.conf", &report, &config);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&config, sizeof(config));
		assert_int_equal(report.n, 0);
	}
	assert_true(n >= 5 + 1 + 2 * 2 + 1); /* defaults, the file's own, two events, a path */
	assert_config_events(&config, "kvm_exit kvm_*");
	assert_string_equal(config.debugfs, "/d");
	config_free(&config);
}

static void test_no_memory_for_default_events(void **state)
{
	struct report report = { 0 };
	struct config config;
	unsigned n;

	(void)state;
	for (n = 0;; n++) {
		int err;

		untouched_fill(&config, sizeof(config));
		alloc_fail_at(n);
		err = config_load("none", &report, &config);
		if (!alloc_failed())
			break;
		if (err == -ENOENT) { /* it was the line of the report that found no memory */
			report_clear(&report);
			config_free(&config);
			continue;
		}
		assert_int_equal(err, -ENOMEM);
		assert_untouched(&config, sizeof(config));
		assert_int_equal(report.n, 0);
	}
	assert_true(n >= 5 + 1 + 5 * 2); /* defaults, the path, five events */
	assert_config_events(&config, DEFAULT_EVENTS);
	unload_config(&report, &config);
}

static void test_no_memory_for_defaults_and_events(void **state)
{
	struct config config;
	unsigned n;

	(void)state;
	for (n = 0; n < 5; n++) {
		untouched_fill(&config, sizeof(config));
		alloc_fail_at(n);
		assert_int_equal(config_init(&config), -ENOMEM);
		assert_true(alloc_failed());
		assert_untouched(&config, sizeof(config));
	}
	assert_int_equal(config_init(&config), 0);
	for (n = 0; n < 2; n++) {
		alloc_fail_at(n);
		assert_int_equal(config_add_event(&config, "kvm_exit", 1), -ENOMEM);
		assert_true(alloc_failed());
		assert_config_events(&config, "");
	}
	assert_int_equal(config_add_event(&config, "kvm_exit", 1), 0);
	assert_config_events(&config, "kvm_exit");
	config_free(&config);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_defaults),
		work_test(test_add_event),
		work_test(test_a_whole_file),
		work_test(test_paths_beside_bad_ones),
		work_test(test_pin),
		work_test(test_patterns),
		work_test(test_200_events),
		work_test(test_files_that_cannot_be_read),
		work_test(test_a_file_without_permission),
		work_test(test_reading_that_fails),
		work_test(test_no_memory),
		work_test(test_no_memory_for_default_events),
		work_test(test_no_memory_for_defaults_and_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
