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
 * Start the agent and fill in the dispatch. On failure, logs the error and sets
 * dispatch->status. config_path NULL: $PCP_SYSCONF_DIR/kvm/kvm.conf.
 */
void kvm_setup(pmdaInterface *dispatch, const char *config_path, bool dso);

/* The default path of kvm.conf. */
void kvm_config_path(char *path, size_t size);

/* Detach all families and free the agent; takes NULL. */
void kvm_free(struct kvm_agent *agent);

#endif /* PMDAKVM_PMDA_AGENT_H */
