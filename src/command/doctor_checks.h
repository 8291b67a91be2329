/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* What kvmbpf doctor looks at: a table of checks of a host, each a row. */
#ifndef PMDAKVM_DOCTOR_CHECKS_H
#define PMDAKVM_DOCTOR_CHECKS_H

#include <stddef.h>

/* The host: where it shows what. Tests have folders of their own. */
struct doctor_host {
	const char *btf;       /* KERNEL_TYPES_DIR */
	const char *modules;   /* KVM_MODULES_DIR */
	const char *lockdown;  /* the kernel's file */
	const char *tracefs;   /* mount point */
	const char *device;    /* /dev/kvm */
	const char *mounts;    /* PROC_MOUNTS */
	const char *locks;     /* /proc/locks */
	const char *pmcd_conf; /* PCP's list of agents */
	const char *pin;       /* [bpf] pin of kvm.conf */
};

enum doctor_level {
	DOCTOR_FINE,   /* works */
	DOCTOR_NOTE,   /* works; it is as well to know this */
	DOCTOR_LIMITS, /* something is missing in what is shown */
	DOCTOR_FAILS,  /* nothing can be counted */
};

#define DOCTOR_TEXT 512

struct doctor_finding {
	enum doctor_level level;
	char what[DOCTOR_TEXT]; /* what was found */
	char then[DOCTOR_TEXT]; /* what to do; "": nothing */
};

struct doctor_check {
	const char *name;
	void (*look)(const struct doctor_host *host, struct doctor_finding *finding);
};

/* In the order in which they are shown: each can be the cause of what those after it find. */
extern const struct doctor_check doctor_checks[];
extern const size_t doctor_checks_count;

#endif /* PMDAKVM_DOCTOR_CHECKS_H */
