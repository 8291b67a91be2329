/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A tiny VMM whose guest makes a known, exact number of KVM events: see --help. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define WAKE_NS 50000 /* how often the waker looks for sleeping vCPUs */

static const char *const event_names[EV_MAX] = {
	[EV_PIO] = "pio",   [EV_MMIO] = "mmio",		  [EV_CPUID] = "cpuid",
	[EV_MSR] = "msr",   [EV_HYPERCALL] = "hypercall", [EV_HLT] = "hlt",
	[EV_SPIN] = "spin",
};

/* SIGTERM and SIGINT come in through the descriptor alone; threads inherit that. */
static int catch_signals(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	return fd < 0 ? complain("signalfd", errno) : fd;
}

static int take_signal(int sig_fd)
{
	struct signalfd_siginfo info;

	if (read(sig_fd, &info, sizeof(info)) != sizeof(info))
		return complain("read signalfd", errno);
	return -EINTR;
}

/*
 * Read standard input up to its end, or to a line's end if line is set.
 * -EINTR after a signal.
 */
static int await_stdin(int sig_fd, bool line)
{
	struct pollfd fds[] = {
		{ .fd = sig_fd, .events = POLLIN },
		{ .fd = STDIN_FILENO, .events = POLLIN },
	};
	ssize_t n;
	char c;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			return complain("poll", errno);
		if (fds[0].revents)
			return take_signal(sig_fd);
		/* byte by byte: what follows the line is for --hold */
		n = read(STDIN_FILENO, &c, 1);
		if (n <= 0 || (line && c == '\n'))
			return 0;
	}
}

/* Until all threads ended, or a signal: then -EINTR. */
static int await_threads(struct vm *vm, int sig_fd)
{
	const struct timespec tick = { .tv_nsec = WAKE_NS };
	struct pollfd fds[] = {
		{ .fd = sig_fd, .events = POLLIN },
		{ .fd = vm->done_fd, .events = POLLIN },
	};
	__u64 ended = 0, n;
	int err;

	while (ended < vm->plan->nvcpus) {
		if (ppoll(fds, 2, vm->plan->irqchip ? &tick : NULL, NULL) < 0)
			return complain("ppoll", errno);
		if (fds[0].revents)
			return take_signal(sig_fd);
		if (fds[1].revents) {
			if (read(vm->done_fd, &n, sizeof(n)) != sizeof(n))
				return complain("read eventfd", errno);
			ended += n;
		}
		err = vm->plan->irqchip ? vm__wake_due(vm) : 0;
		if (err)
			return err;
	}
	return 0;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

static void print_done(const struct vm *vm, double seconds)
{
	__u64 seen[EV_MAX], rounds;
	int ev;

	vm__total(vm, seen, &rounds);
	printf("done");
	for (ev = 0; ev < EV_MAX; ev++)
		printf(" %s=%llu", event_names[ev], seen[ev]);
	printf(" rounds=%llu seconds=%.6f\n", rounds, seconds);
	fflush(stdout);
}

static int run(struct vm *vm, int sig_fd)
{
	double start;
	int err, failed;

	err = vm__start(vm);
	if (err)
		return err;
	if (vm->plan->wait) {
		puts("ready");
		fflush(stdout);
		err = await_stdin(sig_fd, true);
		if (err)
			return err;
	}
	start = now();
	vm__go(vm);
	err = await_threads(vm, sig_fd);
	if (err)
		vm__stop(vm);
	failed = vm__join(vm);
	print_done(vm, now() - start);
	if (failed)
		return failed;
	if (err == -EINTR && vm->plan->repeat)
		err = 0; /* that is how a repeated programme ends */
	if (!err && vm->plan->hold)
		await_stdin(sig_fd, false);
	return err;
}

int main(int argc, char **argv)
{
	struct vm *vm = NULL;
	struct plan plan;
	const char *lack;
	int sig_fd, err;

	if (options__parse(argc, argv, &plan))
		return EXIT_USAGE;
	lack = arch_lacks(&plan);
	if (lack) {
		fprintf(stderr, "guest: %s\n", lack);
		return EXIT_SKIP;
	}
	sig_fd = catch_signals();
	if (sig_fd < 0)
		return EXIT_FAILURE;
	err = vm__create(&plan, &vm);
	if (err)
		return err == -ENODEV ? EXIT_SKIP : EXIT_FAILURE;
	err = run(vm, sig_fd);
	if (err == -EINTR)
		fputs("guest: stopped by a signal before the end\n", stderr);
	vm__destroy(vm);
	return err ? EXIT_FAILURE : 0;
}
