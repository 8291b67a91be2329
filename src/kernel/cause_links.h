/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Who charges exits and trips to causes: the programs of other families that read the clock write
 * the cause family's records, while both are attached. Neither family knows the other.
 */
#ifndef PMDAKVM_CAUSE_LINKS_H
#define PMDAKVM_CAUSE_LINKS_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stddef.h>

/* The shared maps: chunks of records, free records, index, rows, global data. */
enum cause_map {
	CAUSE_FIRST,
	CAUSE_CELLS,
	CAUSE_FREE,
	CAUSE_INDEX,
	CAUSE_ROWS,
	CAUSE_SHARED,
	CAUSE_MAPS
};

#define CAUSE_LINKS_MAX 4

struct cause_links {
	const struct bpf_map *maps[CAUSE_MAPS]; /* NULL: the cause family is not loaded */
	__u32 *flags[CAUSE_LINKS_MAX]; /* [n] where attached programs read the generation, or 0 */
	size_t n;
	/* The cause family's: begin a new generation and return it; 0: it is not attached. */
	__u32 (*begin)(void *data);
	void *data;
};

/* Before loading an object: have it use the shared maps, if there are any. Returns 0 or an error.
 */
int cause_links_share(const struct cause_links *links, struct bpf_map *const *maps);

/* Before programs are attached that read this flag, and after they are detached. */
void cause_links_add(struct cause_links *links, __u32 *flag);
void cause_links_drop(struct cause_links *links, __u32 *flag);

/* The cause family is attached or detached: begin anew, and tell all. */
void cause_links_changed(struct cause_links *links);

#endif /* PMDAKVM_CAUSE_LINKS_H */
