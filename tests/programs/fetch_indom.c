// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * fetch_indom HOST METRIC PID: fetch a metric, send SIGTERM to its agent, wait 50 ms, and ask for
 * the names of the metric's instances, as pmlogger does after a fetch. Fails if there are none.
 */
#include <pcp/pmapi.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int fail(const char *what, int err)
{
	fprintf(stderr, "%s: %s\n", what, pmErrStr(err));
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	const char *name = argc == 4 ? argv[2] : "";
	pmResult *result;
	pmDesc desc;
	pmID pmid;
	int *instances;
	char **names;
	int err;

	if (argc != 4 || (err = pmNewContext(PM_CONTEXT_HOST, argv[1])) < 0)
		return fail("HOST METRIC PID", argc == 4 ? err : PM_ERR_VALUE);
	err = pmLookupName(1, &name, &pmid);
	if (err < 0 || (err = pmLookupDesc(pmid, &desc)) < 0)
		return fail(name, err);
	err = pmFetch(1, &pmid, &result);
	if (err < 0 || result->vset[0]->numval < 1)
		return fail("fetch", err < 0 ? err : PM_ERR_VALUE);
	if (kill((pid_t)atoi(argv[3]), SIGTERM))
		return fail("kill", -oserror());
	usleep(50000);
	err = pmGetInDom(desc.indom, &instances, &names);
	if (err < result->vset[0]->numval)
		return fail("instances", err < 0 ? err : PM_ERR_INST);
	printf("%d instances\n", err);
	return EXIT_SUCCESS;
}
