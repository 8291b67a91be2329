// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/record_links.h"

bool record_links_exist(const struct record_links *links)
{
	return links->maps[LINK_SHARED] != NULL;
}

int record_links_share(const struct record_links *links, struct bpf_map *const *maps)
{
	int err = 0;

	for (size_t i = 0; !err && i < LINK_MAPS; i++) {
		if (links->maps[i])
			err = bpf_map__reuse_fd(maps[i], bpf_map__fd(links->maps[i]));
	}
	return err;
}

void record_links_changed(struct record_links *links)
{
	__u32 flag = links->begin ? links->begin(links->data) : 0;

	for (size_t i = 0; i < links->n; i++)
		__atomic_store_n(links->flags[i], flag, __ATOMIC_RELAXED);
}

void record_links_add(struct record_links *links, __u32 *flag)
{
	for (size_t i = 0; i < links->n; i++) {
		if (links->flags[i] == flag)
			return;
	}
	if (links->n == RECORD_LINKS_MAX)
		return;
	links->flags[links->n++] = flag;
	record_links_changed(links);
}

void record_links_drop(struct record_links *links, __u32 *flag)
{
	for (size_t i = 0; i < links->n; i++) {
		if (links->flags[i] != flag)
			continue;
		__atomic_store_n(flag, 0, __ATOMIC_RELAXED);
		links->flags[i] = links->flags[--links->n];
		record_links_changed(links);
		return;
	}
}
