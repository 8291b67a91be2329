/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The programs of the cause family: for each event one of a raw tracepoint, and one for perf. */
#ifndef PMDAKVM_CAUSE_PROGRAMS_H
#define PMDAKVM_CAUSE_PROGRAMS_H

#include "engine/record_family.h"

struct cause_bpf;

/* Before loading: are those for perf to be loaded? Returns 0 or a negative errno. */
int cause_programs_choose(const struct cause_bpf *skeleton, bool by_perf);

/* List those of the loaded object. */
void cause_programs_list(struct record_family *family, const struct cause_bpf *skeleton,
			 bool by_perf);

#endif /* PMDAKVM_CAUSE_PROGRAMS_H */
