// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Who is killed for the lock of a folder, and who is not. Two real processes of this test stand
 * for agents that one pmcd has started: the hung one, which has the lock, and its successor.
 */
#define _GNU_SOURCE
#include "fakes/fake_bpffs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/folder_lock.h"

/* What the kernel shows the successor, if not the truth. */
static bool no_pidfd;	    /* the kernel is older than 5.3 */
static pid_t pidfd_of;	    /* the process that had the PID when pidfd_open() was called */
static bool locks_are_fake; /* /proc/locks is the file "locks" */

int __real_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags);
int __wrap_pidfd_open(pid_t pid, unsigned flags)
{
	assert_int_equal(flags, 0);
	if (!no_pidfd)
		return __real_pidfd_open(pidfd_of ? pidfd_of : pid, flags);
	errno = ENOSYS;
	return -1;
}

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode)
{
	bool fake = locks_are_fake && strcmp(path, "/proc/locks") == 0;

	return __real_fopen(fake ? "locks" : path, mode);
}

static int setup(void **state)
{
	no_pidfd = locks_are_fake = false;
	pidfd_of = 0;
	if (bpffs_setup(state))
		return -1;
	return why_not ? 0 : mkdir(on_bpffs("ours"), 0700);
}

static int folder_open(int flags)
{
	return open(on_bpffs("ours"), O_RDONLY | O_DIRECTORY | flags);
}

/* Fork a process that does not outlive this one, whatever a test finds. */
static pid_t fork_bound(void)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Start a process that calls begin() and then hangs. */
static pid_t hang_after(void (*begin)(void))
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork_bound();
	if (pid == 0) {
		begin();
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void take_lock(void)
{
	if (flock(folder_open(O_CLOEXEC), LOCK_EX))
		_exit(1);
}

static void do_nothing(void)
{
}

/* The successor: folder_lock() returns this in a process of its own. */
static void assert_lock_by(bool kill_hung, int expected)
{
	int status;
	pid_t pid = fork_bound();

	if (pid == 0)
		_exit(folder_lock(folder_open(O_CLOEXEC), kill_hung) == expected ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void assert_lock(int expected)
{
	assert_lock_by(true, expected);
}

/* The process was killed, or it lives; then it is ended here. */
static void assert_killed(pid_t pid, bool expected)
{
	int status = 0;
	pid_t ended = waitpid(pid, &status, WNOHANG);

	if (!ended) {
		kill(pid, SIGKILL);
		waitpid(pid, &status, 0);
	}
	assert_int_equal(ended, expected ? pid : 0);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* The kernel has pidfds since 5.3; valgrind knows the first of the calls only. */
#define need_pidfd()                                                               \
	do {                                                                       \
		int fd = __real_pidfd_open(getpid(), 0);                           \
		bool have = fd >= 0 && pidfd_send_signal(fd, 0, NULL, 0) == 0;     \
                                                                                   \
		if (fd >= 0)                                                       \
			close(fd);                                                 \
		need_bpf();                                                        \
		if (!have) {                                                       \
			print_message("# no pidfd_open(), or no signals by it\n"); \
			skip();                                                    \
		}                                                                  \
	} while (0)

static void test_nobody(void **state)
{
	(void)state;
	need_bpf();
	assert_lock(0);
	assert_lock(0);
	assert_int_equal(folder_lock(-1, true), -EBADF);
}

static void test_hung_agent(void **state)
{
	pid_t hung;

	(void)state;
	need_pidfd();
	hung = hang_after(take_lock);
	assert_lock(0);
	assert_killed(hung, true);
}

static void test_stopped_agent(void **state)
{
	pid_t hung;

	(void)state;
	need_pidfd();
	hung = hang_after(take_lock);
	assert_int_equal(kill(hung, SIGSTOP), 0);
	assert_lock(0);
	assert_killed(hung, true);
}

/* Who only removes pins kills nobody. */
static void test_hung_agent_is_left(void **state)
{
	pid_t hung;

	(void)state;
	need_bpf();
	hung = hang_after(take_lock);
	assert_lock_by(false, -EWOULDBLOCK);
	assert_killed(hung, false);
}

static void test_kernel_without_pidfds(void **state)
{
	pid_t hung;

	(void)state;
	need_bpf();
	hung = hang_after(take_lock);
	no_pidfd = true;
	assert_lock(-EWOULDBLOCK);
	assert_killed(hung, false);
}

/* It ended, and its PID was given away, between the look at /proc/locks and pidfd_open(). */
static void test_pid_of_another_agent(void **state)
{
	pid_t holder, other;
	char text[128];
	struct stat st;

	(void)state;
	need_pidfd();
	assert_int_equal(stat(on_bpffs("ours"), &st), 0);
	other = hang_after(do_nothing);
	holder = hang_after(take_lock);
	snprintf(text, sizeof(text), "1: FLOCK  ADVISORY  WRITE %d %02x:%02x:%lu 0 EOF\n", other,
		 major(st.st_dev), minor(st.st_dev), (unsigned long)st.st_ino);
	write_text("locks", text);
	locks_are_fake = true;
	assert_lock(-EWOULDBLOCK);
	assert_killed(other, false);
	assert_killed(holder, false);
}

/*
 * It ended after pidfd_open(), and another agent got its PID and passes every check: the signal
 * does not go there.
 */
static void test_pid_given_away_after_open(void **state)
{
	pid_t holder, ended;

	(void)state;
	need_pidfd();
	holder = hang_after(take_lock);
	ended = hang_after(do_nothing);
	assert_int_equal(kill(ended, SIGKILL), 0);
	pidfd_of = ended; /* a zombie: no pidfd can be opened of what is gone */
	assert_int_equal(waitid(P_PID, (id_t)ended, &(siginfo_t){ 0 }, WEXITED | WNOWAIT), 0);
	assert_lock(-EWOULDBLOCK);
	assert_killed(holder, false);
	assert_int_equal(waitpid(ended, NULL, 0), ended);
}

/* A program with our parent, but not ours. */
static void test_another_program(void **state)
{
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	need_pidfd();
	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	pid = fork_bound();
	if (pid == 0) {
		if (flock(folder_open(0), LOCK_EX) == 0)
			execlp("sleep", "sleep", "1000", NULL);
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 0); /* closed by exec */
	close(ready[0]);
	assert_lock(-EWOULDBLOCK);
	assert_killed(pid, false);
}

/* An agent that another pmcd has started. */
static void test_another_parent(void **state)
{
	int pids[2];
	pid_t parent, agent;

	(void)state;
	need_pidfd();
	assert_int_equal(pipe2(pids, O_CLOEXEC), 0);
	parent = fork_bound();
	if (parent == 0) {
		agent = hang_after(take_lock);
		if (write(pids[1], &agent, sizeof(agent)) == sizeof(agent))
			waitpid(agent, NULL, 0);
		_exit(0);
	}
	assert_int_equal(read(pids[0], &agent, sizeof(agent)), sizeof(agent));
	close(pids[0]);
	close(pids[1]);
	assert_lock(-EWOULDBLOCK);
	assert_int_equal(waitpid(parent, NULL, WNOHANG), 0);
	assert_int_equal(kill(agent, SIGKILL), 0);
	assert_int_equal(waitpid(parent, NULL, 0), parent);
}

#define lock_test(test) cmocka_unit_test_setup_teardown(test, setup, bpffs_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		lock_test(test_nobody),
		lock_test(test_hung_agent),
		lock_test(test_stopped_agent),
		lock_test(test_hung_agent_is_left),
		lock_test(test_kernel_without_pidfds),
		lock_test(test_pid_of_another_agent),
		lock_test(test_pid_given_away_after_open),
		lock_test(test_another_program),
		lock_test(test_another_parent),
	};

	return cmocka_run_group_tests(tests, bpffs_group_setup, bpffs_group_teardown);
}
