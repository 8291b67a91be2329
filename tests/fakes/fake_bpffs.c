// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "fakes/fake_bpffs.h"

#include <bpf/bpf.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace.skel.h"

/* valgrind reports false errors in libbpf's arguments of bpf(); it still reports leaks. */
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#else
#define VALGRIND_DISABLE_ERROR_REPORTING
#define VALGRIND_ENABLE_ERROR_REPORTING
#endif

const char *why_not;
char mounted[64];
struct report report;
struct pins *pins;
struct trace_bpf *skeleton;

int map_make(void)
{
	return bpf_map_create(BPF_MAP_TYPE_ARRAY, "probe", 4, 8, 1, NULL);
}

/* The mounts and pins are in a mount namespace of this process, so none outlives it. */
int bpffs_group_setup(void **state)
{
	int fd;

	(void)state;
	VALGRIND_DISABLE_ERROR_REPORTING;
	libbpf_set_print(NULL);
	fd = map_make();
	if (fd < 0)
		why_not = "bpf() is refused: run as root";
	else if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
		why_not = "no mount namespace of our own: run as root";
	if (fd >= 0)
		close(fd);
	return 0;
}

int bpffs_group_teardown(void **state)
{
	(void)state;
	VALGRIND_ENABLE_ERROR_REPORTING;
	return 0;
}

int bpffs_setup(void **state)
{
	int err = work_setup(state);

	report = (struct report){ 0 };
	pins = NULL;
	skeleton = NULL;
	if (err || why_not)
		return err;
	if (mkdir("bpffs", 0700) || !getcwd(mounted, sizeof(mounted) - strlen("/bpffs")))
		return -1;
	strcat(mounted, "/bpffs");
	return mount("bpf", mounted, "bpf", 0, "");
}

void let_go(void)
{
	trace_bpf__destroy(skeleton);
	skeleton = NULL;
	pins_close(pins);
	pins = NULL;
	report_clear(&report);
}

int bpffs_teardown(void **state)
{
	let_go();
	if (!why_not)
		umount2(mounted, MNT_DETACH);
	return work_teardown(state);
}

const char *on_bpffs(const char *name)
{
	static char paths[2][128];
	static unsigned epoch;
	char *path = paths[epoch++ % 2];

	snprintf(path, sizeof(paths[0]), "%s/%s", mounted, name);
	return path;
}

void assert_line(enum report_level level, const char *path, const char *words)
{
	char text[256];

	snprintf(text, sizeof(text), "%s%s", path, words);
	assert_int_equal(report.n, 1);
	assert_string_equal(report.lines[0].text, text);
	assert_int_equal(report.lines[0].level, level);
	report_clear(&report);
}

void open_folder(void)
{
	assert_int_equal(pins_open(on_bpffs("ours"), &report, &pins), 0);
	assert_non_null(pins);
	assert_int_equal(report.n, 0);
}
