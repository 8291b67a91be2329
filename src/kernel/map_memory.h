/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The memory of an array that is loaded with BPF_F_MMAPABLE, or reused. */
#ifndef PMDAKVM_MAP_MEMORY_H
#define PMDAKVM_MAP_MEMORY_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

/* Map all of it; reading: without writing. map_memory_drop() takes it back. NULL: refused. */
void *map_memory(const struct bpf_map *map, bool reading);

/*
 * Global data of a loaded object that programs alone use: what user space has mapped of it is
 * resident, so its whole pages are not mapped any more. Reading or writing them is a fault then;
 * the object can be destroyed as ever.
 */
void map_memory_hide(void *data, size_t bytes);

/* Takes NULL. */
void map_memory_drop(const struct bpf_map *map, const void *memory);

#endif /* PMDAKVM_MAP_MEMORY_H */
