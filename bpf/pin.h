/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What every family's maps have in common: for the BPF side and for the user side. */
#ifndef PMDAKVM_BPF_PIN_H
#define PMDAKVM_BPF_PIN_H

#ifdef __bpf__
#include "vmlinux.h"
#else
#include <linux/types.h>
#endif

/* The one value of a family's map NAME_meta. */
struct pin_meta {
	__u64 layout;	  /* hash of the family's layout version and of its maps' shapes */
	__u64 generation; /* how often the family was attached since the maps were made */
};

/* A row that one CPU writes starts on a cache line of its own. */
#define CACHE_LINE_BYTES 64

#endif /* PMDAKVM_BPF_PIN_H */
