// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kvm/stat_schema.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

/*
 * Limits memory use for a corrupt file; kernels have up to about 50 descriptors and names of 48
 * bytes.
 */
#define DESCRIPTORS_MAX 4096
#define NAME_SIZE_MAX	256

static const enum stat_kind kinds[] = {
	[KVM_STATS_TYPE_CUMULATIVE >> KVM_STATS_TYPE_SHIFT] = STAT_CUMULATIVE,
	[KVM_STATS_TYPE_INSTANT >> KVM_STATS_TYPE_SHIFT] = STAT_INSTANT,
	[KVM_STATS_TYPE_PEAK >> KVM_STATS_TYPE_SHIFT] = STAT_PEAK,
	[KVM_STATS_TYPE_LINEAR_HIST >> KVM_STATS_TYPE_SHIFT] = STAT_LINEAR_HIST,
	[KVM_STATS_TYPE_LOG_HIST >> KVM_STATS_TYPE_SHIFT] = STAT_LOG_HIST,
};

/*
 * Maps the kernel's units to ours: base^exponent kernel units times 10^more are one of ours. A
 * boolean counts 0 or 1.
 */
static const struct unit {
	enum metric_units units;
	int more;
} units[] = {
	[KVM_STATS_UNIT_NONE >> KVM_STATS_UNIT_SHIFT] = { METRIC_COUNT, 0 },
	[KVM_STATS_UNIT_BYTES >> KVM_STATS_UNIT_SHIFT] = { METRIC_BYTES, 0 },
	[KVM_STATS_UNIT_SECONDS >> KVM_STATS_UNIT_SHIFT] = { METRIC_NSEC, 9 },
	[KVM_STATS_UNIT_CYCLES >> KVM_STATS_UNIT_SHIFT] = { METRIC_COUNT, 0 },
	[KVM_STATS_UNIT_BOOLEAN >> KVM_STATS_UNIT_SHIFT] = { METRIC_COUNT, 0 },
};

/* The contents of a descriptor file. */
struct descriptors {
	char *bytes;
	size_t n, step; /* number of descriptors; bytes from one to the next */
};

static int power(unsigned base, int exponent, uint64_t *ret_power)
{
	uint64_t result = 1;

	if (exponent < 0)
		return -ERANGE;
	while (exponent-- > 0) {
		if (__builtin_mul_overflow(result, base, &result))
			return -ERANGE;
	}
	*ret_power = result;
	return 0;
}

/* Set units and scale, if the kernel's units are an integral multiple of ours. */
static void units_set(const struct kvm_stats_desc *desc, struct statistic *stat)
{
	unsigned unit = (desc->flags & KVM_STATS_UNIT_MASK) >> KVM_STATS_UNIT_SHIFT;
	unsigned base = desc->flags & KVM_STATS_BASE_MASK;
	uint64_t scale;
	int exponent;

	if (unit >= sizeof(units) / sizeof(units[0]))
		return;
	if (base != KVM_STATS_BASE_POW10 && base != KVM_STATS_BASE_POW2)
		return;
	/* kernels use only seconds and negative powers of ten of them */
	if (units[unit].more && (base != KVM_STATS_BASE_POW10 || desc->exponent > 0))
		return;
	exponent = desc->exponent + units[unit].more;
	if (power(base == KVM_STATS_BASE_POW10 ? 10 : 2, exponent, &scale))
		return;
	stat->units = units[unit].units;
	stat->scale = scale;
}

static void stat_describe(const struct kvm_stats_desc *desc, struct statistic *stat)
{
	unsigned type = (desc->flags & KVM_STATS_TYPE_MASK) >> KVM_STATS_TYPE_SHIFT;

	if (type < sizeof(kinds) / sizeof(kinds[0])) {
		if (!stat_can_be(stat, kinds[type]))
			return; /* the descriptor contradicts BTF */
		stat->kind = kinds[type];
		stat->bucket_size = stat->kind == STAT_LINEAR_HIST ? desc->bucket_size : 0;
	}
	units_set(desc, stat);
}

/* Read exactly size bytes at offset; -EINVAL if the file is shorter. */
static int read_all(int fd, char *bytes, size_t size, size_t offset)
{
	while (size) {
		ssize_t n = pread(fd, bytes, size, (off_t)offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EINVAL;
		bytes += n;
		offset += (size_t)n;
		size -= (size_t)n;
	}
	return 0;
}

static int descriptors_read(int fd, struct descriptors *ret_descriptors)
{
	struct kvm_stats_header header;
	struct descriptors all;
	int err;

	err = read_all(fd, (char *)&header, sizeof(header), 0);
	if (err)
		return err;
	if (header.num_desc > DESCRIPTORS_MAX || !header.name_size ||
	    header.name_size > NAME_SIZE_MAX || header.desc_offset < sizeof(header))
		return -EINVAL;
	all.n = header.num_desc;
	all.step = sizeof(struct kvm_stats_desc) + header.name_size;
	all.bytes = malloc(all.n * all.step + 1); /* malloc(0) may return NULL */
	if (!all.bytes)
		return -ENOMEM;
	err = read_all(fd, all.bytes, all.n * all.step, header.desc_offset);
	if (err) {
		free(all.bytes);
		return err;
	}
	*ret_descriptors = all;
	return 0;
}

static void descriptors_use(const struct descriptors *all, struct stat_list *list)
{
	for (size_t i = 0; i < all->n; i++) {
		const char *bytes = all->bytes + i * all->step;
		const char *name = bytes + sizeof(struct kvm_stats_desc);
		struct kvm_stats_desc desc;

		if (!memchr(name, '\0', all->step - sizeof(desc)))
			continue;
		memcpy(&desc, bytes, sizeof(desc)); /* names of any size follow each one, so it can
						       be unaligned */
		for (size_t j = 0; j < list->n; j++) {
			if (strcmp(list->list[j].name, name) == 0)
				stat_describe(&desc, &list->list[j]);
		}
	}
}

int stat_list_describe(int fd, struct stat_list *list)
{
	struct descriptors all;
	int err;

	err = descriptors_read(fd, &all);
	if (err)
		return err;
	descriptors_use(&all, list);
	free(all.bytes);
	return 0;
}

/*
 * Make an ioctl that returns a new descriptor. A signal can interrupt KVM_CREATE_VM while it waits
 * for locks.
 */
static int kvm_make(int fd, unsigned long request)
{
	int made;

	do {
		made = ioctl(fd, request, 0UL);
	} while (made < 0 && errno == EINTR);
	return made < 0 ? -errno : made;
}

static int describe_from(int fd, struct stat_list *list)
{
	int stats_fd, err;

	stats_fd = kvm_make(fd, KVM_GET_STATS_FD);
	if (stats_fd < 0)
		return stats_fd;
	err = stat_list_describe(stats_fd, list);
	close(stats_fd);
	return err;
}

/* Describe the VM's statistics, and the vCPU's if one can be created. The VM's are useful alone. */
static int describe_vm(int vm, struct stat_layout *layout)
{
	int vcpu, err;

	err = describe_from(vm, &layout->vm);
	if (err)
		return err;
	vcpu = kvm_make(vm, KVM_CREATE_VCPU);
	if (vcpu >= 0) {
		describe_from(vcpu, &layout->vcpu);
		close(vcpu);
	}
	return 0;
}

/* Create the VM. It is destroyed with its last descriptor; KVM's descriptors are close-on-exec. */
static int describe_kvm(int kvm, struct stat_layout *layout)
{
	int has, vm, err;

	has = ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_BINARY_STATS_FD);
	if (has <= 0)
		return has ? -errno : -ENOTTY;
	vm = kvm_make(kvm, KVM_CREATE_VM);
	if (vm < 0)
		return vm;
	err = describe_vm(vm, layout);
	close(vm);
	return err;
}

int stat_layout_describe(const char *path, struct stat_layout *layout)
{
	int kvm, err;

	kvm = open(path, O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		return -errno;
	err = describe_kvm(kvm, layout);
	close(kvm);
	return err;
}
