// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The same for kernels with typed loads. */
#define TYPED_LOADS
#include "clocked_ledger.bpf.c"
