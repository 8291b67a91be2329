// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "vms/vcpu_thread.h"

void vcpu_thread_take(struct vcpu *vcpu, const struct vm_record *record)
{
	bool same = vcpu->tid == record->tid && vcpu->start == record->start;

	vcpu->has_thread = record->start;
	if (record->thread)
		vcpu->thread = record->thread;
	if (!record->start && vcpu->tid != record->tid)
		vcpu->start = 0;
	vcpu->tid = record->tid;
	if (!record->start) /* the thread has ended, or there was none */
		return;
	if (record->run_delay != VMS_NO_DELAY) {
		if ((same || !vcpu->has_run_delay) && record->run_delay > vcpu->thread_delay)
			vcpu->run_delay += record->run_delay - vcpu->thread_delay;
		vcpu->thread_delay = record->run_delay;
		vcpu->has_run_delay = true;
	}
	vcpu->start = record->start;
}
