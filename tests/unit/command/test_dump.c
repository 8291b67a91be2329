// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Options of kvmbpf dump, with fake families; what it prints of real ones is in live/dump.bats. */
#include "fakes/fake_families.h"
#include "fakes/run_command.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/commands.h"

static int setup(void **state)
{
	if (work_setup(state) || fake_setup(state))
		return -1;
	machine.tracefs = "/sys/kernel/tracing";
	return 0;
}

static int teardown(void **state)
{
	run_command_free();
	return fake_teardown(state) || work_teardown(state) ? -1 : 0;
}

/* Run dump with these arguments; returns the exit status. */
#define run(...) run_command("stdout", command_dump, (char *[]){ A("dump"), __VA_ARGS__, NULL })

/* They end with 2, print nothing, and say which argument is bad. */
static void test_bad_options(void **state)
{
	static const struct {
		const char *args[5];
		const char *part;
	} cases[] = {
		{ { "-d", "x" }, "\"x\"" },
		{ { "-d", "-1" }, "\"-1\"" },
		{ { "-d", "nan" }, "\"nan\"" },
		{ { "-d", "inf" }, "\"inf\"" },
		{ { "-d", "1x" }, "\"1x\"" },
		{ { "-d", "1e10" }, "\"1e10\"" },
		{ { "-d", "" }, "\"\"" },
		{ { "-e", "kvm exit" }, "\"kvm exit\"" },
		{ { "-e", "" }, "\"\"" },
		{ { "-e", "kvm_exit", "-c", "/dev/null" }, "-c and -e" },
		{ { "-c", "/dev/null", "-e", "kvm_exit" }, "-c and -e" },
		{ { "more" }, "\"more\"" },
		{ { "-a", "more", "-d" }, "-- 'd'" },
		{ { "--no-halt", "--json" }, "--json" },
		{ { "--no-halt", "-m", "kvm.*" }, "--metric" },
		{ { "--metric" }, "requires an argument" },
		{ { "--nonsense" }, "nonsense" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *const *args = (char *const *)cases[i].args;

		assert_int_equal(run(args[0], args[1], args[2], args[3], args[4]), 2);
		assert_has(err_out, cases[i].part);
		assert_string_equal(out, "");
	}
	assert_int_equal(fakes[ALPHA].opens, 0);
}

static void test_help(void **state)
{
	static const char *const options[] = { "--all",	    "--config", "--duration", "--event",
					       "--help",    "--json",	"--from",     "--metric",
					       "--no-halt", "--save",	"--verbose" };

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(run(A(i ? "-h" : "--help"), A("more")), 0);
		for (size_t j = 0; j < ARRAY_SIZE(options); j++)
			assert_has(out, options[j]);
		assert_string_equal(err_out, "");
	}
	assert_int_equal(fakes[ALPHA].opens, 0);
}

#define SNAPSHOT                                              \
	"pmdakvm-snapshot\t2\n"                               \
	"table\texit\ncolumn\tcount\ncolumn\ttime\n"          \
	"row\t1\t\thlt\t-\t3\t3000\nrow\t2\t\tio\t-\t1\t10\n" \
	"table\ttrace\ncolumn\tkvm_exit\ncolumn\tkvm_pio\n"   \
	"row\t0\tcpu0\t\t-\t13\t0\nrow\t1\tcpu1\t\t-\t0\t5\n" \
	"table\tagent\ncolumn\tversion\nrow\t0\t\t\t-\t'1.2.3\n"

/* Exits as a table in the style of perf, other metrics that are not 0 below. */
static void test_load(void **state)
{
	(void)state;
	write_text("saved", SNAPSHOT);
	assert_int_equal(run(A("--load"), A("saved")), 0);
	assert_has(out, "\nhlt           3   75.00% 99.67%");
	assert_has(out, "\nio            1   25.00%  0.33%");
	assert_has(out, "\nkvm.trace.kvm_exit cpu0        13 count\n"
			"kvm.trace.kvm_pio  cpu1         5 count\n");
	assert_has_not(out, "kvm.exit.");
	assert_has(err_out, "kvmbpf: 3 values not shown");
	assert_has(err_out, "--all");
	assert_int_equal(run(A("--load"), A("saved"), A("--no-halt")), 0);
	assert_has_not(out, "hlt");
	assert_has(out, "\nio            1  100.00%");
	assert_int_equal(fakes[ALPHA].opens, 0);
}

/* All values, also those of the tables above. */
static void test_load_all(void **state)
{
	(void)state;
	write_text("saved", SNAPSHOT);
	assert_int_equal(run(A("--load"), A("saved"), A("-a")), 0);
	assert_has(out, "\nhlt           3   75.00%");
	assert_has(out, "\nkvm.exit.count     hlt          3 count\n");
	assert_has(out, "\nkvm.trace.kvm_pio  cpu0         0 count\n");
	assert_has(out, "\nkvm.agent.version           1.2.3 ");
	assert_string_equal(err_out, "");
}

/* The values of the chosen metrics, 0 included, and nothing else. */
static void test_load_metrics(void **state)
{
	(void)state;
	write_text("saved", SNAPSHOT);
	assert_int_equal(run(A("--load"), A("saved"), A("-m"), A("kvm.*.kvm_p*"), A("--metric"),
			     A("kvm.exit.count")),
			 0);
	assert_string_equal(out, "METRIC            INSTANCE VALUE UNITS\n"
				 "kvm.trace.kvm_pio cpu0         0 count\n"
				 "kvm.trace.kvm_pio cpu1         5 count\n"
				 "kvm.exit.count    hlt          3 count\n"
				 "kvm.exit.count    io           1 count\n");
	assert_string_equal(err_out, "");
	assert_int_equal(run(A("--load"), A("saved"), A("-m"), A("kvm.trace"), A("-m"),
			     A("kvm.trace.kvm_exit"), A("-m"), A("none")),
			 1);
	assert_has(out, "kvm.trace.kvm_exit cpu1         0 count\n");
	assert_has(err_out, "\"kvm.trace\"");
	assert_has(err_out, "\"none\"");
	assert_has_not(err_out, "kvm_exit");
}

static void test_load_json(void **state)
{
	json_t *root, *metrics, *pio;

	(void)state;
	write_text("saved", SNAPSHOT);
	assert_int_equal(run(A("--load"), A("saved"), A("--json")), 0);
	root = json_loads(out, 0, NULL);
	metrics = json_object_get(root, "metrics");
	assert_int_equal(json_array_size(metrics), 4); /* exits too, and no text */
	json_decref(root);
	assert_int_equal(run(A("--load"), A("saved"), A("-jm"), A("*.kvm_pio")), 0);
	root = json_loads(out, 0, NULL);
	metrics = json_object_get(root, "metrics");
	assert_int_equal(json_array_size(metrics), 1);
	pio = json_array_get(metrics, 0);
	assert_string_equal(json_string_value(json_object_get(pio, "name")), "kvm.trace.kvm_pio");
	assert_int_equal(json_array_size(json_object_get(pio, "values")), 2);
	json_decref(root);
	assert_string_equal(err_out, "");
}

static void test_load_that_fails(void **state)
{
	(void)state;
	assert_int_equal(run(A("--load"), A("none")), 1);
	assert_string_equal(err_out, "kvmbpf: none: No such file or directory\n");
	assert_int_equal(run(A("--load"), A(".")), 1);
	assert_string_equal(err_out, "kvmbpf: .: Is a directory\n");
	write_text("bad", SNAPSHOT "row\twhat\n");
	assert_int_equal(run(A("--load"), A("bad"), A("--json")), 1);
	assert_has(err_out, "kvmbpf: bad:15: ");
	write_text("old", "pmdakvm-snapshot\t1\n");
	assert_int_equal(run(A("--load"), A("old")), 1);
	assert_has(err_out, "kvmbpf: old:1: ");
	write_text("other", SNAPSHOT "table\tfamily\ncolumn\tattached\nrow\t0\t\tf\xfcr\t-\t1\n");
	assert_int_equal(run(A("--load"), A("other"), A("--json")), 1);
	assert_string_equal(err_out,
			    "kvmbpf: other:17: not UTF-8, so not written by kvmbpf save\n");
	assert_string_equal(out, "");
}

static void test_a_full_disk(void **state)
{
	(void)state;
	write_text("saved", SNAPSHOT);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(run_command("/dev/full", command_dump,
					     (char *[]){ A("dump"), A("--load"), A("saved"),
							 i ? A(i == 1 ? "-j" : "-a") : NULL,
							 NULL }),
				 1);
		assert_has(err_out, "No space left on device");
	}
}

static void test_no_memory(void **state)
{
	bool failed = true;
	unsigned n;

	(void)state;
	write_text("saved", SNAPSHOT);
	write_text("conf", "[trace]\nkvm_exit\n");
	for (n = 0; failed; n++) {
		int status;

		alloc_fail_at(n);
		status = run(A("-c"), A("conf"), A("--load"), A("saved"));
		failed = alloc_failed();
		assert_int_equal(status, failed ? 1 : 0);
	}
	assert_true(n > 20);
}

/* Counting for no time: every family is opened, read, and closed. */
static void test_count(void **state)
{
	(void)state;
	assert_int_equal(run(A("-d"), A("0"), A("-m"), A("kvm.agent.family.*ed")), 0);
	assert_has(out, "kvm.agent.family.attached gamma        1 ");
	for (size_t i = 0; i < FAKES; i++) {
		assert_int_equal(fakes[i].opens, 1);
		assert_int_equal(fakes[i].closes, 1);
		assert_int_equal(fakes[i].reads[0], 1);
		assert_null(fakes[i].env.pins);
		assert_ptr_not_equal(fakes[i].env.config, &config);
	}
	assert_string_equal(err_out, "");
	assert_int_equal(machine.updates, 0);
	assert_int_equal(run(A("--duration"), A("0.01")), 0);
	assert_int_equal(machine.updates, 1);
}

static void interrupt(const struct family_env *env)
{
	(void)env;
	assert_int_equal(kill(getpid(), machine.stamp ? SIGHUP : SIGTERM), 0);
}

/* Without -d it counts until a signal, which may come while it attaches. */
static void test_until_a_signal(void **state)
{
	(void)state;
	fakes[BETA].when_attached = interrupt;
	for (machine.stamp = 0; machine.stamp < 2; machine.stamp++) {
		assert_int_equal(run(A("-m"), A("kvm.agent.family.attached")), 0);
		assert_has(out, "delta        1 ");
	}
	assert_int_equal(run(A("-d"), A("1000")), 0);
}

static void see_events(const struct family_env *env)
{
	const char *name = machine.pin ? "kvm_pio" : "*";

	assert_int_equal(env->config->nevents, 1);
	assert_string_equal(env->config->events[0].name, name);
	assert_int_equal(env->config->events[0].pattern, *name == '*');
}

/* All events, or those of a configuration, whose faults are reported. */
static void test_events(void **state)
{
	(void)state;
	fakes[ALPHA].when_opened = see_events;
	assert_int_equal(run(A("-d"), A("0")), 0);
	write_text("conf", "[trace]\nkvm_pio\n[nonsense]\n");
	machine.pin = true;
	assert_int_equal(run(A("-c"), A("conf"), A("-d"), A("0")), 0);
	assert_has(err_out, "kvmbpf: conf:3: ");
	assert_int_equal(fakes[ALPHA].opens, 2);
	fakes[ALPHA].when_opened = NULL;
	assert_int_equal(run(A("-c"), A("none"), A("-d"), A("0")), 0);
	assert_has(err_out, "none");
	assert_int_equal(fakes[ALPHA].env.pins != NULL, 0);
}

/* -e asks for the trace family only, which is none of the fakes. */
static void test_only_events(void **state)
{
	(void)state;
	assert_int_equal(run(A("-d"), A("0"), A("-e"), A("kvm_exit"), A("-e"), A("kvm_exit")), 3);
	assert_has(err_out, "nothing");
	assert_string_equal(out, "");
	for (size_t i = 0; i < FAKES; i++)
		assert_int_equal(fakes[i].opens, 0);
}

/* The first try changes what the kernel shows of KVM, the second succeeds. */
static void load_kvm(const struct family_env *env)
{
	(void)env;
	if (machine.stamp++ == 0)
		return;
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].attach_err = 0;
}

/* With nothing attached there is nothing to print, unless KVM may yet be loaded. */
static void test_nothing_attached(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].attach_err = -ENOENT;
	machine.no_kvm = true;
	assert_int_equal(run(A("-d"), A("0"), A("-j")), 3);
	assert_has(out, "kvm.agent.family.attached");
	assert_has(err_out, "kvmbpf: nothing was counted: KVM was not loaded\n");
	assert_int_equal(run(A("-d"), A("0"), A("-m"), A("none")), 1);
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].attach_err = -EPERM;
	fakes[BETA].attach_error = "it has its reasons";
	assert_int_equal(run(A("-d"), A("0")), 3);
	assert_has(err_out, "kvmbpf: beta: it has its reasons\n");
	assert_string_equal(out, "");
	machine.cpus_err = -EIO;
	assert_int_equal(run(A("-d"), A("0")), 1);
	assert_has(err_out, "Input/output error");
}

/* KVM is loaded while it waits. */
static void test_late(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].attach_err = -ENOENT;
	machine.no_kvm = true;
	fakes[ALPHA].when_attached = load_kvm;
	assert_int_equal(run(A("-d"), A("0.01")), 0);
	assert_has(err_out, "kvmbpf: alpha: attached\n");
	assert_has_not(err_out, "nothing");
}

static void say_details(const struct family_env *env)
{
	(void)env;
	say_as_libbpf(LIBBPF_WARN, "libbpf: %s\n", "details");
}

static void test_verbose(void **state)
{
	(void)state;
	fakes[ALPHA].when_opened = say_details;
	fakes[BETA].attach_err = -EPERM;
	fakes[BETA].said = "a warning";
	for (int verbose = 0; verbose < 2; verbose++) {
		assert_int_equal(run(A("-d"), A("0"), verbose ? A("-v") : NULL), 0);
		assert_has(err_out, "kvmbpf: a warning\n");
		(verbose ? assert_has : assert_has_not)(err_out, "kvmbpf: libbpf: details");
		(verbose ? assert_has : assert_has_not)(err_out, "kvmbpf: alpha: attached in ");
		assert_has_not(err_out, "beta: attached in ");
	}
}

/* What --save writes, --load prints as if it had been counted. */
static void test_save(void **state)
{
	char *printed;

	(void)state;
	assert_int_equal(run(A("-d"), A("0"), A("--all"), A("--save"), A("saved")), 0);
	printed = strdup(out);
	assert_has(printed, "kvm.agent.version");
	assert_int_equal(run(A("--load"), A("saved"), A("--all")), 0);
	assert_string_equal(out, printed);
	free(printed);
	assert_int_equal(run(A("-d"), A("0"), A("--save"), A("none/saved")), 1);
	assert_has(err_out, "kvmbpf: none/saved: No such file or directory\n");
	assert_string_equal(out, "");
	assert_int_equal(run(A("-d"), A("0"), A("--save"), A("/dev/full")), 1);
	assert_has(err_out, "kvmbpf: /dev/full: No space left on device\n");
}

#define dump_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		dump_test(test_bad_options),
		dump_test(test_help),
		dump_test(test_load),
		dump_test(test_load_all),
		dump_test(test_load_metrics),
		dump_test(test_load_json),
		dump_test(test_load_that_fails),
		dump_test(test_a_full_disk),
		dump_test(test_no_memory),
		dump_test(test_count),
		dump_test(test_until_a_signal),
		dump_test(test_events),
		dump_test(test_only_events),
		dump_test(test_nothing_attached),
		dump_test(test_late),
		dump_test(test_verbose),
		dump_test(test_save),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
