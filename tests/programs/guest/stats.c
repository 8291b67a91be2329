/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* --stats: what KVM_GET_STATS_FD says of every VM and vCPU, as text. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest.h"

#define FIRST_SIZE 65536u /* of the buffer that a descriptor is read into */

/* The words in the order of the kernel's numbers. */
static const char *const kinds[] = { "cumulative", "instant", "peak", "linear_hist", "log_hist" };
static const char *const units[] = { "none", "bytes", "seconds", "cycles", "boolean" };
static const char *const bases[] = { "10", "2" };

/* All that a statistics descriptor gives. */
struct image {
	char *bytes;
	size_t len;
	struct kvm_stats_header head;
};

/* Whose: "vm" with the text "vm I", or "vcpu" with "vcpu I N". */
struct owner {
	const char *type;
	char text[32];
	bool describe; /* the first of its type */
};

/* -ENODEV, said on stderr: this kernel has no such statistics. */
int stats__check(const struct vm *vm)
{
	int ret = xioctl(vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_BINARY_STATS_FD);

	if (ret > 0)
		return 0;
	if (!ret)
		fputs("guest: --stats: this kernel has no KVM_GET_STATS_FD (Linux 5.14 has)\n",
		      stderr);
	return -ENODEV;
}

static int malformed(const char *what)
{
	fprintf(stderr, "guest: KVM_GET_STATS_FD: %s\n", what);
	return -EPROTO;
}

/* Up to its end. The bytes are to be freed in either case. */
static int read_all(int fd, struct image *image)
{
	size_t size = FIRST_SIZE;
	char *bytes;
	ssize_t n;

	for (;; size *= 2) {
		bytes = realloc(image->bytes, size);
		if (!bytes)
			return complain("realloc", ENOMEM);
		image->bytes = bytes;
		while (image->len < size) {
			n = read(fd, bytes + image->len, size - image->len);
			if (n < 0)
				return complain("read statistics", errno);
			if (!n)
				return 0;
			image->len += (size_t)n;
		}
	}
}

/* Whether count things of that size, from an offset, are within the image. */
static bool within(const struct image *image, size_t offset, size_t count, size_t size)
{
	return offset <= image->len && count <= (image->len - offset) / size;
}

static int read_image(int fd, struct image *image)
{
	int err = read_all(fd, image);

	if (err)
		return err;
	if (!within(image, 0, 1, sizeof(image->head)))
		return malformed("shorter than its header");
	memcpy(&image->head, image->bytes, sizeof(image->head));
	if (!within(image, image->head.desc_offset, image->head.num_desc,
		    sizeof(struct kvm_stats_desc) + image->head.name_size))
		return malformed("shorter than its descriptors");
	return 0;
}

/* Prints a number that has no word as it is. */
static void put_word(FILE *out, const char *const *words, size_t count, __u32 number)
{
	if (number < count)
		fprintf(out, " %s", words[number]);
	else
		fprintf(out, " %u", number);
}

static void put_desc(FILE *out, const struct owner *owner, const struct kvm_stats_desc *desc,
		     const char *name)
{
	fprintf(out, "desc %s %s", owner->type, name);
	put_word(out, kinds, sizeof(kinds) / sizeof(kinds[0]),
		 (desc->flags & KVM_STATS_TYPE_MASK) >> KVM_STATS_TYPE_SHIFT);
	put_word(out, units, sizeof(units) / sizeof(units[0]),
		 (desc->flags & KVM_STATS_UNIT_MASK) >> KVM_STATS_UNIT_SHIFT);
	fprintf(out, " %d", desc->exponent);
	put_word(out, bases, sizeof(bases) / sizeof(bases[0]),
		 (desc->flags & KVM_STATS_BASE_MASK) >> KVM_STATS_BASE_SHIFT);
	fprintf(out, " %u %u\n", desc->size, desc->bucket_size);
}

static bool is_histogram(const struct kvm_stats_desc *desc)
{
	__u32 kind = desc->flags & KVM_STATS_TYPE_MASK;

	return kind == KVM_STATS_TYPE_LINEAR_HIST || kind == KVM_STATS_TYPE_LOG_HIST;
}

static int put_values(FILE *out, const struct owner *owner, const struct image *image,
		      const struct kvm_stats_desc *desc, const char *name)
{
	size_t from = (size_t)image->head.data_offset + desc->offset;
	unsigned int i;
	__u64 value;

	if (!within(image, from, desc->size, sizeof(value)))
		return malformed("shorter than its values");
	for (i = 0; i < desc->size; i++) {
		memcpy(&value, image->bytes + from + i * sizeof(value), sizeof(value));
		fprintf(out, "%s %s", owner->text, name);
		if (is_histogram(desc) || desc->size > 1)
			fprintf(out, "[%u]", i);
		fprintf(out, " %llu\n", value);
	}
	return 0;
}

static int put_stat(FILE *out, const struct owner *owner, const struct image *image, unsigned int i)
{
	size_t step = sizeof(struct kvm_stats_desc) + image->head.name_size;
	const char *at = image->bytes + image->head.desc_offset + i * step;
	struct kvm_stats_desc desc;
	char name[256];

	memcpy(&desc, at, sizeof(desc));
	snprintf(name, sizeof(name), "%.*s", (int)image->head.name_size, at + sizeof(desc));
	if (owner->describe)
		put_desc(out, owner, &desc, name);
	return put_values(out, owner, image, &desc, name);
}

/* All of a VM's or a vCPU's descriptor. */
static int put_owner(FILE *out, const struct owner *owner, int kvm_fd)
{
	struct image image = { 0 };
	unsigned int i;
	int err, fd;

	fd = xioctl(kvm_fd, KVM_GET_STATS_FD, 0);
	if (fd < 0)
		return fd;
	err = read_image(fd, &image);
	for (i = 0; i < image.head.num_desc && !err; i++)
		err = put_stat(out, owner, &image, i);
	free(image.bytes);
	close(fd);
	return err;
}

static int put_vm(FILE *out, const struct vm *vm)
{
	struct owner owner = { .type = "vm", .describe = !vm->index };
	unsigned int i;
	int err;

	snprintf(owner.text, sizeof(owner.text), "vm %u", vm->index);
	err = put_owner(out, &owner, vm->fd);
	owner.type = "vcpu";
	for (i = 0; i < vm->plan->nvcpus && !err; i++) {
		owner.describe = !vm->index && !i;
		snprintf(owner.text, sizeof(owner.text), "vcpu %u %u", vm->index, i);
		err = put_owner(out, &owner, vm->vcpus[i].fd);
	}
	return err;
}

static int put_all(const char *path, const struct fleet *fleet)
{
	FILE *out = fopen(path, "we");
	unsigned int i;
	int err = 0;

	if (!out)
		return complain(path, errno);
	for (i = 0; i < fleet->plan->nvms && !err; i++)
		err = put_vm(out, fleet->vms[i]);
	if (!err && (fflush(out) || ferror(out)))
		err = complain(path, errno);
	fclose(out);
	return err;
}

/* The plan's file is there with all in it, or is not there. For use after fleet__join(). */
int stats__write(const struct fleet *fleet)
{
	const char *path = fleet->plan->stats;
	char *fresh;
	int err;

	if (asprintf(&fresh, "%s.new", path) < 0)
		return complain("asprintf", ENOMEM);
	err = put_all(fresh, fleet);
	if (!err && rename(fresh, path))
		err = complain(path, errno);
	if (err)
		unlink(fresh);
	free(fresh);
	return err;
}
