/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Load the daemon while pmcd waits. pmcd gives an agent 3 s for the first exchange and 5 s for each
 * answer, and loading can take longer on a slow or loaded host. So the exchange comes first, and
 * what pmcd asks while the agent loads is answered with "try again", if it has waited long enough;
 * but for names and descriptions that the tables know (known.h).
 *
 * Why the agent is not "notready" in pmcd.conf, which is made for this (tried with PCP 6.0.3): as
 * long as an agent that wants to know its clients' users is not ready, pmcd refuses every client on
 * a Unix socket, whatever it asks for.
 */
#ifndef PMDAKVM_PMDA_LOADING_H
#define PMDAKVM_PMDA_LOADING_H

#include "pmda/state.h"

/*
 * Connect the agent that kvm_new() has made for the dispatch, then load it. Returns 0; -EPIPE if
 * pmcd has ended the connection meanwhile, and then the process must end, for it is still being
 * loaded; or another error, which is logged.
 */
int kvm_load(struct kvm_agent *agent, pmdaInterface *dispatch, const char *config_path);

#endif /* PMDAKVM_PMDA_LOADING_H */
