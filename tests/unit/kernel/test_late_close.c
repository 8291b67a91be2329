// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Descriptors that take long to close. Each is of a pipe of its own: when it is closed, and by
 * whom, shows in the other end. close() of the first waits until the test lets it go.
 */
#define _GNU_SOURCE
#include "fakes/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/late_close.h"

#define FDS 3

static struct late_close *late;
static int ends[FDS], fds[FDS]; /* of pipes: to read, and to be closed late */
static int slow;		/* the descriptor whose close() waits; -1: none */
static sem_t begun, go_on;
static bool no_thread, no_fork;
static bool signals; /* the thread takes signals */
static bool waits = true;

int __real_close(int fd);
int __wrap_close(int fd);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *data);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock);
pid_t __real_fork(void);
pid_t __wrap_fork(void);

/* Who waits for the slow one lets it go. */
int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *lock)
{
	if (!waits)
		sem_post(&go_on);
	waits = true;
	return __real_pthread_cond_wait(condition, lock);
}

int __wrap_close(int fd)
{
	if (fd == slow) {
		sigset_t blocked;

		pthread_sigmask(SIG_SETMASK, NULL, &blocked);
		signals = !sigismember(&blocked, SIGTERM);
		slow = -1;
		sem_post(&begun);
		sem_wait(&go_on);
	}
	return __real_close(fd);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *data)
{
	return no_thread ? EAGAIN : __real_pthread_create(thread, attr, run, data);
}

pid_t __wrap_fork(void)
{
	if (!no_fork)
		return __real_fork();
	errno = EAGAIN;
	return -1;
}

/* Wait until nobody has the other end open: at most a minute, and then the test fails. */
static void assert_closed(int i)
{
	struct pollfd end = { .fd = ends[i] };

	assert_int_equal(poll(&end, 1, 60000), 1);
	assert_true(end.revents & POLLHUP);
}

static void assert_open(int i)
{
	struct pollfd end = { .fd = ends[i] };

	assert_int_equal(poll(&end, 1, 0), 0);
}

static int setup(void **state)
{
	int err = work_setup(state);

	slow = -1;
	no_thread = no_fork = false;
	sem_init(&begun, 0, 0);
	sem_init(&go_on, 0, 0);
	for (int i = 0; i < FDS; i++) {
		int both[2];

		if (pipe2(both, O_CLOEXEC))
			return -1;
		ends[i] = both[0];
		fds[i] = both[1];
	}
	return err || late_close_new(&late) ? -1 : 0;
}

static int teardown(void **state)
{
	for (int i = 0; i < FDS; i++)
		close(ends[i]);
	return work_teardown(state);
}

/* While one is being closed, the others wait, and can be taken back. */
static void test_taken_back(void **state)
{
	uint64_t numbers[FDS];

	(void)state;
	slow = fds[0];
	for (int i = 0; i < FDS; i++)
		numbers[i] = late_close_put(late, fds[i]);
	assert_int_equal(sem_wait(&begun), 0);
	assert_false(signals); /* they are the main thread's */
	assert_int_equal(late_close_take(late, numbers[1]), fds[1]);
	assert_int_equal(late_close_take(late, numbers[1]), -1);
	assert_int_equal(sem_post(&go_on), 0);
	assert_closed(2);
	assert_open(1);
	assert_int_equal(late_close_take(late, numbers[0]), -1);
	assert_int_equal(late_close_take(late, numbers[2]), -1);
	assert_int_equal(close(fds[1]), 0);
	late_close_free(late);
}

/* Who takes back what is being closed gets it no more, and waits until it is closed. */
static void test_taken_too_late(void **state)
{
	uint64_t number;
	int taken;

	(void)state;
	slow = fds[0];
	number = late_close_put(late, fds[0]);
	assert_int_equal(sem_wait(&begun), 0);
	assert_open(0);
	waits = false;
	taken = late_close_take(late, number);
	if (!waits)
		sem_post(&go_on);
	assert_true(waits);
	assert_int_equal(taken, -1);
	assert_closed(0);
	late_close_free(late);
	for (int i = 1; i < FDS; i++)
		assert_int_equal(close(fds[i]), 0);
}

/* Numbers are never given twice, whatever the descriptors are. */
static void test_numbers(void **state)
{
	uint64_t first, second;

	(void)state;
	first = late_close_put(late, fds[0]);
	assert_closed(0);
	second = late_close_put(late, fds[1]);
	assert_int_not_equal(first, 0);
	assert_int_not_equal(first, second);
	assert_closed(1);
	late_close_free(late);
	assert_int_equal(close(fds[2]), 0);
}

/* Without memory it is closed at once. */
static void test_no_memory(void **state)
{
	struct late_close *none;
	uint64_t number;

	(void)state;
	untouched_fill(&none, sizeof(none));
	alloc_fail_at(0);
	assert_int_equal(late_close_new(&none), -ENOMEM);
	assert_true(alloc_failed());
	assert_untouched(&none, sizeof(none));
	alloc_fail_at(0);
	number = late_close_put(late, fds[0]);
	assert_true(alloc_failed());
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_equal(late_close_take(late, number), -1);
	late_close_free(late);
	for (int i = 1; i < FDS; i++)
		assert_int_equal(close(fds[i]), 0);
}

/* Where no thread can be made, it is closed at once. */
static void test_no_thread(void **state)
{
	uint64_t number;

	(void)state;
	no_thread = true;
	number = late_close_put(late, fds[0]);
	assert_int_equal(fcntl(fds[0], F_GETFD), -1);
	assert_int_equal(late_close_take(late, number), -1);
	late_close_free(late);
	for (int i = 1; i < FDS; i++)
		assert_int_equal(close(fds[i]), 0);
}

static void *late_let_go(void *data)
{
	struct pollfd end = { .fd = ends[2] };

	(void)data;
	poll(&end, 1, 60000); /* closed by all, while the first is still being closed */
	sem_post(&go_on);
	return NULL;
}

/* What is left at the end is closed by a child, or here. */
static void test_end(void **state)
{
	pthread_t helper;
	int status;

	(void)state;
	no_fork = *state != NULL;
	slow = fds[0];
	for (int i = 0; i < FDS; i++)
		late_close_put(late, fds[i]);
	assert_int_equal(sem_wait(&begun), 0);
	assert_int_equal(__real_pthread_create(&helper, NULL, late_let_go, NULL), 0);
	late_close_free(late);
	assert_int_equal(pthread_join(helper, NULL), 0);
	for (int i = 0; i < FDS; i++)
		assert_closed(i);
	if (!no_fork) {
		assert_true(waitpid(-1, &status, 0) > 0);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
}

static void test_end_without_child(void **state)
{
	void *no = state;

	test_end(&no);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void test_end_of_nothing(void **state)
{
	(void)state;
	late_close_free(NULL);
	late_close_free(late);
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child */
	for (int i = 0; i < FDS; i++)
		assert_int_equal(close(fds[i]), 0);
}

#define late_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		late_test(test_taken_back),	   late_test(test_taken_too_late),
		late_test(test_numbers),	   late_test(test_no_thread),
		late_test(test_no_memory),	   late_test(test_end),
		late_test(test_end_without_child), late_test(test_end_of_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
