// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

/* CAP_BPF and CAP_PERFMON exist since Linux 5.8. */
static bool kernel_has_cap_bpf(void)
{
	return prctl(PR_CAPBSET_READ, CAP_BPF, 0, 0, 0) >= 0;
}

const char *privs_missing(void)
{
	bool bpf, perfmon;

	if (capng_get_caps_process())
		return "";
	if (capng_have_capability(CAPNG_EFFECTIVE, CAP_SYS_ADMIN))
		return "";
	if (!kernel_has_cap_bpf())
		return "CAP_SYS_ADMIN is";
	bpf = capng_have_capability(CAPNG_EFFECTIVE, CAP_BPF);
	perfmon = capng_have_capability(CAPNG_EFFECTIVE, CAP_PERFMON);
	if (bpf && perfmon)
		return "";
	if (!bpf && !perfmon)
		return "CAP_BPF and CAP_PERFMON are";
	return bpf ? "CAP_PERFMON is" : "CAP_BPF is";
}

/* Select the permitted capabilities to keep. */
static void select_capabilities(void)
{
	bool bpf = capng_have_capability(CAPNG_PERMITTED, CAP_BPF);
	bool perfmon = capng_have_capability(CAPNG_PERMITTED, CAP_PERFMON);
	bool admin = capng_have_capability(CAPNG_PERMITTED, CAP_SYS_ADMIN);

	capng_clear(CAPNG_SELECT_BOTH);
	if (bpf)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_BPF);
	if (perfmon)
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_PERFMON);
	if (admin && !kernel_has_cap_bpf())
		capng_update(CAPNG_ADD, CAPNG_EFFECTIVE | CAPNG_PERMITTED, CAP_SYS_ADMIN);
}

/* Add a supplementary group to those of this process. */
static void group_add(gid_t group)
{
	int n = getgroups(0, NULL);
	gid_t *groups = n < 0 ? NULL : calloc((size_t)n + 1, sizeof(*groups));

	n = groups ? getgroups(n, groups) : -1;
	if (n >= 0) {
		groups[n] = group;
		/* without CAP_SETGID it stays as it is; what cannot be read then is said */
		(void)!setgroups((size_t)n + 1, groups);
	}
	free(groups);
}

static int user_change(const struct passwd *entry, gid_t group)
{
	if (setgroups(group ? 1 : 0, &group))
		return -EPERM;
	return capng_change_id((int)entry->pw_uid, (int)entry->pw_gid, CAPNG_NO_FLAG);
}

int privs_drop(const char *user, gid_t group)
{
	const struct passwd *entry = user ? getpwnam(user) : NULL;
	int ret;

	if (user && !entry)
		return -ENOENT;
	if (capng_get_caps_process())
		return -EPERM;
	select_capabilities();
	if (entry && entry->pw_uid != geteuid()) {
		ret = user_change(entry, group);
	} else {
		if (group)
			group_add(group);
		ret = capng_apply(geteuid() == 0 ? CAPNG_SELECT_BOTH : CAPNG_SELECT_CAPS);
	}
	if (ret)
		return -EPERM;
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ? -errno : 0;
}
