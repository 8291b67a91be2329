// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Offers to count an event for the trace family, and the calls that tell it. */
#include "fakes/support.h"

#include <string.h>

#include "kernel/event_rows.h"

static char told[128];

static void changed(void *data, const char *event)
{
	assert_ptr_equal(data, told);
	strcat(strcat(told, *told ? " " : ""), event);
}

static void offer(struct event_rows *rows, const char *event, __u32 *slot, int prog_fd)
{
	event_rows_offer(rows, &(struct event_source){ event, slot, prog_fd });
}

static void test_offers(void **state)
{
	struct event_rows rows = { .fd = -1, .changed = changed, .data = told };
	__u32 slots[3] = { 7, 7, 7 };

	(void)state;
	*told = '\0';
	assert_null(event_rows_source(&rows, "kvm_exit"));
	offer(&rows, "kvm_exit", &slots[0], 10);
	offer(&rows, "kvm_entry", &slots[1], 11);
	assert_int_equal(slots[0] + slots[1], 0);
	assert_int_equal(event_rows_source(&rows, "kvm_exit")->prog_fd, 10);
	assert_ptr_equal(event_rows_source(&rows, "kvm_entry")->slot, &slots[1]);
	offer(&rows, "kvm_exit", &slots[2], 12); /* it was loaded again */
	assert_int_equal(event_rows_source(&rows, "kvm_exit")->prog_fd, 12);
	assert_int_equal(rows.n, 2);
	slots[2] = 7;
	event_rows_withdraw(&rows, "kvm_exit");
	assert_int_equal(slots[2], 0);
	assert_null(event_rows_source(&rows, "kvm_exit"));
	assert_non_null(event_rows_source(&rows, "kvm_entry"));
	event_rows_withdraw(&rows, "kvm_exit");
	assert_string_equal(told, "kvm_exit kvm_entry kvm_exit kvm_exit");
}

/* More offers than there is room for: the trace family keeps its own programs. */
static void test_no_room(void **state)
{
	static const char *const events[] = { "a", "b", "c", "d", "e", "f", "g" };
	struct event_rows rows = { .fd = -1 };
	__u32 slot = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		offer(&rows, events[i], &slot, 1);
	assert_int_equal(rows.n, EVENT_SOURCES);
	assert_null(event_rows_source(&rows, "g"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_offers),
		cmocka_unit_test(test_no_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
