// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Part of the daemon. The DSO does not include this file. */
#define _GNU_SOURCE
#include "pmda/loading.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "pmda/agent.h"
#include "pmda/known.h"

/* How long a request waits for the agent, in milliseconds; pmcd, which does nothing else then,
 * gives the agent up after 5 s. */
#define REQUEST_MS 3000

#define PIPE_BYTES (1024 * 1024)

struct loading {
	struct kvm_agent *agent;
	const char *config_path;
	int done; /* becomes readable at the end */
	int err;
};

/* --- answers until all is loaded --- */

static int later_fetch(int numpmid, pmID *pmids, pmResult **resp, pmdaExt *pmda)
{
	(void)numpmid, (void)pmids, (void)resp, (void)pmda;
	return PM_ERR_AGAIN;
}

static int later_store(pmResult *result, pmdaExt *pmda)
{
	(void)result, (void)pmda;
	return PM_ERR_AGAIN;
}

static int later_desc(pmID pmid, pmDesc *desc, pmdaExt *pmda)
{
	return kvm_known_desc(kvm_agent_of(pmda)->domain, pmid, desc);
}

static int later_instance(pmInDom indom, int inst, char *name, pmInResult **resp, pmdaExt *pmda)
{
	(void)indom, (void)inst, (void)name, (void)resp, (void)pmda;
	return PM_ERR_AGAIN;
}

static int later_text(int ident, int type, char **buffer, pmdaExt *pmda)
{
	(void)ident, (void)type, (void)buffer, (void)pmda;
	return PM_ERR_AGAIN;
}

static int later_pmid(const char *name, pmID *pmid, pmdaExt *pmda)
{
	return kvm_known_pmid(kvm_agent_of(pmda)->domain, name, pmid);
}

static int later_name(pmID pmid, char ***names, pmdaExt *pmda)
{
	(void)pmid, (void)names, (void)pmda;
	return PM_ERR_AGAIN;
}

/*
 * Clients ask this before they ask for a PMID. A metric has no children, and below it is, with
 * traverse, itself. pmdaMain() frees both lists, the names with theirs.
 */
static int later_children(const char *name, int traverse, char ***kids, int **status, pmdaExt *pmda)
{
	size_t size = strlen(name) + 1;
	pmID pmid;
	int err;

	*kids = NULL;
	*status = NULL;
	err = kvm_known_pmid(kvm_agent_of(pmda)->domain, name, &pmid);
	if (err || !traverse)
		return err;
	*kids = malloc(sizeof(**kids) + size);
	*status = malloc(sizeof(**status));
	if (!*kids || !*status) {
		free(*kids);
		free(*status);
		return -ENOMEM;
	}
	(*kids)[0] = memcpy(*kids + 1, name, size);
	(*status)[0] = PMNS_LEAF_STATUS;
	return 1;
}

static int later_label(int ident, int type, pmLabelSet **sets, pmdaExt *pmda)
{
	(void)ident, (void)type, (void)sets, (void)pmda;
	return PM_ERR_AGAIN;
}

/* Clients that come and go are kept all the same, with their users and profiles. */
static void answer_later(pmdaInterface *dispatch)
{
	dispatch->version.seven.fetch = later_fetch;
	dispatch->version.seven.store = later_store;
	dispatch->version.seven.desc = later_desc;
	dispatch->version.seven.instance = later_instance;
	dispatch->version.seven.text = later_text;
	dispatch->version.seven.pmid = later_pmid;
	dispatch->version.seven.name = later_name;
	dispatch->version.seven.children = later_children;
	dispatch->version.seven.label = later_label;
}

/* --- loading --- */

static void *load(void *data)
{
	struct loading *loading = data;

	loading->err = kvm_start(loading->agent, loading->config_path);
	eventfd_write(loading->done, 1);
	return NULL;
}

static bool is_done(const struct loading *loading, int ms)
{
	struct pollfd done = { .fd = loading->done, .events = POLLIN };

	return poll(&done, 1, ms) > 0;
}

/* Answer pmcd until all is loaded. *ret_late: a request was told to come again. */
static int serve(const struct loading *loading, pmdaInterface *dispatch, bool *ret_late)
{
	pmdaInterface later = *dispatch;
	struct pollfd fds[] = {
		{ .fd = loading->done, .events = POLLIN },
		{ .fd = __pmdaInFd(dispatch), .events = POLLIN },
	};
	bool late = false;

	answer_later(&later);
	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			break;
		if (!fds[1].revents)
			continue;
		if (!late && is_done(loading, REQUEST_MS))
			break; /* the request is answered as any other */
		late = true;
		if (__pmdaMainPDU(&later) < 0)
			return -EPIPE;
	}
	*ret_late = late;
	return 0;
}

/*
 * A large answer goes through the pipe to pmcd in parts of its size, 64 KiB if nobody asks for
 * more, and each is a turn of two processes. A user is not allowed more pages in all than root is:
 * ask as root. It may be a socket, or the limit lower: then it stays as it is.
 */
static void pipe_widen(const pmdaExt *pmda)
{
	fcntl(pmda->e_outfd, F_SETPIPE_SZ, PIPE_BYTES);
}

int kvm_load(struct kvm_agent *agent, pmdaInterface *dispatch, const char *config_path)
{
	static struct loading loading; /* the thread may outlive this call */
	bool late = false;
	pthread_t thread;
	int err;

	pmdaConnect(dispatch);
	if (dispatch->status != 0)
		return dispatch->status;
	pipe_widen(agent->pmda);
	loading = (struct loading){
		.agent = agent,
		.config_path = config_path,
		.done = eventfd(0, EFD_CLOEXEC),
	};
	if (loading.done >= 0 && pthread_create(&thread, NULL, load, &loading) == 0) {
		err = serve(&loading, dispatch, &late);
		if (err)
			return err; /* the thread goes on, until the process ends */
		pthread_join(thread, NULL);
	} else {
		load(&loading);
	}
	if (loading.done >= 0)
		close(loading.done);
	if (loading.err)
		return loading.err;
	kvm_begin(agent, dispatch);
	if (late)
		pmdaExtSetFlags(agent->pmda, PMDA_EXT_NAMES_CHANGE);
	return 0;
}
