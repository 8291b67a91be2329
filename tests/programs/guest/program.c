/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Where in its programme a vCPU is, which all architectures tell alike. */
#include "guest.h"

/* How many loops a programme can have; those without a section are not in it. */
unsigned int plan__loops(const struct plan *plan)
{
	return EV_MAX + plan->naccesses;
}

/* How many turns a vCPU's loop takes. */
__u32 plan__count(const struct plan *plan, unsigned int loop, unsigned int vcpu)
{
	return loop < EV_MAX ? plan->count[loop] :
			       access__count(&plan->accesses[loop - EV_MAX], vcpu);
}

/* How often a section's event has happened, by the instruction pointer and the loop's counter. */
__u64 section__done(const struct section *sect, __u32 count, __u64 at, __u32 counter)
{
	__u64 done;

	if (!sect->end || at < sect->loop)
		return 0;
	if (at >= sect->end)
		return count;
	done = count - counter;
	if (sect->after > sect->loop && at >= sect->after && at <= sect->dec)
		done++;
	return done;
}
