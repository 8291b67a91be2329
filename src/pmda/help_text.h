/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* libpcp_pmda's callback for help texts. */
#ifndef PMDAKVM_PMDA_HELP_TEXT_H
#define PMDAKVM_PMDA_HELP_TEXT_H

#include <pcp/pmapi.h>
#include <pcp/pmda.h>

int kvm_text(int ident, int type, char **buffer, pmdaExt *pmda);

#endif /* PMDAKVM_PMDA_HELP_TEXT_H */
