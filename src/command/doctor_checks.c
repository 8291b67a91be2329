// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/doctor_checks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/pinned_folder.h"
#include "kernel/preemptible.h"
#include "kernel/privileges.h"
#include "kernel/proc_hiding.h"
#include "kernel/refusal.h"
#include "kvm/tracepoints.h"
#include "kvm/vendor.h"

static void found(struct doctor_finding *finding, enum doctor_level level, const char *then,
		  const char *format, ...) __attribute__((format(printf, 4, 5)));

static void found(struct doctor_finding *finding, enum doctor_level level, const char *then,
		  const char *format, ...)
{
	va_list args;

	finding->level = level;
	va_start(args, format);
	vsnprintf(finding->what, sizeof(finding->what), format, args);
	va_end(args);
	snprintf(finding->then, sizeof(finding->then), "%s", then);
}

static bool is_there(const char *dir, const char *name)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return access(path, F_OK) == 0;
}

/* --- this process --- */

/* That no program can be loaded matters less where an agent's maps can be read. */
static enum doctor_level without_programs(const struct doctor_host *host)
{
	struct report report = { 0 };
	struct pins *pins = NULL;
	int err = pins_watch(host->pin, &report, &pins);
	bool reads = !err && pins;

	pins_close(pins);
	report_clear(&report);
	return reads ? DOCTOR_NOTE : DOCTOR_FAILS;
}

static void look_capabilities(const struct doctor_host *host, struct doctor_finding *finding)
{
	const char *missing = privs_missing();

	if (*missing)
		found(finding, without_programs(host), "run as root, or give them",
		      "%s missing: programs of our own cannot be loaded; the user that owns an agent's maps "
		      "can read them",
		      missing);
	else
		found(finding, DOCTOR_FINE, "", "CAP_BPF and CAP_PERFMON, or more");
}

/* A seccomp filter, a container or a security module can refuse what capabilities allow. */
static void look_bpf(const struct doctor_host *host, struct doctor_finding *finding)
{
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "doctor", sizeof(__u32), sizeof(__u64), 1,
				NULL);
	char *text;

	if (fd >= 0) {
		close(fd);
		found(finding, DOCTOR_FINE, "", "bpf() makes maps");
		return;
	}
	text = privs_load_text(fd, host->lockdown);
	found(finding, without_programs(host), "see above, or run outside of the container",
	      "bpf() makes no map: %s", text ? text : strerror(-fd));
	free(text);
}

static void look_memlock(const struct doctor_host *host, struct doctor_finding *finding)
{
	struct refusal refusal;

	refusal_read(-EPERM, host->lockdown, &refusal);
	if (refusal.limited)
		found(finding, DOCTOR_NOTE,
		      "ulimit -l unlimited, before kvmbpf or the agent starts",
		      "maps count against RLIMIT_MEMLOCK, which is %llu KiB",
		      (unsigned long long)refusal.limit);
	else
		found(finding, DOCTOR_FINE, "", "RLIMIT_MEMLOCK does not limit maps");
}

/* --- the kernel --- */

/* Is a file system of this type mounted? Returns false, too, if that cannot be read. */
static bool is_mounted(const char *mounts, const char *type)
{
	FILE *file = fopen(mounts, "re");
	char *line = NULL;
	bool mounted = false;
	size_t size = 0;

	while (file && !mounted && getline(&line, &size, file) > 0) {
		const char *at = strstr(line, " - ");

		mounted = at && strncmp(at + 3, type, strlen(type)) == 0 &&
			  at[3 + strlen(type)] == ' ';
	}
	free(line);
	if (file)
		fclose(file);
	return mounted;
}

static const char confidentiality[] =
	"before Linux 6.2 no program reads kernel memory, so exits have no reasons and VMs no names";

/* Can a program that reads kernel memory be loaded? Returns 1, 0, or -1: it cannot be told. */
static int may_read(void)
{
	/* a program that calls a helper with its stack, 8 and 0, and one that does nothing */
	static const struct bpf_insn reads[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	const size_t n = sizeof(reads) / sizeof(reads[0]), nothing = n - 2;
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "doctor", "GPL", reads, n, NULL);

	if (fd >= 0) {
		close(fd);
		return 1;
	}
	fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "doctor", "GPL", reads + nothing,
			   n - nothing, NULL);
	if (fd < 0)
		return -1;
	close(fd);
	return 0;
}

/* The kernel's file is not there or says nothing: that is no answer by itself. */
static void look_for_lockdown(const struct doctor_host *host, struct doctor_finding *finding)
{
	int reads;

	if (is_mounted(host->mounts, "securityfs") && access(host->lockdown, F_OK) &&
	    errno == ENOENT) {
		found(finding, DOCTOR_FINE, "", "this kernel has no lockdown");
		return;
	}
	reads = may_read();
	if (reads > 0)
		found(finding, DOCTOR_FINE, "",
		      "%s cannot be read; a program may read kernel memory, so the mode is not "
		      "confidentiality",
		      host->lockdown);
	else if (!reads)
		found(finding, DOCTOR_NOTE, "",
		      "%s cannot be read; the mode seems to be confidentiality: %s", host->lockdown,
		      confidentiality);
	else
		found(finding, DOCTOR_NOTE,
		      "mount -t securityfs securityfs /sys/kernel/security, or run as root",
		      "not known: %s cannot be read", host->lockdown);
}

static void look_lockdown(const struct doctor_host *host, struct doctor_finding *finding)
{
	FILE *file = fopen(host->lockdown, "re");
	char text[128] = "", *begin, *end;

	if (file && !fgets(text, sizeof(text), file))
		text[0] = '\0';
	if (file)
		fclose(file);
	begin = strchr(text, '[');
	end = begin ? strchr(begin, ']') : NULL;
	if (!end) {
		look_for_lockdown(host, finding);
		return;
	}
	*end = '\0';
	if (strcmp(begin + 1, "confidentiality") == 0)
		found(finding, DOCTOR_NOTE, "", "mode confidentiality: %s", confidentiality);
	else
		found(finding, DOCTOR_FINE, "", "mode %s refuses nothing that is needed",
		      begin + 1);
}

/* What sysfs does not show is not there only if it is mounted. */
static bool has_sysfs(const struct doctor_host *host, struct doctor_finding *finding)
{
	if (access(host->modules, X_OK) == 0)
		return true;
	found(finding, DOCTOR_FAILS, "mount -t sysfs sysfs /sys", "not known: %s: %s",
	      host->modules, strerror(errno));
	return false;
}

static void look_btf(const struct doctor_host *host, struct doctor_finding *finding)
{
	bool module = is_there(host->modules, "kvm/initstate");

	if (!has_sysfs(host, finding))
		return;
	if (!is_there(host->btf, "vmlinux"))
		found(finding, DOCTOR_FAILS, "use a kernel that has CONFIG_DEBUG_INFO_BTF",
		      "%s/vmlinux: the kernel has no type information (BTF)", host->btf);
	else if (module && !is_there(host->btf, "kvm"))
		found(finding, DOCTOR_LIMITS,
		      "use Linux 5.11 or later, with CONFIG_DEBUG_INFO_BTF_MODULES",
		      "the module kvm has no type information (BTF): exits can lack reasons, VMs "
		      "have no names and KVM's statistics only host totals");
	else
		found(finding, DOCTOR_FINE, "", "the kernel has type information%s",
		      module ? ", and its module kvm" : "");
}

static void look_kvm(const struct doctor_host *host, struct doctor_finding *finding)
{
	bool loaded = is_there(host->modules, "kvm");
	enum reasons_isa isa;

	if (!has_sysfs(host, finding))
		return;
	if (!loaded)
		found(finding, DOCTOR_FAILS,
		      "modprobe kvm_intel or kvm_amd; see also the firmware's settings",
		      "KVM is not loaded");
	else if (kvm_vendor(host->modules, &isa) == 0)
		found(finding, DOCTOR_FINE, "", "KVM with %s",
		      isa == REASONS_SVM ? "kvm_amd" : "kvm_intel");
	else if (is_there(host->modules, "kvm_pvm"))
		found(finding, DOCTOR_LIMITS, "",
		      "KVM with kvm_pvm, which fires no kvm_exit: trips to the VMM are counted, exits "
		      "in KVM are not");
#ifdef __aarch64__
	else
		found(finding, DOCTOR_FINE, "", "KVM of arm64");
#else
	else
		found(finding, DOCTOR_LIMITS, "modprobe kvm_intel or kvm_amd",
		      "KVM is loaded, but neither kvm_amd nor kvm_intel is: no guest can run");
#endif
}

static void look_tracepoints(const struct doctor_host *host, struct doctor_finding *finding)
{
	struct kernel_types types = { .dir = host->btf };
	struct events events = { 0 };
	char *text;

	if (events_find(&types, host->tracefs, &events)) {
		found(finding, DOCTOR_FAILS, "", "%s", strerror(ENOMEM));
	} else if (!events.n) {
		text = events_missing(&events, host->tracefs);
		found(finding, DOCTOR_FAILS,
		      events.loaded ? "mount -t tracefs tracefs /sys/kernel/tracing" :
				      "load KVM: the agent counts from then on",
		      "no event of kvm: %s", text ? text : "KVM is not loaded");
		free(text);
	} else if (!events_has(&events, "kvm_exit") || !events_has(&events, "kvm_entry")) {
		found(finding, DOCTOR_LIMITS, "",
		      "%zu events of kvm, but not kvm_exit and kvm_entry: exits are not counted",
		      events.n);
	} else {
		found(finding, DOCTOR_FINE, "", "%zu events of kvm", events.n);
	}
	events_free(&events);
	kernel_types_close(&types);
}

static void look_preemptible(const struct doctor_host *host, struct doctor_finding *finding)
{
	struct kernel_types types = { .dir = host->btf };
	bool knows = !*privs_missing(), preemptible = knows && tracepoints_preemptible(&types);

	kernel_types_close(&types);
	if (!knows)
		found(finding, DOCTOR_NOTE, "",
		      "not looked at: that takes CAP_BPF and CAP_PERFMON");
	else if (!preemptible)
		found(finding, DOCTOR_FINE, "", "no thread is switched out in a program");
	else if (is_there(host->tracefs, "events"))
		found(finding, DOCTOR_NOTE, "",
		      "threads can be switched out in programs: perf attaches them, so that no event "
		      "is missed");
	else
		found(finding, DOCTOR_LIMITS,
		      access(host->tracefs, X_OK) && errno == EACCES ?
			      "run as root, or mount tracefs so that this user can read it" :
			      "mount -t tracefs tracefs /sys/kernel/tracing",
		      "threads can be switched out in programs, and perf cannot attach them without "
		      "%s/events: up to 3 %% of events are missed, and counted as missed",
		      host->tracefs);
}

static void look_device(const struct doctor_host *host, struct doctor_finding *finding)
{
	if (access(host->device, F_OK))
		found(finding, DOCTOR_LIMITS, "load KVM; in a container, pass the device in",
		      "%s is not there: no VMM can make a VM", host->device);
	else if (access(host->device, R_OK | W_OK))
		found(finding, DOCTOR_NOTE, "run as root, or as a member of its group",
		      "%s cannot be opened: units of KVM's statistics are those that we know",
		      host->device);
	else
		found(finding, DOCTOR_FINE, "", "%s can be opened", host->device);
}

/* --- who else is here --- */

static void look_processes(const struct doctor_host *host, struct doctor_finding *finding)
{
	struct proc_hiding hiding;

	proc_hiding_read(host->mounts, &hiding);
	if (access(host->mounts, R_OK))
		found(finding, DOCTOR_LIMITS, "mount -t proc proc /proc",
		      "not known: %s: %s: VMs have no names without /proc", host->mounts,
		      strerror(errno));
	else if (hiding.hides && geteuid())
		found(finding, DOCTOR_NOTE,
		      "run as root, or in the group that /proc is mounted with",
		      "/proc hides processes (hidepid=%s): VMs have their commands' names",
		      hiding.hidepid);
	else
		found(finding, DOCTOR_FINE, "", "/proc shows the VMMs' command lines");
}

static void look_pins(const struct doctor_host *host, struct doctor_finding *finding)
{
	struct report report = { 0 };
	struct pins *pins = NULL;

	if (pins_watch(host->pin, &report, &pins))
		found(finding, DOCTOR_LIMITS, "", "%s", strerror(ENOMEM));
	else if (pins)
		found(finding, DOCTOR_FINE, "",
		      "an agent runs: its maps in %s are read, and "
		      "nothing is attached",
		      pins->path);
	else if (report.n)
		found(finding, DOCTOR_NOTE, "run as the agent's user", "%s", report.lines[0].text);
	else if (access(host->locks, R_OK))
		found(finding, DOCTOR_NOTE, "mount -t proc proc /proc",
		      "not known: %s, which tells whether an agent runs: %s", host->locks,
		      strerror(errno));
	else
		found(finding, DOCTOR_FINE, "",
		      "no agent pins maps ([bpf] pin = %s): programs of our own count while kvmbpf runs",
		      host->pin);
	pins_close(pins);
	report_clear(&report);
}

/* make install puts our agent there, whatever PREFIX is; the stock one has the same name. */
#define OUR_FOLDER "/lib/pmdakvm/pmdas/kvm/"

/* Copy words, with one blank between two. */
static void words_copy(const char *line, char *text, size_t size)
{
	size_t n = 0;

	for (const char *at = line; *at && *at != '\n' && n + 1 < size; at++) {
		bool blank = *at == ' ' || *at == '\t';

		if (!blank || (n && text[n - 1] != ' '))
			text[n++] = blank ? ' ' : *at;
	}
	text[n] = '\0';
}

/* The words after the agent's name and domain in pmcd.conf. */
static bool agent_read(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	char line[1024];
	bool is = false;

	while (file && !is && fgets(line, sizeof(line), file)) {
		char name[64];
		int at = 0;

		if (sscanf(line, "%63s %*d %n", name, &at) == 1 && at && strcmp(name, "kvm") == 0) {
			words_copy(line + at, text, size);
			is = true;
		}
	}
	if (file)
		fclose(file);
	return is;
}

static void look_agent(const struct doctor_host *host, struct doctor_finding *finding)
{
	char text[256];

	if (access(host->pmcd_conf, R_OK))
		found(finding, DOCTOR_FINE, "", "PCP is not installed, or does not let us look");
	else if (!agent_read(host->pmcd_conf, text, sizeof(text)))
		found(finding, DOCTOR_NOTE,
		      "./Install in the folder of the agent, to have kvm metrics",
		      "%s: pmcd has no agent kvm", host->pmcd_conf);
	else if (strstr(text, OUR_FOLDER))
		found(finding, DOCTOR_FINE, "", "pmcd's agent kvm is ours%s: %s",
		      strncmp(text, "dso", 3) == 0 ? ", a DSO, which pins nothing" : "", text);
	else
		found(finding, DOCTOR_NOTE,
		      "./Install in the folder of the agent, to have ours instead",
		      "pmcd's agent kvm is another: %s", text);
}

const struct doctor_check doctor_checks[] = {
	{ "capabilities", look_capabilities },
	{ "bpf", look_bpf },
	{ "memlock", look_memlock },
	{ "lockdown", look_lockdown },
	{ "btf", look_btf },
	{ "kvm", look_kvm },
	{ "tracepoints", look_tracepoints },
	{ "preemption", look_preemptible },
	{ "device", look_device },
	{ "processes", look_processes },
	{ "pins", look_pins },
	{ "agent", look_agent },
};

const size_t doctor_checks_count = sizeof(doctor_checks) / sizeof(doctor_checks[0]);
