// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Lists by VM and vCPU: what is added up, found, kept and dropped, and which records are walked. */
#include "fakes/support.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/vcpu_list.h"

struct element {
	struct vcpu_ids of;
	unsigned n, unseated;
	char *memory;
};

static unsigned dropped;

static void element_drop(void *element)
{
	free(((struct element *)element)->memory);
	dropped++;
}

static void element_add(void *to, const void *from)
{
	((struct element *)to)->n += ((const struct element *)from)->n;
	free(((const struct element *)from)->memory);
}

static void element_unseat(void *element)
{
	((struct element *)element)->unseated++;
}

static const struct vcpu_list_kind kind = { sizeof(struct element), element_add, element_unseat,
					    element_drop };
static const struct vcpu_list_kind bare = { sizeof(struct element), element_add, NULL, NULL };

static void add(struct vcpu_list *list, uint32_t vm, uint32_t vcpu, unsigned n)
{
	const struct element element = { .of = { vm, vcpu }, .n = n, .memory = strdup("kept") };

	assert_non_null(element.memory);
	assert_int_equal(vcpu_list_add(list, &kind, &element), 0);
}

/* The list is "VM.VCPU=N" each, in this order. */
static void assert_list(const struct vcpu_list *list, const char *wanted)
{
	const struct element *elements = list->list;
	char text[256] = "";

	for (size_t i = 0; i < list->n; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%u.%u=%u",
			 i ? " " : "", elements[i].of.vm, elements[i].of.vcpu, elements[i].n);
	assert_string_equal(text, wanted);
}

static void assert_found(const struct vcpu_list *list, uint32_t vm, uint32_t vcpu, size_t n,
			 unsigned first)
{
	size_t is;
	const struct element *found = vcpu_list_find(list, &kind, (struct vcpu_ids){ vm, vcpu },
						     &is);

	assert_int_equal(is, n);
	if (n)
		assert_int_equal(found->n, first);
	else
		assert_null(found);
}

static void test_merge(void **state)
{
	struct vcpu_list list = { .n = 0 };

	(void)state;
	vcpu_list_merge(&list, &kind);
	assert_found(&list, 7, 0, 0, 0);
	add(&list, 9, 1, 1);
	add(&list, 7, 2, 10);
	add(&list, 7, 1, 100);
	add(&list, 9, 1, 1000);
	add(&list, 7, 2, 10000);
	add(&list, 9, 1, 100000);
	vcpu_list_merge(&list, &kind);
	assert_list(&list, "7.1=100 7.2=10010 9.1=101001");
	assert_found(&list, 7, 0, 2, 100);
	assert_found(&list, 7, 2, 1, 10010);
	assert_found(&list, 9, 0, 1, 101001);
	assert_found(&list, 7, 3, 0, 0);
	assert_found(&list, 8, 0, 0, 0);
	dropped = 0;
	vcpu_list_free(&list, &kind);
	assert_int_equal(dropped, 3);
	assert_int_equal(list.n + list.room, 0);
}

/* More than there is room for at first. */
static void test_grows(void **state)
{
	struct vcpu_list list = { .n = 0 };

	(void)state;
	for (uint32_t i = 0; i < 101; i++)
		add(&list, 200 - i, 1, i);
	vcpu_list_merge(&list, &kind);
	assert_int_equal(list.n, 101);
	assert_found(&list, 100, 1, 1, 100);
	assert_found(&list, 200, 1, 1, 0);
	vcpu_list_free(&list, &kind);
}

/* VM 7 has a vCPU 1, VM 8 has ended, of VM 9 the vCPUs have gone. */
static void test_update(void **state)
{
	static struct vcpu vcpus[] = { { .id = 1 } };
	static struct vm seven = { .id = 7, .vcpus = vcpus, .nvcpus = 1 }, nine = { .id = 9 };
	static struct vm *vm_list[] = { &seven, &nine };
	const struct vms vms = { .list = vm_list, .n = 2 };
	struct vcpu_list list = { .n = 0 };
	const struct element *elements;

	(void)state;
	add(&list, 9, 5, 1);
	add(&list, 8, 1, 2);
	add(&list, 7, 1, 4);
	add(&list, 9, 6, 8);
	add(&list, 8, 2, 16);
	dropped = 0;
	vcpu_list_update(&list, &kind, &vms);
	assert_int_equal(dropped, 2);
	assert_list(&list, "7.1=4 9.0=9");
	elements = list.list;
	assert_int_equal(elements[0].unseated, 0);
	assert_int_equal(elements[1].unseated, 1);
	/* of those that have nothing to lose, none is told */
	dropped = 0;
	vcpu_list_update(&list, &bare, &vms);
	assert_list(&list, "7.1=4 9.0=9");
	assert_int_equal(dropped, 0);
	vcpu_list_free(&list, &kind);
}

/* --- records --- */

#define RECORDS 8

static struct record records[RECORDS];
static char *chunks[] = { (char *)records };
static struct record_use uses[] = { { 0 }, { .vm = 7, .vcpu = 1 }, { .vm = 9 } };
static struct vcpu_counters counters = {
	.records = { .bits = 3,
		     .size = sizeof(struct record),
		     .limit = RECORDS - 1,
		     .chunks = chunks,
		     .nchunks = 1,
		     .max_chunks = 1 },
};
static const struct vm_counters of_vms = { .counters = &counters, .uses = uses, .nuses = 3 };

static int walked(void *data, uint32_t number, const void *record)
{
	unsigned *seen = data;

	assert_ptr_equal(record, &records[number]);
	*seen = *seen * 10 + number;
	return number == 6 ? -EINTR : 0;
}

static void test_records(void **state)
{
	struct vcpu_ids ids = vcpu_ids_of(&of_vms, 1);
	unsigned seen = 0;

	(void)state;
	assert_int_equal(ids.vm, 7);
	assert_int_equal(ids.vcpu, 1);
	assert_int_equal(vcpu_ids_of(&of_vms, 2).vm, 9);
	assert_int_equal(vcpu_ids_of(&of_vms, 3).vm, 0);
	for (unsigned i = 1; i < RECORDS; i += 2)
		records[i].start = i;
	assert_int_equal(vcpu_records_walk(&of_vms, walked, &seen), 0);
	assert_int_equal(seen, 1357);
	records[6].start = 6;
	seen = 0;
	assert_int_equal(vcpu_records_walk(&of_vms, walked, &seen), -EINTR);
	assert_int_equal(seen, 1356);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_grows),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
