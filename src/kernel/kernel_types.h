/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The kernel's type information (BTF): of vmlinux and of modules. Parsing that of vmlinux takes 4
 * to 10 ms and some 6 MiB, so everybody who needs it during one pass of attaching shares one copy,
 * and it is freed after the pass. A module can be reloaded with other types between two passes.
 * Threads may share one, but for kernel_types_close(), which is called when the others have ended.
 */
#ifndef PMDAKVM_KERNEL_TYPES_H
#define PMDAKVM_KERNEL_TYPES_H

#include <bpf/btf.h>
#include <stdbool.h>
#include <stddef.h>

#define KERNEL_TYPES_DIR     "/sys/kernel/btf"

#define KERNEL_TYPES_FILES   8
#define KERNEL_TYPES_VMLINUX "vmlinux"

/* A file of the directory that was asked for. */
struct kernel_types_file {
	const char *name;
	struct btf *btf; /* NULL: err says why */
	int err;
};

/* Initialize with { .dir = KERNEL_TYPES_DIR }, or another directory of this form. */
struct kernel_types {
	const char *dir;
	struct kernel_types_file files[KERNEL_TYPES_FILES];
	size_t n;
	char core[32]; /* path of core_types.h's file; empty: not made */
	int core_fd;
};

/*
 * The types of the kernel itself, with KVM's if it is built in. They are read at the first call
 * and valid until kernel_types_close(). Returns 0 or the error of reading them, such as -ENOENT;
 * that error, too, is remembered until then.
 */
int kernel_types_vmlinux(struct kernel_types *types, const struct btf **ret_btf);

/*
 * The same for a module. name is a constant; its types have the ids from that of
 * btf__type_cnt(vmlinux) on, and those of vmlinux the ids below. Returns -ENOENT if there is no
 * such module, it is built in, or it has no type information.
 */
int kernel_types_module(struct kernel_types *types, const char *name, const struct btf **ret_btf);

/*
 * The file for libbpf's btf_custom_path when it opens the object of a program of vCPU threads;
 * NULL: libbpf is to read the kernel's. Valid until kernel_types_close().
 */
const char *kernel_types_core(struct kernel_types *types);

/* Free what was read; the next call reads anew. */
void kernel_types_close(struct kernel_types *types);

#endif /* PMDAKVM_KERNEL_TYPES_H */
