/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* BPF maps in memory, in place of the kernel's: see unit.mk for the calls that come here. */
#ifndef PMDAKVM_TESTS_FAKE_MAPS_H
#define PMDAKVM_TESTS_FAKE_MAPS_H

#include "fakes/support.h"

/* They have these descriptors. */
enum { FAKE_ENDED_FD = 1000, FAKE_VMS_FD, FAKE_MAPS_END };

/* Make both maps empty: an array of one value of that size, and a hash of so many. */
void fake_maps_make(size_t value_size, size_t max_vms);
void fake_maps_free(void);

/* Entries of the hash. */
size_t fake_maps_vms(void);

/* The values: of the array; of the hash, by the first word of its key (NULL: none). */
uint64_t *fake_maps_ended_value(void);
uint64_t *fake_maps_vm_value(uint64_t kvm);

/* What was written since this was asked last: "ended", "+KVM", "-KVM", apart by blanks. */
void assert_map_writes(const char *text);

/* Let updates of the hash fail with this error; 0: no more. */
extern int fake_maps_err;

#endif /* PMDAKVM_TESTS_FAKE_MAPS_H */
