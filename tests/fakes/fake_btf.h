/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Builds the kernel's description of KVM's statistics in a test's folder: BTF, and the file
 * behind the descriptor of KVM_GET_STATS_FD.
 */
#ifndef PMDAKVM_TESTS_TYPES_H
#define PMDAKVM_TESTS_TYPES_H

#include "fakes/support.h"

#include <bpf/btf.h>

#include "kvm/stat_schema.h"

/* Type ids of members, in the BTF of types_new(). */
extern int u8, u16, u32, u64, u128, s32, s64, pointer, atomic64, atomic32;

struct btf *types_new(void);

/* Add a type; returns its id. */
int add_atomic(struct btf *btf, const char *name, int type, __u32 size);
int add_array(struct btf *btf, int type, __u32 n);

/* struct kvm_vcpu_stat { u64 x_exits; u64 x_hist[32]; } */
int add_vcpu_stat(struct btf *btf);

/* Add struct kvm or struct kvm_vcpu, with a member stat of this type. */
void add_vm(struct btf *btf, int stat);
void add_vcpu(struct btf *btf, int stat);

/* Add a member to the struct added last; offset is in bytes. */
void field(struct btf *btf, const char *name, int type, __u32 offset);

/* Move the last member of the struct id by some bits. */
void field_shift(struct btf *btf, int id, __u32 bits);

/* Write the BTF to a file, in the folder "btf", and free it. */
void btf_write(struct btf *btf, const char *path);

/*
 * The list has exactly these statistics: "name@offset:size", with "x32" for a histogram of 32
 * buckets. Value indexes are consecutive; without /dev/kvm's description, kinds and units are the
 * defaults: instant counts, and log histograms of ns.
 */
void assert_list(const struct stat_list *list, const char *expected);

/* Reading the layout from "btf" fails with this error and leaves the output untouched. */
void assert_layout_fails(int err);

/* stat_layout_read() of the types in a folder. */
int layout_of(const char *dir, struct stat_layout *ret_layout);

struct descriptor {
	const char *name;
	unsigned flags;
	int exponent;
	unsigned bucket_size;
};

/* Write descriptors in KVM's format, at an offset above 0; names are padded to name_size. */
void write_descriptors(const char *path, const struct descriptor *list, size_t n, __u32 name_size);

#endif /* PMDAKVM_TESTS_TYPES_H */
