/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Calls that end the program if they fail, after saying on stderr which one did. */
#ifndef PMDAKVM_TESTS_XCALLS_H
#define PMDAKVM_TESTS_XCALLS_H

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#define xioctl(fd, request, arg) xioctl_named(fd, request, (unsigned long)(arg), #request)
static inline int xioctl_named(int fd, unsigned long request, unsigned long arg, const char *name)
{
	int ret = ioctl(fd, request, arg);

	if (ret >= 0)
		return ret;
	fprintf(stderr, "%s: %s: %s\n", program_invocation_short_name, name, strerror(errno));
	exit(EXIT_FAILURE);
}

/* Shared memory of a file; fd below 0: of none. */
static inline void *xmmap(size_t size, int fd)
{
	int flags = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, flags, fd, 0);

	if (memory != MAP_FAILED)
		return memory;
	fprintf(stderr, "%s: mmap: %s\n", program_invocation_short_name, strerror(errno));
	exit(EXIT_FAILURE);
}

#endif /* PMDAKVM_TESTS_XCALLS_H */
