/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The collector's state of one family, which the agent's own tables show. */
#ifndef PMDAKVM_COLLECTOR_FAMILY_H
#define PMDAKVM_COLLECTOR_FAMILY_H

#include "families/family.h"

struct collector_family {
	const struct family *family;
	void *state;
	int err;	      /* 0: attached */
	char *error;	      /* text for err, or what an attached family lacks; or NULL */
	uint64_t attach_time; /* ns that loading and attaching took */
	bool loaded;	      /* open succeeded; the family can be attached */
	bool unreported;      /* a quiet tick set err, which is not reported yet */
	bool wanted;	      /* the value of kvm.control.attached */
};

#endif /* PMDAKVM_COLLECTOR_FAMILY_H */
