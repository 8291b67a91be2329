/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Opens all families, two at a time where there are two CPUs. */
#ifndef PMDAKVM_FAMILIES_OPEN_H
#define PMDAKVM_FAMILIES_OPEN_H

#include "collector/collector_family.h"

/*
 * Open the families that are chosen and note the results; open[families_count] name them. Those
 * that use what others share are opened after these. No thread of it is left; config->one_thread:
 * there was none. The report has what each says in the order of the families. Returns 0, or
 * -ENOMEM: none was opened.
 */
int families_open(struct collector_family *open, const struct family_env *env);

#endif /* PMDAKVM_FAMILIES_OPEN_H */
