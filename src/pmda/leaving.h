/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * How the daemon ends when somebody terminates it (SIGTERM). A client that has fetched values asks
 * for the names of their instances next, and pmlogger of PCP 6.0.3 ends if it gets none. So the
 * daemon goes on answering until no request has come for LEAVING_QUIET_NS, for LEAVING_NS at most.
 */
#ifndef PMDAKVM_PMDA_LEAVING_H
#define PMDAKVM_PMDA_LEAVING_H

#include <stdint.h>

#define LEAVING_QUIET_NS UINT64_C(100000000)
#define LEAVING_NS	 UINT64_C(1000000000)

/* When the daemon was asked to end and when the last request came, in ns; 0: not yet. */
struct leaving {
	uint64_t asked, request;
};

/* For how many ms to wait for another request; 0: end now. Only once asked is set. */
int leaving_wait(const struct leaving *leaving, uint64_t now);

#endif /* PMDAKVM_PMDA_LEAVING_H */
