// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_agent.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

pmdaInterface dispatch;

/* libpcp_pmda does not free what pmdaDSO() and pmdaInit() allocate: keep it reachable. */
static pmdaExt *volatile kept[64];
static size_t nkept;

static time_t now;
static pmResult *fetched;

time_t __wrap_time(time_t *ret_now);
time_t __wrap_time(time_t *ret_now)
{
	if (ret_now)
		*ret_now = now;
	return now;
}

void agent_later(int seconds)
{
	now += seconds;
}

/* --- alpha's tables --- */

static int exit_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	int err = table_want(
		sync, &(struct table_key){ .key = 0, .name = "cpuid", .number = NUMBER_CPUID });

	(void)state, (void)owner;
	return err ? err :
		     table_want(sync, &(struct table_key){
					      .key = 1, .name = "hlt", .number = NUMBER_HLT });
}

static int cpu_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	int err = table_want(sync, &(struct table_key){ .key = 0, .name = "cpu0", .number = 0 });

	(void)state, (void)owner;
	return err ? err :
		     table_want(sync, &(struct table_key){ .key = 1, .name = "cpu1", .number = 1 });
}

/* The variant of a table is its number of present columns. */
static int fill(void *state, const struct table_row *row)
{
	struct fake *fake = state;

	fake->reads[0]++;
	for (int i = 0; i < row->table->variant; i++)
		snapshot_cell_set(&row->cells[i], (uint64_t)i + 1 + row->key * 100);
	return fake->read_err;
}

static const char *const total_columns[] = { "total", "total_time", NULL };
static const char *const exit_columns[] = { "count", "time", "max", NULL };
static const char *const trace_columns[] = { "kvm_entry", "kvm_exit", NULL };

static const struct table tables[] = {
	{ .name = "exit_total", .variant = 1, .columns = total_columns, .fill = fill },
	{ .name = "exit",
	  .label = "reason",
	  .variant = 2,
	  .columns = exit_columns,
	  .keys = exit_keys,
	  .fill = fill },
	{ .name = "trace", .variant = 2, .columns = trace_columns, .keys = cpu_keys, .fill = fill },
};

/* --- the agent --- */

int agent_setup(void **state)
{
	static pmProfile all = { .state = PM_PROFILE_INCLUDE };
	char var[PATH_MAX + 8], folder[PATH_MAX];

	if (work_setup(state) || fake_setup(state) || !getcwd(folder, sizeof(folder)))
		return -1;
	snprintf(var, sizeof(var), "%s/var", folder);
	setenv("PCP_VAR_DIR", var, 1);
	make_folders("var/pmdakvm");
	write_text(
		"kvm.conf",
		"[trace]\nkvm_exit\n[paths]\ntracefs = /its/tracefs\n[instances]\nnames = 1024\n");
	now = 1000;
	fake_alpha_tables(tables, ARRAY_SIZE(tables));
	dispatch = (pmdaInterface){ .domain = 95 };
	pmdaDSO(&dispatch, PMDA_INTERFACE_7, "kvm test", NULL);
	assert_true(nkept < ARRAY_SIZE(kept));
	kept[nkept++] = AGENT.ext;
	kvm_setup(&dispatch, "kvm.conf");
	assert_int_equal(dispatch.status, 0);
	AGENT.profile(&all, AGENT.ext);
	return 0;
}

static void fetched_free(void)
{
	if (fetched)
		AGENT.ext->e_resultCallBack(fetched);
	fetched = NULL;
}

int agent_teardown(void **state)
{
	fetched_free();
	kvm_free(kvm_agent_of(AGENT.ext));
	kvm_the_agent = NULL;
	return fake_teardown(state) || work_teardown(state) ? -1 : 0;
}

pmID agent_pmid(unsigned cluster, unsigned item)
{
	return pmID_build(95, cluster, item);
}

pmInDom agent_indom(enum metric_indom indom)
{
	return pmInDom_build(95, metric_indoms[indom].serial);
}

const pmResult *agent_fetch_list(pmID *pmids, int n)
{
	fetched_free();
	if (AGENT.fetch(n, pmids, &fetched, AGENT.ext) < 0)
		return NULL;
	assert_int_equal(fetched->numpmid, n);
	for (int i = 0; i < n; i++)
		assert_int_equal(fetched->vset[i]->pmid, pmids[i]);
	return fetched;
}

const pmValueSet *agent_fetch(unsigned cluster, unsigned item)
{
	pmID pmid = agent_pmid(cluster, item);
	const pmResult *result = agent_fetch_list(&pmid, 1);

	return result ? result->vset[0] : NULL;
}
