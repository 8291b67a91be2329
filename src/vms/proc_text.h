/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The text files of a process in /proc. */
#ifndef PMDAKVM_PROC_TEXT_H
#define PMDAKVM_PROC_TEXT_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Bytes read of a file at most. A process can make its command line megabytes long; libvirt writes
 * tens of KiB at most, with the name at the front.
 */
#define PROC_TEXT_MAX (128 << 10)

struct proc_text {
	char *text; /* size bytes and a NUL */
	size_t size;
	int err; /* a positive errno: why the file could not be read; 0: it could */
};

/*
 * Read PROC/PID/NAME. The text is empty if the file cannot be read, since the process may have
 * ended, or /proc may hide it. Lack of memory is an error, so that it does not change the VM's
 * name. Returns 0, with a text that the caller frees, or -ENOMEM.
 */
int proc_text_read(const char *proc, pid_t pid, const char *name, struct proc_text *ret_text);

#endif /* PMDAKVM_PROC_TEXT_H */
