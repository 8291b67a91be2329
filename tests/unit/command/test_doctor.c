// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf doctor's checks, each on hosts that are fine and that are not. */
#include "fakes/support.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "command/doctor_checks.h"
#include "kernel/preemptible.h"
#include "kernel/privileges.h"
#include "kernel/refusal.h"

/* What this process may, and what the kernel does. */
static struct {
	const char *missing;
	int map_err;
	bool preemptible;
	uint64_t limit; /* KiB; 0: none */
} process;

const char *__wrap_privs_missing(void);
int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 entries, const struct bpf_map_create_opts *opts);
bool __wrap_tracepoints_preemptible(struct kernel_types *types);
void __wrap_refusal_read(int err, const char *lockdown, struct refusal *ret_refusal);

const char *__wrap_privs_missing(void)
{
	return process.missing;
}

int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 entries, const struct bpf_map_create_opts *opts)
{
	(void)type, (void)name, (void)key_size, (void)value_size, (void)entries, (void)opts;
	return process.map_err ? process.map_err : dup(0);
}

bool __wrap_tracepoints_preemptible(struct kernel_types *types)
{
	(void)types;
	return process.preemptible;
}

void __wrap_refusal_read(int err, const char *lockdown, struct refusal *ret_refusal)
{
	(void)lockdown;
	*ret_refusal = (struct refusal){ .err = err,
					 .missing = process.missing,
					 .limited = process.limit > 0,
					 .limit = process.limit };
}

static const struct doctor_host host = {
	.btf = "btf",
	.modules = "module",
	.lockdown = "lockdown",
	.tracefs = "tracing",
	.device = "kvm-device",
	.mounts = "mounts",
	.pmcd_conf = "pmcd.conf",
	.pin = "none",
};

static int setup(void **state)
{
	process.missing = "";
	process.map_err = 0;
	process.preemptible = false;
	process.limit = 0;
	return work_setup(state);
}

/* The check of this name finds this, which has these words, and says whether to do something. */
static void assert_finds(const char *name, enum doctor_level level, const char *words, bool then)
{
	for (size_t i = 0; i < doctor_checks_count; i++) {
		struct doctor_finding finding = { .level = DOCTOR_FAILS };

		if (strcmp(doctor_checks[i].name, name) != 0)
			continue;
		doctor_checks[i].look(&host, &finding);
		assert_int_equal(finding.level, level);
		if (!strstr(finding.what, words))
			fail_msg("%s: %s", name, finding.what);
		assert_int_equal(*finding.then != '\0', then);
		return;
	}
	fail_msg("no check is called %s", name);
}

static void test_capabilities(void **state)
{
	(void)state;
	assert_finds("capabilities", DOCTOR_FINE, "CAP_BPF", false);
	process.missing = "CAP_PERFMON is";
	assert_finds("capabilities", DOCTOR_FAILS, "CAP_PERFMON is missing", true);
}

static void test_bpf(void **state)
{
	(void)state;
	assert_finds("bpf", DOCTOR_FINE, "bpf()", false);
	process.map_err = -ENOSYS;
	assert_finds("bpf", DOCTOR_FAILS, "bpf() makes no map: ", true);
}

static void test_memlock(void **state)
{
	(void)state;
	assert_finds("memlock", DOCTOR_FINE, "does not limit", false);
	process.limit = 64;
	assert_finds("memlock", DOCTOR_NOTE, "which is 64 KiB", true);
}

static void test_lockdown(void **state)
{
	(void)state;
	assert_finds("lockdown", DOCTOR_FINE, "no lockdown", false);
	write_text("lockdown", "[none] integrity confidentiality\n");
	assert_finds("lockdown", DOCTOR_FINE, "mode none", false);
	write_text("lockdown", "none [integrity] confidentiality\n");
	assert_finds("lockdown", DOCTOR_FINE, "mode integrity", false);
	write_text("lockdown", "none integrity [confidentiality]\n");
	assert_finds("lockdown", DOCTOR_NOTE, "mode confidentiality", false);
	write_text("lockdown", "");
	assert_finds("lockdown", DOCTOR_FINE, "no lockdown", false);
}

/* KVM can be a module, or built in: then it has no types of its own. */
static void test_btf(void **state)
{
	(void)state;
	assert_finds("btf", DOCTOR_FAILS, "btf/vmlinux", true);
	make_folders("btf");
	write_text("btf/vmlinux", "");
	make_folders("module/kvm");
	assert_finds("btf", DOCTOR_FINE, "the kernel has type information", false);
	write_text("module/kvm/initstate", "live\n");
	assert_finds("btf", DOCTOR_LIMITS, "the module kvm has no type information", true);
	write_text("btf/kvm", "");
	assert_finds("btf", DOCTOR_FINE, "and its module kvm", false);
}

static void test_kvm(void **state)
{
	(void)state;
	assert_finds("kvm", DOCTOR_FAILS, "KVM is not loaded", true);
	make_folders("module/kvm");
#ifndef __aarch64__
	assert_finds("kvm", DOCTOR_LIMITS, "neither kvm_amd nor kvm_intel", true);
#endif
	make_folders("module/kvm_pvm");
	assert_finds("kvm", DOCTOR_LIMITS, "fires no kvm_exit", false);
	make_folders("module/kvm_intel");
	assert_finds("kvm", DOCTOR_FINE, "KVM with kvm_intel", false);
}

static void test_tracepoints(void **state)
{
	(void)state;
	assert_finds("tracepoints", DOCTOR_FAILS, "no event of kvm: ", true);
	make_folders("tracing/events/kvm/kvm_pio");
	assert_finds("tracepoints", DOCTOR_LIMITS, "1 events of kvm, but not kvm_exit", false);
	make_folders("tracing/events/kvm/kvm_exit");
	make_folders("tracing/events/kvm/kvm_entry");
	assert_finds("tracepoints", DOCTOR_FINE, "3 events of kvm", false);
}

static void test_preemption(void **state)
{
	(void)state;
	assert_finds("preemption", DOCTOR_FINE, "no thread is switched out", false);
	process.preemptible = true;
	assert_finds("preemption", DOCTOR_LIMITS, "perf cannot attach them", true);
	make_folders("tracing/events");
	assert_finds("preemption", DOCTOR_NOTE, "perf attaches them", false);
	process.missing = "CAP_BPF is";
	assert_finds("preemption", DOCTOR_NOTE, "not looked at", false);
}

static void test_device(void **state)
{
	(void)state;
	assert_finds("device", DOCTOR_LIMITS, "kvm-device is not there", true);
	write_text("kvm-device", "");
	assert_finds("device", DOCTOR_FINE, "can be opened", false);
}

static void test_processes(void **state)
{
	(void)state;
	assert_finds("processes", DOCTOR_FINE, "/proc shows", false);
}

static void test_pins(void **state)
{
	(void)state;
	assert_finds("pins", DOCTOR_FINE, "no agent pins maps ([bpf] pin = none)", false);
}

static void test_agent(void **state)
{
	static const char ours[] = "/usr/local/lib/pmdakvm/pmdas/kvm/";
	char text[256];

	(void)state;
	assert_finds("agent", DOCTOR_FINE, "PCP is not installed", false);
	write_text("pmcd.conf",
		   "# a comment\npmcd\t2\tdso\tpmcd_init\t/x/pmda_pmcd.so\n[access]\n");
	assert_finds("agent", DOCTOR_NOTE, "pmcd has no agent kvm", true);
	write_text("pmcd.conf", "kvm\t95\tpipe\tbinary\t\t/var/lib/pcp/pmdas/kvm/pmdakvm -d 95\n");
	assert_finds("agent", DOCTOR_NOTE,
		     "another: pipe binary /var/lib/pcp/pmdas/kvm/pmdakvm -d 95", true);
	snprintf(text, sizeof(text), "pmcd 2 dso\nkvm 95 pipe binary %spmdakvm -d 95\n", ours);
	write_text("pmcd.conf", text);
	assert_finds("agent", DOCTOR_FINE, "pmcd's agent kvm is ours: pipe", false);
	snprintf(text, sizeof(text), "kvm 95 dso kvm_init %spmda_kvm.so\n", ours);
	write_text("pmcd.conf", text);
	assert_finds("agent", DOCTOR_FINE, "ours, a DSO, which pins nothing", false);
}

#define doctor_test(test) cmocka_unit_test_setup_teardown(test, setup, work_teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		doctor_test(test_capabilities), doctor_test(test_bpf),
		doctor_test(test_memlock),	doctor_test(test_lockdown),
		doctor_test(test_btf),		doctor_test(test_kvm),
		doctor_test(test_tracepoints),	doctor_test(test_preemption),
		doctor_test(test_device),	doctor_test(test_processes),
		doctor_test(test_pins),		doctor_test(test_agent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
