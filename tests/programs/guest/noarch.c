/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Where nobody has written the machine code yet, so that it compiles and skips. */
#include <errno.h>

#include "guest.h"

#ifndef GUEST_ARCH_X86

const char *arch_lacks(const struct plan *plan)
{
	(void)plan;
	return "there is no machine code for this architecture yet";
}

int arch_build(const struct plan *plan, struct program *ret_prog)
{
	(void)plan;
	(void)ret_prog;
	return -ENOTSUP;
}

int arch_init_vm(struct vm *vm)
{
	(void)vm;
	return -ENOTSUP;
}

int arch_init_vcpu(struct vcpu *vcpu)
{
	(void)vcpu;
	return -ENOTSUP;
}

int arch_restart(struct vcpu *vcpu)
{
	(void)vcpu;
	return -ENOTSUP;
}

int arch_where(struct vcpu *vcpu, __u64 *ret_done, bool *ret_last)
{
	(void)vcpu;
	(void)ret_done;
	(void)ret_last;
	return -ENOTSUP;
}

__u32 arch_hlts_begun(const struct vcpu *vcpu)
{
	(void)vcpu;
	return 0;
}

int arch_wake(struct vcpu *vcpu)
{
	(void)vcpu;
	return -ENOTSUP;
}

#endif
