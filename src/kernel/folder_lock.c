// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/folder_lock.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/*
 * How long a killed agent may take to end, in ms: the kernel closes each link of perf's in up to
 * 0.1 s, and releases the lock last.
 */
#define KILL_MS 15000

/*
 * Find the lock of the directory in a file of locks, /proc/locks or one of /proc/PID/fdinfo.
 * Returns the PID that took it, which says nothing about who holds it now; 0: not found.
 */
static pid_t lock_find(const char *path, const struct stat *folder)
{
	FILE *locks = fopen(path, "re");
	char line[256];
	pid_t found = 0;

	while (locks && !found && fgets(line, sizeof(line), locks)) {
		const char *lock = strncmp(line, "lock:", 5) == 0 ? line + 5 : line;
		unsigned major_number, minor_number;
		unsigned long inode;
		int pid;

		if (sscanf(lock, "%*d: FLOCK ADVISORY WRITE %d %x:%x:%lu", &pid, &major_number,
			   &minor_number, &inode) == 4 &&
		    major_number == major(folder->st_dev) &&
		    minor_number == minor(folder->st_dev) && inode == folder->st_ino)
			found = pid;
	}
	if (locks)
		fclose(locks);
	return found;
}

/* Does one of the process's descriptors hold the lock of the directory? */
static bool holds_lock(pid_t pid, const struct stat *folder)
{
	char path[64], file[80 + NAME_MAX];
	struct dirent *entry;
	bool held = false;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo", pid);
	dir = opendir(path);
	while (dir && !held && (entry = readdir(dir))) {
		snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
		held = entry->d_name[0] != '.' && lock_find(file, folder);
	}
	if (dir)
		closedir(dir);
	return held;
}

/* Does the process run our own executable? */
static bool is_pmdakvm(pid_t pid)
{
	char path[64], own[256] = "", other[256] = "";

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink("/proc/self/exe", own, sizeof(own) - 1) > 0 &&
	       readlink(path, other, sizeof(other) - 1) > 0 && strcmp(own, other) == 0;
}

static pid_t parent_of(pid_t pid)
{
	char path[64];
	FILE *file;
	int parent = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	file = fopen(path, "re");
	/* field 2 is the command in parentheses; our own contains none */
	if (file && fscanf(file, "%*d (%*[^)]) %*c %d", &parent) != 1)
		parent = 0;
	if (file)
		fclose(file);
	return parent;
}

static bool is_hung_agent(pid_t pid, const struct stat *folder)
{
	return pid != getpid() && getppid() != 1 && parent_of(pid) == getppid() &&
	       is_pmdakvm(pid) && holds_lock(pid, folder);
}

/*
 * If the agent that holds the lock hangs, kill it and wait until it has ended. The PID stands for
 * the pidfd's process as long as that lives. So what /proc says is about this process, or it has
 * ended and the signal fails.
 */
static bool kill_hung_agent(const struct stat *folder)
{
	pid_t pid = lock_find("/proc/locks", folder);
	struct pollfd ended = { .events = POLLIN };
	bool killed;

	if (pid <= 0)
		return false;
	ended.fd = pidfd_open(pid, 0);
	if (ended.fd < 0)
		return false;
	killed = is_hung_agent(pid, folder) && pidfd_send_signal(ended.fd, SIGKILL, NULL, 0) == 0;
	if (killed)
		poll(&ended, 1, KILL_MS);
	close(ended.fd);
	return killed;
}

bool folder_is_locked(int fd)
{
	struct stat folder;

	return fstat(fd, &folder) == 0 && lock_find("/proc/locks", &folder) > 0;
}

int folder_lock(int fd, bool kill_hung)
{
	struct stat folder;

	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return 0;
	if (errno != EWOULDBLOCK)
		return -errno;
	if (!kill_hung || fstat(fd, &folder) || !kill_hung_agent(&folder))
		return -EWOULDBLOCK;
	/* a process closes its files before its pidfd says that it has ended */
	return flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
}
