// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pmda/fetch.h"
#include "pmda/help_text.h"
#include "pmda/labels.h"
#include "pmda/metrics.h"
#include "pmda/result.h"
#include "pmda/store.h"

static void path_join(char *path, size_t size, const char *variable, const char *file)
{
	pmsprintf(path, size, "%s/%s", pmGetConfig(variable), file);
}

void kvm_config_path(char *path, size_t size)
{
	path_join(path, size, "PCP_SYSCONF_DIR", "kvm/kvm.conf");
}

/* Read kvm.conf and the item numbers, and open the collector. */
static int load(struct kvm_agent *agent, const char *config_path)
{
	struct report report = { 0 };
	char path[MAXPATHLEN];
	int err;

	if (!config_path) {
		kvm_config_path(path, sizeof(path));
		config_path = path;
	}
	err = config_load(config_path, &report, &agent->config);
	if (err == -ENOMEM)
		return err;
	if (agent->dso) /* its ticks are pmcd's fetches */
		agent->config.growth_ns = 0;
	agent->config.raw_only = agent->dso;
	agent->config.one_thread = agent->dso;
	path_join(path, sizeof(path), "PCP_VAR_DIR", "pmdakvm/items");
	err = items_load(path, &report, &agent->items);
	path_join(path, sizeof(path), "PCP_VAR_DIR", "pmdakvm/instances");
	if (!err)
		err = instance_numbers_open(path, agent->config.instances, &report,
					    &agent->numbers);
	if (!err)
		err = collector_open(&agent->config, &agent->items, agent->numbers,
				     agent->dso ? COLLECTOR_ALONE : COLLECTOR_PINS, &report,
				     &agent->collector);
	if (!err)
		err = kvm_make_metrics(agent);
	if (!err)
		kvm_save_items(agent, &report);
	kvm_show_report(&report);
	return err;
}

int kvm_start(struct kvm_agent *agent, const char *config_path)
{
	int err = load(agent, config_path);

	if (err)
		pmNotifyErr(LOG_ERR, "cannot start the agent: %s", pmErrStr(err));
	return err;
}

static void set_callbacks(pmdaInterface *dispatch)
{
	dispatch->version.seven.fetch = kvm_fetch;
	dispatch->version.seven.store = kvm_store;
	dispatch->version.seven.attribute = kvm_attribute;
	dispatch->version.seven.instance = kvm_instance;
	dispatch->version.seven.text = kvm_text;
	dispatch->version.seven.pmid = kvm_pmid;
	dispatch->version.seven.name = kvm_name;
	dispatch->version.seven.children = kvm_children;
	dispatch->version.seven.label = kvm_label;
	pmdaSetFetchCallBack(dispatch, kvm_fetch_value);
	pmdaSetLabelCallBack(dispatch, kvm_label_instance);
	pmdaSetEndContextCallBack(dispatch, kvm_end_context);
	kvm_result_begin(dispatch);
	pmdaSetFlags(dispatch, PMDA_EXT_FLAG_HASHED);
	pmdaSetCommFlags(dispatch, PMDA_FLAG_AUTHORIZE);
}

struct kvm_agent *kvm_new(pmdaInterface *dispatch, bool dso)
{
	struct kvm_agent *agent = calloc(1, sizeof(*agent));

	if (!agent) {
		pmNotifyErr(LOG_ERR, "cannot start the agent: %s", pmErrStr(-ENOMEM));
		return NULL;
	}
	agent->pmda = dispatch->version.any.ext;
	agent->domain = dispatch->domain;
	agent->dso = dso;
	set_callbacks(dispatch);
	pmdaExtSetData(dispatch->version.any.ext, agent);
	kvm_the_agent = agent;
	return agent;
}

void kvm_begin(struct kvm_agent *agent, pmdaInterface *dispatch)
{
	pmdaInit(dispatch, agent->indoms, METRIC_INDOMS, agent->metrics, (int)agent->nmetrics);
}

void kvm_setup(pmdaInterface *dispatch, const char *config_path)
{
	struct kvm_agent *agent;
	int err;

	if (dispatch->status != 0)
		return;
	agent = kvm_new(dispatch, true);
	err = agent ? kvm_start(agent, config_path) : -ENOMEM;
	if (err) {
		kvm_free(agent);
		dispatch->status = err;
		return;
	}
	kvm_begin(agent, dispatch);
}

void kvm_free(struct kvm_agent *agent)
{
	if (!agent)
		return;
	if (kvm_the_agent == agent)
		kvm_the_agent = NULL;
	kvm_metrics_free(agent);
	kvm_result_free(agent);
	free(agent->text);
	free(agent->clients);
	collector_close(agent->collector);
	instance_numbers_close(agent->numbers);
	items_free(&agent->items);
	config_free(&agent->config);
	free(agent);
}
