/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Parser for kvm.conf: the stock agent's format and meaning, plus shell patterns in [trace].
 *
 *	[paths]
 *	debugfs = /sys/kernel/debug
 *	tracefs = /sys/kernel/tracing
 *	lockdown = /sys/kernel/security/lockdown
 *	[bpf]
 *	pin = pmdakvm		# or an absolute path, or none
 *	vms = 4096
 *	vcpus = 4096
 *	counters = 65536
 *	causes = 32768		# or off
 *	vm_causes = 256
 *	ledger = on		# or off
 *	slow_us = 10000		# or off
 *	[trace]			# or [dynamic]
 *	kvm_exit
 *	kvm_mmu_*
 *
 * The parser is our own: Debian's build of libinih rejects lines without '=' and silently
 * truncates long lines; GLib and libconfig read different formats.
 */
#ifndef PMDAKVM_CONFIG_H
#define PMDAKVM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/report.h"

/* Longest accepted line in bytes; the kernel accepts no longer event name or path. */
#define CONFIG_LINE_MAX 4095

struct config_event {
	char *name; /* event name or fnmatch(3) pattern */
	bool pattern;
	unsigned line; /* line number in the file; 0: not from a file */
};

/* Default of [bpf] vms: VMs whose last counts are kept across a restart. */
#define CONFIG_VMS 4096

/* Default of [bpf] vcpus: vCPUs whose exits are counted with times. */
#define CONFIG_VCPUS 4096

/* Default of [bpf] counters: reasons of vCPUs that are counted with times. */
#define CONFIG_COUNTERS 65536

/* Default of [bpf] causes: causes of vCPUs, and of the host, that are kept. */
#define CONFIG_CAUSES 32768

/* Default of [bpf] vm_causes. */
#define CONFIG_VM_CAUSES 256

/* Default of [bpf] slow_us: how long an exit takes at most that is not slow. */
#define CONFIG_SLOW_US 10000

/* Growth of a family in a tick of a program's own loop, ns. */
#define CONFIG_GROWTH_NS 200000000

/* Default of [instances] names: instance names whose numbers are kept. */
#define CONFIG_INSTANCES 2097152

struct config {
	char *path; /* file name; "-e" if the events come from the command line */
	char *debugfs;
	char *tracefs;
	char *lockdown;
	char *pin;	    /* directory for pinned maps, as written in the file, or "none" */
	uint32_t vms;	    /* maximum number of VMs whose last counts are pinned */
	bool raw_only;	    /* attach nothing by perf: its links take long to close */
	bool one_thread;    /* start no other: glibc has a signal handler once there was one */
	bool labels_stay;   /* VMs' labels are not shown: they need not follow VMs */
	bool rows_late;	    /* a table has rows once it is read, as most are not */
	const char *only;   /* the only family to open; NULL: all */
	uint32_t vcpus;	    /* maximum number of vCPUs whose exits are counted with times */
	uint32_t counters;  /* maximum number of (vCPU, reason) counters, per family */
	uint32_t causes;    /* maximum number of (vCPU, cause) values; 0: off */
	uint32_t vm_causes; /* maximum number of causes of a VM that are shown by themselves */
	uint32_t ledger;    /* is there to be a ledger of vCPUs' time? */
	uint32_t slow_us;   /* an exit that takes longer is slow, microseconds; 0: off */
	uint64_t growth_ns; /* how long a tick may make room; 0: ticks are fetches */
	uint32_t instances; /* maximum number of instance names whose numbers are kept */
	struct config_event *events; /* in file order, names are unique */
	size_t nevents;
};

/* Set defaults: the kernel's own paths, pin directory pmdakvm, no events. Returns 0 or -ENOMEM. */
int config_init(struct config *ret_config);

/*
 * Read the file at path. An invalid line is ignored and adds one warning "FILE:LINE: ..." to
 * the report; from the 21st on, warnings are only counted. Returns 0, -ENOMEM, or the error
 * of opening or reading the file. Such an error is reported, and ret_config holds the lines
 * read before it, or the defaults and the stock agent's five events. ret_config is untouched
 * only with -ENOMEM.
 */
int config_load(const char *path, struct report *report, struct config *ret_config);

/*
 * Add one event or pattern, as a line in [trace] does. Returns 0, -EEXIST for a duplicate,
 * -EINVAL for an invalid event name, or -ENOMEM.
 */
int config_add_event(struct config *config, const char *name, unsigned line);

void config_free(struct config *config);

#endif /* PMDAKVM_CONFIG_H */
