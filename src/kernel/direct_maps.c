// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/direct_maps.h"

#include <bpf/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#include "bpf/pin.h"

/* More than an object's programs name; of those beyond it the kernel is asked each time. */
#define MAPS_KNOWN 32

/* What the kernel said of the maps of a program. */
struct maps_known {
	struct {
		int fd;
		bool direct;
	} maps[MAPS_KNOWN];
	size_t n;
};

static bool ask(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == BPF_MAP_TYPE_ARRAY &&
	       info.max_entries == 1 && info.value_size >= DIRECT_BYTES;
}

static bool is_direct(struct maps_known *known, int fd)
{
	bool direct;

	for (size_t i = 0; i < known->n; i++) {
		if (known->maps[i].fd == fd)
			return known->maps[i].direct;
	}
	direct = ask(fd);
	if (known->n < MAPS_KNOWN) {
		known->maps[known->n].fd = fd;
		known->maps[known->n++].direct = direct;
	}
	return direct;
}

size_t direct_maps_set(struct bpf_insn *insns, size_t n)
{
	struct maps_known known = { .n = 0 };
	size_t changed = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (insns[i].src_reg == BPF_PSEUDO_MAP_FD && is_direct(&known, insns[i].imm)) {
			insns[i].src_reg = BPF_PSEUDO_MAP_VALUE; /* the second half: offset 0 */
			changed++;
		}
		i++;
	}
	return changed;
}
