// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * constant -d DOMAIN SHAPE: an agent of PCP's that answers constants, made with libpcp_pmda's own
 * means only: what a fetch of so many values costs that are at hand. Line I of SHAPE is "VALUES
 * TYPE", of the metric with cluster I / 1000 and item I % 1000.
 */
#include <pcp/pmapi.h>
#include <pcp/pmda.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS  1000
#define DOMAIN 95

static pmdaMetric *metrics;
static int nmetrics;
static pmdaIndom *indoms; /* one for each number of values */
static int nindoms;

static pmLongOptions long_options[] = {
	PMDA_OPTIONS_HEADER("Options"),
	PMDAOPT_DOMAIN,
	PMDAOPT_LOGFILE,
	PMDA_OPTIONS_END,
};

static pmdaOptions options = { .short_options = "d:l:", .long_options = long_options };

static void *grown(void *list, int n, size_t size)
{
	list = realloc(list, (size_t)n * size);
	if (!list)
		pmNoMem("the shape", (size_t)n * size, PM_FATAL_ERR);
	return list;
}

/* The number of the instance domain with so many instances; makes it. */
static int indom_of(int values)
{
	pmdaIndom *indom;
	int i = 0;

	while (i < nindoms && indoms[i].it_numinst != values)
		i++;
	if (i < nindoms)
		return i;
	indoms = grown(indoms, ++nindoms, sizeof(*indoms));
	indom = &indoms[i];
	*indom = (pmdaIndom){ .it_indom = (pmInDom)i, .it_numinst = values };
	indom->it_set = grown(NULL, values + 1, sizeof(*indom->it_set));
	for (int number = 0; number < values; number++) {
		char name[32];

		pmsprintf(name, sizeof(name), "i%d", number);
		indom->it_set[number] = (pmdaInstid){ number, strdup(name) };
	}
	return i;
}

static int shape_read(const char *path)
{
	FILE *file = fopen(path, "r");
	int values, type;

	if (!file)
		return -oserror();
	while (fscanf(file, "%d %d", &values, &type) == 2) {
		metrics = grown(metrics, nmetrics + 1, sizeof(*metrics));
		metrics[nmetrics] =
			(pmdaMetric){ .m_desc = {
					      .pmid = PMDA_PMID(nmetrics / ITEMS, nmetrics % ITEMS),
					      .type = type,
					      .indom = (pmInDom)indom_of(values > 0 ? values : 0),
					      .sem = PM_SEM_COUNTER,
				      } };
		nmetrics++;
	}
	fclose(file);
	return nmetrics ? 0 : PM_ERR_VALUE;
}

static int value(pmdaMetric *metric, unsigned int inst, pmAtomValue *atom)
{
	static char text[] = "constant";

	switch (metric->m_desc.type) {
	case PM_TYPE_STRING:
		atom->cp = text;
		break;
	case PM_TYPE_U32:
		atom->ul = inst;
		break;
	default:
		atom->ull = inst;
	}
	return PMDA_FETCH_STATIC;
}

int main(int argc, char **argv)
{
	char log[] = "constant.log", name[] = "constant";
	pmdaInterface dispatch;
	int sts;

	pmSetProgname(argv[0]);
	pmdaDaemon(&dispatch, PMDA_INTERFACE_7, name, DOMAIN, log, NULL);
	pmdaGetOptions(argc, argv, &options, &dispatch);
	if (options.errors || options.optind + 1 != argc) {
		fputs("Usage: constant -d DOMAIN SHAPE\n", stderr);
		return 2;
	}
	pmdaOpenLog(&dispatch);
	sts = shape_read(argv[options.optind]);
	if (sts < 0) {
		fprintf(stderr, "constant: %s: %s\n", argv[options.optind], pmErrStr(sts));
		return EXIT_FAILURE;
	}
	pmdaSetFetchCallBack(&dispatch, value);
	pmdaSetFlags(&dispatch, PMDA_EXT_FLAG_HASHED);
	pmdaConnect(&dispatch);
	pmdaInit(&dispatch, indoms, nindoms, metrics, nmetrics);
	pmdaMain(&dispatch);
	return EXIT_SUCCESS;
}
