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
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

#define WAKE_NS 50000	  /* how often the waker looks for sleeping vCPUs */
#define LAST_NS 100000000 /* with --timer-us: of the last HLT only; none is to be disturbed */

static const char *const event_names[EV_MAX] = {
	[EV_PIO] = "pio", [EV_MMIO] = "mmio",		[EV_CPUID] = "cpuid",
	[EV_MSR] = "msr", [EV_HYPERCALL] = "hypercall", [EV_FAULT] = "fault",
	[EV_HLT] = "hlt", [EV_SPIN] = "spin",		[EV_PAUSE] = "pause",
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

/*
 * Until all threads ended, or a signal: then -EINTR. Where one failed, all VMs
 * are told to stop.
 */
static int await_threads(struct fleet *fleet, int sig_fd)
{
	const struct timespec tick = { .tv_nsec = fleet->plan->ntimes ? LAST_NS : WAKE_NS };
	struct pollfd fds[] = {
		{ .fd = sig_fd, .events = POLLIN },
		{ .fd = fleet->done_fd, .events = POLLIN },
	};
	const struct plan *plan = fleet->plan;
	__u64 ended = 0, n;
	int err;

	while (ended < (__u64)plan->nvms * plan->nvcpus) {
		if (ppoll(fds, 2, plan->irqchip ? &tick : NULL, NULL) < 0)
			return complain("ppoll", errno);
		if (fds[0].revents)
			return take_signal(sig_fd);
		if (fds[1].revents) {
			if (read(fleet->done_fd, &n, sizeof(n)) != sizeof(n))
				return complain("read eventfd", errno);
			ended += n;
			if (fleet__stopping(fleet))
				fleet__stop(fleet);
		}
		err = plan->irqchip ? fleet__wake_due(fleet) : 0;
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

static void print_done(const struct fleet *fleet, double seconds)
{
	__u64 seen[EV_MAX], rounds;
	int ev;

	access__print(fleet);
	fleet__total(fleet, seen, &rounds);
	printf("done");
	for (ev = 0; ev < EV_MAX; ev++)
		printf(" %s=%llu", event_names[ev], seen[ev]);
	printf(" vcpus=%u rounds=%llu seconds=%.6f\n", fleet->plan->nvms * fleet->plan->nvcpus,
	       rounds, seconds);
	fflush(stdout);
}

static void say(const char *word)
{
	puts(word);
	fflush(stdout);
}

/* For the time from one line to the next no process has the VMs' files open. */
static int fly(struct fleet *fleet, int sig_fd)
{
	int ends[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return complain("socketpair", errno);
	err = await_stdin(sig_fd, true);
	if (!err)
		err = fleet__send(fleet, ends[0]);
	if (!err) {
		say("sent");
		err = await_stdin(sig_fd, true);
	}
	if (!err)
		err = fleet__receive(fleet, ends[1]);
	if (!err)
		say("back");
	close(ends[0]);
	close(ends[1]);
	return err;
}

static int run(struct fleet *fleet, int sig_fd)
{
	double start;
	int err, failed;

	err = fleet__start(fleet);
	if (err)
		return err;
	if (fleet->plan->wait) {
		say("ready");
		err = await_stdin(sig_fd, true);
		if (err)
			return err;
	}
	start = now();
	fleet__go(fleet);
	err = await_threads(fleet, sig_fd);
	if (err)
		fleet__stop(fleet);
	failed = fleet__join(fleet);
	print_done(fleet, now() - start);
	if (failed)
		return failed;
	if (err == -EINTR && fleet->plan->repeat)
		err = 0; /* that is how a repeated programme ends */
	if (!err && fleet->plan->stats)
		err = stats__write(fleet);
	if (!err && fleet->plan->flight)
		err = fly(fleet, sig_fd);
	if (!err && fleet->plan->hold)
		await_stdin(sig_fd, false);
	return err;
}

int main(int argc, char **argv)
{
	struct fleet fleet;
	struct plan plan;
	const char *lack;
	int sig_fd, err;
	bool lacking;

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
	err = fleet__create(&plan, &fleet);
	lacking = err == -ENODEV;
	if (!err)
		err = run(&fleet, sig_fd);
	if (err == -EINTR)
		fputs("guest: stopped by a signal before the end\n", stderr);
	fleet__destroy(&fleet);
	if (lacking)
		return EXIT_SKIP;
	return err ? EXIT_FAILURE : 0;
}
