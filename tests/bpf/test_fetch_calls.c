// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Reading kvm.trace and kvm.exit takes no system call. */
#include "bpf/family.h"

#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t bit_of(const char *name)
{
	const struct snapshot *snapshot = collector_snapshot(collector);

	for (size_t i = 0; i < snapshot->ntables; i++) {
		if (strcmp(snapshot->tables[i]->name, name) == 0)
			return UINT64_C(1) << i;
	}
	fail_msg("no table %s", name);
	return 0;
}

/*
 * Read in a process that the kernel kills at a system call, but for read, write, exit and return
 * from a signal. Returns its status, of waitpid().
 */
static int status_of_read(uint64_t tables)
{
	int status;
	pid_t child = fork();

	assert_true(child >= 0);
	if (!child) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		syscall(SYS_exit, collector_read(collector, tables) == 0 ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/* The first read after something has changed makes room; those that follow only read. */
static void assert_no_call(uint64_t tables)
{
	assert_int_equal(collector_read(collector, tables), 0);
	assert_int_equal(status_of_read(tables), 0);
}

static void test_exit(void **state)
{
	static const char *const names[] = { "exit", "exit_total", "exit_latency" };
	uint64_t all = 0;

	(void)state;
	family_open("exit");
	for (uint64_t vcpu = 1; vcpu <= 5; vcpu++) {
		fire("kvm_exit", 0x78, vcpu << 12, 2);
		fire("kvm_entry", vcpu << 12);
	}
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		all |= bit_of(names[i]);
		assert_no_call(bit_of(names[i]));
	}
	assert_no_call(all);
	read_tables();
	assert_int_equal(value_at("exit_total", "", "total"), 5);
}

static void test_trace(void **state)
{
	(void)state;
	assert_int_equal(config_add_event(&config, "*", 0), 0);
	family_open("trace");
	fire("kvm_cpuid", 0);
	assert_no_call(bit_of("trace"));
}

/* Such a process is killed, indeed. */
static void test_killed(void **state)
{
	int status;

	(void)state;
	if (!fork()) {
		prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
		syscall(SYS_getppid);
		syscall(SYS_exit, 0);
	}
	assert_true(wait(&status) > 0);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		family_test(test_exit),
		family_test(test_trace),
		cmocka_unit_test(test_killed),
	};

	return run_group("test_fetch_calls", tests, ARRAY_SIZE(tests));
}
