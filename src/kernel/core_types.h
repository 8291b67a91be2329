/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The few kernel types that programs name, as a small file for libbpf. It would read and search
 * those of the whole kernel once for each object, which takes it 20 to 40 ms. The file also tells
 * programs the numbers that the kernel gives to types (enum kernel_word_ids in bpf/).
 */
#ifndef PMDAKVM_CORE_TYPES_H
#define PMDAKVM_CORE_TYPES_H

#include <bpf/btf.h>

/*
 * Copy from a kernel's BTF the types that vmlinux.h has, with those that they contain; pointers
 * lose their type. One that the kernel has not is left out. Returns NULL if there is no memory; the
 * caller frees it with btf__free().
 */
struct btf *core_types_copy(const struct btf *kernel);

/*
 * Write them into a file in memory. Returns its descriptor, or an error. It can be opened as
 * /proc/self/fd/N while that is open.
 */
int core_types_write(const struct btf *types);

#endif /* PMDAKVM_CORE_TYPES_H */
