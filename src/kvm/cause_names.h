/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The device, register or call that a cause's key stands for, such as "serial" for io:0x3f8:w: what
 * a PC, KVM or Hyper-V has there by convention. cause_names.def is the table.
 */
#ifndef PMDAKVM_CAUSE_NAMES_H
#define PMDAKVM_CAUSE_NAMES_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/cause.h"

#define CAUSE_DEVICE_UNKNOWN "-"

/* Guests' machines: the same address is another device on another. */
enum cause_machine { CAUSE_X86, CAUSE_ARM64, CAUSE_MACHINES };

enum cause_direction { CAUSE_READS = 1, CAUSE_WRITES = 2, CAUSE_BOTH = 3 };

/* The numbers first to last of a kind, read, written or both. */
struct cause_name {
	enum cause_kind kind;
	uint64_t first;
	uint64_t last;
	enum cause_direction direction; /* CAUSE_BOTH for kinds without one */
	const char *device;
};

/* All rows of a machine, in ascending order of kind, first and direction. */
const struct cause_name *cause_names(enum cause_machine machine, size_t *ret_count);

/* The device of a key on that machine; CAUSE_DEVICE_UNKNOWN for a key without a row. */
const char *cause_device_on(enum cause_machine machine, uint64_t key);

/* The same on machines of this host's architecture, which its guests are. */
const char *cause_device(uint64_t key);

#endif /* PMDAKVM_CAUSE_NAMES_H */
