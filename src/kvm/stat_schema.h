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

#include "metrics/units.h"

#define STAT_NAME_SIZE 48 /* the kernel's, with the final 0 */

struct statistic {
	char name[STAT_NAME_SIZE];
	enum stat_kind kind;
	enum metric_units units; /* of the value; of a histogram: of what it sorts */
	uint64_t scale; /* value (of a histogram: what it sorts) times this is in those units */
	uint64_t bucket_size; /* of a linear histogram, before the scale; 0: unknown */
	uint32_t offset;      /* in the stat member */
	uint32_t size;	      /* of one value in the kernel: 1, 2, 4 or 8 */
	uint32_t buckets;     /* values it has; 1 in what is no histogram */
	uint32_t first;	      /* its first value's place among the decoded ones */
};

struct stat_list {
	struct statistic *list; /* by offset; no two share a name, or a byte */
	size_t n;
	uint32_t nvalues; /* decoded, over all statistics */
	uint32_t bytes;	  /* of the stat member */
};

#define STAT_NO_OFFSET UINT32_MAX /* this kernel has no such member */

struct stat_layout {
	struct stat_list vm, vcpu;
	/*
	 * offsets in struct kvm; userspace_pid (a pid_t) and debugfs_dentry or
	 * STAT_NO_OFFSET
	 */
	uint32_t vm_stat, vm_userspace_pid, vm_debugfs_dentry;
	/* offsets in struct kvm_vcpu; pid (a struct pid *) or STAT_NO_OFFSET */
	uint32_t vcpu_stat, vcpu_kvm, vcpu_id, vcpu_pid;
};

/* Where the kernel shows KVM, as a module or built in. */
#define STAT_MODULE_DIR "/sys/module/kvm"

/*
 * Does btf_dir have type information for the KVM that runs? The kernel's own may have some
 * of KVM's types without: where KVM is a module that is not loaded, or that has none
 * (before 5.11). Returns 0, -ENOENT if there is no KVM in module_dir, or -ENODATA.
 */
int stat_layout_kvm(const char *module_dir, const char *btf_dir);

/*
 * Read the type information in btf_dir (vmlinux, and kvm where it is a module); it is
 * let go again. A statistic is an integer, an atomic, or an array of integers (which is
 * a histogram), in however many structs and unions; what else stands there is left out,
 * and so is what shares bytes or a name with an earlier one. All kinds are as stats.def
 * says; what that does not know is STAT_INSTANT, of METRIC_COUNT, or STAT_LOG_HIST, of
 * METRIC_NSEC, if it is an array. Returns 0, -ENOENT if there is no KVM in it (or no type
 * information), -EINVAL if KVM's types are not as known, or -ENOMEM. ret_layout is
 * untouched on failure.
 */
int stat_layout_read(const char *btf_dir, struct stat_layout *ret_layout);

/* NULL is fine. */
void stat_layout_free(struct stat_layout *layout);

/*
 * Make a VM with one vCPU by way of the device at path ("/dev/kvm"), take kinds, units
 * and scales from its statistics' descriptors, by name, and throw it away. Where the vCPU
 * cannot be made or asked, the VM's statistics alone are described. Returns 0 or why it
 * could not be done (then the layout is as it was); a kernel before 5.14 gives -ENOTTY.
 */
int stat_layout_describe(const char *path, struct stat_layout *layout);

/*
 * The same for one list, from the file that KVM_GET_STATS_FD gives. A kind that is not
 * known, or that contradicts what the type information says, is not believed; units that
 * cannot be told in ours leave the statistic's as they are. Returns 0, -EINVAL if it is no
 * such file, -ENOMEM, or the error of reading it; the list is as it was on failure.
 */
int stat_list_describe(int fd, struct stat_list *list);

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

/* Can it be of that kind? What is a histogram is known from its type in the kernel. */
static inline bool stat_can_be(const struct statistic *stat, enum stat_kind kind)
{
	return stat_is_histogram(stat) == (kind >= STAT_LINEAR_HIST);
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

/*
 * Turn a stat member as it stands in the kernel, list->bytes at any address, into
 * list->nvalues values: taken as unsigned, and times the scale where it is no histogram,
 * whose buckets count.
 */
void stat_decode(const struct stat_list *list, const void *member, uint64_t *ret_values);

/*
 * What a bucket holds, in the statistic's units, as its instance is called: "0", "1",
 * "2-3", "4096-8191"; the last one has no end: "1073741824+". "bucket-7" where that is not
 * known, or beyond 64 bits. All names of a histogram differ. Cut to size, with its final 0.
 */
void stat_bucket_name(const struct statistic *stat, uint32_t bucket, char *name, size_t size);

#endif /* PMDAKVM_STAT_LAYOUT_H */
