// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The PCP agent "kvm", as a daemon and as a DSO. This file and pmda_metrics.c
 * are the only ones that know PCP.
 */
#include "pmda.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* How often the daemon looks around besides answering, in milliseconds. */
#define LOOK_MS 1000

static pmLongOptions long_options[] = {
	PMDA_OPTIONS_HEADER("Options"),
	PMDAOPT_DEBUG, /* which libpcp takes, but does not show */
	PMDAOPT_DOMAIN,
	PMDAOPT_LOGFILE,
	PMDAOPT_USERNAME,
	{ "config", 1, 'c', "FILE", "use FILE instead of $PCP_SYSCONF_DIR/kvm/kvm.conf" },
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

/* Warnings go to the log in any case, the rest only where asked for. */
static void show_report(struct report *report)
{
	for (size_t i = 0; i < report->n; i++) {
		if (report->lines[i].level > REPORT_DEBUG || pmDebugOptions.appl0)
			pmNotifyErr(report->lines[i].level == REPORT_WARNING ? LOG_WARNING :
									       LOG_INFO,
				    "%s", report->lines[i].text);
	}
	report_clear(report);
}

static void path_join(char *path, size_t size, const char *variable, const char *file)
{
	pmsprintf(path, size, "%s/%s", pmGetConfig(variable), file);
}

/* Load everything; 0 even where no family could be attached. */
static int kvm_start(struct kvm_agent *agent, const char *config_path)
{
	struct report report = { 0 };
	char path[MAXPATHLEN];
	int err;

	if (!config_path) {
		path_join(path, sizeof(path), "PCP_SYSCONF_DIR", "kvm/kvm.conf");
		config_path = path;
	}
	err = config_load(config_path, &report, &agent->config);
	if (err == -ENOMEM)
		return err;
	path_join(path, sizeof(path), "PCP_VAR_DIR", "pmdakvm/items");
	err = items_load(path, &report, &agent->items);
	if (!err)
		err = collector_open(&agent->config, &report, &agent->collector);
	if (!err)
		err = kvm_make_metrics(agent);
	if (!err && items_save(&agent->items))
		report_add(&report, REPORT_WARNING,
			   "%s cannot be written; new item numbers may differ after a restart",
			   path);
	show_report(&report);
	return err;
}

static void kvm_set_callbacks(pmdaInterface *dispatch)
{
	dispatch->version.seven.fetch = kvm_fetch;
	dispatch->version.seven.instance = kvm_instance;
	dispatch->version.seven.text = kvm_text;
	dispatch->version.seven.pmid = kvm_pmid;
	dispatch->version.seven.name = kvm_name;
	dispatch->version.seven.children = kvm_children;
	dispatch->version.seven.label = kvm_label;
	pmdaSetFetchCallBack(dispatch, kvm_fetch_value);
	pmdaSetLabelCallBack(dispatch, kvm_label_instance);
	pmdaSetFlags(dispatch, PMDA_EXT_FLAG_HASHED);
}

/* Fill in the dispatch; its status says whether that went well. */
static void kvm_setup(pmdaInterface *dispatch, const char *config_path)
{
	struct kvm_agent *agent;
	int err;

	if (dispatch->status != 0)
		return;
	agent = calloc(1, sizeof(*agent));
	err = agent ? kvm_start(agent, config_path) : -ENOMEM;
	if (err) {
		pmNotifyErr(LOG_ERR, "cannot start: %s", strerror(-err));
		dispatch->status = err;
		return;
	}
	kvm_set_callbacks(dispatch);
	pmdaExtSetData(dispatch->version.any.ext, agent);
	pmdaInit(dispatch, agent->indoms, METRIC_INDOMS, agent->metrics, (int)agent->nmetrics);
	err = kvm_make_names(agent, dispatch->domain);
	if (err)
		dispatch->status = err;
}

void kvm_init(pmdaInterface *dispatch)
{
	/* no help file: kvm_text has the words */
	pmdaDSO(dispatch, PMDA_INTERFACE_7, "kvm DSO", NULL);
	kvm_setup(dispatch, NULL);
}

static struct kvm_agent *dispatch_agent(pmdaInterface *dispatch)
{
	return pmdaExtGetData(dispatch->version.any.ext);
}

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

/* Answer pmcd until it goes away, and look at the CPUs now and then. */
static void kvm_loop(pmdaInterface *dispatch, struct kvm_agent *agent)
{
	struct pollfd in = { .fd = __pmdaInFd(dispatch), .events = POLLIN };
	time_t looked = time(NULL);

	for (;;) {
		int ready = poll(&in, 1, LOOK_MS);

		if (ready < 0 && errno != EINTR)
			return;
		if (ready > 0 && __pmdaMainPDU(dispatch) < 0)
			return;
		if (time(NULL) != looked) {
			looked = time(NULL);
			kvm_look(agent);
		}
	}
}

static const char *option_config(int argc, char **argv, pmdaInterface *dispatch)
{
	const char *path = NULL;
	int c;

	/* libpcp_pmda takes --help for a bad option; it is none */
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)) {
		pmdaUsageMessage(&options);
		exit(EXIT_SUCCESS);
	}
	while ((c = pmdaGetOptions(argc, argv, &options, dispatch)) != EOF) {
		if (c == 'c')
			path = options.optarg;
	}
	if (options.errors || options.optind < argc) {
		if (options.optind < argc && !options.errors)
			pmprintf("%s: what is \"%s\" to mean?\n", pmGetProgname(),
				 argv[options.optind]);
		pmdaUsageMessage(&options);
		exit(EXIT_FAILURE);
	}
	return path;
}

int pmda_main(int argc, char **argv)
{
	pmdaInterface dispatch;
	const char *config_path;
	struct kvm_agent *agent;
	char log[] = "kvm.log", name[] = "pmdakvm";

	pmSetProgname(argv[0]);
	pmdaDaemon(&dispatch, PMDA_INTERFACE_7, name, KVM, log, NULL);
	config_path = option_config(argc, argv, &dispatch);
	pmdaOpenLog(&dispatch);
	kvm_setup(&dispatch, config_path);
	if (dispatch.status != 0)
		return EXIT_FAILURE;
	agent = dispatch_agent(&dispatch);
	log_start(agent);
	if (options.username)
		pmSetProcessIdentity(options.username);
	pmdaConnect(&dispatch);
	if (dispatch.status != 0)
		return EXIT_FAILURE;
	kvm_loop(&dispatch, agent);
	kvm_free(agent);
	return EXIT_SUCCESS;
}
