/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What the tables say of metrics before anything is loaded. pmlogger asks for the names and
 * descriptions of all that it logs when an agent was restarted, and ends if one cannot be had.
 */
#ifndef PMDAKVM_PMDA_KNOWN_H
#define PMDAKVM_PMDA_KNOWN_H

#include "pmda/state.h"

/*
 * The description of a PMID of our domain: the same as later, if this kernel has the metric.
 * Returns 0, or PM_ERR_AGAIN if only what is loaded can tell: the item numbers of this host's own.
 */
int kvm_known_desc(int domain, pmID pmid, pmDesc *ret_desc);

/* The PMID of a name, of a subtree's metric (kvm.trace.kvm_exit), too. Returns 0 or PM_ERR_AGAIN,
 * as above. */
int kvm_known_pmid(int domain, const char *name, pmID *ret_pmid);

#endif /* PMDAKVM_PMDA_KNOWN_H */
