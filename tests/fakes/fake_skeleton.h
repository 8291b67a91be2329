/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Skeletons that bpftool has generated, as a test's own bpf_object__open_skeleton() gets them. */
#ifndef PMDAKVM_TESTS_FAKE_SKELETON_H
#define PMDAKVM_TESTS_FAKE_SKELETON_H

#include <bpf/libbpf.h>

/* Map i of a skeleton. Its elements have the size that its generator knew, not libbpf's of now. */
struct bpf_map_skeleton *skeleton_map(const struct bpf_object_skeleton *s, int i);

#endif /* PMDAKVM_TESTS_FAKE_SKELETON_H */
