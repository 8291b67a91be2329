/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Maps of one element whose address programs know, as they know that of a global variable, so that
 * they look nothing up. Unlike the map of global variables such a map has a name of its own, and
 * can be pinned.
 */
#ifndef PMDAKVM_DIRECT_MAPS_H
#define PMDAKVM_DIRECT_MAPS_H

#include <bpf/libbpf.h>

/*
 * From now on, where a program of an object that this process opens, in a section raw_tp or tp,
 * has the address of an array of one element of DIRECT_BYTES or more, it gets that of the element
 * when it is loaded. So it must not look up such a map. tp_type: what a program in a section tp is,
 * BPF_PROG_TYPE_TRACEPOINT; a test that runs such programs itself says otherwise, for a program
 * whose type is set after it was opened may lose this (libbpf 1.5). Another call changes nothing.
 * Returns 0 or an error.
 */
int direct_maps_init(enum bpf_prog_type tp_type);

#endif /* PMDAKVM_DIRECT_MAPS_H */
