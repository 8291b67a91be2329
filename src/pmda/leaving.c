// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "pmda/leaving.h"

#define MS UINT64_C(1000000)

int leaving_wait(const struct leaving *leaving, uint64_t now)
{
	uint64_t last = leaving->request > leaving->asked ? leaving->request : leaving->asked;
	uint64_t quiet = last + LEAVING_QUIET_NS, end = leaving->asked + LEAVING_NS;
	uint64_t until = quiet < end ? quiet : end;

	return now < until ? (int)((until - now + MS - 1) / MS) : 0;
}
