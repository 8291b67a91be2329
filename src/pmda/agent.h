/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The PCP agent "kvm": starting it and ending it, for the daemon and the DSO alike. */
#ifndef PMDAKVM_PMDA_AGENT_H
#define PMDAKVM_PMDA_AGENT_H

#include "domain.h"
#include "pmda/state.h"

/* The DSO's way in: pmcd and "-K add" call it by this name. */
__attribute__((visibility("default"))) void kvm_init(pmdaInterface *dispatch);

/*
 * Start the agent and fill in the dispatch; its status says whether that went well.
 * config_path NULL: the default.
 */
void kvm_setup(pmdaInterface *dispatch, const char *config_path, bool dso);

/* Detach all and free; takes NULL. */
void kvm_free(struct kvm_agent *agent);

#endif /* PMDAKVM_PMDA_AGENT_H */
