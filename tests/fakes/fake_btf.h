/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * What a kernel tells of KVM's statistics, made by a test in its folder: type information
 * (BTF), and the file that KVM_GET_STATS_FD gives.
 */
#ifndef PMDAKVM_TESTS_TYPES_H
#define PMDAKVM_TESTS_TYPES_H

#include "fakes/support.h"

#include <bpf/btf.h>

#include "kvm/stat_schema.h"

/* Ids of what structs are made of, in what types_new() gave. */
extern int u8, u16, u32, u64, u128, s32, s64, pointer, atomic64, atomic32;

struct btf *types_new(void);

/* Add types; each returns its id. */
int add_atomic(struct btf *btf, const char *name, int type, __u32 size);
int add_array(struct btf *btf, int type, __u32 n);

/* struct kvm_vcpu_stat { u64 x_exits; u64 x_hist[32]; } */
int add_vcpu_stat(struct btf *btf);

/* struct kvm and struct kvm_vcpu, with a stat member of that type. */
void add_vm(struct btf *btf, int stat);
void add_vcpu(struct btf *btf, int stat);

/* Add a member, at an offset in bytes, to the struct that was added last. */
void field(struct btf *btf, const char *name, int type, __u32 offset);

/* Move the last member of that struct by some bits. */
void field_shift(struct btf *btf, int id, __u32 bits);

/* Write it to a file of the folder "btf", and free it. */
void btf_write(struct btf *btf, const char *path);

/*
 * The statistics are these: "name@offset:size", and "x32" if it is a histogram. They
 * are numbered, and nothing else is known of them.
 */
void assert_list(const struct stat_list *list, const char *expected);

/* What is in "btf" is read with that error, and nothing is returned. */
void assert_layout_fails(int err);

struct descriptor {
	const char *name;
	unsigned flags;
	int exponent;
	unsigned bucket_size;
};

/* Write descriptors as KVM does; names take name_size, and something stands before them. */
void write_descriptors(const char *path, const struct descriptor *list, size_t n, __u32 name_size);

#endif /* PMDAKVM_TESTS_TYPES_H */
