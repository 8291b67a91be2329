// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Tables of the trace family: libbpf's object is a fake, whose map is a file of rows. */
#define _GNU_SOURCE
#include "fakes/fake_skeleton.h"
#include "fakes/support.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/trace.h"
#include "families/family.h"

#define CPUS 4

extern const struct family_ops trace_family;

static const struct bpf_insn insns[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = TRACE_SLOT_MARK },
	{ .code = BPF_JMP | BPF_EXIT },
};

/* The fake kernel: one object with one map, trace_rows. */
static struct {
	int map_fd, load_err;
	struct trace_row *rows; /* [CPUS], the map's memory */
	const char *fails;	/* the event that cannot be attached, with this error */
	int attach_err;
	uint64_t misses;
	unsigned closes;
	unsigned opens;
} kernel;

static int map, meta, program; /* what pointers to libbpf's objects point to */

/* The head of a function of libbpf that the test replaces. */
#define WRAP(type, name, ...)            \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

WRAP(int, bpf_object__open_skeleton, struct bpf_object_skeleton *s, const void *options)
{
	assert_null(options);
	assert_string_equal(s->name, "trace_bpf");
	assert_int_equal(s->map_cnt, 2);
	assert_string_equal(skeleton_map(s, 0)->name, "trace_rows");
	*skeleton_map(s, 0)->map = (struct bpf_map *)&map;
	assert_string_equal(skeleton_map(s, 1)->name, "trace_meta");
	*skeleton_map(s, 1)->map = (struct bpf_map *)&meta;
	assert_int_equal(s->prog_cnt, 1);
	assert_string_equal(s->progs[0].name, "trace_template");
	*s->progs[0].prog = (struct bpf_program *)&program;
	return 0;
}

WRAP(int, bpf_map__set_max_entries, struct bpf_map *of, __u32 entries)
{
	assert_ptr_equal(of, &map);
	assert_int_equal(entries, CPUS);
	return 0;
}

WRAP(int, bpf_map__fd, const struct bpf_map *of)
{
	if ((const void *)of == &meta)
		return -1; /* not to be read: nothing is pinned */
	assert_ptr_equal(of, &map);
	return kernel.map_fd;
}

WRAP(const struct bpf_insn *, bpf_program__insns, const struct bpf_program *of)
{
	(void)of;
	return insns;
}

WRAP(size_t, bpf_program__insn_cnt, const struct bpf_program *of)
{
	(void)of;
	return ARRAY_SIZE(insns);
}

WRAP(int, bpf_object__load_skeleton, struct bpf_object_skeleton *s)
{
	assert_string_equal(s->name, "trace_bpf");
	return kernel.load_err;
}

void __real_bpf_object__destroy_skeleton(struct bpf_object_skeleton *s);

WRAP(void, bpf_object__destroy_skeleton, struct bpf_object_skeleton *s)
{
	kernel.closes++;
	__real_bpf_object__destroy_skeleton(s);
}

WRAP(int, bpf_prog_load, enum bpf_prog_type type, const char *name, const char *license,
     const struct bpf_insn *code, size_t n, const void *options)
{
	(void)type, (void)name, (void)license, (void)code, (void)n, (void)options;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

WRAP(int, bpf_raw_tracepoint_open, const char *name, int fd)
{
	assert_true(fd >= 0);
	kernel.opens++;
	if (kernel.fails && strcmp(kernel.fails, name) == 0)
		return kernel.attach_err;
	return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

WRAP(int, bpf_obj_get_info_by_fd, int fd, void *info, __u32 *size)
{
	assert_true(fd >= 0);
	((struct bpf_prog_info *)info)->recursion_misses = kernel.misses;
	*size = sizeof(struct bpf_prog_info);
	return 0;
}

/* Names that tracepoint_items.def knows, and one that it does not. */
static char *kernel_names[] = { (char *)"kvm_entry", (char *)"kvm_exit", (char *)"kvm_pio",
				(char *)"made_up" };

static struct events events;
static struct config config;
static bool present[CPUS];
static struct cpus cpus = { CPUS, present };
static struct items items;
static struct vms vms;
static struct event_rows shared;
static struct report report;
static struct owners owners;
static struct snapshot snapshot;
static void *trace;

static int setup(void **state)
{
	int err = work_setup(state);

	events = (struct events){ kernel_names, ARRAY_SIZE(kernel_names) };
	report = (struct report){ 0 };
	memset(&kernel, 0, sizeof(kernel));
	memset(present, 0, sizeof(present));
	present[0] = present[2] = true;
	kernel.map_fd = memfd_create("rows", MFD_CLOEXEC);
	if (err || config_init(&config) || kernel.map_fd < 0 ||
	    ftruncate(kernel.map_fd, CPUS * sizeof(struct trace_row)))
		return -1;
	kernel.rows = mmap(NULL, CPUS * sizeof(struct trace_row), PROT_READ | PROT_WRITE,
			   MAP_SHARED, kernel.map_fd, 0);
	return kernel.rows == MAP_FAILED ? -1 : 0;
}

static int teardown(void **state)
{
	trace_family.close(trace);
	trace = NULL;
	munmap(kernel.rows, CPUS * sizeof(struct trace_row));
	close(kernel.map_fd);
	owners_free(&owners);
	shared = (struct event_rows){ .fd = -1 };
	snapshot_free(&snapshot);
	report_clear(&report);
	config_free(&config);
	items_free(&items);
	return work_teardown(state);
}

/* Open the family for these events, separated by blanks. */
static void open_trace(const char *names, int err)
{
	struct family_env env = { .config = &config,
				  .events = &events,
				  .cpus = &cpus,
				  .items = &items,
				  .vms = &vms,
				  .rows = &shared,
				  .report = &report };
	char *copy = strdup(names), *rest = copy, *name, *error = NULL;

	while ((name = strtok_r(rest, " ", &rest)))
		assert_int_equal(config_add_event(&config, name, 1), 0);
	free(copy);
	assert_int_equal(trace_family.open(&env, &trace, &error), err);
	assert_int_equal(error != NULL, err != 0);
	free(error);
}

static void attach(int err)
{
	char *error = NULL;

	assert_int_equal(trace_family.attach(trace, &report, &error), err);
	free(error);
}

static void open_and_attach(const char *names)
{
	open_trace(names, 0);
	attach(0);
}

static const struct table *declared(const char *name)
{
	for (size_t i = 0; i < trace_family.ntables; i++) {
		if (strcmp(trace_family.tables[i].name, name) == 0)
			return &trace_family.tables[i];
	}
	fail_msg("no table %s", name);
	return NULL;
}

static struct snapshot_table *sync_table(const char *name)
{
	struct snapshot_table *table = snapshot_find_table(&snapshot, name);

	if (!table)
		assert_int_equal(snapshot_add_table(&snapshot, name, &table), 0);
	assert_int_equal(owners_update(&owners, &vms, &cpus), 0);
	assert_int_equal(table_sync(declared(name), trace, &owners, NULL, table), 0);
	return table;
}

/* After a sync the table has these columns, and rows "NUMBER NAME VALUE ..."; "-": absent. */
static void assert_table(const char *name, const char *columns, const char *expected)
{
	struct snapshot_table *table = sync_table(name);
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_int_equal(table_fill(declared(name), trace, &owners, table), 0);
	for (size_t i = 0; i < table->ncolumns; i++)
		fprintf(file, "%s%s", i ? " " : "", table->columns[i].name);
	fprintf(file, "\n");
	for (size_t i = 0; i < table->nrows; i++) {
		fprintf(file, "%u %s", table->rows[i].number, table->rows[i].name);
		for (size_t j = 0; j < table->ncolumns; j++) {
			const struct snapshot_cell *cell = snapshot_table_cell(table, i, j);

			if (!cell->present)
				fprintf(file, " -");
			else if (cell->text)
				fprintf(file, " %s", cell->text);
			else
				fprintf(file, " %llu", (unsigned long long)cell->number);
		}
		fprintf(file, "\n");
	}
	fclose(file);
	assert_int_equal(strncmp(text, columns, strlen(columns)), 0);
	assert_int_equal(text[strlen(columns)], '\n');
	assert_string_equal(text + strlen(columns) + 1, expected);
	free(text);
}

/* Slots are item numbers, rows are CPUs; the order of columns is that of the configuration. */
static void test_counts(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	kernel.rows[0].count[1] = 13;
	open_and_attach("kvm_pio kvm_exit");
	kernel.rows[0].count[141] = 5;
	kernel.rows[1].count[1] = 1000; /* a CPU that is not present */
	kernel.rows[2].count[1] = UINT64_MAX;
	kernel.rows[2].count[2] = 1000; /* an event that is not configured */
	assert_table("trace", "kvm_pio kvm_exit", "0 cpu0 5 13\n2 cpu2 0 18446744073709551615\n");
	table = snapshot_find_table(&snapshot, "trace");
	assert_int_equal(table->rows[1].own->n, 1);
	assert_string_equal(table->rows[1].own->list[0].key, "cpu");
	assert_int_equal(table->rows[1].own->list[0].number, 2);
	present[1] = present[3] = true;
	kernel.rows[3].count[1] = 7;
	assert_table("trace", "kvm_pio kvm_exit",
		     "0 cpu0 5 13\n1 cpu1 0 1000\n2 cpu2 0 18446744073709551615\n3 cpu3 0 7\n");
}

/* Events that appear later get columns behind the others. */
static void test_columns_that_are_new(void **state)
{
	(void)state;
	events.n = 2;
	open_and_attach("kvm_p* kvm_exit");
	assert_table("trace", "kvm_exit", "0 cpu0 0\n2 cpu2 0\n");
	events.n = 3;
	attach(0);
	kernel.rows[2].count[141] = 5;
	assert_table("trace", "kvm_exit kvm_pio", "0 cpu0 0 0\n2 cpu2 0 5\n");
	assert_table("trace", "kvm_exit kvm_pio", "0 cpu0 0 0\n2 cpu2 0 5\n");
}

/* An event that was never attached has no count, unless an earlier agent has counted it. */
static void test_events_that_are_not_counted(void **state)
{
	(void)state;
	kernel.fails = "kvm_pio";
	kernel.attach_err = -EPERM;
	open_and_attach("kvm_pio kvm_exit nonsense");
	assert_table("trace", "kvm_pio kvm_exit", "0 cpu0 - 0\n2 cpu2 - 0\n");
	trace_family.close(trace);
	snapshot_free(&snapshot);
	kernel.rows[3].count[141] = 1;
	open_and_attach("");
	assert_table("trace", "kvm_pio kvm_exit", "0 cpu0 0 0\n2 cpu2 0 0\n");
}

/* Counts stay when the family is detached. */
static void test_detached(void **state)
{
	(void)state;
	open_and_attach("kvm_exit");
	kernel.rows[0].count[1] = 13;
	trace_family.detach(trace);
	assert_table("trace", "kvm_exit", "0 cpu0 13\n2 cpu2 0\n");
	assert_table("event", "attached status", "1 kvm_exit 0 detached\n");
}

/* Another family's program counts an event for as long as it is attached, and both are. */
static void test_shared_events(void **state)
{
	__u32 slot = 9, other = 9;

	(void)state;
	open_trace("kvm_exit kvm_pio", 0);
	assert_int_equal(shared.fd, kernel.map_fd);
	event_rows_offer(&shared, &(struct event_source){ "kvm_exit", &slot, 77 });
	event_rows_offer(&shared, &(struct event_source){ "kvm_entry", &other, 78 });
	assert_int_equal(slot, 0);
	attach(0);
	assert_int_equal(kernel.opens, 1); /* of kvm_pio */
	assert_int_equal(slot, 1);
	assert_int_equal(other, 0); /* it is not configured */
	trace_family.detach(trace);
	assert_int_equal(slot, 0);
	attach(0);
	assert_int_equal(slot, 1);
	assert_int_equal(kernel.opens, 2);
	event_rows_withdraw(&shared, "kvm_exit");
	assert_int_equal(slot, 0);
	assert_int_equal(kernel.opens, 3);
	event_rows_offer(&shared, &(struct event_source){ "kvm_exit", &slot, 77 });
	assert_int_equal(slot, 1);
	assert_int_equal(kernel.opens, 3);
	trace_family.detach(trace);
	event_rows_withdraw(&shared, "kvm_exit"); /* while detached */
	assert_int_equal(kernel.opens, 3);
	attach(0);
	assert_int_equal(kernel.opens, 5);
}

/* In the order of kvm.conf; numbers are item numbers, or by name. */
static void test_events(void **state)
{
	const struct snapshot_table *table;

	(void)state;
	kernel.fails = "kvm_entry";
	kernel.attach_err = -EPERM;
	open_and_attach("kvm_pio made_up nonsense kvm_e*");
	assert_table("event", "attached status",
		     "141 kvm_pio 1 attached\n"
		     "1073741824 made_up 1 attached\n"
		     "1073741824 nonsense 0 no such event in this kernel\n"
		     "2 kvm_entry 0 Operation not permitted\n"
		     "1 kvm_exit 1 attached\n");
	table = snapshot_find_table(&snapshot, "event");
	for (size_t i = 0; i < table->nrows; i++) {
		assert_int_equal(table->rows[i].own->n, 1);
		assert_string_equal(table->rows[i].own->list[0].key, "event");
		assert_string_equal(table->rows[i].own->list[0].text, table->rows[i].name);
	}
	assert_table("trace_events", "count", "0  5\n");
}

/* Runs that the kernel skipped: of an event that has a program, and of all. */
static void test_missed(void **state)
{
	uint64_t missed = 0;

	(void)state;
	open_trace("kvm_pio nonsense kvm_exit", 0);
	assert_table("event_missed", "missed", "");
	assert_int_equal(trace_family.missed(trace, &missed), -ENODATA);
	attach(0);
	kernel.misses = 7;
	assert_table("event_missed", "missed",
		     "141 kvm_pio 7\n1073741824 nonsense -\n1 kvm_exit 7\n");
	assert_int_equal(trace_family.missed(trace, &missed), 0);
	assert_int_equal(missed, 14);
}

/* Without its object the family lists its events, with the error, and has no counts. */
static void test_not_loaded(void **state)
{
	(void)state;
	kernel.load_err = -EPERM;
	open_trace("kvm_pio kvm_exit", -EPERM);
	assert_table("trace", "kvm_pio kvm_exit", "0 cpu0 - -\n2 cpu2 - -\n");
	assert_table("event", "attached status",
		     "141 kvm_pio 0 Operation not permitted\n"
		     "1 kvm_exit 0 Operation not permitted\n");
	assert_table("event_missed", "missed", "141 kvm_pio -\n1 kvm_exit -\n");
	assert_table("trace_events", "count", "0  2\n");
	assert_int_equal(trace_family.generation(trace), 0);
}

static void test_no_events(void **state)
{
	(void)state;
	open_trace("", -ENODATA);
	assert_table("trace", "", "0 cpu0\n2 cpu2\n");
	assert_table("event", "attached status", "");
	assert_table("trace_events", "count", "0  0\n");
	assert_int_equal(kernel.closes, 0);
	trace_family.close(trace);
	trace = NULL;
}

static void test_closing(void **state)
{
	(void)state;
	trace_family.close(NULL);
	open_and_attach("kvm_exit");
	trace_family.close(trace);
	trace = NULL;
	assert_int_equal(kernel.closes, 1);
}

#define trace_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		trace_test(test_counts),
		trace_test(test_columns_that_are_new),
		trace_test(test_events_that_are_not_counted),
		trace_test(test_detached),
		trace_test(test_shared_events),
		trace_test(test_events),
		trace_test(test_missed),
		trace_test(test_not_loaded),
		trace_test(test_no_events),
		trace_test(test_closing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
