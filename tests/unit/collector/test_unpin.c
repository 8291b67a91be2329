// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Removing pinned maps: all of ours and nothing else. */
#include "fakes/fake_bpffs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "collector/unpin.h"
#include "families/family.h"

#define KEPT	 ": nothing removed"
#define NOT_OURS ": must be owned by the agent's user, with mode 0700"

static void pin_map(const char *name)
{
	char path[160];
	int fd = map_make();

	assert_true(fd >= 0);
	snprintf(path, sizeof(path), "%s/%s", on_bpffs("ours"), name);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
}

/* Every map of every family, as agents pin them; or only see that they are there. Their number. */
static size_t for_maps(bool make)
{
	size_t n = 0;

	for (size_t i = 0; i < families_count; i++) {
		size_t size;
		const void *image = families[i].image(&size);
		struct bpf_object *object = bpf_object__open_mem(image, size, NULL);
		struct bpf_map *map;

		assert_non_null(object);
		bpf_object__for_each_map(map, object)
		{
			char name[64];

			/* a program of one family can use a map of another's */
			if (bpf_map__is_internal(map) ||
			    strncmp(bpf_map__name(map), families[i].name,
				    strlen(families[i].name)) != 0)
				continue;
			snprintf(name, sizeof(name), "ours/%s", bpf_map__name(map));
			if (make)
				pin_map(bpf_map__name(map));
			n += access(on_bpffs(name), F_OK) == 0;
		}
		bpf_object__close(object);
	}
	return n;
}

static int unpin_from(char *folder)
{
	struct config config = { .pin = folder };

	return unpin(&config, &report);
}

static int unpin_ours(void)
{
	char folder[128];

	snprintf(folder, sizeof(folder), "%s", on_bpffs("ours"));
	return unpin_from(folder);
}

static void make_ours(void)
{
	assert_int_equal(mkdir(on_bpffs("ours"), 0700), 0);
	assert_true(for_maps(true) >= families_count);
}

static void test_nothing_is_pinned(void **state)
{
	char none[] = "none";

	(void)state;
	assert_int_equal(unpin_from(none), 0);
	assert_line(REPORT_INFO, "no pinned maps", " ([bpf] pin = none)");
	need_bpf();
	assert_int_equal(unpin_ours(), 0);
	assert_int_equal(report.n, 1);
	report_clear(&report);
	assert_int_equal(access(on_bpffs("ours"), F_OK), -1); /* it is not made */
}

static void test_all_of_ours(void **state)
{
	char words[64];

	(void)state;
	need_bpf();
	make_ours();
	snprintf(words, sizeof(words), ": removed %zu pinned maps", for_maps(false));
	assert_int_equal(unpin_ours(), 0);
	assert_line(REPORT_INFO, on_bpffs("ours"), words);
	assert_int_equal(access(on_bpffs("ours"), F_OK), -1);
}

/* An agent was killed while its map took the place of another, before it had removed that name. */
static void test_killed_while_moving(void **state)
{
	char words[64];

	(void)state;
	need_bpf();
	make_ours();
	pin_map("trace_rows_new");
	snprintf(words, sizeof(words), ": removed %zu pinned maps", for_maps(false) + 1);
	assert_int_equal(unpin_ours(), 0);
	assert_line(REPORT_INFO, on_bpffs("ours"), words);
	assert_int_equal(access(on_bpffs("ours"), F_OK), -1);
}

/* Another's map, a folder where a map of ours would be, a program, a map in another folder. */
static void test_nothing_else(void **state)
{
	static const char *const names[] = { "ours/exit_others", "ours/others" };
	size_t named = 0;

	(void)state;
	need_bpf();
	make_ours();
	pin_map("exit_others");
	pin_map("others");
	assert_int_equal(unlink(on_bpffs("ours/trace_rows")), 0);
	assert_int_equal(mkdir(on_bpffs("ours/trace_rows"), 0700), 0);
	assert_int_equal(unpin_ours(), -EEXIST);
	for (size_t i = 0; i < report.n; i++)
		named += strstr(report.lines[i].text, ": not a ") &&
			 strstr(report.lines[i].text, "; not removed");
	assert_int_equal(named, 4); /* the folder as a map of ours, and each as what is left */
	report_clear(&report);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(access(on_bpffs(names[i]), F_OK), 0);
		assert_int_equal(unlink(on_bpffs(names[i])), 0);
	}
	assert_int_equal(for_maps(false), 1); /* the folder */
	assert_int_equal(rmdir(on_bpffs("ours/trace_rows")), 0);
	assert_int_equal(unpin_ours(), 0);
	assert_int_equal(access(on_bpffs("ours"), F_OK), -1);
}

static void assert_kept(int err, const char *words)
{
	size_t maps = for_maps(false);

	assert_int_equal(unpin_ours(), err);
	assert_line(REPORT_WARNING, on_bpffs("ours"), words);
	assert_int_equal(for_maps(false), maps);
}

static void test_an_agent_uses_it(void **state)
{
	(void)state;
	need_bpf();
	make_ours();
	open_folder();
	assert_kept(-EWOULDBLOCK, ": in use by another agent" KEPT);
	let_go();
	assert_int_equal(unpin_ours(), 0);
}

/* What another process makes of the folder: its exit status. */
static int unpin_in_child(void)
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0)
		_exit(unpin_ours() == -EWOULDBLOCK ? 0 : 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* An agent with our own parent is one that pmcd gave up, to another agent; here it is not. */
static void test_an_agent_is_not_ended(void **state)
{
	int ready[2];
	char byte;
	pid_t pid;

	(void)state;
	need_bpf();
	make_ours();
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(on_bpffs("ours"), O_RDONLY);

		if (flock(fd, LOCK_EX) == 0 && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(unpin_in_child(), 0);
	assert_int_equal(waitpid(pid, NULL, WNOHANG), 0); /* it is still there */
	assert_true(for_maps(false) >= families_count);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(ready[0]);
	close(ready[1]);
	assert_int_equal(unpin_ours(), 0);
}

static void test_a_folder_of_others(void **state)
{
	(void)state;
	need_bpf();
	make_ours();
	assert_int_equal(chmod(on_bpffs("ours"), 0770), 0);
	assert_kept(-EPERM, NOT_OURS KEPT);
	assert_int_equal(chmod(on_bpffs("ours"), 0700), 0);
	assert_int_equal(chown(on_bpffs("ours"), 65534, 0), 0);
	assert_kept(-EPERM, NOT_OURS KEPT);
	assert_int_equal(rename(on_bpffs("ours"), on_bpffs("real")), 0);
	assert_int_equal(chown(on_bpffs("real"), geteuid(), 0), 0);
	assert_int_equal(symlink(on_bpffs("real"), on_bpffs("ours")), 0);
	assert_kept(-ENOTDIR, ": Not a directory" KEPT);
}

/* Files of our maps' names in a folder that is on no BPF file system. */
static void test_another_file_system(void **state)
{
	char folder[128];

	(void)state;
	assert_non_null(getcwd(folder, sizeof(folder) - strlen("/folder")));
	strcat(folder, "/folder");
	assert_int_equal(mkdir("folder", 0700), 0);
	write_text("folder/trace_rows", "mine");
	write_text("folder/exit_meta", "mine");
	assert_int_equal(unpin_from(folder), -EINVAL);
	assert_line(REPORT_WARNING, folder, ": not on a BPF file system" KEPT);
	assert_int_equal(access("folder/trace_rows", F_OK), 0);
	assert_int_equal(access("folder/exit_meta", F_OK), 0);
}

/* The file system's own root: ours go, and it stays. */
static void test_the_mount_itself(void **state)
{
	(void)state;
	need_bpf();
	assert_int_equal(chmod(mounted, 0700), 0);
	make_ours();
	pin_map("others");
	assert_int_equal(rename(on_bpffs("ours/trace_rows"), on_bpffs("trace_rows")), 0);
	assert_int_equal(unpin_from(mounted), 0);
	assert_int_equal(access(on_bpffs("trace_rows"), F_OK), -1);
	assert_int_equal(access(on_bpffs("ours/others"), F_OK), 0);
	report_clear(&report);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		bpffs_test(test_nothing_is_pinned),   bpffs_test(test_all_of_ours),
		bpffs_test(test_killed_while_moving), bpffs_test(test_nothing_else),
		bpffs_test(test_an_agent_uses_it),    bpffs_test(test_an_agent_is_not_ended),
		bpffs_test(test_a_folder_of_others),  bpffs_test(test_another_file_system),
		bpffs_test(test_the_mount_itself),
	};

	return cmocka_run_group_tests(tests, bpffs_group_setup, bpffs_group_teardown);
}
