// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/typed_loads.h"

#include <bpf/btf.h>

bool typed_loads_exist(struct kernel_types *types)
{
	const struct btf *btf;

	return kernel_types_vmlinux(types, &btf) == 0 &&
	       btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
}

int typed_loads_open(struct bpf_object_skeleton *skeleton, const void *(*image)(size_t *ret_size),
		     const char *types)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = types);
	size_t size;

	if (image) {
		skeleton->data = image(&size);
		skeleton->data_sz = size;
	}
	return bpf_object__open_skeleton(skeleton, &opts);
}
