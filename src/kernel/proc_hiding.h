/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Whether /proc hides other users' processes: its mount options hidepid and gid. */
#ifndef PMDAKVM_PROC_HIDING_H
#define PMDAKVM_PROC_HIDING_H

#include <stdbool.h>
#include <sys/types.h>

#define PROC_MOUNTS "/proc/self/mountinfo"

struct proc_hiding {
	bool hides;	  /* hidepid is set, and not to 0 */
	bool from_all;	  /* hidepid=ptraceable: no group may see the processes */
	gid_t group;	  /* who is in this group sees them; 0: no group was named */
	char hidepid[16]; /* as it was given */
};

/* Read the options of the topmost mount on /proc from a mountinfo file; all 0 without one. */
void proc_hiding_read(const char *mountinfo, struct proc_hiding *ret_hiding);

#endif /* PMDAKVM_PROC_HIDING_H */
