/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* libpcp_pmda's callbacks for labels of instance domains, items and instances. */
#ifndef PMDAKVM_PMDA_LABELS_H
#define PMDAKVM_PMDA_LABELS_H

#include <pcp/pmapi.h>
#include <pcp/pmda.h>

int kvm_label(int ident, int type, pmLabelSet **sets, pmdaExt *pmda);
int kvm_label_instance(pmInDom indom, unsigned int inst, pmLabelSet **set);

#endif /* PMDAKVM_PMDA_LABELS_H */
