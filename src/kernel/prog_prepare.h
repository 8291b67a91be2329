/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What is put into programs between libbpf's own work on them and the kernel's. */
#ifndef PMDAKVM_PROG_PREPARE_H
#define PMDAKVM_PROG_PREPARE_H

#include <bpf/btf.h>
#include <bpf/libbpf.h>

/*
 * From now on, programs of objects that this process opens, in a section raw_tp, tp or
 * iter/task_file, get when they are loaded the addresses of direct maps (direct_maps.h) and the
 * kernel's numbers of functions. tp_type: what a program in a section tp is,
 * BPF_PROG_TYPE_TRACEPOINT; a test that runs such programs itself says otherwise, for a program
 * whose type is set after it was opened may lose this (libbpf 1.5). Another call changes nothing.
 * Returns 0 or an error.
 */
int prog_prepare_init(enum bpf_prog_type tp_type);

/*
 * libbpf, which others in this process may use on, calls nothing of ours from now on; until the
 * next prog_prepare_init().
 */
void prog_prepare_end(void);

/*
 * Take those numbers from the types of the kernel that loads programs: of bpf_rdonly_cast(), for
 * KERNEL_CAST_CALL, and of the iterator over open files. They are the same while the kernel runs.
 */
void prog_prepare_types(const struct btf *kernel);

#endif /* PMDAKVM_PROG_PREPARE_H */
