// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * fetch [-i|-s] HOST PID COUNT NAME...: fetch all metrics below the names from a pmcd, once and
 * then COUNT times, with -i their instances, too. Prints the numbers of metrics and values, the
 * time of the first fetch in ns, the median time of the others in ns, and for each of the others
 * the CPU time in ns of process PID, the agent, of its parent, which is pmcd, and of this one. With
 * -s it fetches once, and prints a line "VALUES TYPE" for each metric.
 */
#include <dirent.h>
#include <pcp/pmapi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct names {
	char **list;
	int n;
};

static int fail(const char *what, int sts)
{
	fprintf(stderr, "fetch: %s: %s\n", what, pmErrStr(sts));
	return EXIT_FAILURE;
}

static void add_name(const char *name, void *closure)
{
	struct names *names = closure;
	char **list = realloc(names->list, (size_t)(names->n + 1) * sizeof(*list));

	if (!list)
		pmNoMem("names", (size_t)names->n, PM_FATAL_ERR);
	names->list = list;
	list[names->n] = strdup(name);
	if (!list[names->n])
		pmNoMem("name", strlen(name), PM_FATAL_ERR);
	names->n++;
}

static long long now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (long long)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	long long x = *(const long long *)a, y = *(const long long *)b;

	return (x > y) - (x < y);
}

/* The CPU time of all threads in ns, from the scheduler's schedstat; -1 if it has none. */
static long long cpu_time(const char *pid)
{
	char path[PATH_MAX];
	long long sum = 0, ns;
	struct dirent *entry;
	FILE *file;
	DIR *dir;

	pmsprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (sum >= 0 && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.')
			continue;
		pmsprintf(path, sizeof(path), "/proc/%s/task/%s/schedstat", pid, entry->d_name);
		file = fopen(path, "r");
		sum = file && fscanf(file, "%lld", &ns) == 1 ? sum + ns : -1;
		if (file)
			fclose(file);
	}
	closedir(dir);
	return sum;
}

/* The process that has started this one; 0: unknown. */
static int parent_of(const char *pid)
{
	char path[PATH_MAX], line[256];
	int parent = 0;
	FILE *file;

	pmsprintf(path, sizeof(path), "/proc/%s/status", pid);
	file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "PPid: %d", &parent) == 1)
			break;
	}
	if (file)
		fclose(file);
	return parent;
}

static pmInDom *indoms; /* with -i */
static int nindoms;

/* Ask for the instances of each domain of the metrics. Returns 0 or a negative PCP error. */
static int instances_ask(const pmInDom *list, int n)
{
	int sts = 0, *numbers;
	char **names;

	for (int i = 0; i < n && sts >= 0; i++) {
		sts = pmGetInDom(list[i], &numbers, &names);
		if (sts > 0) {
			free(numbers);
			free(names);
		}
	}
	return sts < 0 ? sts : 0;
}

/* The domains of the metrics, each once. Returns their number or a negative PCP error. */
static int indoms_find(pmID *pmids, int n, pmInDom *ret_indoms)
{
	int found = 0;

	for (int i = 0; i < n; i++) {
		pmDesc desc;
		int at = 0, sts = pmLookupDesc(pmids[i], &desc);

		if (sts < 0)
			return sts;
		while (at < found && ret_indoms[at] != desc.indom)
			at++;
		if (desc.indom != PM_INDOM_NULL && at == found)
			ret_indoms[found++] = desc.indom;
	}
	return found;
}

/* Returns the time of a fetch in ns or a negative PCP error; ret_values: the number of values. */
static long long fetch_once(pmID *pmids, int n, int *ret_values)
{
	long long start = now(), took;
	pmResult *result;
	int sts, values = 0;

	sts = instances_ask(indoms, nindoms);
	if (sts < 0)
		return sts;
	sts = pmFetch(n, pmids, &result);
	if (sts < 0)
		return sts;
	took = now() - start;
	for (int i = 0; i < result->numpmid; i++) {
		if (result->vset[i]->numval > 0)
			values += result->vset[i]->numval;
	}
	pmFreeResult(result);
	*ret_values = values;
	return took;
}

/* The processes that a fetch goes through. */
enum { AGENT, PMCD, CLIENT, PROCESSES };

/* Fetch count times, with the time of each to took. Returns the number of values or an error. */
static int fetch_all(pmID *pmids, int n, int count, long long *took)
{
	int values = 0;

	for (int i = 0; i < count; i++) {
		took[i] = fetch_once(pmids, n, &values);
		if (took[i] < 0)
			return (int)took[i];
	}
	return values;
}

static int measure(pmID *pmids, int n, const char *pid, int count)
{
	long long *took = calloc((size_t)count, sizeof(*took)), first, cpu[PROCESSES];
	char pmcd[16];
	const char *const pids[] = { [AGENT] = pid, [PMCD] = pmcd, [CLIENT] = "self" };
	int values;

	if (!took)
		return EXIT_FAILURE;
	pmsprintf(pmcd, sizeof(pmcd), "%d", parent_of(pid));
	values = fetch_all(pmids, n, 1, &first);
	for (int i = 0; i < PROCESSES; i++)
		cpu[i] = cpu_time(pids[i]);
	if (values >= 0)
		values = fetch_all(pmids, n, count, took);
	if (values < 0) {
		free(took);
		return fail("pmFetch", values);
	}
	for (int i = 0; i < PROCESSES; i++)
		cpu[i] = cpu[i] < 0 ? -1 : (cpu_time(pids[i]) - cpu[i]) / count;
	qsort(took, (size_t)count, sizeof(*took), compare);
	printf("%d %d %lld %lld %lld %lld %lld\n", n, values, first, took[count / 2], cpu[AGENT],
	       cpu[PMCD], cpu[CLIENT]);
	free(took);
	return EXIT_SUCCESS;
}

static int shape_print(pmID *pmids, int n)
{
	pmResult *result;
	int sts = pmFetch(n, pmids, &result);

	if (sts < 0)
		return fail("pmFetch", sts);
	for (int i = 0; i < n; i++) {
		pmDesc desc;

		sts = pmLookupDesc(pmids[i], &desc);
		if (sts < 0)
			return fail("pmLookupDesc", sts);
		printf("%d %d\n", result->vset[i]->numval, desc.type);
	}
	pmFreeResult(result);
	return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
	struct names names = { 0 };
	int sts = 0, count;
	pmID *pmids;

	bool instances = argc > 1 && strcmp(argv[1], "-i") == 0;
	bool shape = argc > 1 && strcmp(argv[1], "-s") == 0;

	argc -= instances || shape;
	argv += instances || shape;
	if (argc < 5 || (count = atoi(argv[3])) <= 0) {
		fputs("Usage: fetch [-i|-s] HOST PID COUNT NAME...\n", stderr);
		return 2;
	}
	sts = pmNewContext(PM_CONTEXT_HOST, argv[1]);
	if (sts < 0)
		return fail(argv[1], sts);
	sts = 0;
	for (int i = 4; sts >= 0 && i < argc; i++)
		sts = pmTraversePMNS_r(argv[i], add_name, &names);
	if (sts < 0 || !names.n)
		return fail("the metrics' names", sts);
	pmids = calloc((size_t)names.n, sizeof(*pmids));
	if (!pmids)
		return EXIT_FAILURE;
	sts = pmLookupName(names.n, (const char **)names.list, pmids);
	if (sts < 0)
		return fail("pmLookupName", sts);
	indoms = instances ? calloc((size_t)names.n, sizeof(*indoms)) : NULL;
	nindoms = indoms ? indoms_find(pmids, names.n, indoms) : 0;
	if (nindoms < 0)
		return fail("the metrics' instances", nindoms);
	return shape ? shape_print(pmids, names.n) : measure(pmids, names.n, argv[2], count);
}
