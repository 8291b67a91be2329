// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Texts for missing capabilities, and dropping privileges, with faked capabilities. */
#include "kernel/privileges.h"
#include "fakes/support.h"

#include <cap-ng.h>
#include <errno.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#define BIT(cap) (1ULL << (cap))
#define BOTH	 (BIT(CAP_BPF) | BIT(CAP_PERFMON))

/* The process as seen by libcap-ng and the kernel, and the recorded calls. */
static struct process {
	bool unknown; /* capabilities cannot be read */
	bool old;     /* kernel before 5.8 */
	uint64_t effective, permitted;
	unsigned uid;
	int apply_ret, prctl_ret;
	/* outcomes */
	bool cleared, no_new_privs;
	uint64_t kept; /* added since capng_clear() */
	unsigned applied;
	capng_select_t applied_to;
	int changed_uid, changed_gid;
	capng_flags_t changed_flags;
	int setgroups_ret;
	bool groups_set;
	gid_t groups[4];
	size_t ngroups;
} process;

int __wrap_capng_get_caps_process(void);
int __wrap_capng_have_capability(capng_type_t which, unsigned capability);
void __wrap_capng_clear(capng_select_t set);
int __wrap_capng_update(capng_act_t action, capng_type_t type, unsigned capability);
int __wrap_capng_apply(capng_select_t set);
int __wrap_capng_change_id(int uid, int gid, capng_flags_t flag);
int __wrap_prctl(int option, ...);
int __wrap_getgroups(int size, gid_t list[]);
int __wrap_setgroups(size_t n, const gid_t *list);
uid_t __wrap_geteuid(void);
struct passwd *__wrap_getpwnam(const char *name);

int __wrap_capng_get_caps_process(void)
{
	return process.unknown ? -1 : 0;
}

int __wrap_capng_have_capability(capng_type_t which, unsigned capability)
{
	assert_true(which == CAPNG_EFFECTIVE || which == CAPNG_PERMITTED);
	assert_false(process.unknown);
	assert_false(process.cleared); /* after capng_clear() it returns the selection */
	return ((which == CAPNG_EFFECTIVE ? process.effective : process.permitted) >> capability) &
	       1;
}

void __wrap_capng_clear(capng_select_t set)
{
	assert_int_equal(set, CAPNG_SELECT_BOTH);
	process.cleared = true;
	process.kept = 0;
}

int __wrap_capng_update(capng_act_t action, capng_type_t type, unsigned capability)
{
	assert_int_equal(action, CAPNG_ADD);
	assert_int_equal(type, CAPNG_EFFECTIVE | CAPNG_PERMITTED);
	assert_true(process.cleared);
	process.kept |= BIT(capability);
	return 0;
}

int __wrap_capng_apply(capng_select_t set)
{
	assert_true(process.cleared);
	process.applied++;
	process.applied_to = set;
	return process.apply_ret;
}

int __wrap_capng_change_id(int uid, int gid, capng_flags_t flag)
{
	assert_true(process.cleared);
	process.changed_uid = uid;
	process.changed_gid = gid;
	process.changed_flags = flag;
	return process.apply_ret;
}

/* The process is in groups 21 and 22. */
int __wrap_getgroups(int size, gid_t list[])
{
	for (int i = 0; i < size && i < 2; i++)
		list[i] = 21 + (gid_t)i;
	return 2;
}

int __wrap_setgroups(size_t n, const gid_t *list)
{
	assert_false(process.applied || process.changed_uid); /* later it has no right to */
	assert_true(n <= ARRAY_SIZE(process.groups));
	memcpy(process.groups, list, n * sizeof(*list));
	process.ngroups = n;
	process.groups_set = true;
	return process.setgroups_ret;
}

int __wrap_prctl(int option, ...)
{
	va_list args;
	unsigned long value;

	va_start(args, option);
	value = (unsigned long)va_arg(args, int);
	va_end(args);
	if (option == PR_CAPBSET_READ) {
		assert_int_equal(value, CAP_BPF);
		errno = EINVAL;
		return process.old ? -1 : 0; /* 0: known, but not in the bounding set */
	}
	assert_int_equal(option, PR_SET_NO_NEW_PRIVS);
	assert_int_equal(value, 1);
	process.no_new_privs = true;
	errno = EINVAL;
	return process.prctl_ret;
}

uid_t __wrap_geteuid(void)
{
	return process.uid;
}

struct passwd *__wrap_getpwnam(const char *name)
{
	static struct passwd entry = { .pw_uid = 13, .pw_gid = 17 };

	return strcmp(name, "pcp") == 0 ? &entry : NULL;
}

static int setup(void **state)
{
	process = (struct process){ .effective = BOTH, .permitted = BOTH, .uid = 0 };
	return work_setup(state);
}

#define ADMIN BIT(CAP_SYS_ADMIN)

static void test_missing(void **state)
{
	static const struct {
		uint64_t effective;
		bool old, unknown;
		const char *text;
	} rows[] = {
		{ BOTH, false, false, "" },
		{ 0, false, false, "CAP_BPF and CAP_PERFMON are" },
		{ BIT(CAP_BPF), false, false, "CAP_PERFMON is" },
		{ BIT(CAP_PERFMON), false, false, "CAP_BPF is" },
		{ ADMIN, false, false, "" },
		{ ADMIN | BOTH, false, false, "" },
		{ ADMIN, true, false, "" },
		{ 0, true, false, "CAP_SYS_ADMIN is" },
		{ BIT(CAP_NET_ADMIN), false, false, "CAP_BPF and CAP_PERFMON are" },
		{ 0, false, true, "" }, /* nothing is reported missing if unknown */
	};

	(void)state;
	process.permitted = ADMIN | BOTH; /* permitted, not effective */
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		process.effective = rows[i].effective;
		process.old = rows[i].old;
		process.unknown = rows[i].unknown;
		assert_string_equal(privs_missing(), rows[i].text);
	}
}

/* Only the permitted ones of the needed capabilities are kept. */
static void test_drop_keeps(void **state)
{
	static const struct {
		uint64_t permitted, kept;
		bool old;
	} rows[] = {
		{ UINT64_MAX, BOTH, false },
		{ BOTH, BOTH, false },
		{ BIT(CAP_BPF) | ADMIN, BIT(CAP_BPF), false },
		{ BIT(CAP_PERFMON), BIT(CAP_PERFMON), false },
		{ ADMIN, 0, false },
		{ ADMIN | BIT(CAP_NET_ADMIN), ADMIN, true },
		{ 0, 0, true },
		{ 0, 0, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		process = (struct process){ .permitted = rows[i].permitted, .old = rows[i].old };
		assert_int_equal(privs_drop(NULL, 0), 0);
		assert_true(process.cleared);
		assert_int_equal(process.kept, rows[i].kept);
		assert_int_equal(process.applied, 1);
		assert_int_equal(process.applied_to, CAPNG_SELECT_BOTH);
		assert_true(process.no_new_privs);
	}
}

/* Only root changes the bounding set; the ID changes only for another user. */
static void test_drop_users(void **state)
{
	(void)state;
	process.uid = 5;
	assert_int_equal(privs_drop(NULL, 0), 0);
	assert_int_equal(process.applied_to, CAPNG_SELECT_CAPS);
	assert_int_equal(process.changed_uid, 0);
	process = (struct process){ .uid = 13 };
	assert_int_equal(privs_drop("pcp", 0), 0);
	assert_int_equal(process.applied, 1);
	assert_int_equal(process.changed_uid, 0);
	process = (struct process){ .permitted = BOTH };
	assert_int_equal(privs_drop("pcp", 0), 0);
	assert_int_equal(process.applied, 0);
	assert_int_equal(process.changed_uid, 13);
	assert_int_equal(process.changed_gid, 17);
	assert_int_equal(process.changed_flags, CAPNG_NO_FLAG);
	assert_true(process.groups_set);
	assert_int_equal(process.ngroups, 0);
	assert_int_equal(process.kept, BOTH);
	assert_true(process.no_new_privs);
}

/* Another user is in this group alone; a user that is kept, in its own, too. */
static void test_drop_group(void **state)
{
	(void)state;
	process = (struct process){ .permitted = BOTH };
	assert_int_equal(privs_drop("pcp", 4242), 0);
	assert_int_equal(process.changed_uid, 13);
	assert_int_equal(process.changed_flags, CAPNG_NO_FLAG);
	assert_int_equal(process.ngroups, 1);
	assert_int_equal(process.groups[0], 4242);
	process = (struct process){ .permitted = BOTH };
	assert_int_equal(privs_drop(NULL, 4242), 0);
	assert_int_equal(process.applied, 1);
	assert_int_equal(process.ngroups, 3);
	assert_int_equal(process.groups[1], 22);
	assert_int_equal(process.groups[2], 4242);
	process = (struct process){ .permitted = BOTH };
	assert_int_equal(privs_drop(NULL, 0), 0);
	assert_false(process.groups_set);
	process = (struct process){ .permitted = BOTH, .setgroups_ret = -1, .uid = 5 };
	assert_int_equal(privs_drop(NULL, 4242), 0);
	assert_int_equal(process.applied, 1);
	process = (struct process){ .permitted = BOTH, .setgroups_ret = -1 };
	assert_int_equal(privs_drop("pcp", 0), -EPERM);
	assert_int_equal(process.changed_uid, 0);
}

static void test_drop_in_vain(void **state)
{
	(void)state;
	assert_int_equal(privs_drop("nobody else", 0), -ENOENT);
	assert_false(process.cleared);
	process.unknown = true;
	assert_int_equal(privs_drop(NULL, 0), -EPERM);
	assert_false(process.cleared);
	process = (struct process){ .apply_ret = -1 };
	assert_int_equal(privs_drop(NULL, 0), -EPERM);
	assert_false(process.no_new_privs);
	process = (struct process){ .apply_ret = -5 };
	assert_int_equal(privs_drop("pcp", 0), -EPERM);
	process = (struct process){ .prctl_ret = -1 };
	assert_int_equal(privs_drop(NULL, 0), -EINVAL);
}

#define privs_test(test) cmocka_unit_test_setup_teardown(test, setup, work_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		privs_test(test_missing),      privs_test(test_drop_keeps),
		privs_test(test_drop_users),   privs_test(test_drop_group),
		privs_test(test_drop_in_vain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
