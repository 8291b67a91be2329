/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Maps of one element whose address programs know, as they know that of a global variable, so that
 * they look nothing up. Unlike the map of global variables such a map has a name of its own, and
 * can be pinned.
 */
#ifndef PMDAKVM_DIRECT_MAPS_H
#define PMDAKVM_DIRECT_MAPS_H

#include <linux/bpf.h>
#include <stddef.h>

/*
 * Where a program has the address of an array of one element of DIRECT_BYTES or more, put that of
 * the element. So a program must not look up such a map. The kernel is asked once for each map.
 * Returns how many instructions were changed.
 */
size_t direct_maps_set(struct bpf_insn *insns, size_t n);

#endif /* PMDAKVM_DIRECT_MAPS_H */
