/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The programs whose cost tests/bench/pair.c compares. */
#ifndef BENCH_VARIANTS_H
#define BENCH_VARIANTS_H

#include <bpf/libbpf.h>
#include <stdbool.h>

/* Each is loaded so often: where its code and its maps are changes its cost by some per cent. */
#define VARIANT_LOADS	 4

#define VARIANT_PROGRAMS 3

struct variant {
	const char *name;
	const char *object;			/* below the folder of objects; NULL: no programs */
	const char *programs[VARIANT_PROGRAMS]; /* in the order of attaching; NULL: none */
	bool counts;				/* it counts exits: the number is checked */
	bool far;      /* its records and blocks are not in the first chunks */
	bool causes;   /* it charges causes: programs can be the cause family's, too */
	bool ledger;   /* it writes the ledger */
	bool all;      /* least.bpf.c: with a minimal ledger and minimal causes */
	bool template; /* the trace family's program for one event */
	struct bpf_object *loaded[VARIANT_LOADS], *charged[VARIANT_LOADS], *timed[VARIANT_LOADS];
	int prog_fds[VARIANT_LOADS][VARIANT_PROGRAMS], links[VARIANT_PROGRAMS];
	int further_fd[VARIANT_LOADS]; /* far: its chunk of blocks */
};

/* Load a variant. folder: of the objects, build/. Returns 0 or an error, which libbpf has printed.
 */
int variant_load(struct variant *variant, const char *folder);

/* Attach what was loaded as number load to a raw tracepoint. Returns 0 or an error. */
int variant_attach(struct variant *variant, unsigned load, const char *event);

void variant_detach(struct variant *variant);

/* Exits that a variant with counts has counted since loading. */
unsigned long long variant_counted(const struct variant *variant);

#endif /* BENCH_VARIANTS_H */
