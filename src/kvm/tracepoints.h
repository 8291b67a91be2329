/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Which kvm tracepoints this kernel has. Source: the kernel's type information
 * (BTF), where every tracepoint has a typedef btf_trace_NAME; it stays readable
 * in every lockdown mode. From tracefs where a kernel has none for KVM.
 */
#ifndef PMDAKVM_EVENTS_H
#define PMDAKVM_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENTS_BTF_DIR "/sys/kernel/btf"

struct events {
	char **names; /* sorted, each once */
	size_t n;     /* 0: KVM is not there, or nothing could be read */
};

/*
 * Find the events: in BTF_DIR/kvm (KVM is a module), else in BTF_DIR/vmlinux
 * (KVM is built in), else below TRACEFS/events. What cannot be read is passed
 * over. Reading BTF costs some 6 ms and 6 MiB, given back before the return.
 * Returns 0 (with n of 0 where none was found) or -ENOMEM.
 */
int events_find(const char *btf_dir, const char *tracefs, struct events *ret_events);

/*
 * A number that changes when KVM or its vendor module comes, goes, or comes anew: made of
 * the inodes of what the kernel shows of them. Cheap: five stat() at most.
 */
uint64_t events_stamp(const char *btf_dir, const char *tracefs);

/* Is it one of them? */
bool events_has(const struct events *events, const char *name);

void events_free(struct events *events);

#endif /* PMDAKVM_EVENTS_H */
