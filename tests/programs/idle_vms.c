// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Holds many idle VMs, whose vCPUs never run, and files that resemble VMs: see --help. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/kvm.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXIT_USAGE 2
#define EXIT_SKIP  77

#define MAX_COUNT  1000000
#define MAX_VCPUS  4096
#define MAX_DWELL  3600000
#define SPARE_FDS  64 /* descriptors in addition to those of the VMs */

static const char usage[] =
	"Usage: idle_vms --count N [OPTION]... [-- IGNORED...]\n"
	"Create VMs whose vCPUs never run, print \"ready\" when all exist, and hold them until\n"
	"standard input ends, or SIGTERM or SIGINT arrives.\n\n"
	"  --count N      N VMs (may be 0)\n"
	"  --vcpus V      V vCPUs in each VM (may be 0; default 1)\n"
	"  --close-first  when a line arrives on standard input, close the first VM and print\n"
	"                 \"closed\"\n"
	"  --processes    a child process for each VM; a signal to a child ends only that child\n"
	"  --one-by-one   close each VM before creating the next, then print\n"
	"                 \"done vms=N seconds=S make=S close=S\" and exit; ignores standard\n"
	"                 input\n"
	"  --dwell MS     with --one-by-one: hold each VM for MS milliseconds\n"
	"  --decoys       hold files open that are not VMs: in a temporary folder kvm-vm,\n"
	"                 kvm-vcpu:0, anon_inode:kvm-vm and anon_inode:kvm-vcpu:0, and memfds\n"
	"                 kvm-vm and kvm-vcpu:0\n"
	"  --help         show this text\n\n"
	"Seconds of make and close are sums over all VMs; with --processes they include the child\n"
	"processes. Exit status: 0 success, 1 failure, 2 bad usage, 77 KVM missing or unusable.\n";

struct plan {
	unsigned int count, vcpus, dwell;
	bool count_given, dwell_given, one_by_one, processes, decoys, close_first;
};

/* Seconds, summed over all VMs. */
struct spent {
	double make, close;
};

struct decoys {
	char folder[256]; /* the temporary folder, or "" */
};

static const char *const decoy_names[] = { "kvm-vm", "kvm-vcpu:0", "anon_inode:kvm-vm",
					   "anon_inode:kvm-vcpu:0" };
static const char *const decoy_memfds[] = { "kvm-vm", "kvm-vcpu:0" };

#define NDECOYS (sizeof(decoy_names) / sizeof(decoy_names[0]))
#define NMEMFDS (sizeof(decoy_memfds) / sizeof(decoy_memfds[0]))

/* Print errno's text for what failed; returns the exit status. */
static int complain(const char *what)
{
	fprintf(stderr, "idle_vms: %s: %s (errno %d)\n", what, strerror(errno), errno);
	return EXIT_FAILURE;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + 1e-9 * (double)ts.tv_nsec;
}

/* Block SIGTERM and SIGINT; returns a signalfd that receives them, or -1. */
static int catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

/* Wait (ms; -1: without limit). Returns whether a signal arrived or, if asked for, input ended. */
static bool await_end(int sig_fd, int ms, bool input)
{
	struct pollfd fds[] = {
		{ .fd = sig_fd, .events = POLLIN },
		{ .fd = input ? STDIN_FILENO : -1, .events = POLLIN },
	};
	char bytes[256];

	while (poll(fds, 2, ms) > 0) {
		if (fds[0].revents)
			return true;
		if (read(STDIN_FILENO, bytes, sizeof(bytes)) <= 0)
			return true;
	}
	return false;
}

/* Raise RLIMIT_NOFILE to what the plan needs, as far as permitted. */
static void raise_limit(const struct plan *plan)
{
	rlim_t vms = plan->one_by_one || plan->processes ? 1 : plan->count;
	rlim_t want = SPARE_FDS + vms * (1 + (rlim_t)plan->vcpus);
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur >= want)
		return;
	if (limit.rlim_max < want) {
		struct rlimit more = { want, want };

		if (!setrlimit(RLIMIT_NOFILE, &more))
			return;
		want = limit.rlim_max; /* creating the VMs reports the failure */
	}
	limit.rlim_cur = want;
	setrlimit(RLIMIT_NOFILE, &limit);
}

static int open_kvm(int *ret_kvm)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	if (kvm < 0) {
		complain("open /dev/kvm");
		return EXIT_SKIP;
	}
	*ret_kvm = kvm;
	return 0;
}

/* Create a VM; ret_fds: the VM's descriptor, followed by those of its vCPUs. */
static int make_vm(int kvm, const struct plan *plan, int *ret_fds)
{
	unsigned int made, i;

	ret_fds[0] = ioctl(kvm, KVM_CREATE_VM, 0);
	if (ret_fds[0] < 0)
		return complain("KVM_CREATE_VM");
	for (made = 0; made < plan->vcpus; made++) {
		ret_fds[1 + made] = ioctl(ret_fds[0], KVM_CREATE_VCPU, made);
		if (ret_fds[1 + made] < 0)
			break;
	}
	if (made == plan->vcpus)
		return 0;
	complain("KVM_CREATE_VCPU");
	for (i = 0; i <= made; i++)
		close(ret_fds[i]);
	return EXIT_FAILURE;
}

static void close_vm(const struct plan *plan, const int *fds)
{
	unsigned int i;

	for (i = plan->vcpus + 1; i--;)
		close(fds[i]);
}

/* Create a VM, dwell, close it. ret_ended: a signal arrived. */
static int pass_vm(int kvm, const struct plan *plan, int sig_fd, struct spent *spent,
		   bool *ret_ended)
{
	int fds[1 + MAX_VCPUS];
	double start = now();
	int status = make_vm(kvm, plan, fds);

	if (status)
		return status;
	spent->make += now() - start;
	*ret_ended = await_end(sig_fd, (int)plan->dwell, false);
	start = now();
	close_vm(plan, fds);
	spent->close += now() - start;
	return 0;
}

/* The child process: create a VM, write a byte to the parent, wait until the hold pipe ends. */
static int child(const struct plan *plan, int told, int hold)
{
	int fds[1 + MAX_VCPUS];
	sigset_t none;
	int kvm, status;
	char byte = 0;

	/* a signal ends only this child; it does not outlive a parent that is killed */
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	status = open_kvm(&kvm);
	if (!status)
		status = make_vm(kvm, plan, fds);
	if (status)
		return status;
	if (write(told, &byte, 1) != 1)
		return EXIT_FAILURE;
	close(told);
	while (read(hold, &byte, 1) > 0)
		;
	return 0;
}

static int status_of(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return EXIT_FAILURE;
	return WEXITSTATUS(status);
}

/* Returns when the child has its VM. Only the parent keeps the write end of the hold pipe. */
static int spawn(const struct plan *plan, const int *hold, pid_t *ret_pid)
{
	int told[2], status = 0;
	char byte;
	pid_t pid;

	if (pipe2(told, O_CLOEXEC))
		return complain("pipe");
	pid = fork();
	if (!pid) {
		close(told[0]);
		close(hold[1]);
		_exit(child(plan, told[1], hold[0]));
	}
	close(told[1]);
	if (pid < 0)
		status = complain("fork");
	else if (read(told[0], &byte, 1) != 1)
		status = status_of(pid); /* the child printed the error */
	close(told[0]);
	*ret_pid = pid;
	return status;
}

/* Create a VM in a child, dwell, end the child. */
static int pass_child(const struct plan *plan, int sig_fd, struct spent *spent, bool *ret_ended)
{
	double start = now();
	int hold[2], status;
	pid_t pid;

	if (pipe2(hold, O_CLOEXEC))
		return complain("pipe");
	status = spawn(plan, hold, &pid);
	spent->make += now() - start;
	if (!status)
		*ret_ended = await_end(sig_fd, (int)plan->dwell, false);
	start = now();
	close(hold[0]);
	close(hold[1]);
	if (!status)
		waitpid(pid, NULL, 0);
	spent->close += now() - start;
	return status;
}

static int one_by_one(const struct plan *plan, int sig_fd)
{
	struct spent spent = { 0 };
	double start = now();
	bool ended = false;
	int kvm = -1, status = 0;
	unsigned int i;

	if (plan->count && !plan->processes)
		status = open_kvm(&kvm);
	for (i = 0; i < plan->count && !status && !ended; i++)
		status = plan->processes ? pass_child(plan, sig_fd, &spent, &ended) :
					   pass_vm(kvm, plan, sig_fd, &spent, &ended);
	if (status)
		return status;
	if (ended) {
		fputs("idle_vms: stopped by a signal before the end\n", stderr);
		return EXIT_FAILURE;
	}
	printf("done vms=%u seconds=%.6f make=%.6f close=%.6f\n", plan->count, now() - start,
	       spent.make, spent.close);
	return 0;
}

static void ready_and_hold(int sig_fd)
{
	puts("ready");
	fflush(stdout);
	await_end(sig_fd, -1, true);
}

static int hold_children(const struct plan *plan, int sig_fd)
{
	int hold[2], status = 0;
	unsigned int i;
	pid_t pid;

	if (pipe2(hold, O_CLOEXEC))
		return complain("pipe");
	for (i = 0; i < plan->count && !status; i++)
		status = spawn(plan, hold, &pid);
	signal(SIGCHLD, SIG_IGN); /* no zombies of children that a test kills */
	if (!status)
		ready_and_hold(sig_fd);
	close(hold[1]);
	while (wait(NULL) > 0)
		;
	return status;
}

/* Returns at the first line of standard input, its end, or a signal. */
static void close_at_line(const struct plan *plan, const int *fds, int sig_fd)
{
	struct pollfd ends[] = { { .fd = sig_fd, .events = POLLIN },
				 { .fd = STDIN_FILENO, .events = POLLIN } };
	char line[256];

	puts("ready");
	fflush(stdout);
	if (poll(ends, 2, -1) > 0 && !ends[0].revents && read(STDIN_FILENO, line, 256) > 0) {
		close_vm(plan, fds);
		puts("closed");
		fflush(stdout);
		await_end(sig_fd, -1, true);
	}
}

/* Hold all VMs in this process; its end closes them. */
static int hold_here(const struct plan *plan, int sig_fd)
{
	int fds[1 + MAX_VCPUS], first[1 + MAX_VCPUS];
	int kvm = -1, status = 0;
	unsigned int i;

	if (plan->count)
		status = open_kvm(&kvm);
	for (i = 0; i < plan->count && !status; i++)
		status = make_vm(kvm, plan, i ? fds : first);
	if (status && i > 1)
		fprintf(stderr, "idle_vms: failed after %u VMs\n", i - 1);
	if (!status && plan->close_first && plan->count)
		close_at_line(plan, first, sig_fd);
	else if (!status)
		ready_and_hold(sig_fd);
	return status;
}

static int make_decoys(struct decoys *decoys)
{
	const char *tmp = getenv("TMPDIR");
	char path[512];
	size_t i;

	for (i = 0; i < NMEMFDS; i++)
		if (memfd_create(decoy_memfds[i], MFD_CLOEXEC) < 0)
			return complain("memfd_create");
	snprintf(decoys->folder, sizeof(decoys->folder), "%s/vms.XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(decoys->folder)) {
		decoys->folder[0] = '\0';
		return complain("mkdtemp");
	}
	for (i = 0; i < NDECOYS; i++) {
		snprintf(path, sizeof(path), "%s/%s", decoys->folder, decoy_names[i]);
		if (open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600) < 0)
			return complain(path);
	}
	return 0;
}

static void remove_decoys(const struct decoys *decoys)
{
	char path[512];
	size_t i;

	if (!decoys->folder[0])
		return;
	for (i = 0; i < NDECOYS; i++) {
		snprintf(path, sizeof(path), "%s/%s", decoys->folder, decoy_names[i]);
		unlink(path);
	}
	rmdir(decoys->folder);
}

/* Parse a number up to max; prints an error and returns false otherwise. */
static bool parse_number(const char *name, const char *text, unsigned long max,
			 unsigned int *ret_value)
{
	unsigned long value;
	char *end;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *end || text[0] < '0' || text[0] > '9' || value > max) {
		fprintf(stderr, "idle_vms: --%s: invalid number \"%s\" (limit: %lu)\n", name, text,
			max);
		return false;
	}
	*ret_value = (unsigned int)value;
	return true;
}

/* Apply an option; returns false on an error. --help exits. */
static bool apply(int option, const char *arg, struct plan *plan)
{
	switch (option) {
	case 'c':
		plan->count_given = true;
		return parse_number("count", arg, MAX_COUNT, &plan->count);
	case 'v':
		return parse_number("vcpus", arg, MAX_VCPUS, &plan->vcpus);
	case 'w':
		plan->dwell_given = true;
		return parse_number("dwell", arg, MAX_DWELL, &plan->dwell);
	case 'o':
		return plan->one_by_one = true;
	case 'p':
		return plan->processes = true;
	case 'd':
		return plan->decoys = true;
	case 'f':
		return plan->close_first = true;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	case 1:
		fprintf(stderr, "idle_vms: unexpected argument \"%s\"\n", arg);
	}
	return false;
}

static bool parse(int argc, char **argv, struct plan *plan)
{
	static const struct option options[] = {
		{ "count", required_argument, NULL, 'c' },
		{ "vcpus", required_argument, NULL, 'v' },
		{ "one-by-one", no_argument, NULL, 'o' },
		{ "dwell", required_argument, NULL, 'w' },
		{ "processes", no_argument, NULL, 'p' },
		{ "decoys", no_argument, NULL, 'd' },
		{ "close-first", no_argument, NULL, 'f' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int option;

	/* "-": arguments that are no options arrive as option 1, except after "--" */
	while ((option = getopt_long(argc, argv, "-", options, NULL)) != -1)
		if (!apply(option, optarg, plan))
			return false;
	if (!plan->count_given)
		fputs("idle_vms: --count is required\n", stderr);
	else if (plan->dwell_given && !plan->one_by_one)
		fputs("idle_vms: --dwell requires --one-by-one\n", stderr);
	else
		return true;
	return false;
}

int main(int argc, char **argv)
{
	struct decoys decoys = { 0 };
	struct plan plan = { .vcpus = 1 };
	int sig_fd, status = 0;

	if (!parse(argc, argv, &plan)) {
		fputs("idle_vms: see --help\n", stderr);
		return EXIT_USAGE;
	}
	sig_fd = catch_signals();
	if (sig_fd < 0)
		return complain("signalfd");
	raise_limit(&plan);
	if (plan.decoys)
		status = make_decoys(&decoys);
	if (!status)
		status = plan.one_by_one ? one_by_one(&plan, sig_fd) :
			 plan.processes	 ? hold_children(&plan, sig_fd) :
					   hold_here(&plan, sig_fd);
	remove_decoys(&decoys);
	return status;
}
