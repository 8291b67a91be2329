/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What programs with typed loads share with their loader. */
#ifndef PMDAKVM_KERNEL_WORDS_H
#define PMDAKVM_KERNEL_WORDS_H

/*
 * No helper function has this number: calls of it stand for calls of bpf_rdonly_cast(), which the
 * loader makes of them (src/kernel/prog_prepare.h). For a function that an object names libbpf
 * reads and searches all types of the kernel, once for each object.
 */
#define KERNEL_CAST_CALL 0x7d000001

#endif /* PMDAKVM_KERNEL_WORDS_H */
