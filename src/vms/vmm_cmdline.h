/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What a VMM's command line tells of its VM. Which VMMs are known is in vmm.def. */
#ifndef PMDAKVM_VMM_CMDLINE_H
#define PMDAKVM_VMM_CMDLINE_H

#include <stddef.h>

/* All of them are in the text that was parsed, and NULL if it does not have them. */
struct vmm_cmdline {
	const char *name;    /* as it was given to the VMM */
	const char *uuid;    /* as it was given */
	const char *sandbox; /* Kata's, from the path of the VMM's socket */
};

/*
 * Parse the text of a cmdline file: size bytes, arguments that end with a NUL, and a NUL behind
 * them. The VMM is known by its program's name, else by comm, the kernel's command name. The text
 * is changed.
 */
void vmm_cmdline_parse(char *text, size_t size, const char *comm, struct vmm_cmdline *ret_found);

#endif /* PMDAKVM_VMM_CMDLINE_H */
