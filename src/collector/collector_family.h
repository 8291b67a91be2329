/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* How one family is getting on: what the collector knows of it, and its own tables show. */
#ifndef PMDAKVM_COLLECTOR_FAMILY_H
#define PMDAKVM_COLLECTOR_FAMILY_H

#include "families/family.h"

struct collector_family {
	const struct family *family;
	void *state;
	int err;	      /* 0: attached */
	char *error;	      /* why not, or what is lacking, in words; or NULL */
	uint64_t attach_time; /* ns that loading and attaching took */
	bool loaded;	      /* open succeeded; only then it can be attached */
	bool unsaid;	      /* err came at a look that was to be quiet */
	bool wanted;	      /* the switch kvm.control.attached */
};

#endif /* PMDAKVM_COLLECTOR_FAMILY_H */
