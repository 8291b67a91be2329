/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Who writes a family's records besides its own programs: those of other families that have the
 * event, or read the clock, anyway, while both are attached. Neither family knows the other.
 */
#ifndef PMDAKVM_RECORD_LINKS_H
#define PMDAKVM_RECORD_LINKS_H

#include <bpf/libbpf.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* The shared maps: the first chunk of records, further ones, free records, index, rows, global
 * data. */
enum link_map { LINK_CELLS, LINK_FIRST, LINK_FREE, LINK_INDEX, LINK_ROWS, LINK_SHARED, LINK_MAPS };

#define RECORD_LINKS_MAX 4

struct record_links {
	const struct bpf_map *maps[LINK_MAPS]; /* NULL: not shared, or the family is not loaded */
	__u32 *flags[RECORD_LINKS_MAX]; /* [n] where attached programs read if they are to write */
	size_t n;
	/* The family's: begin anew and return what the flags are to be; 0: it is not attached. */
	__u32 (*begin)(void *data);
	void *data;
};

/* Before loading an object: have it use the shared maps, if there are any. Returns 0 or an error.
 */
int record_links_share(const struct record_links *links, struct bpf_map *const *maps);

/* Are there maps to share? */
bool record_links_exist(const struct record_links *links);

/* Before programs are attached that read this flag, and after they are detached. */
void record_links_add(struct record_links *links, __u32 *flag);
void record_links_drop(struct record_links *links, __u32 *flag);

/* The family is attached or detached: begin anew, and tell all. */
void record_links_changed(struct record_links *links);

#endif /* PMDAKVM_RECORD_LINKS_H */
