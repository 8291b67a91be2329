/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * KVM's own statistics, as this kernel keeps them in struct kvm and struct
 * kvm_vcpu: which there are, where, and what each means. Names and places come
 * from the kernel's type information (BTF); what they mean from the descriptors of
 * a VM made for that and thrown away, else from stats.def.
 */
#ifndef PMDAKVM_STAT_LAYOUT_H
#define PMDAKVM_STAT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "units.h"

#define STAT_NAME_SIZE 48 /* the kernel's, with the final 0 */

struct statistic {
	char name[STAT_NAME_SIZE];
	enum stat_kind kind;
	enum metric_units units; /* of the value; of a histogram: of what it sorts */
	uint64_t scale;		 /* value times this is in those units */
	uint64_t bucket_size;	 /* of a linear histogram */
	uint32_t offset;	 /* in the stat member */
	uint32_t size;		 /* of one value in the kernel: 1, 2, 4 or 8 */
	uint32_t buckets;	 /* values it has; 1 in what is no histogram */
	uint32_t first;		 /* its first value's place among the decoded ones */
};

struct stat_list {
	struct statistic *list;
	size_t n;
	uint32_t nvalues; /* decoded, over all statistics */
	uint32_t bytes;	  /* of the stat member */
};

struct stat_layout {
	struct stat_list vm, vcpu;
	/* offsets in struct kvm; UINT32_MAX: it has no such member */
	uint32_t vm_stat, vm_userspace_pid, vm_debugfs_dentry;
	/* offsets in struct kvm_vcpu */
	uint32_t vcpu_stat, vcpu_kvm, vcpu_id, vcpu_pid;
};

/*
 * Read the type information in btf_dir (vmlinux, and kvm where it is a module); it is
 * let go again. All kinds are as stats.def says; what that does not know is STAT_INSTANT,
 * of METRIC_COUNT, or STAT_LOG_HIST if it is an array. Returns 0, -ENOENT if there is no
 * KVM in it, -EINVAL if KVM's types are not as known, or -ENOMEM. ret_layout is untouched
 * on failure.
 */
int stat_layout_read(const char *btf_dir, struct stat_layout *ret_layout);

void stat_layout_free(struct stat_layout *layout);

/*
 * Make a VM with one vCPU by way of the device at path ("/dev/kvm"), take kinds, units
 * and scales from its statistics' descriptors, by name, and throw it away. Returns 0 or
 * why it could not be done (then the layout is as it was); a kernel before 5.14 gives
 * -ENOTTY.
 */
int stat_layout_describe(const char *path, struct stat_layout *layout);

/* Are names, places and offsets the same? (Kinds are what they are described as.) */
bool stat_layout_equal(const struct stat_layout *one, const struct stat_layout *other);

/* The statistic of that name, or NULL. */
const struct statistic *stat_list_find(const struct stat_list *list, const char *name);

/* Do its values grow only, so that those of an ended VM count on? */
static inline bool stat_is_cumulative(const struct statistic *stat)
{
	return stat->kind == STAT_CUMULATIVE || stat->kind >= STAT_LINEAR_HIST;
}

static inline bool stat_is_histogram(const struct statistic *stat)
{
	return stat->kind >= STAT_LINEAR_HIST;
}

/*
 * Add values to a sum, of a VM's vCPUs or of a host's VMs: counters and gauges add up, of
 * peaks the highest counts. With cumulative set only what grows only is added: what
 * something that has ended leaves behind.
 */
void stat_add(const struct stat_list *list, const uint64_t *values, bool cumulative, uint64_t *sum);

/* Has anything that grows only fallen? Then these are another's values. */
bool stat_fell(const struct stat_list *list, const uint64_t *before, const uint64_t *now);

/* Of what grows only: add to sum what values are short of those before. */
void stat_add_missing(const struct stat_list *list, const uint64_t *before, const uint64_t *values,
		      uint64_t *sum);

/* Turn a stat member as it stands in the kernel, list->bytes, into list->nvalues values. */
void stat_decode(const struct stat_list *list, const void *member, uint64_t *ret_values);

/*
 * What a bucket holds, as its instance is called: "0", "1", "2-3", "4096-8191"; the last
 * one has no end: "1073741824+".
 */
void stat_bucket_name(const struct statistic *stat, uint32_t bucket, char *name, size_t size);

#endif /* PMDAKVM_STAT_LAYOUT_H */
