/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The programs of the ledger family for kernels with typed loads; see kernel_words.bpf.h. */
#define TYPED_LOADS
#include "ledger.bpf.c"
