/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Fakes the kernel and libbpf calls of the stat family. */
#ifndef PMDAKVM_TESTS_STAT_KERNEL_H
#define PMDAKVM_TESTS_STAT_KERNEL_H

#include "families/family.h"
#include "fakes/fake_skeleton.h"
#include "fakes/fake_vms.h"
#include "vms/vm_passes.h"

extern struct kernel {
	/* the iterator: its output, the bytes returned by one read (step), and its errors */
	char bytes[65536];
	size_t size, at, step;
	int read_errs[2]; /* of the first read; of the read after all bytes. 0: none */
	int interrupts;	  /* EINTRs before each read that succeeds */
	int create_err;
	unsigned passes;
	/* loading and attaching */
	int kvm_err, layout_err, load_err, link_err; /* of the register */
	int maps_err;				     /* of the family's maps */
	bool typed_loads;			     /* it says that it has them, */
	bool typed_refused;			     /* and refuses them nevertheless */
	bool typed;				     /* the iterator was last loaded with them */
	const char *layout_name; /* another name for the statistic "count", or NULL */
	const void *pins;	 /* the pins that the family must pass */
	int objects;		 /* open BPF objects */
	unsigned links, describes, generation;
	bool linked;
	uint32_t value_sizes[2], max_vms; /* of the maps */
	uint64_t ns;			  /* the clock */
} kernel;

/* Set the records that the iterator returns. */
void kernel_show(const struct shown *const *list);
#define show(...) kernel_show((const struct shown *const[]){ __VA_ARGS__, NULL })

/* Attach the register, then the family, in the collector's order. */
int kernel_attach(struct vms *of, void *family, const struct config *config, struct report *to,
		  char **ret_error);

/* Mark the register stale and refresh the family, as the first read of a fetch does. */
int kernel_refresh(struct vms *of, void *family);

#endif /* PMDAKVM_TESTS_STAT_KERNEL_H */
