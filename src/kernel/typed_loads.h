/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Objects that read kernel memory are built twice: with probe reads, and with the typed loads that
 * Linux has since 6.2 (bpf/kernel_words.bpf.h). Both builds have the same maps and programs, so the
 * skeleton of one serves for both. What the type information promises can still be refused, for
 * one where programs are not compiled: then the other build is tried.
 */
#ifndef PMDAKVM_TYPED_LOADS_H
#define PMDAKVM_TYPED_LOADS_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>

#include "kernel/kernel_types.h"

/* Has this kernel typed loads? */
bool typed_loads_exist(struct kernel_types *types);

/*
 * Open a skeleton that NAME__create_skeleton() has filled in: the object of this image, an
 * elf_bytes function of a skeleton; NULL: its own. types: of kernel_types_core(), which
 * the typed build cannot do without; NULL: libbpf reads the kernel's. Returns 0 or an error.
 */
int typed_loads_open(struct bpf_object_skeleton *skeleton, const void *(*image)(size_t *ret_size),
		     const char *types);

#endif /* PMDAKVM_TYPED_LOADS_H */
