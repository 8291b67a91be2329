// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf doctor's checks, each on hosts that are fine and that are not. */
#include "fakes/support.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "command/doctor_checks.h"
#include "kernel/pinned_folder.h"
#include "kernel/preemptible.h"
#include "kernel/privileges.h"
#include "kernel/refusal.h"

/* What this process may, and what the kernel does. */
static struct {
	const char *missing;
	int map_err;
	bool preemptible;
	bool refuses_reads, refuses_all; /* programs that read kernel memory, or any */
	uint64_t limit;			 /* KiB; 0: none */
	uid_t user;
	const char *pins_said; /* why an agent's maps cannot be read */
	struct pins *pins;     /* an agent's */
} process;

const char *__wrap_privs_missing(void);
int __wrap_bpf_map_create(enum bpf_map_type type, const char *name, __u32 key_size,
			  __u32 value_size, __u32 entries, const struct bpf_map_create_opts *opts);
bool __wrap_tracepoints_preemptible(struct kernel_types *types);
int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t n, struct bpf_prog_load_opts *opts);
void __wrap_refusal_read(int err, const char *lockdown, struct refusal *ret_refusal);
uid_t __wrap_geteuid(void);
int __wrap_pins_watch(const char *wanted, struct report *report, struct pins **ret_pins);
void __wrap_pins_close(struct pins *pins);

uid_t __wrap_geteuid(void)
{
	return process.user;
}

int __wrap_pins_watch(const char *wanted, struct report *report, struct pins **ret_pins)
{
	assert_string_equal(wanted, "none");
	if (process.pins_said)
		report_add(report, REPORT_INFO, "%s", process.pins_said);
	*ret_pins = process.pins;
	return 0;
}

void __wrap_pins_close(struct pins *pins)
{
	assert_ptr_equal(pins, process.pins);
}

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

/* All of them end, and those that call nothing are short. */
int __wrap_bpf_prog_load(enum bpf_prog_type type, const char *name, const char *license,
			 const struct bpf_insn *insns, size_t n, struct bpf_prog_load_opts *opts)
{
	bool calls = false;

	(void)name, (void)license, (void)opts;
	assert_int_equal(type, BPF_PROG_TYPE_RAW_TRACEPOINT);
	assert_int_equal(insns[n - 1].code, BPF_JMP | BPF_EXIT);
	for (size_t i = 0; i < n; i++)
		calls |= insns[i].code == (BPF_JMP | BPF_CALL);
	if (process.refuses_all || *process.missing)
		return -EPERM;
	return process.refuses_reads && calls ? -EINVAL : dup(0);
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
	.locks = "locks",
	.pmcd_conf = "pmcd.conf",
	.pin = "none",
};

static struct pins agents = { .path = (char *)"/its/pins", .reading = true };

static int setup(void **state)
{
	memset(&process, 0, sizeof(process));
	process.missing = "";
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
	process.pins = &agents;
	assert_finds("capabilities", DOCTOR_NOTE, "can read them", true);
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

#define MOUNT "31 23 0:7 / /sys/kernel/security rw - securityfs securityfs rw\n"

static void test_lockdown(void **state)
{
	(void)state;
	write_text("mounts", "22 26 0:21 / /proc rw,relatime - proc proc rw\n" MOUNT);
	assert_finds("lockdown", DOCTOR_FINE, "no lockdown", false);
	write_text("lockdown", "[none] integrity confidentiality\n");
	assert_finds("lockdown", DOCTOR_FINE, "mode none", false);
	write_text("lockdown", "none [integrity] confidentiality\n");
	assert_finds("lockdown", DOCTOR_FINE, "mode integrity", false);
	write_text("lockdown", "none integrity [confidentiality]\n");
	assert_finds("lockdown", DOCTOR_NOTE, "mode confidentiality", false);
}

/* Where securityfs is not mounted, or says nothing, a program is tried. */
static void test_lockdown_not_shown(void **state)
{
	(void)state;
	for (int shown = 0; shown < 2; shown++) {
		write_text("mounts", shown ? MOUNT : "22 26 0:21 / /proc rw - proc proc rw\n");
		process.refuses_reads = process.refuses_all = false;
		assert_finds("lockdown", DOCTOR_FINE, "may read kernel memory, so", false);
		process.refuses_reads = true;
		assert_finds("lockdown", DOCTOR_NOTE, "seems to be confidentiality", false);
		process.refuses_all = true;
		assert_finds("lockdown", DOCTOR_NOTE, "not known: lockdown cannot be read", true);
		write_text("lockdown", "");
	}
	process.refuses_all = process.refuses_reads = false;
	process.missing = "CAP_BPF is";
	assert_finds("lockdown", DOCTOR_NOTE, "not known", true);
}

/* KVM can be a module, or built in: then it has no types of its own. */
static void test_btf(void **state)
{
	(void)state;
	assert_finds("btf", DOCTOR_FAILS, "not known: module: No such file", true);
	make_folders("module");
	assert_finds("btf", DOCTOR_FAILS, "btf/vmlinux: the kernel has no type", true);
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
	assert_finds("kvm", DOCTOR_FAILS, "not known: module: No such file", true);
	make_folders("module");
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
	assert_finds("processes", DOCTOR_LIMITS, "not known: mounts: No such file", true);
	write_text("mounts", "22 26 0:21 / /proc rw,relatime - proc proc rw\n");
	assert_finds("processes", DOCTOR_FINE, "/proc shows", false);
	write_text("mounts", "22 26 0:21 / /proc rw - proc proc rw,hidepid=invisible\n");
	assert_finds("processes", DOCTOR_FINE, "/proc shows", false);
	process.user = 1000;
	assert_finds("processes", DOCTOR_NOTE, "hidepid=invisible", true);
}

static void test_pins(void **state)
{
	(void)state;
	assert_finds("pins", DOCTOR_NOTE, "not known: locks, which tells", true);
	write_text("locks", "");
	assert_finds("pins", DOCTOR_FINE, "no agent pins maps ([bpf] pin = none)", false);
	process.pins_said = "/its/pins: Permission denied";
	assert_finds("pins", DOCTOR_NOTE, "/its/pins: Permission denied", true);
	process.pins_said = NULL;
	process.pins = &agents;
	assert_finds("pins", DOCTOR_FINE, "an agent runs: its maps in /its/pins are read", false);
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
		doctor_test(test_capabilities),
		doctor_test(test_bpf),
		doctor_test(test_memlock),
		doctor_test(test_lockdown),
		doctor_test(test_btf),
		doctor_test(test_kvm),
		doctor_test(test_tracepoints),
		doctor_test(test_preemption),
		doctor_test(test_device),
		doctor_test(test_processes),
		doctor_test(test_pins),
		doctor_test(test_agent),
		doctor_test(test_lockdown_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
