// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Print the statistics that this kernel's KVM has: of a VM and a vCPU made for that, by
 * KVM_GET_STATS_FD (Linux 5.14), else the files of the VM's folder in debugfs. Kinds and
 * units are in the words of stat_items.def; record, beside this, puts the list in a file. As a
 * machine's first process (on arm64) it sets up what it needs, and powers off at its end.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <err.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/utsname.h>
#include <termios.h>
#include <unistd.h>

#define NAME_SIZE_MAX	  256

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* What stat_items.def calls them; a number that is not here is printed as it is. */
static const char *const kinds[] = {
	[KVM_STATS_TYPE_CUMULATIVE >> KVM_STATS_TYPE_SHIFT] = "CUMULATIVE",
	[KVM_STATS_TYPE_INSTANT >> KVM_STATS_TYPE_SHIFT] = "INSTANT",
	[KVM_STATS_TYPE_PEAK >> KVM_STATS_TYPE_SHIFT] = "PEAK",
	[KVM_STATS_TYPE_LINEAR_HIST >> KVM_STATS_TYPE_SHIFT] = "LINEAR_HIST",
	[KVM_STATS_TYPE_LOG_HIST >> KVM_STATS_TYPE_SHIFT] = "LOG_HIST",
};

/* The units that stat_items.def has, of the base 10. */
static const struct unit {
	unsigned unit;
	int exponent;
	const char *word;
} units[] = {
	{ KVM_STATS_UNIT_NONE, 0, "COUNT" },	{ KVM_STATS_UNIT_CYCLES, 0, "COUNT" },
	{ KVM_STATS_UNIT_BOOLEAN, 0, "COUNT" }, { KVM_STATS_UNIT_BYTES, 0, "BYTES" },
	{ KVM_STATS_UNIT_SECONDS, -9, "NSEC" },
};

static void print_kind(unsigned flags)
{
	unsigned type = (flags & KVM_STATS_TYPE_MASK) >> KVM_STATS_TYPE_SHIFT;

	if (type < ARRAY_SIZE(kinds))
		printf(" %s", kinds[type]);
	else
		printf(" %u", type);
}

static void print_unit(unsigned flags, int exponent)
{
	unsigned unit = flags & (KVM_STATS_UNIT_MASK | KVM_STATS_BASE_MASK);

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (units[i].unit == unit && units[i].exponent == exponent) {
			printf(" %s\n", units[i].word);
			return;
		}
	}
	printf(" 0x%x^%d\n", unit, exponent);
}

static void read_at(int fd, void *bytes, size_t size, size_t offset)
{
	if (pread(fd, bytes, size, (off_t)offset) != (ssize_t)size)
		err(1, "read descriptors");
}

static void print_descriptors(const char *owner, int fd)
{
	int stats = ioctl(fd, KVM_GET_STATS_FD, 0UL);
	struct kvm_stats_header header;
	struct kvm_stats_desc desc;
	char name[NAME_SIZE_MAX + 1] = "";

	if (stats < 0)
		err(1, "KVM_GET_STATS_FD of a %s", owner);
	read_at(stats, &header, sizeof(header), 0);
	if (header.name_size > NAME_SIZE_MAX)
		errx(1, "names of %u bytes", header.name_size);
	for (size_t i = 0; i < header.num_desc; i++) {
		size_t at = header.desc_offset + i * (sizeof(desc) + header.name_size);

		read_at(stats, &desc, sizeof(desc), at);
		read_at(stats, name, header.name_size, at + sizeof(desc));
		printf("%s %s", owner, name);
		print_kind(desc.flags);
		print_unit(desc.flags, desc.exponent);
	}
	close(stats);
}

/* They are sums over its vCPUs, too, whose own statistics have no files. */
static void print_debugfs(int vm)
{
	char path[64];
	struct dirent *entry;
	DIR *dir;

	snprintf(path, sizeof(path), "/sys/kernel/debug/kvm/%d-%d", (int)getpid(), vm);
	dir = opendir(path);
	if (!dir)
		err(1, "%s", path);
	while ((entry = readdir(dir))) {
		if (entry->d_type == DT_REG)
			printf("vm %s - -\n", entry->d_name);
	}
	closedir(dir);
}

static void print_statistics(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC), vm, vcpu;
	struct utsname name;
	const char *source;
	bool described;

	if (kvm < 0)
		err(1, "/dev/kvm");
	vm = ioctl(kvm, KVM_CREATE_VM, 0UL);
	if (vm < 0)
		err(1, "KVM_CREATE_VM");
	vcpu = ioctl(vm, KVM_CREATE_VCPU, 0UL);
	if (vcpu < 0)
		err(1, "KVM_CREATE_VCPU");
	described = ioctl(kvm, KVM_CHECK_EXTENSION, (unsigned long)KVM_CAP_BINARY_STATS_FD) > 0;
	source = described ? "KVM_GET_STATS_FD" :
			     "a VM's folder in debugfs, which tells neither kinds nor vCPUs' own";
	uname(&name);
	printf("# %s %s %s: by %s\n", name.machine, name.release, name.version, source);
	if (described) {
		print_descriptors("vm", vm);
		print_descriptors("vcpu", vcpu);
	} else {
		print_debugfs(vm);
	}
	puts("end"); /* the caller can tell that all is there */
}

static void power_off(void)
{
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	reboot(RB_POWER_OFF);
}

int main(void)
{
	if (getpid() == 1) {
		atexit(power_off);
		if (mount("devtmpfs", "/dev", "devtmpfs", 0, NULL))
			err(1, "mount devtmpfs");
	}
	print_statistics();
	return 0;
}
