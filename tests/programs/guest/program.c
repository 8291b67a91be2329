/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Where in its programme a vCPU is, which all architectures tell alike. */
#include "guest.h"

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
