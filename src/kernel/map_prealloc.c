// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/map_prealloc.h"

#include <bpf/btf.h>
#include <linux/bpf.h>
#include <stdbool.h>

static bool grows(const struct bpf_map *map)
{
	return bpf_map__map_flags(map) & BPF_F_NO_PREALLOC;
}

static bool has_mem_alloc(struct kernel_types *types)
{
	const struct btf *btf;

	return kernel_types_vmlinux(types, &btf) == 0 &&
	       btf__find_by_name_kind(btf, "bpf_mem_alloc", BTF_KIND_STRUCT) > 0;
}

unsigned maps_preallocate(struct bpf_object *object, struct kernel_types *types)
{
	struct bpf_map *map;
	unsigned changed = 0;

	bpf_object__for_each_map(map, object) changed += grows(map);
	if (!changed || has_mem_alloc(types))
		return 0;
	bpf_object__for_each_map(map, object)
	{
		if (grows(map))
			bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~BPF_F_NO_PREALLOC);
	}
	return changed;
}
