/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
#ifndef PMDAKVM_BOOT_ID_H
#define PMDAKVM_BOOT_ID_H

#define BOOT_ID_MAX 64

/* Read an identifier of this boot of the host: "" if it is unknown. Returns 0 or -ENOMEM. */
int boot_id_read(const char *proc, char ret_boot[BOOT_ID_MAX]);

#endif /* PMDAKVM_BOOT_ID_H */
