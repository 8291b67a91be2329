// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* The command line, and reading the files; for the cgroup see test_vm_identity_cgroup.c. */
#define _GNU_SOURCE
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "vms/vm_identity.h"

#define FFFD "\xef\xbf\xbd"

/* "\0" separates arguments; the end of the literal terminates the last one. */
struct command {
	const char *bytes;
	size_t size;
	const char *name, *uuid; /* expected */
};
#define COMMAND(line, ...) ((struct command){ line, sizeof(line), __VA_ARGS__ })

static void assert_identity(const char *comm, const char *name, const char *uuid)
{
	struct vm_identity identity;

	assert_int_equal(vm_identity_read("proc", 4711, comm, &identity), 0);
	assert_string_equal(identity.name, name);
	if (uuid)
		assert_string_equal(identity.uuid, uuid);
	else
		assert_null(identity.uuid);
	assert_null(identity.cgroup.path);
	assert_null(identity.cgroup.machine);
	assert_null(identity.cgroup.pod);
	vm_identity_free(&identity);
}

static void assert_bytes(const void *bytes, size_t size, const char *comm, const char *name,
			 const char *uuid)
{
	write_bytes("proc/4711/cmdline", bytes, size);
	assert_identity(comm, name, uuid);
}

static void assert_commands(const struct command *commands, size_t n)
{
	make_folders("proc/4711");
	for (; n--; commands++)
		assert_bytes(commands->bytes, commands->size, "comm", commands->name,
			     commands->uuid);
}

/* The VMM is known by its program's name; options of another VMM are ignored. */
static void test_vmms(void **state)
{
	static const struct command commands[] = {
		COMMAND("qemu-system-x86_64\0-name\0web", "web", NULL),
		COMMAND("/usr/libexec/qemu-kvm\0-name\0web", "web", NULL),
		COMMAND("/nix/.qemu-system-x86_64-wrapped\0-name\0web", "web", NULL),
		COMMAND("/usr/bin/kvm\0-name\0web", "web", NULL),
		COMMAND("kvm\0-name\0web", "web", NULL),
		COMMAND("/usr/bin/lkvm\0-name\0web", "comm", NULL),
		COMMAND("kvmtool\0-name\0web", "comm", NULL),
		COMMAND("/opt/qemu/sleep\0-name\0web", "comm", NULL),
		COMMAND("/opt/qemu/\0-name\0web", "comm", NULL),
		COMMAND("/srv/firecracker-v1.7\0--id\0web", "web", NULL),
		COMMAND("crosvm\0run\0--name\0web", "web", NULL),
		COMMAND("crosvm\0run\0--id\0web", "comm", NULL),
		COMMAND("firecracker\0--name\0web", "comm", NULL),
		COMMAND("cloud-hypervisor\0--name\0web\0--id\0db", "comm", NULL),
		COMMAND("qemu\0--id\0web", "comm", NULL),
		COMMAND("python3\0--name\0qemu\0--id\0web", "comm", NULL),
		COMMAND("qemu\0", "comm", NULL),
		COMMAND("", "comm", NULL),
		COMMAND("\0\0\0-name\0web", "comm", NULL),
	};

	(void)state;
	assert_commands(commands, ARRAY_SIZE(commands));
}

static void test_comm_names_the_vmm(void **state)
{
	static const char other[] = "vmm\0-name\0web\0--id\0db\0--platform\0uuid=u";

	(void)state;
	make_folders("proc/4711");
	assert_bytes(other, sizeof(other), "qemu-system-x86", "web", NULL);
	assert_bytes(other, sizeof(other), "kvm", "web", NULL);
	assert_bytes(other, sizeof(other), "kvm2", "kvm2", NULL);
	assert_bytes(other, sizeof(other), "firecracker", "db", NULL);
	assert_bytes(other, sizeof(other), "cloud-hyperviso", "cloud-hyperviso", "u");
	assert_bytes("qemu\0--id\0web", 14, "firecracker", "firecracker", NULL);
	assert_bytes("\0-name\0web", 11, "qemu", "web", NULL);
	assert_bytes("-name\0web", 10, "qemu", "qemu", NULL);
}

static void test_qemu_name(void **state)
{
	static const struct command commands[] = {
		COMMAND("qemu\0-name\0guest=web,debug-threads=on", "web", NULL),
		COMMAND("qemu\0--name\0web,process=p", "web", NULL),
		COMMAND("qemu\0-name\0process=p,guest=web", "web", NULL),
		COMMAND("qemu\0-name\0a,,b,,,process=p", "a,b,", NULL),
		COMMAND("qemu\0-name\0guest=a,,b=c,,", "a,b=c,", NULL),
		COMMAND("qemu\0-name\0a,,b=c", "a,b=c", NULL),
		COMMAND("qemu\0-name\0,,a", ",a", NULL),
		COMMAND("qemu\0-name\0a=b", "comm", NULL), /* key a */
		COMMAND("qemu\0-name\0guest=a=b", "a=b", NULL),
		COMMAND("qemu\0-name\0guests=a", "comm", NULL),
		COMMAND("qemu\0-name\0gues=a", "comm", NULL),
		COMMAND("qemu\0-name\0process=p,web", "comm", NULL), /* a switch */
		COMMAND("qemu\0-name\0process=p,web,guest=a", "a", NULL),
		COMMAND("qemu\0-name\0process=p,web\0guest=a", "comm", NULL),
		COMMAND("qemu\0-name\0process=p,x,,guest=a", "a", NULL), /* two of them */
		COMMAND("qemu\0-name\0web,guest=a,guest=b", "b", NULL),
		COMMAND("qemu\0-name\0guest", "guest", NULL),
		COMMAND("qemu\0-name\0web,", "web", NULL),
		COMMAND("qemu\0-name\0w\xc3\xbc\x62 \xff", "w\xc3\xbc\x62 " FFFD, NULL),
	};

	(void)state;
	assert_commands(commands, ARRAY_SIZE(commands));
}

static void test_qemu_names(void **state)
{
	static const struct command commands[] = {
		COMMAND("qemu\0-name\0a\0-m\0"
			"1\0-name\0b",
			"b", NULL),
		COMMAND("qemu\0-name\0a\0-name\0debug-threads=on", "a", NULL), /* one list */
		COMMAND("qemu\0-name\0a\0-name", "a", NULL),		       /* without a value */
		COMMAND("qemu\0-name", "comm", NULL),
		COMMAND("qemu\0-name\0", "comm", NULL), /* an empty value */
		COMMAND("qemu\0-name\0a\0-name\0", "a", NULL),
		COMMAND("qemu\0-name\0guest=", "comm", NULL),
		COMMAND("qemu\0-name\0guest=,process=p", "comm", NULL),
		COMMAND("qemu\0-name\0a\0-name\0guest=", "comm", NULL),
		COMMAND("qemu\0-name\0-name\0a", "-name", NULL), /* a value, not an option */
		COMMAND("qemu\0-name\0-uuid\0u", "-uuid", NULL),
		COMMAND("qemu\0-name=a", "comm", NULL),
		COMMAND("qemu\0--name=a", "comm", NULL),
		COMMAND("qemu\0-names\0a", "comm", NULL),
		COMMAND("qemu\0-nam\0a", "comm", NULL),
		COMMAND("qemu\0---name\0a", "comm", NULL),
		COMMAND("qemu\0name\0a", "comm", NULL),
		COMMAND("qemu\0-\0--\0\0-name\0a", "a", NULL),
	};

	(void)state;
	assert_commands(commands, ARRAY_SIZE(commands));
}

static void test_qemu_uuid(void **state)
{
	static const struct command commands[] = {
		COMMAND("qemu\0-uuid\0u-1\0-name\0web", "web", "u-1"),
		COMMAND("qemu\0--uuid\0u-1", "comm", "u-1"),
		COMMAND("qemu\0-uuid\0u-1\0-uuid\0u-2", "comm", "u-2"),
		COMMAND("qemu\0-uuid\0u,,1", "comm", "u,,1"),
		COMMAND("qemu\0-uuid", "comm", NULL),
		COMMAND("qemu\0-uuid\0", "comm", NULL),
		COMMAND("qemu\0-uuid\0\xff", "comm", FFFD),
		COMMAND("qemu\0-smbios\0type=1,uuid=u-1", "comm", "u-1"),
		COMMAND("qemu\0-smbios\0type=1,product=a,,uuid=b,uuid=u-1", "comm", "u-1"),
		COMMAND("qemu\0-smbios\0type=1,product=a,,uuid=b", "comm", NULL),
		COMMAND("qemu\0-smbios\0uuid", "comm", NULL),
		COMMAND("qemu\0-uuid\0u-1\0-smbios\0type=2,serial=s", "comm", "u-1"),
		COMMAND("qemu\0-smbios\0type=1,uuid=u-1\0-uuid\0u-2", "comm", "u-2"),
		COMMAND("sleep\0-uuid\0u-1", "comm", NULL),
	};

	(void)state;
	assert_commands(commands, ARRAY_SIZE(commands));
}

/* Firecracker, crosvm, Cloud Hypervisor. */
static void test_other_vmms(void **state)
{
	static const struct command commands[] = {
		COMMAND("/firecracker\0--id\0f-1\0--start-time-us\0"
			"7",
			"f-1", NULL),
		COMMAND("firecracker\0--id=f-1", "f-1", NULL),
		COMMAND("firecracker\0--id=", "comm", NULL),
		COMMAND("firecracker\0--id", "comm", NULL),
		COMMAND("firecracker\0-id\0f-1", "comm", NULL),
		COMMAND("firecracker\0--ids\0f-1", "comm", NULL),
		COMMAND("firecracker\0--ids=f-1", "comm", NULL),
		COMMAND("firecracker\0--id=a,,b=c", "a,,b=c", NULL),
		COMMAND("firecracker\0--id=a\0--id\0b", "b", NULL),
		COMMAND("firecracker\0--id=--id\0b", "--id", NULL),
		COMMAND("crosvm\0--log-level=debug\0run\0--name=c", "c", NULL),
		COMMAND("crosvm\0run\0-n\0c", "comm", NULL),
		COMMAND("crosvm\0run\0--smbios\0uuid=u\0--name\0c", "c", "u"),
		COMMAND("cloud-hypervisor\0--platform\0uuid=u", "comm", "u"),
		COMMAND("cloud-hypervisor\0--platform=system_uuid=u,tdx=on", "comm", "u"),
		COMMAND("cloud-hypervisor\0--platform\0serial_number=s,uuid=u", "comm", "u"),
		COMMAND("cloud-hypervisor\0--platform\0a=1,uuid=,b=2", "comm", NULL),
		COMMAND("cloud-hypervisor\0--platform\0uuid=t,system_uuid=u", "comm", "u"),
		COMMAND("cloud-hypervisor\0--platform\0xuuid=u,uuidx=u", "comm", NULL),
		COMMAND("cloud-hypervisor\0--platform\0", "comm", NULL),
		COMMAND("cloud-hypervisor\0--platform\0oem_strings=[a,uuid=b],uuid=u,c=[d]", "comm",
			"u"),
		COMMAND("cloud-hypervisor\0--platform\0oem_strings=[[a],uuid=b]", "comm", NULL),
		COMMAND("cloud-hypervisor\0--platform\0s=\"a,uuid=b[\",uuid=u", "comm", "u"),
		COMMAND("cloud-hypervisor\0--platform\0s=\"a,uuid=b", "comm", NULL),
		COMMAND("cloud-hypervisor\0--platform\0s=],uuid=u", "comm", "u"),
	};

	(void)state;
	assert_commands(commands, ARRAY_SIZE(commands));
}

/* A process can overwrite its command line. */
static void test_no_nul_at_the_end(void **state)
{
	(void)state;
	make_folders("proc/4711");
	assert_bytes("qemu\0-name\0web", 14, "comm", "web", NULL);
	assert_bytes("qemu\0-name", 10, "comm", "comm", NULL);
	assert_bytes("qemu", 4, "comm", "comm", NULL);
	assert_bytes("qemu -name web", 14, "comm", "comm", NULL);
}

static void test_comm(void **state)
{
	(void)state;
	assert_identity("a/b: \xc3", "a/b: " FFFD, NULL); /* no such process */
	assert_identity("", "vm", NULL);
	make_folders("proc/4711");
	assert_bytes("", 0, "kthread", "kthread", NULL);
	assert_bytes("qemu\0-name\0", 12, "", "vm", NULL);
}

/* Fill buffer with a QEMU command line of this size that ends in -name NAME. */
static void command_fill(char *buffer, size_t size, const char *name)
{
	size_t end = strlen(name) + 1;

	memset(buffer, 'x', size);
	memcpy(buffer, "qemu\0-append", 13);
	strcpy(buffer + size - end, name);
	memcpy(buffer + size - end - 7, "\0-name", 7);
}

#define READ_MAX (128 << 10)

static void test_long_command_lines(void **state)
{
	static char buffer[READ_MAX + 1], name[100001];

	(void)state;
	make_folders("proc/4711");
	memset(name, 'n', sizeof(name) - 1);
	command_fill(buffer, READ_MAX, name);
	assert_bytes(buffer, READ_MAX, "comm", name, NULL); /* just fits */
	name[300] = '\0';
	command_fill(buffer, READ_MAX, name);
	assert_bytes(buffer, READ_MAX, "comm", name, NULL);
	command_fill(buffer, READ_MAX + 1, name); /* a truncated name is ignored */
	assert_bytes(buffer, READ_MAX + 1, "comm", "comm", NULL);
	memcpy(buffer + 4, "\0-name\0web", 11);
	assert_bytes(buffer, READ_MAX + 1, "comm", "web", NULL);
	memset(buffer, 'x', sizeof(buffer)); /* the program's name itself */
	memcpy(buffer, "qemu", 4);
	assert_bytes(buffer, READ_MAX + 1, "comm", "comm", NULL);
}

/* If set, replaces fopen(). */
static FILE *(*file_open)(void);

FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);

FILE *__wrap_fopen(const char *path, const char *mode)
{
	return file_open ? file_open() : __real_fopen(path, mode);
}

static FILE *open_no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

static FILE *open_no_permission(void)
{
	errno = EACCES;
	return NULL;
}

static FILE *read_no_memory(void)
{
	return open_failing_reader("qemu", ENOMEM);
}

static FILE *read_no_process(void)
{
	return open_failing_reader("0::/system.slice", ESRCH);
}

static void test_files_that_cannot_be_read(void **state)
{
	struct vm_identity identity;

	(void)state;
	make_folders("proc/4711/cmdline");
	make_folders("proc/4711/cgroup");
	assert_identity("comm", "comm", NULL);
	file_open = open_no_permission;
	assert_identity("comm", "comm", NULL);
	file_open = read_no_process; /* data before the error is ignored, too */
	assert_identity("comm", "comm", NULL);
	untouched_fill(&identity, sizeof(identity));
	file_open = open_no_memory;
	assert_int_equal(vm_identity_read("proc", 4711, "comm", &identity), -ENOMEM);
	file_open = read_no_memory;
	assert_int_equal(vm_identity_read("proc", 4711, "comm", &identity), -ENOMEM);
	assert_untouched(&identity, sizeof(identity));
	file_open = NULL;
}

static void test_no_memory(void **state)
{
	static const char line[] = "qemu\0-name\0web\0-uuid\0u";
	static const char group[] = "0::/machine.slice/machine-m.scope/kubepods/podp\n";
	struct vm_identity identity;

	(void)state;
	make_folders("proc/4711");
	write_bytes("proc/4711/cmdline", line, sizeof(line));
	write_text("proc/4711/cgroup", group);
	/* for each file its path and its text; and five strings of the identity */
	for (unsigned n = 0; n < 9; n++) {
		untouched_fill(&identity, sizeof(identity));
		alloc_fail_at(n);
		assert_int_equal(vm_identity_read("proc", 4711, "comm", &identity), -ENOMEM);
		assert_true(alloc_failed());
		assert_untouched(&identity, sizeof(identity));
	}
	alloc_fail_at(9);
	assert_int_equal(vm_identity_read("proc", 4711, "comm", &identity), 0);
	assert_false(alloc_failed());
	assert_string_equal(identity.name, "web");
	assert_string_equal(identity.uuid, "u");
	assert_string_equal(identity.cgroup.machine, "m");
	assert_string_equal(identity.cgroup.pod, "p");
	vm_identity_free(&identity);
	assert_null(identity.name);
	assert_null(identity.cgroup.pod);
	vm_identity_free(&identity);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_vmms),
		work_test(test_comm_names_the_vmm),
		work_test(test_qemu_name),
		work_test(test_qemu_names),
		work_test(test_qemu_uuid),
		work_test(test_other_vmms),
		work_test(test_no_nul_at_the_end),
		work_test(test_comm),
		work_test(test_long_command_lines),
		work_test(test_files_that_cannot_be_read),
		work_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
