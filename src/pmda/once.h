/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the daemon's program does once and then ends, instead of serving pmcd. */
#ifndef PMDAKVM_ONCE_H
#define PMDAKVM_ONCE_H

/* Both are of this type, so that an option can stand for one. */
typedef int (*once_fn)(const char *config_path);

/*
 * Both read the kvm.conf at that path (NULL: the default), print what they found, and return
 * an exit status.
 */

/* Remove the pinned maps; EXIT_SUCCESS if none of ours is left. */
int once_unpin(const char *config_path);

/*
 * Load and attach everything, and let go of it again; nothing is pinned. EXIT_SUCCESS if at
 * least one family counted.
 */
int once_tryload(const char *config_path);

#endif /* PMDAKVM_ONCE_H */
