// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The directory for pinned maps; test_pinned_maps_reuse.c tests its contents. A second
 * pins_open() stands for another agent, as flock() locks per open file description.
 */
#include "fakes/fake_bpffs.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs once, after the next open() of the path that ends with these words. */
static const char *opening;
static void (*opened)(void);

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...)
{
	size_t len = strlen(path), wanted = opening ? strlen(opening) : 0;
	int fd = __real_open(path, flags, 0600);

	if (wanted && len >= wanted && strcmp(path + len - wanted, opening) == 0) {
		opening = NULL;
		opened();
	}
	return fd;
}

/* pins_open() yields no directory and reports this reason. */
static void assert_no_folder(const char *wanted, const char *words)
{
	struct pins *none;

	untouched_fill(&none, sizeof(struct pins *));
	assert_int_equal(pins_open(wanted, &report, &none), 0);
	assert_null(none);
	assert_line(REPORT_WARNING, wanted, words);
}

static void test_none(void **state)
{
	(void)state;
	untouched_fill(&pins, sizeof(struct pins *));
	assert_int_equal(pins_open("none", &report, &pins), 0);
	assert_null(pins);
	assert_int_equal(report.n, 0);
	pins_close(NULL);
}

static void test_no_bpf_file_system(void **state)
{
	char folder[128];

	(void)state;
	assert_non_null(getcwd(folder, sizeof(folder) - strlen("/folder")));
	strcat(folder, "/folder");
	assert_int_equal(mkdir("folder", 0700), 0);
	assert_no_folder(folder, ": not on a BPF file system" AFTER);
	assert_int_equal(rmdir("folder"), 0);
	assert_no_folder(folder, ": not on a BPF file system" AFTER);
	assert_int_equal(rmdir("folder"), -1); /* pins_open() removed it again */
	assert_no_folder("/proc/nowhere/else", ": No such file or directory" AFTER);
	write_text("folder", "");
	assert_no_folder(folder, ": Not a directory" AFTER);
}

static void swap_for_bpffs(void)
{
	assert_int_equal(rename("folder", "moved"), 0);
	assert_int_equal(symlink(on_bpffs("other"), "folder"), 0);
}

/* The directory that was opened counts, not the one that the path has come to mean. */
static void test_a_folder_that_is_swapped(void **state)
{
	char folder[128];

	(void)state;
	need_bpf();
	assert_int_equal(mkdir(on_bpffs("other"), 0700), 0);
	assert_non_null(getcwd(folder, sizeof(folder) - strlen("/folder")));
	strcat(folder, "/folder");
	assert_int_equal(mkdir("folder", 0700), 0);
	opening = "/folder";
	opened = swap_for_bpffs;
	assert_no_folder(folder, ": not on a BPF file system" AFTER);
	assert_null(opening);
}

static void test_no_memory(void **state)
{
	(void)state;
	untouched_fill(&pins, sizeof(struct pins *));
	alloc_fail_at(0);
	assert_int_equal(pins_open("/dev/null/x", &report, &pins), -ENOMEM);
	assert_true(alloc_failed());
	assert_null(pins);
	assert_int_equal(report.n, 0);
}

static void test_the_folder_is_made(void **state)
{
	struct stat st;

	(void)state;
	need_bpf();
	open_folder();
	assert_int_equal(stat(on_bpffs("ours"), &st), 0);
	assert_int_equal(st.st_mode, S_IFDIR | 0700);
	assert_string_equal(pins->path, on_bpffs("ours"));
	assert_true(fcntl(pins->fd, F_GETFD) & FD_CLOEXEC);
	pins_close(pins);
	open_folder(); /* it exists now */
	pins_close(pins);
	assert_int_equal(pins_open(on_bpffs("slashes///"), &report, &pins), 0);
	assert_non_null(pins);
	assert_int_equal(stat(on_bpffs("slashes"), &st), 0);
	assert_no_folder(on_bpffs("deeper/than/that"), ": No such file or directory" AFTER);
}

/* Unmount the host's BPF file systems, wherever they are: this test has a mount namespace. */
static void leave_one_bpffs(void)
{
	FILE *mounts = setmntent("/proc/self/mounts", "r");
	struct mntent *mount;

	assert_non_null(mounts);
	while ((mount = getmntent(mounts))) {
		if (strcmp(mount->mnt_type, "bpf") == 0 && strcmp(mount->mnt_dir, mounted) != 0)
			umount2(mount->mnt_dir, MNT_DETACH);
	}
	endmntent(mounts);
}

/* A name is a directory below the mount point, wherever that is. */
static void test_a_name(void **state)
{
	struct stat st;

	(void)state;
	need_bpf();
	leave_one_bpffs();
	assert_int_equal(pins_open("by-name", &report, &pins), 0);
	assert_non_null(pins);
	assert_string_equal(pins->path, on_bpffs("by-name"));
	pins_close(pins);
	assert_int_equal(mount("bpf", "/sys/fs/bpf", "bpf", 0, ""), 0);
	assert_int_equal(pins_open("by-name", &report, &pins), 0);
	assert_string_equal(pins->path, "/sys/fs/bpf/by-name");
	assert_int_equal(stat("/sys/fs/bpf/by-name", &st), 0);
	let_go();
	assert_int_equal(umount2("/sys/fs/bpf", MNT_DETACH), 0);
	assert_int_equal(umount2(mounted, MNT_DETACH), 0);
	assert_int_equal(pins_open("by-name", &report, &pins), 0);
	assert_null(pins);
	assert_line(REPORT_INFO, "", "no BPF file system is mounted" AFTER);
}

static void test_a_folder_of_others(void **state)
{
	(void)state;
	need_bpf();
	assert_int_equal(mkdir(on_bpffs("ours"), 0700), 0);
	for (int mode = 1; mode < 0100; mode *= 2) {
		assert_int_equal(chmod(on_bpffs("ours"), 0700 | (mode_t)mode), 0);
		assert_no_folder(on_bpffs("ours"),
				 ": must be owned by the agent's user, with mode 0700" AFTER);
	}
	assert_int_equal(chmod(on_bpffs("ours"), 0755), 0);
	assert_no_folder(on_bpffs("ours"),
			 ": must be owned by the agent's user, with mode 0700" AFTER);
	assert_int_equal(chmod(on_bpffs("ours"), 0700), 0);
	assert_int_equal(chown(on_bpffs("ours"), 65534, 0), 0);
	assert_no_folder(on_bpffs("ours"),
			 ": must be owned by the agent's user, with mode 0700" AFTER);
	assert_int_equal(chown(on_bpffs("ours"), geteuid(), 0), 0);
	open_folder();
}

static void test_a_link_to_a_folder(void **state)
{
	(void)state;
	need_bpf();
	assert_int_equal(mkdir(on_bpffs("real"), 0700), 0);
	assert_int_equal(symlink(on_bpffs("real"), on_bpffs("ours")), 0);
	assert_no_folder(on_bpffs("ours"), ": Not a directory" AFTER);
}

/* The lock lasts until pins_close(). */
static void test_another_agent(void **state)
{
	(void)state;
	need_bpf();
	open_folder();
	assert_no_folder(on_bpffs("ours"), ": in use by another agent" AFTER);
	assert_no_folder(on_bpffs("ours"), ": in use by another agent" AFTER);
	pins_close(pins);
	open_folder();
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		bpffs_test(test_none),
		bpffs_test(test_no_bpf_file_system),
		bpffs_test(test_a_folder_that_is_swapped),
		bpffs_test(test_no_memory),
		bpffs_test(test_the_folder_is_made),
		bpffs_test(test_a_name),
		bpffs_test(test_a_folder_of_others),
		bpffs_test(test_a_link_to_a_folder),
		bpffs_test(test_another_agent),
	};

	return cmocka_run_group_tests(tests, bpffs_group_setup, bpffs_group_teardown);
}
