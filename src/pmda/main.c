// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The daemon's options, loop and privileges. The DSO does not include this file. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "kernel/privileges.h"
#include "kernel/proc_hiding.h"
#include "pmda/agent.h"
#include "pmda/leaving.h"
#include "pmda/loading.h"
#include "pmda/once.h"
#include "pmda/tick.h"

/* The longest time between two ticks of the daemon, in milliseconds. */
#define TICK_MS 1000

/* Options that have no letter; any numbers that are no letters. */
enum { TRYLOAD = 1, UNPIN };

static pmLongOptions long_options[] = {
	PMDA_OPTIONS_HEADER("Options"),
	PMDAOPT_DEBUG, /* libpcp accepts -D, but does not list it in the usage */
	PMDAOPT_DOMAIN,
	PMDAOPT_LOGFILE,
	PMDAOPT_USERNAME,
	{ "config", 1, 'c', "FILE", "use FILE instead of $PCP_SYSCONF_DIR/kvm/kvm.conf" },
	{ "tryload", 0, TRYLOAD, NULL, "load everything once, say what works, and end" },
	{ "unpin", 0, UNPIN, NULL, "remove the maps that are pinned ([bpf] pin), and end" },
	PMOPT_HELP,
	PMDA_OPTIONS_TEXT("\nExactly one of the following options may appear:"),
	PMDAOPT_INET,
	PMDAOPT_PIPE,
	PMDAOPT_UNIX,
	PMDAOPT_IPV6,
	PMDA_OPTIONS_END,
};

static pmdaOptions options = {
	.short_options = "c:D:d:i:l:pu:U:6:?",
	.long_options = long_options,
};

static void log_start(struct kvm_agent *agent)
{
	const struct collector_family *open = collector_families(agent->collector);

	for (size_t i = 0; i < families_count; i++) {
		if (open[i].err)
			continue;
		pmNotifyErr(LOG_INFO, "%s: attached in %.1f ms", families[i].name,
			    (double)open[i].attach_time / 1e6);
	}
}

/* SIGTERM has come. */
static volatile sig_atomic_t terminated;

static void on_term(int number)
{
	(void)number;
	terminated = 1;
}

/* How long to wait for a request, in ms; 0: not at all, and end. */
static int wait_ms(struct leaving *leaving)
{
	if (!terminated)
		return TICK_MS;
	if (!leaving->asked)
		leaving->asked = clock_ns();
	return leaving_wait(leaving, clock_ns());
}

/*
 * Answer pmcd's requests, with a tick at least every TICK_MS, until pmcd closes the connection, or
 * after SIGTERM until nobody asks. mask: the signals that are blocked outside of waiting, but for
 * SIGTERM.
 */
static void answer(pmdaInterface *dispatch, struct kvm_agent *agent, const sigset_t *mask)
{
	struct pollfd in = { .fd = __pmdaInFd(dispatch), .events = POLLIN };
	struct leaving leaving = { 0 };
	int ms;

	while ((ms = wait_ms(&leaving)) > 0) {
		const struct timespec wait = { ms / 1000, ms % 1000 * 1000000L };
		int ready = ppoll(&in, 1, &wait, mask);

		if (ready < 0 && errno != EINTR)
			return;
		if (ready > 0) {
			if (__pmdaMainPDU(dispatch) < 0)
				return;
			leaving.request = clock_ns();
		}
		kvm_tick(agent);
	}
	pmNotifyErr(LOG_INFO, "ended by SIGTERM");
}

/* SIGTERM is seen while the daemon waits. What it starts at its end takes signals as before. */
static void kvm_loop(pmdaInterface *dispatch, struct kvm_agent *agent)
{
	struct sigaction action = { .sa_handler = on_term }, old;
	sigset_t term, before;

	sigemptyset(&term);
	sigaddset(&term, SIGTERM);
	sigprocmask(SIG_BLOCK, &term, &before);
	sigaction(SIGTERM, &action, &old);
	answer(dispatch, agent, &before);
	sigaction(SIGTERM, &old, NULL);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

/*
 * Keep only the capabilities that counting needs. The daemon does not run with more than that, but
 * in the group that sees all processes, where /proc hides them: VMs' names are in there.
 */
static int drop_privileges(const char *user)
{
	struct proc_hiding hiding;
	int err;

	proc_hiding_read(PROC_MOUNTS, &hiding);
	err = privs_drop(user, hiding.hides && !hiding.from_all ? hiding.group : 0);

	if (err == -ENOENT)
		pmNotifyErr(LOG_ERR, "-U %s: no such user", user);
	else if (err)
		pmNotifyErr(LOG_ERR, "cannot drop privileges: %s", strerror(-err));
	return err;
}

/* The path of kvm.conf, or NULL; what is to be done instead of serving pmcd goes to *ret_once. */
static const char *option_config(int argc, char **argv, pmdaInterface *dispatch, once_fn *ret_once)
{
	const char *path = NULL;
	int c;

	/* libpcp_pmda counts --help as an error; here it exits with success */
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
		pmdaUsageMessage(&options);
		exit(EXIT_SUCCESS);
	}
	while ((c = pmdaGetOptions(argc, argv, &options, dispatch)) != EOF) {
		if (c == 'c')
			path = options.optarg;
		else if (c == TRYLOAD)
			*ret_once = once_tryload;
		else if (c == UNPIN)
			*ret_once = once_unpin;
	}
	if (options.errors || options.optind < argc) {
		if (options.optind < argc && !options.errors)
			pmprintf("%s: unexpected argument \"%s\"\n", pmGetProgname(),
				 argv[options.optind]);
		pmdaUsageMessage(&options);
		exit(EXIT_FAILURE);
	}
	return path;
}

int main(int argc, char **argv)
{
	pmdaInterface dispatch;
	const char *config_path;
	struct kvm_agent *agent;
	once_fn once = NULL;
	char log[] = "kvm.log", name[] = "pmdakvm";

	pmSetProgname(argv[0]);
	pmdaDaemon(&dispatch, PMDA_INTERFACE_7, name, KVM, log, NULL);
	config_path = option_config(argc, argv, &dispatch, &once);
	if (once)
		return once(config_path);
	pmdaOpenLog(&dispatch);
	agent = kvm_new(&dispatch, false);
	if (!agent || kvm_load(agent, &dispatch, config_path))
		return EXIT_FAILURE;
	log_start(agent);
	if (drop_privileges(options.username))
		return EXIT_FAILURE;
	kvm_loop(&dispatch, agent);
	kvm_free(agent);
	return EXIT_SUCCESS;
}
