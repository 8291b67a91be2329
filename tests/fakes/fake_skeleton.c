// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_skeleton.h"

struct bpf_map_skeleton *skeleton_map(const struct bpf_object_skeleton *s, int i)
{
	return (void *)((char *)s->maps + i * s->map_skel_sz);
}
