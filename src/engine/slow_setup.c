// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "engine/slow_setup.h"

#include <string.h>

#include "kvm/exit_reasons.h"

_Static_assert(SLOW_ISA_TRIPS == REASONS_USERSPACE + 1, "trips have the reasons of userspace.def");

void slow_setup_fill(struct slow_setup *ret_setup, uint32_t threshold_us)
{
	*ret_setup = (struct slow_setup){ .threshold = threshold_us * UINT64_C(1000) };
	for (unsigned isa = 0; isa < REASONS_ISAS; isa++) {
		size_t n;
		const struct reason *list = reasons_list((enum reasons_isa)isa, &n);

		for (size_t i = 0; i < n; i++) {
			int slot = reasons_slot_of((enum reasons_isa)isa, list[i].code);

			if (slot >= 0 && reasons_sleeps(list[i].name, strlen(list[i].name)))
				ret_setup->sleeps[isa + 1][slot / 64] |= UINT64_C(1) << slot % 64;
		}
	}
}
