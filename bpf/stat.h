/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Layouts of the stat family, shared by the BPF side and the user side. */
#ifndef PMDAKVM_BPF_STAT_H
#define PMDAKVM_BPF_STAT_H

#include "pin.h"
#include "vms.h"

/*
 * Layout version of this family's pinned maps. Increment it when the meaning of their contents
 * changes but not the size: maps of another version are replaced, counters restart at 0.
 */
#define STAT_LAYOUT 1

#endif /* PMDAKVM_BPF_STAT_H */
