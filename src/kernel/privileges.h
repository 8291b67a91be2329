/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Check for the capabilities that BPF needs and drop all others (libcap-ng). */
#ifndef PMDAKVM_PRIVS_H
#define PMDAKVM_PRIVS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Return the missing capabilities as text with a verb, such as "CAP_BPF and CAP_PERFMON are";
 * "" if none is missing or capabilities cannot be read. Kernels before 5.8 need CAP_SYS_ADMIN
 * instead.
 */
const char *privs_missing(void);

/*
 * Explain an error (negative errno) of loading or attaching BPF, by the table of causes in
 * kernel/refusal.c, where this function is. The caller frees the text; NULL: no memory.
 * lockdown is the path of the kernel's lockdown file, which may not exist.
 */
char *privs_load_text(int err, const char *lockdown);

/*
 * Keep only those capabilities, set no_new_privs, and change to the named user (NULL: keep the
 * user). Its only supplementary group is this one (0: none); a user that is kept gets it besides
 * its own, if it may. Returns 0, -ENOENT for an unknown user, or another negative errno.
 */
int privs_drop(const char *user, gid_t group);

#endif /* PMDAKVM_PRIVS_H */
