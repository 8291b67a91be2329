/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the first line of kvmbpf top says of the host and the time. */
#ifndef PMDAKVM_TOP_ABOUT_H
#define PMDAKVM_TOP_ABOUT_H

#include <stddef.h>

#define TOP_CLOCK_SIZE 16

/* The time of day. */
void top_clock(char text[TOP_CLOCK_SIZE]);

/* The kernel, which KVM it has, and the CPUs; or the file that is shown. */
void top_host_text(const char *file, char *text, size_t size);

#endif /* PMDAKVM_TOP_ABOUT_H */
