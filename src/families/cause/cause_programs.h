/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The programs of the cause family: for each event one of a raw tracepoint, and one for perf. */
#ifndef PMDAKVM_CAUSE_PROGRAMS_H
#define PMDAKVM_CAUSE_PROGRAMS_H

#include "engine/record_family.h"

struct cause_bpf;

/*
 * Before loading: those of events that this KVM has are to be loaded, of every event if there is no
 * KVM yet, and those for perf if by_perf says so. Returns 0 or a negative errno.
 */
int cause_programs_choose(const struct cause_bpf *skeleton, const struct events *events,
			  bool by_perf);

/* List those that are loaded. */
void cause_programs_list(struct record_family *family, const struct cause_bpf *skeleton,
			 bool by_perf);

#endif /* PMDAKVM_CAUSE_PROGRAMS_H */
