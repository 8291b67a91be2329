// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/single_steps.h"
#include "fakes/support.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

static void child_run(void (*run)(void))
{
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		_exit(77);
	raise(SIGSTOP);
	run();
	raise(SIGSTOP);
	_exit(0);
}

static int steps_run(pid_t child, const void *shared, size_t bytes, void (*killed)(void *copy))
{
	void *copy = malloc(bytes), *before = malloc(bytes);
	int changes = 0, status;

	assert_non_null(copy);
	assert_non_null(before);
	memcpy(before, shared, bytes);
	while (ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0 &&
	       waitpid(child, &status, 0) > 0 && WIFSTOPPED(status) &&
	       WSTOPSIG(status) == SIGTRAP) {
		if (memcmp(before, shared, bytes) == 0)
			continue;
		changes++;
		memcpy(before, shared, bytes);
		memcpy(copy, shared, bytes);
		killed(copy);
	}
	free(copy);
	free(before);
	return changes;
}

void need_single_steps(void)
{
	const char *preload = getenv("LD_PRELOAD");

	if (!preload || !strstr(preload, "vgpreload"))
		return;
	print_message("# single steps do not work under valgrind\n");
	skip();
}

int single_steps(void (*run)(void), const void *shared, size_t bytes, void (*killed)(void *copy))
{
	pid_t child = fork();
	int status, changes;

	assert_true(child >= 0);
	if (!child)
		child_run(run);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (!WIFSTOPPED(status))
		return -1;
	changes = steps_run(child, shared, bytes, killed);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	return changes;
}
