// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* save, events and vms, and what dump does with times and formats, with fake families. */
#include "fakes/fake_families.h"
#include "fakes/run_command.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command/commands.h"

#define dump(...) run_command("stdout", command_dump, (char *[]){ A("dump"), __VA_ARGS__, NULL })
#define save(...) run_command("stdout", command_save, (char *[]){ A("save"), __VA_ARGS__, NULL })
#define vms(...)  run_command("stdout", command_vms, (char *[]){ A("vms"), __VA_ARGS__, NULL })
#define events(...) \
	run_command("stdout", command_events, (char *[]){ A("events"), __VA_ARGS__, NULL })

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

/* What is saved is what dump reads, with where and when; it says so only if asked. */
static void test_save(void **state)
{
	char *printed;

	(void)state;
	fakes[BETA].missed = 11;
	assert_int_equal(dump(A("-d"), A("0"), A("-m"), A("kvm.agent.family.[!a]*")), 0);
	printed = strdup(out);
	assert_has(printed, "kvm.agent.family.missed     beta           11 count\n");
	assert_int_equal(save(A("-d"), A("0"), A("saved")), 0);
	assert_string_equal(out, "");
	assert_string_equal(err_out, "");
	assert_int_equal(dump(A("--from"), A("saved"), A("-m"), A("kvm.agent.family.[!a]*")), 0);
	assert_string_equal(out, printed);
	assert_string_equal(err_out, "");
	free(printed);
	assert_int_equal(dump(A("--from"), A("saved"), A("-v"), A("-m"), A("kvm.agent.version")),
			 0);
	assert_has(err_out, "kvmbpf: saved: saved on ");
	assert_has(err_out, " UTC after 0.0 s\n");
}

/* Standard output and input. */
static void test_save_to_a_pipe(void **state)
{
	char *file;

	(void)state;
	assert_int_equal(save(A("-d"), A("0"), A("-")), 0);
	assert_has(out, "pmdakvm-snapshot\t3\n");
	assert_has(out, "table\tsaved\n");
	file = strdup(out);
	write_text("again", file);
	free(file);
	assert_int_equal(dump(A("--from"), A("again"), A("-m"), A("kvm.agent.version")), 0);
}

static void test_save_that_fails(void **state)
{
	(void)state;
	assert_int_equal(save(A("-d"), A("0"), A("none/saved")), 1);
	assert_string_equal(err_out, "kvmbpf: none/saved: No such file or directory\n");
	assert_int_equal(save(A("-d"), A("0"), A("/dev/full")), 1);
	assert_string_equal(err_out, "kvmbpf: /dev/full: No space left on device\n");
	assert_int_equal(save(A("-d"), A("0")), 2);
	assert_int_equal(save(A("-d"), A("0"), A("a"), A("b")), 2);
	assert_int_equal(save(A("-d"), A("x"), A("a")), 2);
	assert_int_equal(save(A("-e"), A("x y"), A("a")), 2);
	assert_int_equal(save(A("-e"), A("x"), A("-c"), A("c"), A("a")), 2);
	assert_int_equal(access("a", F_OK), -1);
	assert_int_equal(save(A("--help")), 0);
	assert_has(out, "Usage: kvmbpf save");
	/* -e is of the family trace, which the fakes do not have */
	assert_int_equal(save(A("-d"), A("0"), A("-e"), A("kvm:kvm_exit"), A("a")), 3);
	assert_int_equal(access("a", F_OK), -1);
}

/* Counters are what was added, others as they are. */
static void test_delta(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAKES; i++)
		fakes[i].missed = 7 + i;
	assert_int_equal(dump(A("-d"), A("0"), A("-m"), A("kvm.agent.family.missed")), 0);
	assert_has(out, "gamma        9 count\n");
	assert_int_equal(dump(A("--delta"), A("0"), A("-m"), A("kvm.agent.family.missed"), A("-m"),
			      A("kvm.agent.family.attached")),
			 0);
	assert_has(out, "kvm.agent.family.missed   gamma        0 count\n");
	assert_has(out, "kvm.agent.family.attached gamma        1 \n");
	assert_int_equal(dump(A("-s"), A("0.01"), A("-m"), A("kvm.agent.family.missed")), 0);
	assert_has(out, "gamma        0 count\n");
	assert_int_equal(machine.updates, 1);
}

/* All formats have the same values. */
static void test_formats(void **state)
{
	(void)state;
	fakes[ALPHA].missed = 5;
	assert_int_equal(dump(A("-d"), A("0"), A("--csv"), A("-m"), A("*.missed"), A("-o"),
			      A("metric,family,value")),
			 0);
	assert_has(out, "metric,family,value\n");
	assert_has(out, "kvm.agent.family.missed,alpha,5\n");
	assert_int_equal(dump(A("-d"), A("0"), A("--openmetrics"), A("-m"), A("*.missed")), 0);
	assert_has(out, "kvm_agent_family_missed_total{family=\"alpha\"} 5\n");
	assert_has(out, "# EOF\n");
	assert_int_equal(dump(A("-d"), A("0"), A("--prometheus"), A("-f"), A("missed")), 0);
	assert_has(out, "# TYPE kvm_agent_family_missed_total counter\n");
	assert_has_not(out, "# EOF\n");
}

/* In another process: see the file written, take it away, see it written again, end the command. */
static pid_t watch(const char *path)
{
	pid_t parent = getpid(), child = fork();

	assert_true(child >= 0);
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int times = 0; times < 2; times++) {
		while (access(path, F_OK) < 0)
			usleep(1000);
		unlink(path);
	}
	kill(parent, SIGINT);
	_exit(0);
}

/* It is written again and again until a signal, and then once more; others may read it. */
static void test_textfile(void **state)
{
	mode_t mask = umask(077);
	struct stat stat;
	char *text;
	pid_t child;

	(void)state;
	fakes[ALPHA].missed = 5;
	child = watch("kvm.prom");
	assert_int_equal(dump(A("-d"), A("0.01"), A("--prometheus"), A("-m"), A("*.missed"),
			      A("-m"), A("kvm.exit.none"), A("--textfile"), A("kvm.prom")),
			 0);
	umask(mask);
	assert_int_equal(waitpid(child, NULL, 0), child);
	assert_string_equal(out, "");
	text = read_text("kvm.prom");
	assert_has(text, "kvm_agent_family_missed_total{family=\"alpha\"} 5\n");
	free(text);
	assert_int_equal(lstat("kvm.prom", &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0644);
	assert_int_equal(access("kvm.prom.new", F_OK), -1);
	assert_int_equal(dump(A("-d"), A("0.01"), A("--openmetrics"), A("--textfile"), A("none/x")),
			 1);
	assert_has(err_out, "kvmbpf: cannot write none/x: No such file or directory\n");
}

static void test_textfile_refused(void **state)
{
	(void)state;
	assert_int_equal(dump(A("-d"), A("1"), A("--textfile"), A("x")), 2);
	assert_has(err_out, "--textfile needs --prometheus or --openmetrics");
	assert_int_equal(dump(A("--prometheus"), A("--textfile"), A("x")), 2);
	assert_has(err_out, "--textfile needs -d, how often to write the file");
	assert_int_equal(dump(A("--prometheus"), A("--from"), A("y"), A("--textfile"), A("x")), 2);
	assert_has(err_out, "--textfile and --from exclude each other");
	assert_int_equal(
		dump(A("-1"), A("--prometheus"), A("--save"), A("y"), A("--textfile"), A("x")), 2);
	assert_has(err_out, "--textfile and --save exclude each other");
}

static void see_no_events(const struct family_env *env)
{
	assert_int_equal(env->config->nevents, 0);
}

/* Events are counted by CPU: they cost guests nothing where VMs are chosen. */
static void test_no_events_for_vms(void **state)
{
	static const char *const chosen[][2] = { { "--vm", "x" },	{ "-p", "1" },
						 { "--vcpu", "0" },	{ "--reason", "io" },
						 { "--cause", "io:*" }, { "--slower-than", "1" } };

	(void)state;
	fakes[ALPHA].when_opened = see_no_events;
	for (size_t i = 0; i < ARRAY_SIZE(chosen); i++) {
		dump(A("-d"), A("0"), A(chosen[i][0]), A(chosen[i][1]));
		assert_int_equal(fakes[ALPHA].opens, i + 1);
	}
}

#define SNAPSHOT                                                                          \
	"pmdakvm-snapshot\t2\n"                                                           \
	"table\tvm\ncolumn\tvcpus\ncolumn\tpid\ncolumn\tname\n"                           \
	"row\t0\tb-2\t\t-\t2\t2\t'b\nlabels\t{\"vm\":\"b\",\"pid\":2,\"uuid\":\"u-1\"}\n" \
	"row\t1\ta-10\t\t-\t1\t-\t'a\n"                                                   \
	"table\tevent\ncolumn\tattached\ncolumn\tstatus\n"                                \
	"row\t0\t\tkvm_exit\t-\t1\t'attached\nrow\t1\t\tkvm_mine\t-\t0\t'no such event\n" \
	"table\tevent_missed\ncolumn\tmissed\nrow\t0\t\tkvm_exit\t-\t3\n"                 \
	"table\ttrace\ncolumn\tkvm_exit\n"                                                \
	"row\t0\tcpu0\t\t-\t5\nrow\t1\tcpu1\t\t-\t6\nrow\t2\tcpu2\t\t-\t-\n"

static void test_lists(void **state)
{
	(void)state;
	write_text("saved", SNAPSHOT);
	assert_int_equal(vms(A("--from"), A("saved")), 0);
	assert_string_equal(out, "VM   PID VCPUS NAME UUID MACHINE\n"
				 "b-2    2     2 b    u-1  -\n"
				 "a-10   -     1 a    -    -\n");
	assert_int_equal(vms(A("--from"), A("saved"), A("--sort"), A("vm"), A("-o"), A("vm,uuid"),
			     A("--csv")),
			 0);
	assert_string_equal(out, "vm,uuid\na-10,\nb-2,u-1\n");
	assert_int_equal(events(A("--from"), A("saved")), 0);
	assert_string_equal(out, "EVENT    ATTACHED STATUS        COUNT MISSED\n"
				 "kvm_exit        1 attached         11      3\n"
				 "kvm_mine        0 no such event     -      -\n");
	assert_int_equal(events(A("--from"), A("saved"), A("-o"), A("help,event")), 0);
	assert_has(out, "VM exits: a vCPU left guest mode kvm_exit\n");
	/* a file with neither */
	write_text("none", "pmdakvm-snapshot\t2\n");
	assert_int_equal(vms(A("--from"), A("none"), A("--json")), 0);
	assert_string_equal(out, "{\n \"schema\": 1,\n \"vms\": []\n}\n");
	assert_int_equal(events(A("--from"), A("none"), A("--csv"), A("-o"), A("event")), 0);
	assert_string_equal(out, "event\n");
	assert_int_equal(fakes[ALPHA].opens, 0);
}

/* What several families have to say is said once; who has another reason has a line. */
static void test_one_reason(void **state)
{
	(void)state;
	for (size_t i = ALPHA; i < FAKES; i++) {
		fakes[i].open_err = -EPERM;
		fakes[i].error = i == BETA ? "another" : "it is refused: run as root";
	}
	assert_int_equal(dump(A("-d"), A("0")), 3);
	assert_string_equal(err_out,
			    "kvmbpf: alpha, gamma, delta: it is refused: run as root\n"
			    "kvmbpf: beta: another\n"
			    "kvmbpf: no family could be attached: nothing to count; kvmbpf doctor "
			    "says why, and what to do\n");
}

/* Without a file they need the families stat and trace, which are none of the fakes. */
static void test_lists_that_fail(void **state)
{
	(void)state;
	assert_int_equal(vms(NULL), 3);
	assert_has(err_out, "nothing to count; kvmbpf doctor says why, and what to do\n");
	assert_int_equal(events(A("-d"), A("0")), 3);
	assert_int_equal(vms(A("-d"), A("0")), 2);
	assert_int_equal(events(A("-d"), A("-1")), 2);
	assert_int_equal(events(A("more")), 2);
	assert_int_equal(events(A("--csv"), A("-j")), 2);
	assert_int_equal(vms(A("-o"), A("x")), 2);
	assert_int_equal(vms(A("--nonsense")), 2);
	assert_int_equal(vms(A("--from"), A("none")), 1);
	assert_has(err_out, "kvmbpf: none: No such file or directory\n");
	assert_int_equal(vms(A("-h")), 0);
	assert_has(out, "Columns: VM, PID, VCPUS, ");
	write_text("saved", SNAPSHOT);
	assert_int_equal(run_command("/dev/full", command_vms,
				     (char *[]){ A("vms"), A("--from"), A("saved"), NULL }),
			 1);
	assert_has(err_out, "No space left on device");
}

static void test_no_memory(void **state)
{
	static int (*const commands[])(int argc, char **argv) = { command_vms, command_events };
	static const char *const formats[] = { "--json", "--csv", "-v" };

	(void)state;
	write_text("saved", SNAPSHOT);
	for (size_t i = 0; i < 6; i++) {
		bool failed = true;
		unsigned n;

		for (n = 0; failed; n++) {
			int status;

			alloc_fail_at(n);
			status = run_command("stdout", commands[i % 2],
					     (char *[]){ A("list"), A("--from"), A("saved"),
							 A(formats[i / 2]), NULL });
			failed = alloc_failed();
			assert_int_equal(status, failed ? 1 : 0);
		}
		assert_true(n > 10);
	}
}

#define commands_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		commands_test(test_save),
		commands_test(test_save_to_a_pipe),
		commands_test(test_save_that_fails),
		commands_test(test_delta),
		commands_test(test_formats),
		commands_test(test_textfile),
		commands_test(test_textfile_refused),
		commands_test(test_no_events_for_vms),
		commands_test(test_lists),
		commands_test(test_one_reason),
		commands_test(test_lists_that_fail),
		commands_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
