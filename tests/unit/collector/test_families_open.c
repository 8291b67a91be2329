// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Families that are opened two at a time: their order, what they say, and one that fails. */
#define _GNU_SOURCE
#include "collector/families_open.h"

#include "fakes/support.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collector/libbpf_report.h"

enum { ALPHA, BETA, GAMMA, DELTA, FAMILIES };

/* What the families do, and what was seen. */
static struct {
	bool meet;    /* alpha and beta wait for each other, and alpha is the last to speak */
	int beta_err; /* beta's result */
	int opened[FAMILIES]; /* how many were open before; counted from 1 */
	pthread_t threads[FAMILIES];
	bool signals[FAMILIES]; /* SIGTERM is not blocked there */
	int n;
	bool met;
} fake;

/* The machine, and what was asked of it. */
static struct {
	int cpus; /* 0: more than a set has */
	int refuse_threads;
	unsigned creates, joins;
} machine;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int begun, ended;
static libbpf_print_fn_t as_libbpf;

int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *data);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*run)(void *),
			  void *data)
{
	if (machine.refuse_threads)
		return machine.refuse_threads;
	machine.creates++;
	return __real_pthread_create(thread, attr, run, data);
}

int __real_pthread_join(pthread_t thread, void **ret_result);
int __wrap_pthread_join(pthread_t thread, void **ret_result);
int __wrap_pthread_join(pthread_t thread, void **ret_result)
{
	machine.joins++;
	return __real_pthread_join(thread, ret_result);
}

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *set)
{
	assert_int_equal(pid, 0);
	assert_int_equal(size, sizeof(*set));
	if (!machine.cpus)
		return -1;
	CPU_ZERO(set);
	for (int i = 0; i < machine.cpus; i++)
		CPU_SET(3 + i, set);
	return 0;
}

static void libbpf_says(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void libbpf_says(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	as_libbpf(LIBBPF_WARN, format, args);
	va_end(args);
}

/* Wait until a number is at least n, for some seconds: alone, nobody comes. */
static bool reaches(const int *number, int n)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += 3;
	while (*number < n) {
		if (pthread_cond_timedwait(&changed, &lock, &end))
			return false;
	}
	return true;
}

static int fake_open(int family, const char *name, const struct family_env *env, char **ret_error)
{
	sigset_t blocked;

	pthread_mutex_lock(&lock);
	begun++;
	pthread_cond_broadcast(&changed);
	if (fake.meet && family <= BETA)
		fake.met = reaches(&begun, 2);
	if (fake.meet && family == ALPHA)
		fake.met &= reaches(&ended, 1);
	pthread_sigmask(SIG_SETMASK, NULL, &blocked);
	fake.signals[family] = !sigismember(&blocked, SIGTERM);
	fake.threads[family] = pthread_self();
	report_add(env->report, REPORT_INFO, "%s: opened", name);
	pthread_mutex_unlock(&lock);
	libbpf_says("libbpf: about %s\n", name);
	pthread_mutex_lock(&lock);
	fake.opened[family] = ++ended;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
	if (family != BETA || !fake.beta_err)
		return 0;
	*ret_error = strdup("beta's error");
	return fake.beta_err;
}

#define OPS(number, family, ...)                                                                   \
	static int family##_open(const struct family_env *env, void **ret_state, char **ret_error) \
	{                                                                                          \
		*ret_state = &fake;                                                                \
		return fake_open(number, #family, env, ret_error);                                 \
	}                                                                                          \
	static const struct family_ops family##_ops = { .open = family##_open, __VA_ARGS__ }

OPS(ALPHA, alpha, .sharing = false);
OPS(BETA, beta, .sharing = false);
OPS(GAMMA, gamma, .sharing = true);
OPS(DELTA, delta, .sharing = false);

const struct family families[] = {
	{ .name = "alpha", .ops = &alpha_ops },
	{ .name = "beta", .ops = &beta_ops },
	{ .name = "gamma", .ops = &gamma_ops },
	{ .name = "delta", .ops = &delta_ops },
};
const size_t families_count = ARRAY_SIZE(families);

static struct collector_family opened[FAMILIES];
static struct report report;
static struct config config;

static int setup(void **state)
{
	memset(&fake, 0, sizeof(fake));
	memset(&machine, 0, sizeof(machine));
	memset(opened, 0, sizeof(opened));
	machine.cpus = 2;
	config.only = NULL;
	config.one_thread = false;
	begun = ended = 0;
	for (int i = 0; i < FAMILIES; i++)
		opened[i].family = &families[i];
	return work_setup(state);
}

static int teardown(void **state)
{
	for (int i = 0; i < FAMILIES; i++)
		free(opened[i].error);
	report_clear(&report);
	return work_teardown(state);
}

static void open_all(void)
{
	const struct family_env env = { .config = &config, .report = &report };
	libbpf_print_fn_t callers = libbpf_report_begin(&report);

	as_libbpf = libbpf_set_print(NULL);
	libbpf_set_print(as_libbpf);
	assert_int_equal(families_open(opened, &env), 0);
	/* what follows is the caller's again */
	libbpf_says("libbpf: more\n");
	libbpf_report_end(callers);
	assert_int_equal(machine.creates, machine.joins);
}

/* All lines, each after a space. */
static void assert_said(const char *lines)
{
	char said[1024] = "";

	for (size_t i = 0; i < report.n; i++)
		strcat(strcat(said, "|"), report.lines[i].text);
	assert_string_equal(said, lines);
	assert_int_equal(report.dropped, 0);
}

#define ALL_SAID                                                             \
	"|alpha: opened|libbpf: about alpha|beta: opened|libbpf: about beta" \
	"|gamma: opened|libbpf: about gamma|delta: opened|libbpf: about delta|libbpf: more"

/* Both are open at once; beta speaks first, and alpha's lines are first all the same. */
static void test_two_at_a_time(void **state)
{
	(void)state;
	fake.meet = true;
	open_all();
	assert_true(fake.met);
	assert_int_equal(machine.creates, 1); /* gamma alone needs no second thread */
	assert_false(pthread_equal(fake.threads[ALPHA], fake.threads[BETA]));
	assert_int_equal(fake.signals[ALPHA] + fake.signals[BETA], 1); /* the caller's thread */
	assert_said(ALL_SAID);
	for (int i = 0; i < FAMILIES; i++)
		assert_true(opened[i].loaded && opened[i].wanted);
}

/* What shares others' maps is opened when all of them are open. */
static void test_sharing(void **state)
{
	(void)state;
	for (int cpus = 1; cpus < 4; cpus++) {
		machine.cpus = cpus;
		ended = 0;
		open_all();
		assert_int_equal(fake.opened[GAMMA], FAMILIES);
		report_clear(&report);
	}
}

static void test_one_fails(void **state)
{
	(void)state;
	fake.meet = true;
	fake.beta_err = -EPERM;
	open_all();
	assert_true(fake.met);
	assert_said("|alpha: opened|libbpf: about alpha|beta: opened|libbpf: about beta"
		    "|beta: beta's error|gamma: opened|libbpf: about gamma"
		    "|delta: opened|libbpf: about delta|libbpf: more");
	assert_int_equal(opened[BETA].err, -EPERM);
	assert_false(opened[BETA].loaded);
	assert_true(opened[ALPHA].loaded && opened[GAMMA].loaded && opened[DELTA].loaded);
}

static void test_one_cpu(void **state)
{
	(void)state;
	machine.cpus = 1;
	open_all();
	assert_int_equal(machine.creates, 0);
	assert_said(ALL_SAID);
	for (int i = 0; i < FAMILIES; i++)
		assert_true(pthread_equal(fake.threads[i], pthread_self()));
}

static void test_one_thread(void **state)
{
	(void)state;
	config.one_thread = true;
	open_all();
	assert_int_equal(machine.creates, 0);
	assert_said(ALL_SAID);
}

static void test_many_cpus(void **state)
{
	(void)state;
	machine.cpus = 0;
	open_all();
	assert_int_equal(machine.creates, 1);
}

static void test_no_thread(void **state)
{
	(void)state;
	machine.refuse_threads = EAGAIN;
	open_all();
	assert_said(ALL_SAID);
	for (int i = 0; i < FAMILIES; i++)
		assert_true(opened[i].loaded);
}

static void test_only_one(void **state)
{
	static char beta[] = "beta";

	(void)state;
	config.only = beta;
	open_all();
	assert_int_equal(machine.creates, 0);
	assert_said("|beta: opened|libbpf: about beta|libbpf: more");
	assert_int_equal(opened[ALPHA].err, -ECANCELED);
}

#define open_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		open_test(test_two_at_a_time), open_test(test_sharing),
		open_test(test_one_fails),     open_test(test_one_cpu),
		open_test(test_many_cpus),     open_test(test_no_thread),
		open_test(test_only_one),      open_test(test_one_thread),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
