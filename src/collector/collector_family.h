/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The collector's state of one family, which the agent's own tables show; opens and attaches it. */
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

/* Is the family to be opened? */
bool collector_family_is_chosen(const struct config *config, const struct family *family);

/* Open the family, if it is chosen, and note the result. */
void collector_family_open(struct collector_family *open, const struct family_env *env);

/* Attach what is not attached yet of a family that is loaded, and note the result. */
void collector_family_attach(struct collector_family *open, bool quiet, struct report *report);

/*
 * Store the result of opening or attaching; takes ownership of error. A new error is reported
 * once: a quiet call defers the report to the next call that is not quiet.
 */
void collector_family_note(struct collector_family *open, int err, char *error, bool quiet,
			   struct report *report);

#endif /* PMDAKVM_COLLECTOR_FAMILY_H */
