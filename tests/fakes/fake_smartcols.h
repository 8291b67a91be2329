/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * A test that includes this has every libsmartcols call of ours that can return -ENOMEM count as
 * an allocation (see alloc_fail_at() in support.h).
 */
#ifndef PMDAKVM_TESTS_FAKE_SMARTCOLS_H
#define PMDAKVM_TESTS_FAKE_SMARTCOLS_H

#include <libsmartcols.h>

#endif /* PMDAKVM_TESTS_FAKE_SMARTCOLS_H */
