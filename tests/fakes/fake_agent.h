/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The real agent, started as a DSO in a test's folder, with fake families and a clock that stands
 * still. Family alpha has these tables, which metrics of metrics.def name:
 *
 *	exit_total	one row; total_time is absent
 *	exit		the rows "cpuid" and "hlt", numbers 371 and 377; max is absent
 *	trace		the rows "cpu0" and "cpu1", numbers 0 and 1; columns kvm_entry, kvm_exit
 *
 * A value is the number of its column, from 1, and 100 times that of its row.
 */
#ifndef PMDAKVM_TESTS_FAKE_AGENT_H
#define PMDAKVM_TESTS_FAKE_AGENT_H

#include "fakes/fake_families.h"
#include "pmda/agent.h"

enum { NUMBER_CPUID = 371, NUMBER_HLT = 377 };

extern pmdaInterface dispatch;

/* dispatch.version.seven, and its pmdaExt. */
#define AGENT (dispatch.version.seven)

/* Each test has an agent of its own. */
int agent_setup(void **state);
int agent_teardown(void **state);

#define agent_test(test) cmocka_unit_test_setup_teardown(test, agent_setup, agent_teardown)

/* Let the clock go on by some seconds. */
void agent_later(int seconds);

/* Fetch all instances of metrics, of one metric. Valid until the next call; NULL: an error. */
const pmResult *agent_fetch_list(pmID *pmids, int n);
const pmValueSet *agent_fetch(unsigned cluster, unsigned item);

pmID agent_pmid(unsigned cluster, unsigned item);
pmInDom agent_indom(enum metric_indom indom);

#endif /* PMDAKVM_TESTS_FAKE_AGENT_H */
