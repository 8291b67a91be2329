/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What the stat family asks of the kernel and of libbpf, answered to order. */
#ifndef PMDAKVM_TESTS_STAT_KERNEL_H
#define PMDAKVM_TESTS_STAT_KERNEL_H

#include "fakes/fake_vms.h"

extern struct kernel {
	/* the iterator: bytes that it gives, so many at a time, and how it goes wrong */
	char bytes[65536];
	size_t size, at, step;
	int read_errs[2]; /* before anything is read; after it all was. 0: none */
	int interrupts;	  /* reads that are broken off before each that is not */
	int create_err;
	unsigned passes;
	/* loading and attaching */
	int kvm_err, layout_err, load_err, link_err;
	const char *layout_name; /* what "count" is called; NULL: that */
	const void *pins;	 /* that are expected */
	int objects;		 /* that are open */
	unsigned links, describes, generation;
	bool linked;
	uint32_t value_sizes[2], max_vms; /* of the maps */
	uint64_t ns;			  /* what the clock says */
} kernel;

/* The image, and a handle of the object that is made of it. */
extern const char kernel_object[1];

/* The iterator gives these from now on. */
void kernel_show(const struct shown *const *list);
#define show(...) kernel_show((const struct shown *const[]){ __VA_ARGS__, NULL })

/* Refresh the family as the first one that reads at a time does. */
int kernel_refresh(struct vms *of, void *family);

#endif /* PMDAKVM_TESTS_STAT_KERNEL_H */
