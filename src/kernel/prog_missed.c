// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/prog_missed.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>

int prog_missed(int fd, uint64_t *ret_missed)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ||
	    size < offsetof(struct bpf_prog_info, recursion_misses) + sizeof(info.recursion_misses))
		return -ENODATA;
	*ret_missed = info.recursion_misses;
	return 0;
}
