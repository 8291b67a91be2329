/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Fakes BPF maps in memory; unit.mk lists the bpf_map_* calls that are wrapped. */
#ifndef PMDAKVM_TESTS_FAKE_MAPS_H
#define PMDAKVM_TESTS_FAKE_MAPS_H

#include "fakes/support.h"

/* The descriptors of the fake maps. */
enum { FAKE_ENDED_FD = 1000, FAKE_VMS_FD, FAKE_MAPS_END };

/* Create both maps, empty: an array of one value of value_size, and a hash of max_vms entries. */
void fake_maps_make(size_t value_size, size_t max_vms);
void fake_maps_free(void);

/* The number of entries in the hash. */
size_t fake_maps_vms(void);

/* The value of the array; the hash's value with this first word of the key, or NULL. */
uint64_t *fake_maps_ended_value(void);
uint64_t *fake_maps_vm_value(uint64_t kvm);

/* The writes since the last call: "ended", "+KVM" and "-KVM", separated by blanks. */
void assert_map_writes(const char *text);

/* Updates of the hash fail with this error; 0: they succeed. */
extern int fake_maps_err;

/* The kernel has batches. */
extern bool fake_maps_batches;

#endif /* PMDAKVM_TESTS_FAKE_MAPS_H */
