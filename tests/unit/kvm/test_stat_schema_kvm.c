// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_btf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "kvm/tracepoints.h"

#define DEVICE "/dev/kvm"

/* A fake of the KVM device; the descriptors it makes are files. */
static struct {
	bool on;
	int has;		  /* value of the capability; -1: the check fails */
	int vm_err, vcpu_err;	  /* errors of creating them */
	int vm_stats, vcpu_stats; /* errors of KVM_GET_STATS_FD */
	unsigned interrupts;	  /* EINTRs before each creation */
	unsigned left;
	int kvm, vm, vcpu;
} fake;

static int fake_make(int err, const char *path)
{
	if (fake.left) {
		fake.left--;
		errno = EINTR;
		return -1;
	}
	fake.left = fake.interrupts;
	if (err) {
		errno = err;
		return -1;
	}
	return open(path, O_RDONLY | O_CLOEXEC);
}

static int fake_ioctl(int fd, unsigned long request, unsigned long arg)
{
	int made;

	switch (request) {
	case KVM_CHECK_EXTENSION:
		assert_int_equal(arg, KVM_CAP_BINARY_STATS_FD);
		fake.kvm = fd;
		errno = EIO;
		return fake.has;
	case KVM_CREATE_VM:
		assert_int_equal(arg, 0);
		assert_int_equal(fd, fake.kvm);
		made = fake_make(fake.vm_err, "vm");
		return made < 0 ? made : (fake.vm = made);
	case KVM_CREATE_VCPU:
		assert_int_equal(arg, 0);
		assert_int_equal(fd, fake.vm);
		made = fake_make(fake.vcpu_err, "vcpu");
		return made < 0 ? made : (fake.vcpu = made);
	case KVM_GET_STATS_FD:
		if (fd == fake.vm)
			return fake_make(fake.vm_stats, "vm");
		assert_int_equal(fd, fake.vcpu);
		return fake_make(fake.vcpu_stats, "vcpu");
	}
	fail_msg("unknown request %lx", request);
	return -1;
}

/* Replaces the C library's ioctl(); also called for devices other than the fake. */
int ioctl(int fd, unsigned long request, ...)
{
	unsigned long arg;
	va_list args;

	va_start(args, request);
	arg = va_arg(args, unsigned long);
	va_end(args);
	return fake.on ? fake_ioctl(fd, request, arg) : (int)syscall(SYS_ioctl, fd, request, arg);
}

static struct statistic vm_stats[2], vcpu_stats[2];

/* Statistics of a VM and a vCPU with default kinds, and a device that describes all of them. */
static struct stat_layout fake_start(void)
{
	static const struct descriptor vm[] = { { "x_a", KVM_STATS_TYPE_PEAK, 0, 0 },
						{ "x_c", KVM_STATS_TYPE_PEAK, 0, 0 } };
	static const struct descriptor vcpu[] = { { "x_a", KVM_STATS_TYPE_CUMULATIVE, 0, 0 },
						  { "x_b", KVM_STATS_TYPE_CUMULATIVE, 0, 0 } };
	static const struct statistic a = { .name = "x_a", .kind = STAT_INSTANT, .scale = 1 };
	static const struct statistic b = { .name = "x_b", .kind = STAT_INSTANT, .scale = 1 };
	struct stat_layout layout = { .vm = { vm_stats, 2, 2, 16 },
				      .vcpu = { vcpu_stats, 2, 2, 16 } };

	write_descriptors("vm", vm, 2, 48);
	write_descriptors("vcpu", vcpu, 2, 48);
	write_text("kvm", "");
	vm_stats[0] = vcpu_stats[0] = a;
	vm_stats[1] = vcpu_stats[1] = b;
	memset(&fake, 0, sizeof(fake));
	fake.on = true;
	fake.has = 1;
	return layout;
}

/* Describe by the fake device and expect these kinds. */
static void assert_described(struct stat_layout *layout, int err, enum stat_kind vm_a,
			     enum stat_kind vcpu_a, enum stat_kind vcpu_b)
{
	fake.left = fake.interrupts;
	assert_int_equal(stat_layout_describe("kvm", layout), err);
	fake.on = false;
	assert_int_equal(vm_stats[0].kind, vm_a);
	assert_int_equal(vm_stats[1].kind, STAT_INSTANT);
	assert_int_equal(vcpu_stats[0].kind, vcpu_a);
	assert_int_equal(vcpu_stats[1].kind, vcpu_b);
}

static void assert_as_it_was(struct stat_layout *layout, int err)
{
	assert_described(layout, err, STAT_INSTANT, STAT_INSTANT, STAT_INSTANT);
}

/* Each list uses its own descriptors, even if the names are equal. */
static void test_both(void **state)
{
	struct stat_layout layout = fake_start();

	(void)state;
	assert_described(&layout, 0, STAT_PEAK, STAT_CUMULATIVE, STAT_CUMULATIVE);
	layout = fake_start();
	fake.interrupts = 3;
	assert_described(&layout, 0, STAT_PEAK, STAT_CUMULATIVE, STAT_CUMULATIVE);
}

static void test_descriptor_0(void **state)
{
	struct stat_layout layout = fake_start();
	int saved = descriptor_0_free();

	(void)state;
	assert_described(&layout, 0, STAT_PEAK, STAT_CUMULATIVE, STAT_CUMULATIVE);
	descriptor_0_restore(saved);
}

/* All descriptors are closed whatever fails: the teardown counts them. */
static void test_vm_fails(void **state)
{
	struct stat_layout layout;

	(void)state;
	layout = fake_start(), fake.has = 0; /* before Linux 5.14 */
	assert_as_it_was(&layout, -ENOTTY);
	layout = fake_start(), fake.has = -1;
	assert_as_it_was(&layout, -EIO);
	layout = fake_start(), fake.vm_err = EBUSY;
	assert_as_it_was(&layout, -EBUSY);
	layout = fake_start(), fake.vm_stats = EMFILE;
	assert_as_it_was(&layout, -EMFILE);
	layout = fake_start();
	write_text("vm", "these are no descriptors, though there is a lot of text here");
	assert_as_it_was(&layout, -EINVAL);
	layout = fake_start();
	alloc_fail_at(0);
	assert_as_it_was(&layout, -ENOMEM);
	assert_true(alloc_failed());
}

/* The VM's descriptors are used even without a vCPU. */
static void test_vcpu_fails(void **state)
{
	struct stat_layout layout;

	(void)state;
	layout = fake_start(), fake.vcpu_err = EMFILE;
	assert_described(&layout, 0, STAT_PEAK, STAT_INSTANT, STAT_INSTANT);
	layout = fake_start(), fake.vcpu_stats = EMFILE;
	assert_described(&layout, 0, STAT_PEAK, STAT_INSTANT, STAT_INSTANT);
	layout = fake_start();
	write_text("vcpu", "");
	assert_described(&layout, 0, STAT_PEAK, STAT_INSTANT, STAT_INSTANT);
	layout = fake_start();
	alloc_fail_at(1);
	assert_described(&layout, 0, STAT_PEAK, STAT_INSTANT, STAT_INSTANT);
	assert_true(alloc_failed());
}

static void test_no_device(void **state)
{
	struct stat_layout layout = fake_start();

	(void)state;
	assert_int_equal(unlink("kvm"), 0);
	assert_as_it_was(&layout, -ENOENT);
	write_text("kvm", ""); /* the kernel returns this error, too */
	assert_as_it_was(&layout, -ENOTTY);
}

static void assert_stat_is(const struct statistic *stat, const struct kvm_stats_desc *desc)
{
	/* no kernel has other units yet */
	bool is_time = (desc->flags & KVM_STATS_UNIT_MASK) == KVM_STATS_UNIT_SECONDS;

	assert_int_equal(stat->offset, desc->offset);
	assert_int_equal(stat->buckets, desc->size);
	assert_int_equal(stat->size, 8);
	assert_int_equal(stat->kind, desc->flags & KVM_STATS_TYPE_MASK);
	assert_int_equal(stat->units, is_time ? METRIC_NSEC : METRIC_COUNT);
	assert_int_equal(desc->exponent, is_time ? -9 : 0);
	assert_int_equal(stat->scale, 1);
}

/* The list matches the kernel's descriptors, and the values have as many bytes. */
static void assert_same(const struct stat_list *list, int fd)
{
	struct kvm_stats_header header;
	char bytes[sizeof(struct kvm_stats_desc) + STAT_NAME_SIZE];

	assert_int_equal(pread(fd, &header, sizeof(header), 0), sizeof(header));
	assert_int_equal(header.name_size, STAT_NAME_SIZE);
	assert_int_equal(list->n, header.num_desc);
	for (unsigned i = 0; i < header.num_desc; i++) {
		off_t at = (off_t)(header.desc_offset + i * sizeof(bytes));
		const struct statistic *stat;
		struct kvm_stats_desc desc;

		assert_int_equal(pread(fd, bytes, sizeof(bytes), at), sizeof(bytes));
		memcpy(&desc, bytes, sizeof(desc));
		stat = stat_list_find(list, bytes + sizeof(desc));
		if (!stat)
			fail_msg("%s is missing", bytes + sizeof(desc));
		assert_stat_is(stat, &desc);
	}
	close(fd);
}

static void test_this_kernel(void **state)
{
	int kvm = open(DEVICE, O_RDWR | O_CLOEXEC), vm, vcpu;
	struct stat_layout layout;

	(void)state;
	if (kvm < 0) {
		print_message("# " DEVICE ": %s; run this on a host with KVM\n", strerror(errno));
		skip();
	}
	if (ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_BINARY_STATS_FD) <= 0 ||
	    layout_of(KERNEL_TYPES_DIR, &layout)) {
		close(kvm);
		print_message("# this kernel's KVM describes no statistics, or has no type "
			      "information; run this on Linux 5.14 or later\n");
		skip();
	}
	assert_int_equal(stat_layout_describe(DEVICE, &layout), 0);
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);
	assert_same(&layout.vm, ioctl(vm, KVM_GET_STATS_FD, 0UL));
	assert_same(&layout.vcpu, ioctl(vcpu, KVM_GET_STATS_FD, 0UL));
	stat_layout_free(&layout);
	close(vcpu);
	close(vm);
	close(kvm);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_both),	   work_test(test_descriptor_0),
		work_test(test_vm_fails),  work_test(test_vcpu_fails),
		work_test(test_no_device), work_test(test_this_kernel),
	};

	/* suppress libbpf's messages: the KVM module may not be loaded */
	libbpf_set_print(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
