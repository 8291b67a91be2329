// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "bpf/steps.h"

#include <inttypes.h>

static struct counted wanted(const struct subject *subject, const struct scenario *scenario,
			     unsigned slot)
{
	for (size_t i = 0; i < WANTS; i++) {
		if (scenario->wants[i].counted.count &&
		    reasons_slot_of(subject->isa, scenario->wants[i].code) == (int)slot)
			return scenario->wants[i].counted;
	}
	return (struct counted){ 0 };
}

static void assert_number(const struct scenario *scenario, unsigned slot, const char *what,
			  uint64_t is, uint64_t want)
{
	if (is != want)
		fail_msg("%s: slot %u: %s is %" PRIu64 ", not %" PRIu64, scenario->name, slot, what,
			 is, want);
}

void assert_scenario(const struct subject *subject, const struct scenario *scenario)
{
	struct counted slots[subject->slots];
	uint64_t guest_time;

	subject->clear();
	for (size_t i = 0; i < STEPS && scenario->steps[i].event; i++)
		subject->step(&scenario->steps[i]);
	subject->read(slots);
	for (unsigned slot = 0; slot < subject->slots; slot++) {
		struct counted is = slots[slot], want = wanted(subject, scenario, slot);

		assert_number(scenario, slot, "count", is.count, want.count);
		assert_number(scenario, slot, "time", is.time, want.time);
		assert_number(scenario, slot, "max", is.max, want.max);
		assert_number(scenario, slot, "timed", is.timed, want.timed);
	}
	guest_time = subject->guest_time();
	if (guest_time != scenario->guest_time)
		fail_msg("%s: guest time is %" PRIu64 ", not %" PRIu64, scenario->name, guest_time,
			 scenario->guest_time);
}
