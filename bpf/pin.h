/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Definitions common to all families' pinned maps, shared by the BPF side and the user side. */
#ifndef PMDAKVM_BPF_PIN_H
#define PMDAKVM_BPF_PIN_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

/* The single value of a family's map NAME_meta. */
struct pin_meta {
	__u64 layout;	  /* hash of the layout version and the maps' types, sizes and flags */
	__u64 generation; /* number of attaches since the maps were created */
};

/* Per-CPU rows are aligned to this, so that no two CPUs write one cache line. */
#define CACHE_LINE_BYTES 64

/* The least size of what programs address directly: src/kernel/direct_maps.h. */
#define DIRECT_BYTES 16384

#endif /* PMDAKVM_BPF_PIN_H */
