/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* How full a BPF map is, whose size is limited. */
#ifndef PMDAKVM_MAP_USAGE_H
#define PMDAKVM_MAP_USAGE_H

#include <stdint.h>

struct map_usage {
	const char *name;
	uint64_t limit;	  /* maximum number of entries, for most maps set by kvm.conf */
	uint64_t used;	  /* current number of entries */
	uint64_t bytes;	  /* kernel memory of those entries */
	uint64_t dropped; /* what found no room, since the start */
};

#endif /* PMDAKVM_MAP_USAGE_H */
