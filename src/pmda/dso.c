// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* How the DSO begins and ends. The daemon does not include this file. */
#include <sys/resource.h>
#include <unistd.h>

#include "kernel/prog_prepare.h"
#include "pmda/agent.h"

/* The process that loaded the DSO; one that it has forked also runs the destructor. */
static pid_t loader;

void kvm_init(pmdaInterface *dispatch)
{
	struct rlimit memlock;
	bool known = getrlimit(RLIMIT_MEMLOCK, &memlock) == 0;

	loader = getpid();
	/* no help file: kvm_text() returns the help texts */
	pmdaDSO(dispatch, PMDA_INTERFACE_7, "kvm DSO", NULL);
	kvm_setup(dispatch, NULL);
	/* libbpf raises RLIMIT_MEMLOCK on kernels before 5.11, but this process is pmcd's */
	if (known)
		setrlimit(RLIMIT_MEMLOCK, &memlock);
}

/*
 * pmcd says nothing to a DSO whose line has left pmcd.conf: it calls dlclose(). Links, programs and
 * maps go with their descriptors, which would stay. Links to raw tracepoints take no time to close.
 */
__attribute__((destructor)) static void unload(void)
{
	if (loader != getpid())
		return;
	kvm_free(kvm_the_agent);
	prog_prepare_end(); /* libbpf stays where another DSO has it */
}
