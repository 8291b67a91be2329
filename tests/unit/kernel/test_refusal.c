// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Causes for which bpf() is refused: the table, one by one, and how each is found out. */
#include "kernel/privileges.h"
#include "fakes/support.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

/* The process and the host. */
static struct {
	const char *missing, *users, *release;
	int seccomp;	/* mode */
	int bpf_errno;	/* what answers an unknown command */
	rlim_t memlock; /* bytes */
	unsigned asked; /* how often bpf() was called */
} host;

const char *__wrap_privs_missing(void);
int __wrap_prctl(int option, ...);
long __wrap_syscall(long number, ...);
ssize_t __wrap_readlink(const char *path, char *target, size_t size);
int __wrap_uname(struct utsname *kernel);
int __wrap_getrlimit(int resource, struct rlimit *limit);

const char *__wrap_privs_missing(void)
{
	return host.missing;
}

int __wrap_prctl(int option, ...)
{
	assert_int_equal(option, PR_GET_SECCOMP);
	return host.seccomp;
}

long __wrap_syscall(long number, ...)
{
	assert_int_equal(number, SYS_bpf);
	host.asked++;
	errno = host.bpf_errno;
	return -1;
}

ssize_t __wrap_readlink(const char *path, char *target, size_t size)
{
	assert_string_equal(path, "/proc/self/ns/user");
	if (!host.users)
		return -1;
	strncpy(target, host.users, size);
	return (ssize_t)strlen(host.users);
}

int __wrap_uname(struct utsname *kernel)
{
	snprintf(kernel->release, sizeof(kernel->release), "%s", host.release);
	return 0;
}

int __wrap_getrlimit(int resource, struct rlimit *limit)
{
	assert_int_equal(resource, RLIMIT_MEMLOCK);
	*limit = (struct rlimit){ host.memlock, RLIM_INFINITY };
	return 0;
}

/* Nothing on this host is a cause. */
static int setup(void **state)
{
	host.missing = "";
	host.users = "user:[4026531837]";
	host.release = "6.1.0-49-amd64";
	host.seccomp = 0;
	host.bpf_errno = EINVAL;
	host.memlock = RLIM_INFINITY;
	host.asked = 0;
	return work_setup(state);
}

/* The cause that is found for an error. */
static void assert_cause(int err, const char *text)
{
	char *found = privs_load_text(err, "lockdown");

	assert_non_null(found);
	assert_string_equal(found, text);
	free(found);
}

#define NOT_PERMITTED "bpf() failed (Operation not permitted)"
#define DENIED	      "bpf() failed (Permission denied)"
#define CANNOT	      "cannot load the BPF object: "
#define NONE_MISSING \
	" although no capability is missing; check container and security module policy"

static void test_unknown(void **state)
{
	(void)state;
	assert_cause(-EPERM, NOT_PERMITTED NONE_MISSING);
	assert_cause(-EACCES, DENIED NONE_MISSING);
	assert_cause(-EINVAL, CANNOT "Invalid argument");
	assert_cause(-ENOMEM, CANNOT "Cannot allocate memory");
	assert_cause(-ENOENT, CANNOT "No such file or directory");
}

static void test_no_bpf(void **state)
{
	(void)state;
	assert_cause(-ENOSYS, "this kernel does not support bpf()");
}

#define PERFMON ": CAP_PERFMON is missing; run as root or grant the capabilities"

static void test_capabilities(void **state)
{
	(void)state;
	host.missing = "CAP_PERFMON is";
	assert_cause(-EPERM, NOT_PERMITTED PERFMON);
	assert_cause(-EACCES, DENIED PERFMON);
	assert_cause(-EINVAL, CANNOT "Invalid argument"); /* that is no matter of rights */
	/* who lacks them is told so first, whatever else there is */
	host.seccomp = SECCOMP_MODE_FILTER;
	host.bpf_errno = EPERM;
	host.users = "user:[4026532000]";
	host.release = "5.10.0-32-amd64";
	host.memlock = 65536;
	write_text("lockdown", "none integrity [confidentiality]\n");
	assert_cause(-EPERM, NOT_PERMITTED PERFMON);
}

#define FILTER \
	": a seccomp filter of this process refuses it; let the container's or the service's filter allow bpf()"

static void test_a_seccomp_filter(void **state)
{
	(void)state;
	host.seccomp = SECCOMP_MODE_FILTER;
	host.bpf_errno = EPERM;
	assert_cause(-EPERM, NOT_PERMITTED FILTER);
	host.bpf_errno = ENOSYS;
	assert_cause(-ENOSYS, "bpf() failed (Function not implemented)" FILTER);
	/* a filter that lets bpf() through */
	host.bpf_errno = EINVAL;
	assert_cause(-EPERM, NOT_PERMITTED NONE_MISSING);
	assert_int_equal(host.asked, 3);
	/* none */
	host.seccomp = SECCOMP_MODE_DISABLED;
	host.bpf_errno = EPERM;
	assert_cause(-EPERM, NOT_PERMITTED NONE_MISSING);
	assert_int_equal(host.asked, 3);
}

static void test_a_user_namespace(void **state)
{
	(void)state;
	host.users = "user:[4026532000]";
	assert_cause(-EPERM, NOT_PERMITTED
		     ": capabilities within a user namespace do not count; run outside of it");
	assert_cause(-EINVAL, CANNOT "Invalid argument");
	host.users = NULL; /* /proc is not mounted */
	assert_cause(-EPERM, NOT_PERMITTED NONE_MISSING);
}

#define CONFIDENTIAL "kernel lockdown mode is confidentiality: BPF cannot read kernel memory"

static void test_lockdown(void **state)
{
	static const char *const modes[] = {
		"[none] integrity confidentiality\n",
		"none [integrity] confidentiality\n",
		"none integrity confidentiality\n",
		"",
		"\n",
		"\nnone integrity [confidentiality]\n", /* only the first line counts */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		write_text("lockdown", modes[i]);
		assert_cause(-EPERM, NOT_PERMITTED NONE_MISSING);
		assert_cause(-EINVAL, CANNOT "Invalid argument");
	}
	write_text("lockdown", "none integrity [confidentiality]"); /* without newline */
	assert_cause(-EPERM, CONFIDENTIAL);
	assert_cause(-EACCES, CONFIDENTIAL);
	assert_cause(-EINVAL, CONFIDENTIAL);
	assert_cause(-ENOSYS, "this kernel does not support bpf()");
	assert_cause(-ENOMEM, CANNOT "Cannot allocate memory");
}

#define MEMLOCK                                                                                          \
	": before Linux 5.11 maps and programs count against RLIMIT_MEMLOCK, which is 64 KiB; raise it " \
	"(LimitMEMLOCK=infinity, ulimit -l unlimited) or run as root"

static void test_memlock(void **state)
{
	static const struct {
		const char *release;
		bool counts;
	} kernels[] = {
		{ "5.10.0-32-cloud-amd64", true },
		{ "4.18.0-553.el8.x86_64", true },
		{ "5.11.0", false },
		{ "5.15.0-1", false },
		{ "6.1.0", false },
		{ "10.0", false },
		{ "nonsense", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(kernels); i++) {
		host.release = kernels[i].release;
		host.memlock = 65536;
		assert_cause(-EPERM, kernels[i].counts ? NOT_PERMITTED MEMLOCK :
							 NOT_PERMITTED NONE_MISSING);
		assert_cause(-EACCES, DENIED NONE_MISSING); /* that is another's answer */
		host.memlock = RLIM_INFINITY;
		assert_cause(-EPERM, NOT_PERMITTED NONE_MISSING);
	}
}

static void test_security_modules(void **state)
{
	(void)state;
	write_text("lsm", "lockdown,capability,yama,apparmor,bpf\n");
	assert_cause(
		-EPERM, NOT_PERMITTED
		" although no capability is missing; one of the security modules (apparmor, bpf) can have refused it: see the audit log");
	assert_cause(-EINVAL, CANNOT "Invalid argument");
	write_text("lsm", "lockdown,capability,landlock,yama"); /* none that has a say */
	assert_cause(-EPERM, NOT_PERMITTED NONE_MISSING);
	write_text("lsm", "");
	assert_cause(-EPERM, NOT_PERMITTED NONE_MISSING);
}

#define refusal_test(test) cmocka_unit_test_setup_teardown(test, setup, work_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		refusal_test(test_unknown),	     refusal_test(test_no_bpf),
		refusal_test(test_capabilities),     refusal_test(test_a_seccomp_filter),
		refusal_test(test_a_user_namespace), refusal_test(test_lockdown),
		refusal_test(test_memlock),	     refusal_test(test_security_modules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
