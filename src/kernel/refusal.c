// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/refusal.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "kernel/privileges.h"

/* --- the table --- */

static bool is_refused(const struct refusal *refusal)
{
	return refusal->err == -EPERM || refusal->err == -EACCES;
}

static bool lacks_capabilities(const struct refusal *refusal)
{
	return is_refused(refusal) && *refusal->missing;
}

static bool is_filtered(const struct refusal *refusal)
{
	return refusal->filtered;
}

static bool is_of_other_users(const struct refusal *refusal)
{
	return is_refused(refusal) && refusal->other_users;
}

/* A program that reads kernel memory is not valid then. */
static bool is_locked_down(const struct refusal *refusal)
{
	return (is_refused(refusal) || refusal->err == -EINVAL) && refusal->confidential;
}

static bool is_limited(const struct refusal *refusal)
{
	return refusal->err == -EPERM && refusal->limited;
}

static bool has_modules(const struct refusal *refusal)
{
	return is_refused(refusal) && *refusal->modules;
}

static bool is_unsupported(const struct refusal *refusal)
{
	return refusal->err == -ENOSYS;
}

static bool is_anything(const struct refusal *refusal)
{
	(void)refusal;
	return true;
}

/*
 * In a text %e stands for the error, %c for the missing capabilities with a verb, %l for the
 * limit, %m for the security modules.
 */
static const struct {
	bool (*applies)(const struct refusal *refusal);
	const char *text;
} causes[] = {
	{ lacks_capabilities,
	  "bpf() failed (%e): %c missing; run as root or grant the capabilities" },
	{ is_filtered,
	  "bpf() failed (%e): a seccomp filter of this process refuses it; let the container's or the service's filter allow bpf()" },
	{ is_of_other_users,
	  "bpf() failed (%e): capabilities within a user namespace do not count; run outside of it" },
	{ is_locked_down,
	  "kernel lockdown mode is confidentiality: BPF cannot read kernel memory" },
	{ is_limited,
	  "bpf() failed (%e): before Linux 5.11 maps and programs count against RLIMIT_MEMLOCK, which is %l KiB; raise it (LimitMEMLOCK=infinity, ulimit -l unlimited) or run as root" },
	{ has_modules,
	  "bpf() failed (%e) although no capability is missing; one of the security modules (%m) can have refused it: see the audit log" },
	{ is_refused,
	  "bpf() failed (%e) although no capability is missing; check container and security module policy" },
	{ is_unsupported, "this kernel does not support bpf()" },
	{ is_anything, "cannot load the BPF object: %e" },
};

static void text_write(const struct refusal *refusal, const char *format, FILE *file)
{
	for (; *format; format++) {
		if (*format != '%') {
			fputc(*format, file);
			continue;
		}
		switch (*++format) {
		case 'e':
			fputs(strerror(-refusal->err), file);
			break;
		case 'c':
			fputs(refusal->missing, file);
			break;
		case 'l':
			fprintf(file, "%llu", (unsigned long long)refusal->limit);
			break;
		case 'm':
			fputs(refusal->modules, file);
			break;
		}
	}
}

char *refusal_text(const struct refusal *refusal)
{
	char *text = NULL;
	size_t cause = 0, size;
	FILE *file = open_memstream(&text, &size);

	if (!file)
		return NULL;
	while (!causes[cause].applies(refusal))
		cause++;
	text_write(refusal, causes[cause].text, file);
	fclose(file);
	return text;
}

/* --- what is so here --- */

static bool line_read(const char *path, char *line, int size)
{
	FILE *file = fopen(path, "re");
	bool has = file && fgets(line, size, file);

	if (file)
		fclose(file);
	return has;
}

bool is_lockdown_confidential(const char *lockdown)
{
	char modes[128];

	return line_read(lockdown, modes, sizeof(modes)) && strstr(modes, "[confidentiality]");
}

/* The kernel does not know this command (-EINVAL); a filter has an answer of its own. */
static bool is_answered_by_filter(void)
{
	return prctl(PR_GET_SECCOMP) == SECCOMP_MODE_FILTER &&
	       syscall(SYS_bpf, 0x7fffffff, NULL, 0) < 0 && errno != EINVAL;
}

/* The host's first user namespace has this number (PROC_USER_INIT_INO). */
static bool is_in_other_users(void)
{
	char target[64] = "";

	return readlink("/proc/self/ns/user", target, sizeof(target) - 1) > 0 &&
	       strcmp(target, "user:[4026531837]") != 0;
}

/* Since 5.11 they count against the memory cgroup. */
static bool counts_memlock(void)
{
	struct utsname kernel;
	int major, minor;

	return uname(&kernel) == 0 && sscanf(kernel.release, "%d.%d", &major, &minor) == 2 &&
	       (major < 5 || (major == 5 && minor < 11));
}

/* Those of the list that have a say in bpf(). */
static void modules_read(const char *lockdown, char modules[REFUSAL_MODULES])
{
	static const char *const known[] = { "selinux", "apparmor", "smack", "tomoyo", "bpf" };
	char list[256], path[256], *name, *at = list;
	const char *slash = strrchr(lockdown, '/');
	int folder = slash ? (int)(slash + 1 - lockdown) : 0;

	*modules = '\0';
	snprintf(path, sizeof(path), "%.*slsm", folder, lockdown);
	if (!line_read(path, list, sizeof(list)))
		return;
	while ((name = strsep(&at, ",\n"))) {
		for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
			size_t used = strlen(modules);

			if (strcmp(name, known[i]) == 0)
				snprintf(modules + used, REFUSAL_MODULES - used, "%s%s",
					 used ? ", " : "", name);
		}
	}
}

void refusal_read(int err, const char *lockdown, struct refusal *ret_refusal)
{
	struct refusal refusal = { .err = err, .missing = privs_missing() };
	struct rlimit memlock;

	refusal.filtered = is_answered_by_filter();
	refusal.other_users = is_in_other_users();
	refusal.confidential = is_lockdown_confidential(lockdown);
	if (counts_memlock() && getrlimit(RLIMIT_MEMLOCK, &memlock) == 0 &&
	    memlock.rlim_cur != RLIM_INFINITY) {
		refusal.limited = true;
		refusal.limit = memlock.rlim_cur / 1024;
	}
	modules_read(lockdown, refusal.modules);
	*ret_refusal = refusal;
}

char *privs_load_text(int err, const char *lockdown)
{
	struct refusal refusal;

	refusal_read(err, lockdown, &refusal);
	return refusal_text(&refusal);
}
