/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * kvm.conf: the stock agent's file and meaning, plus shell patterns in [trace].
 *
 *	[paths]
 *	debugfs = /sys/kernel/debug
 *	tracefs = /sys/kernel/tracing
 *	lockdown = /sys/kernel/security/lockdown
 *	[bpf]
 *	pin = pmdakvm		# or an absolute path, or none
 *	vms = 4096
 *	vcpus = 4096
 *	[trace]			# or [dynamic]
 *	kvm_exit
 *	kvm_mmu_*
 *
 * We parse it ourselves: libinih as Debian builds it refuses a line without
 * '=' and cuts long lines without a word, and GLib's and libconfig's formats
 * are others.
 */
#ifndef PMDAKVM_CONFIG_H
#define PMDAKVM_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/report.h"

/* A longer line is no event and no path that a kernel would take. */
#define CONFIG_LINE_MAX 4095

struct config_event {
	char *name; /* an event, or a pattern as fnmatch(3) takes it */
	bool pattern;
	unsigned line; /* in the file; 0 if it did not come from one */
};

/* How many VMs' counts are kept over a restart, where the file does not say. */
#define CONFIG_VMS 4096

/* How many vCPUs' exits are counted with their times, where the file does not say. */
#define CONFIG_VCPUS 4096

struct config {
	char *path; /* the file; "-e" if the events come from the command line */
	char *debugfs;
	char *tracefs;
	char *lockdown;
	char *pin;		/* the folder for pinned maps, as the file has it; "none": none */
	uint32_t vms;		/* whose counts are kept there, at most */
	const char *only;	/* the one family that is wanted; NULL: all */
	uint32_t vcpus;		/* whose exits are counted with their times, at most */
	uint32_t vm_histograms; /* of a vCPU and a reason, at most; 0: none */
	struct config_event *events; /* in the file's order, no name twice */
	size_t nevents;
};

/* Defaults: the kernel's own paths, pin folder pmdakvm, no events. 0 or -ENOMEM. */
int config_init(struct config *ret_config);

/*
 * Read the file at path. Every line that makes no sense is passed over and adds
 * one warning "FILE:LINE: ..." to the report (from the 21st on they are only
 * counted); the rest counts. Returns 0, -ENOMEM, or the error that opening or
 * reading gave: a line in the report says so, and ret_config then holds what was
 * read before it, or the defaults. Only with -ENOMEM is ret_config untouched.
 */
int config_load(const char *path, struct report *report, struct config *ret_config);

/*
 * Add one event or pattern, as a line in [trace] would. Returns 0, -EEXIST if it
 * is there already, -EINVAL if it can be no event's name, or -ENOMEM.
 */
int config_add_event(struct config *config, const char *name, unsigned line);

void config_free(struct config *config);

#endif /* PMDAKVM_CONFIG_H */
