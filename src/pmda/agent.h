/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Starts and ends the PCP agent "kvm", for both the daemon and the DSO. */
#ifndef PMDAKVM_PMDA_AGENT_H
#define PMDAKVM_PMDA_AGENT_H

#include "domain.h"
#include "pmda/state.h"

/* The DSO's entry point, in dso.c: pmcd and "-K add" look it up by this name. */
__attribute__((visibility("default"))) void kvm_init(pmdaInterface *dispatch);

/*
 * Make an agent that has loaded nothing, give the dispatch our callbacks, and make it the
 * process's. Returns NULL if there is no memory, which is logged.
 */
struct kvm_agent *kvm_new(pmdaInterface *dispatch, bool dso);

/*
 * Read kvm.conf and load everything. config_path NULL: $PCP_SYSCONF_DIR/kvm/kvm.conf. Returns 0,
 * even if no family attaches, or an error, which is logged. It touches no client and no dispatch,
 * so it may run beside requests that need nothing of what it loads.
 */
int kvm_start(struct kvm_agent *agent, const char *config_path);

/* What kvm_start() has loaded becomes the dispatch's. */
void kvm_begin(struct kvm_agent *agent, pmdaInterface *dispatch);

/* All of these, for the DSO. On failure, logs the error and sets dispatch->status. */
void kvm_setup(pmdaInterface *dispatch, const char *config_path);

/* The default path of kvm.conf. */
void kvm_config_path(char *path, size_t size);

/* Detach all families and free the agent; takes NULL. */
void kvm_free(struct kvm_agent *agent);

#endif /* PMDAKVM_PMDA_AGENT_H */
