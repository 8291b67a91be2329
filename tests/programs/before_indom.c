// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Loaded into a client of PCP by LD_PRELOAD: runs the shell command in BEFORE_INDOM before the
 * first time that the client asks for an instance domain, which pmlogger does after a fetch. So a
 * test decides what happens between the two.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pcp/pmapi.h>
#include <stdlib.h>

int pmGetInDom(pmInDom indom, int **instances, char ***names)
{
	static int (*next)(pmInDom, int **, char ***);
	const char *command = getenv("BEFORE_INDOM");

	if (!next) {
		next = (int (*)(pmInDom, int **, char ***))dlsym(RTLD_NEXT, "pmGetInDom");
		unsetenv("LD_PRELOAD"); /* not into the shell */
		if (command && system(command) != 0)
			abort();
	}
	return next(indom, instances, names);
}
