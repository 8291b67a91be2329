/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Lists the kvm tracepoints of this kernel. Source: BTF, where every tracepoint has a typedef
 * btf_trace_NAME; it is readable in every lockdown mode. Fallback: tracefs, if the kernel has no
 * BTF for KVM.
 */
#ifndef PMDAKVM_TRACEPOINTS_H
#define PMDAKVM_TRACEPOINTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/kernel_types.h"

struct events {
	char **names;	 /* sorted and unique */
	size_t n;	 /* 0: KVM is absent, or nothing could be read */
	bool loaded;	 /* KVM is there, whether its events are listed or not */
	int btf_err;	 /* why its type information lists none; 0: it has been read */
	int tracefs_err; /* why tracefs lists none */
};

/*
 * Find the events in the types of kvm (KVM is a module), else in those of vmlinux (KVM is built
 * in), else below TRACEFS/events. Unreadable sources are skipped. Returns 0 (with n = 0 if none was
 * found) or -ENOMEM.
 */
int events_find(struct kernel_types *types, const char *tracefs, struct events *ret_events);

/*
 * A number that changes when KVM or its vendor module is loaded, unloaded or reloaded: a hash of
 * the inodes of what the kernel shows of them. Cheap: at most seven stat() calls.
 */
uint64_t events_stamp(const char *btf_dir, const char *tracefs);

/*
 * Why an event that is needed is not there: KVM is not loaded, or its events are listed nowhere, or
 * it lacks that one. The caller frees the text; NULL: no memory.
 */
char *events_missing(const struct events *events, const char *tracefs);

/* Is the event in the list? */
bool events_has(const struct events *events, const char *name);

/*
 * The folder of an event in tracefs, TRACEFS/events/GROUP/NAME. The caller frees it; NULL: tracefs
 * cannot be read, or there is none.
 */
char *events_folder(const char *tracefs, const char *name);

/* Does the event fire only where nothing can be switched out? See atomic_events.def. */
bool events_atomic(const char *name);

void events_free(struct events *events);

#endif /* PMDAKVM_TRACEPOINTS_H */
