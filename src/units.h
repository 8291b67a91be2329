/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What a number means: how it moves, and what it counts. */
#ifndef PMDAKVM_UNITS_H
#define PMDAKVM_UNITS_H

enum metric_semantics { METRIC_COUNTER, METRIC_INSTANT, METRIC_DISCRETE };

enum metric_units { METRIC_NONE, METRIC_COUNT, METRIC_NSEC, METRIC_BYTES };

#endif /* PMDAKVM_UNITS_H */
