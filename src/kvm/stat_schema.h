/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The schema of KVM's own statistics in struct kvm and struct kvm_vcpu: names, offsets, kinds and
 * units on this kernel. Names and offsets come from BTF; kinds and units come from the descriptors
 * (KVM_GET_STATS_FD) of a temporary VM, or else from stat_items.def.
 */
#ifndef PMDAKVM_STAT_SCHEMA_H
#define PMDAKVM_STAT_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel_types.h"
#include "metrics/snapshot.h"
#include "metrics/units.h"

#define STAT_NAME_SIZE 48 /* including the NUL */

struct statistic {
	char name[STAT_NAME_SIZE];
	enum stat_kind kind;
	enum metric_units units; /* of the value; for a histogram: of the values it sorts */
	uint64_t scale; /* value (for a histogram: the sorted value) * scale is in those units */
	uint64_t bucket_size; /* of a linear histogram, before scaling; 0: unknown */
	uint32_t offset;      /* bytes from the start of the stat member */
	uint32_t size;	      /* bytes of one value in the kernel: 1, 2, 4 or 8 */
	uint32_t buckets;     /* number of values; 1 if not a histogram */
	uint32_t first;	      /* index of its first value among the decoded values */
};

struct stat_list {
	struct statistic *list; /* sorted by offset; names are unique, bytes do not overlap */
	size_t n;
	uint32_t nvalues; /* decoded values of all statistics */
	uint32_t bytes;	  /* size of the stat member */
};

#define STAT_NO_OFFSET UINT32_MAX /* the kernel has no such member */

struct stat_layout {
	struct stat_list vm, vcpu;
	/*
	 * offsets in struct kvm; userspace_pid (a pid_t) and debugfs_dentry can be STAT_NO_OFFSET
	 */
	uint32_t vm_stat, vm_userspace_pid, vm_debugfs_dentry;
	/* offsets in struct kvm_vcpu; pid (a struct pid *) can be STAT_NO_OFFSET */
	uint32_t vcpu_stat, vcpu_kvm, vcpu_id, vcpu_pid;
	uint32_t vcpu_tsc_khz; /* x86: a 32-bit number; can be STAT_NO_OFFSET */
	unsigned refs;	       /* of a shared layout */
};

/* sysfs folder of KVM, as a module or built in. */
#define STAT_MODULE_DIR "/sys/module/kvm"

/*
 * Does btf_dir have BTF for the running KVM? The kernel's own BTF can contain some of KVM's types
 * even if KVM is a module that is not loaded, or a module without BTF (before 5.11). Returns 0,
 * -ENOENT if KVM is not in module_dir, or -ENODATA if BTF is missing.
 */
int stat_layout_kvm(const char *module_dir, const char *btf_dir);

/*
 * Build the layout from the types of vmlinux, and of kvm where it is a module. A statistic
 * is an integer, an atomic, or an array of integers (a histogram), at any depth of structs and
 * unions; other members are skipped, and so is a member that shares bytes or a name with an earlier
 * one. Kinds are as in stat_items.def; an unknown name is STAT_INSTANT in METRIC_COUNT, or
 * STAT_LOG_HIST in METRIC_NSEC for an array. Returns 0, -ENOENT if there is no KVM in the BTF (or
 * no BTF), -EINVAL if KVM's types are unknown, or -ENOMEM. ret_layout is untouched on failure.
 */
int stat_layout_read(struct kernel_types *types, struct stat_layout *ret_layout);

/* Takes NULL. */
void stat_layout_free(struct stat_layout *layout);

/*
 * Move a layout to one that is shared by references, with one reference. Returns NULL if there is
 * no memory; then the layout is unchanged. The last stat_layout_unref() frees it; that takes NULL.
 */
struct stat_layout *stat_layout_share(struct stat_layout *layout);
struct stat_layout *stat_layout_ref(struct stat_layout *layout);
void stat_layout_unref(struct stat_layout *layout);

/*
 * Create a temporary VM with one vCPU through the device at path ("/dev/kvm") and take kinds, units
 * and scales from its statistics' descriptors, by name. If the vCPU cannot be created or described,
 * only the VM's statistics are. Returns 0 or an error that leaves the layout unchanged; a kernel
 * before 5.14 gives -ENOTTY.
 */
int stat_layout_describe(const char *path, struct stat_layout *layout);

/*
 * Describe one list from a file of KVM_GET_STATS_FD. A kind that is unknown or contradicts BTF is
 * ignored; units without an equivalent here leave the statistic's units unchanged. Returns 0,
 * -EINVAL if the file has another format, -ENOMEM, or the error from reading it; the list is
 * unchanged on failure.
 */
int stat_list_describe(int fd, struct stat_list *list);

/*
 * Are names, sizes and offsets the same? Kinds are not compared, since they come from descriptors.
 */
bool stat_layout_equal(const struct stat_layout *one, const struct stat_layout *other);

/* The statistic with this name, or NULL. */
const struct statistic *stat_list_find(const struct stat_list *list, const char *name);

/* Do its values only grow, so that a destroyed VM's values stay in the totals? */
static inline bool stat_is_cumulative(const struct statistic *stat)
{
	return stat->kind == STAT_CUMULATIVE || stat->kind >= STAT_LINEAR_HIST;
}

static inline bool stat_is_histogram(const struct statistic *stat)
{
	return stat->kind >= STAT_LINEAR_HIST;
}

/* Can it have this kind? BTF decides whether a statistic is a histogram. */
static inline bool stat_can_be(const struct statistic *stat, enum stat_kind kind)
{
	return stat_is_histogram(stat) == (kind >= STAT_LINEAR_HIST);
}

/*
 * Add values to a sum over a VM's vCPUs or a host's VMs: counters and gauges are added, peaks are
 * maximized. With cumulative set, add only cumulative statistics: those that outlive their VM or
 * vCPU.
 */
void stat_add(const struct stat_list *list, const uint64_t *values, bool cumulative, uint64_t *sum);

/* Has any cumulative value fallen? Then it was reset, or belongs to another VM or vCPU. */
bool stat_fell(const struct stat_list *list, const uint64_t *before, const uint64_t *now);

/* Cumulative statistics only: add to sum the amounts by which values are below before. */
void stat_add_missing(const struct stat_list *list, const uint64_t *before, const uint64_t *values,
		      uint64_t *sum);

/* Cumulative statistics only: where before is larger, it takes the place of the value. */
void stat_take_larger(const struct stat_list *list, const uint64_t *before, uint64_t *values);

/*
 * Decode a stat member as copied from the kernel (list->bytes, any alignment) into list->nvalues
 * values. Values are taken as unsigned and scaled; histogram buckets are counts and not scaled.
 */
void stat_decode(const struct stat_list *list, const void *member, uint64_t *ret_values);

/*
 * The values that the kernel sorts into a bucket, in the statistic's units; the last bucket is
 * open. Returns false if the range is unknown or exceeds 64 bits. Ranges of one histogram do not
 * overlap.
 */
bool stat_bucket_range(const struct statistic *stat, uint32_t bucket,
		       struct snapshot_range *ret_range);

#endif /* PMDAKVM_STAT_SCHEMA_H */
