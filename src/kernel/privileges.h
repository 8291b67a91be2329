/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Privileges: what counting takes, and letting go of the rest (libcap-ng). */
#ifndef PMDAKVM_PRIVS_H
#define PMDAKVM_PRIVS_H

#include <stddef.h>

/*
 * Which of the capabilities that BPF takes this process lacks, in words such as
 * "CAP_BPF and CAP_PERFMON are"; "" if it has both. On kernels before 5.8 CAP_SYS_ADMIN
 * stands for both.
 */
const char *privs_missing(void);

/*
 * Why loading BPF gave this error, in words, to be freed; NULL: no memory. lockdown is
 * the path of the kernel's word on its mode, which may be missing.
 */
char *privs_load_text(int err, const char *lockdown);

/*
 * Keep those capabilities and no other, for this process and what it may execute,
 * with no_new_privs; and become the user of that name (NULL: stay who we are).
 * Returns 0, -ENOENT for a user that does not exist, or another error.
 */
int privs_drop(const char *user);

#endif /* PMDAKVM_PRIVS_H */
