// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kvm/tracepoints.h"

static int find_events(struct events *ret_events)
{
	struct kernel_types types = { .dir = "btf" };
	int err = events_find(&types, "tracing", ret_events);

	kernel_types_close(&types);
	return err;
}

static const char *const base_names[] = {
	"btf_trace_sched_switch",  "btf_trace_kvm_exit",
	"btf_trace_kvm_brand_new", "btf_trace_fast_page_fault", /* tracepoint_items.def has it */
	"btf_trace_kvmfr_thing",   "kvm_not_prefixed",
	"x_btf_trace_kvm_inside",  "btf_trace_kvm_exit", /* a duplicate */
	"btf_trace_kvm_",
};

static const char *const module_names[] = {
	"btf_trace_kvm_pio", "btf_trace_vgic_thing", "btf_trace_a_first",
	"kvm_pio_t",	     "btf_trace_kvm_pio",
};

/* BTF with these typedefs, and a struct with a similar name. */
static struct btf *btf_make(struct btf *base, const char *const *names, size_t n)
{
	struct btf *btf = base ? btf__new_empty_split(base) : btf__new_empty();

	assert_non_null(btf);
	assert_true(btf__add_struct(btf, "btf_trace_kvm_struct", 4) > 0);
	for (size_t i = 0; i < n; i++)
		assert_true(btf__add_typedef(btf, names[i], 0) > 0);
	return btf;
}

static void btf_write(const struct btf *btf, const char *path)
{
	const void *bytes;
	__u32 size;

	bytes = btf__raw_data(btf, &size);
	assert_non_null(bytes);
	write_bytes(path, bytes, size);
}

/* A folder "btf" as in sysfs: vmlinux, and the module if asked for. */
static void btf_folder(const char *const *names, size_t n, bool with_module)
{
	struct btf *base = btf_make(NULL, names, n), *module;

	make_folders("btf");
	btf_write(base, "btf/vmlinux");
	if (with_module) {
		module = btf_make(base, module_names, ARRAY_SIZE(module_names));
		btf_write(module, "btf/kvm");
		btf__free(module);
	}
	btf__free(base);
}

/* A tracefs with events of all groups, of another group, and with unrelated files. */
static void tracefs_folder(void)
{
	make_folders("tracing/events/kvm/kvm_exit");
	make_folders("tracing/events/kvm/kvm_entry");
	make_folders("tracing/events/kvm/.hidden");
	write_text("tracing/events/kvm/enable", "0\n");
	write_text("tracing/events/kvm/filter", "none\n");
	make_folders("tracing/events/kvmmmu/mark_mmio_spte");
	make_folders("tracing/events/kvm-s390/kvm_s390_sie_enter");
	make_folders("tracing/events/kvm_hv/kvmppc_run_core");
	make_folders("tracing/events/kvm_hv/kvm_exit"); /* in two groups */
	make_folders("tracing/events/kvm_pr/kvm_book3s_reenter");
	make_folders("tracing/events/kvm_booke/kvm_booke206_gtlb_write");
	make_folders("tracing/events/sched/sched_switch");
	make_folders("tracing/events/kvmother/kvm_other");
}

static void assert_events(const struct events *events, const char *const *names)
{
	size_t n = 0;

	for (; names[n] && n < events->n; n++)
		assert_string_equal(events->names[n], names[n]);
	assert_null(names[n]);
	assert_int_equal(events->n, n);
	for (size_t i = 0; i < n; i++)
		assert_true(events_has(events, names[i]));
}

static void assert_found(const char *const *names)
{
	struct events events;

	assert_int_equal(find_events(&events), 0);
	assert_events(&events, names);
	events_free(&events);
	assert_int_equal(events.n, 0);
	assert_null(events.names);
}

static const char *const found_in_module[] = { "a_first", "kvm_pio", "vgic_thing", NULL };
static const char *const found_in_base[] = {
	"fast_page_fault", "kvm_", "kvm_brand_new", "kvm_exit", NULL,
};
static const char *const found_in_tracefs[] = {
	"kvm_book3s_reenter", "kvm_booke206_gtlb_write", "kvm_entry",	   "kvm_exit",
	"kvm_s390_sie_enter", "kvmppc_run_core",	 "mark_mmio_spte", NULL,
};
static const char *const found_nothing[] = { NULL };

/* All of the module's events, and none of the kernel's. */
static void test_module(void **state)
{
	(void)state;
	btf_folder(base_names, ARRAY_SIZE(base_names), true);
	tracefs_folder();
	assert_found(found_in_module);
}

static void test_built_in(void **state)
{
	(void)state;
	btf_folder(base_names, ARRAY_SIZE(base_names), false);
	tracefs_folder();
	assert_found(found_in_base);
}

/* The very first and the very last type count as well. */
static void test_first_and_last_type(void **state)
{
	struct btf *btf = btf__new_empty();

	(void)state;
	assert_non_null(btf);
	assert_int_equal(btf__add_typedef(btf, "btf_trace_kvm_first", 0), 1);
	assert_int_equal(btf__add_typedef(btf, "btf_trace_kvm_last", 1), 2);
	make_folders("btf");
	btf_write(btf, "btf/vmlinux");
	btf__free(btf);
	assert_found((const char *const[]){ "kvm_first", "kvm_last", NULL });
}

/* The kernel has BTF, but no KVM in it. */
static void test_tracefs_where_btf_has_none(void **state)
{
	(void)state;
	btf_folder(base_names, 1, false);
	tracefs_folder();
	assert_found(found_in_tracefs);
}

static void test_tracefs_where_there_is_no_btf(void **state)
{
	(void)state;
	tracefs_folder();
	assert_found(found_in_tracefs);
	make_folders("btf");
	assert_found(found_in_tracefs);
}

static void test_broken_btf(void **state)
{
	(void)state;
	tracefs_folder();
	btf_folder(base_names, ARRAY_SIZE(base_names), true);
	write_text("btf/kvm", "this is no type information");
	assert_found(found_in_base);
	btf_folder(base_names, ARRAY_SIZE(base_names), true);
	write_text("btf/vmlinux", "nor is this");
	assert_found(found_in_tracefs);
	write_text("btf/vmlinux", "");
	assert_found(found_in_tracefs);
}

static void test_nothing_at_all(void **state)
{
	struct events events;

	(void)state;
	assert_found(found_nothing);
	make_folders("tracing/events/sched/sched_switch");
	assert_found(found_nothing);
	assert_int_equal(find_events(&events), 0);
	assert_false(events_has(&events, "kvm_exit"));
	events_free(&events);
	events_free(&events);
}

/* Create a file or folder that the stamp depends on, each time with another inode. */
static void make_anew(const char *path)
{
	char old[64];

	snprintf(old, sizeof(old), "%s-%u", path, (unsigned)random());
	rename(path, old); /* keep the old one, so that its inode is not reused */
	make_folders(path);
}

/* The stamp has changed, and stays the same when read again. */
static uint64_t assert_other_stamp(uint64_t stamp)
{
	uint64_t new = events_stamp("btf", "tracing");

	assert_true(new != stamp);
	assert_true(events_stamp("btf", "tracing") == new);
	return new;
}

static void test_stamp(void **state)
{
	static const char *const paths[] = { "btf/kvm", "tracing/events/kvm" };
	uint64_t none, stamp;

	(void)state;
	none = events_stamp("btf", "tracing");
	make_folders("btf/vmlinux"); /* no sign of KVM */
	make_folders("tracing/events/sched");
	assert_true(events_stamp("btf", "tracing") == none);
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		make_anew(paths[i]); /* KVM is loaded */
		stamp = assert_other_stamp(none);
		make_anew(paths[i]); /* KVM was unloaded and loaded again */
		stamp = assert_other_stamp(stamp);
		assert_true(stamp != none);
		write_text("other", ""); /* unrelated files do not change the stamp */
		assert_true(events_stamp("btf", "tracing") == stamp);
		assert_int_equal(rmdir(paths[i]), 0); /* KVM is unloaded */
		assert_true(events_stamp("btf", "tracing") == none);
	}
}

/* A single sign may change while the others stay. */
static void test_stamp_of_both(void **state)
{
	uint64_t stamp;

	(void)state;
	make_folders("btf/kvm");
	stamp = events_stamp("btf", "tracing");
	make_folders("tracing/events/kvm");
	stamp = assert_other_stamp(stamp);
	make_anew("btf/kvm");
	stamp = assert_other_stamp(stamp);
	make_anew("tracing/events/kvm");
	stamp = assert_other_stamp(stamp);
	assert_int_equal(rmdir("tracing/events/kvm"), 0);
	stamp = assert_other_stamp(stamp);
	assert_int_equal(rename("btf/kvm", "tracing/events/kvm"), 0); /* swapped for each other */
	assert_other_stamp(stamp);
}

static void test_no_memory_for_a_stamp(void **state)
{
	(void)state;
	for (unsigned n = 0; n < 3; n++) {
		alloc_fail_at(n);
		events_stamp("btf", "tracing"); /* any value will do: the next call recomputes it */
		assert_true(alloc_failed());
	}
}

static void test_has(void **state)
{
	struct events events;

	(void)state;
	tracefs_folder();
	assert_int_equal(find_events(&events), 0);
	assert_false(events_has(&events, "kvm_exi"));
	assert_false(events_has(&events, "kvm_exits"));
	assert_false(events_has(&events, "KVM_EXIT"));
	assert_false(events_has(&events, ""));
	assert_false(events_has(&events, "zzz"));
	events_free(&events);
}

/* Find the events without memory for the first allocation, the second ...; how often that fails. */
static unsigned refusals(struct events *ret_events)
{
	unsigned n, refused = 0;

	for (n = 0;; n++) {
		int err;

		untouched_fill(ret_events, sizeof(*ret_events));
		alloc_fail_at(n);
		err = find_events(ret_events);
		if (!alloc_failed())
			return refused;
		if (!err) {
			events_free(ret_events);
			continue;
		}
		assert_int_equal(err, -ENOMEM);
		assert_untouched(ret_events, sizeof(*ret_events));
		refused++;
	}
}

/*
 * Without memory for a path the file is skipped like an unreadable one; without memory for the list
 * the result is -ENOMEM.
 */
static void test_no_memory(void **state)
{
	struct events events;
	unsigned refused;

	(void)state;
	btf_folder(base_names, ARRAY_SIZE(base_names), true);
	refused = refusals(&events);
	assert_int_equal(refused, 2 * 4); /* a name and its slot in the list, four times */
	assert_events(&events, found_in_module);
	events_free(&events);
}

static void test_no_memory_for_tracefs(void **state)
{
	struct events events;
	unsigned refused;

	(void)state;
	tracefs_folder();
	refused = refusals(&events);
	assert_int_equal(refused, 6 + 2 * 8); /* paths of groups, and events */
	assert_events(&events, found_in_tracefs);
	events_free(&events);
}

static void assert_missing(const struct events *events, const char *text)
{
	char *found = events_missing(events, "its/tracefs");

	assert_non_null(found);
	assert_string_equal(found, text);
	free(found);
}

/* Each cause, as events_find() finds it. */
static void test_missing(void **state)
{
	struct events events = { 0 };

	(void)state;
	assert_missing(&events, "KVM is not loaded");
	events.loaded = true;
	events.btf_err = -ENOENT;
	events.tracefs_err = -EACCES;
	assert_missing(
		&events,
		"KVM is loaded, but its tracepoints are listed neither in its type information "
		"(/sys/kernel/btf: none there) nor in tracefs (its/tracefs/events: Permission "
		"denied); mount tracefs or let it be read");
	events.btf_err = -EINVAL;
	events.tracefs_err = 0;
	assert_missing(
		&events,
		"KVM is loaded, but its tracepoints are listed neither in its type information "
		"(/sys/kernel/btf: Invalid argument) nor in tracefs (its/tracefs/events: none "
		"there); mount tracefs or let it be read");
	events.n = 7;
	assert_missing(&events, "this kernel's KVM lacks a tracepoint that is needed");
	alloc_fail_at(0);
	assert_null(events_missing(&events, "its/tracefs"));
	assert_true(alloc_failed());
}

/* What is wrong with each source is kept. */
static void test_sources_that_fail(void **state)
{
	struct events events;

	(void)state;
	assert_int_equal(find_events(&events), 0);
	assert_int_equal(events.n, 0);
	assert_int_equal(events.btf_err, -ENOENT);
	assert_int_equal(events.tracefs_err, -ENOENT);
	events_free(&events);
	tracefs_folder();
	assert_int_equal(find_events(&events), 0);
	assert_true(events.loaded);
	events_free(&events);
}

/* The folder of an event is looked for in all of KVM's groups. */
static void test_folder(void **state)
{
	char *folder;

	(void)state;
	assert_null(events_folder("tracing", "kvm_pio"));
	make_folders("tracing/events/kvm/kvm_pio");
	make_folders("tracing/events/kvmmmu/fast_page_fault");
	make_folders("tracing/events/sched/kvm_other");
	folder = events_folder("tracing", "kvm_pio");
	assert_string_equal(folder, "tracing/events/kvm/kvm_pio");
	free(folder);
	folder = events_folder("tracing", "fast_page_fault");
	assert_string_equal(folder, "tracing/events/kvmmmu/fast_page_fault");
	free(folder);
	assert_null(events_folder("tracing", "kvm_other"));
	assert_null(events_folder("tracing", "kvm_pi"));
	alloc_fail_at(0);
	assert_null(events_folder("tracing", "kvm_pio"));
	assert_true(alloc_failed());
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_module),
		work_test(test_built_in),
		work_test(test_first_and_last_type),
		work_test(test_tracefs_where_btf_has_none),
		work_test(test_tracefs_where_there_is_no_btf),
		work_test(test_broken_btf),
		work_test(test_nothing_at_all),
		work_test(test_stamp),
		work_test(test_stamp_of_both),
		work_test(test_no_memory_for_a_stamp),
		work_test(test_has),
		work_test(test_folder),
		work_test(test_no_memory),
		work_test(test_no_memory_for_tracefs),
		work_test(test_missing),
		work_test(test_sources_that_fail),
	};

	/* suppress libbpf's messages: tests corrupt BTF on purpose */
	libbpf_set_print(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
