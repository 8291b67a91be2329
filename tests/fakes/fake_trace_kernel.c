// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "fakes/fake_trace_kernel.h"

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

static const struct bpf_insn insns[] = {
	{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = TRACE_SLOT_MARK },
	{ .code = BPF_JMP | BPF_EXIT },
};

struct trace_kernel kernel;

static int map, meta, bss, program, program_tp; /* what pointers to libbpf's objects point to */

/* The head of a function of libbpf that the test replaces. */
#define WRAP(type, name, ...)            \
	type __wrap_##name(__VA_ARGS__); \
	type __wrap_##name(__VA_ARGS__)

WRAP(int, bpf_object__open_skeleton, struct bpf_object_skeleton *s, const void *options)
{
	assert_null(options);
	assert_string_equal(s->name, "trace_bpf");
	assert_int_equal(s->map_cnt, 3);
	assert_string_equal(skeleton_map(s, 0)->name, "trace_rows");
	*skeleton_map(s, 0)->map = (struct bpf_map *)&map;
	assert_string_equal(skeleton_map(s, 1)->name, "trace_meta");
	*skeleton_map(s, 1)->map = (struct bpf_map *)&meta;
	*skeleton_map(s, 2)->map = (struct bpf_map *)&bss;
	*skeleton_map(s, 2)->mmaped = kernel.counts;
	assert_int_equal(s->prog_cnt, 2);
	assert_string_equal(s->progs[0].name, "trace_template");
	*s->progs[0].prog = (struct bpf_program *)&program;
	assert_string_equal(s->progs[1].name, "trace_template_tp");
	*s->progs[1].prog = (struct bpf_program *)&program_tp;
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
	(void)name, (void)license, (void)code, (void)n, (void)options;
	kernel.loads += type == BPF_PROG_TYPE_TRACEPOINT;
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

WRAP(int, bpf_program__set_autoload, struct bpf_program *of, bool loads)
{
	assert_ptr_equal(of, &program_tp);
	assert_int_equal(loads, classic != NULL);
	return 0;
}

/* Perf attaches kvm_pio. */
WRAP(char *, classic_events_folder, const struct classic_events *events_of, const char *name,
     const struct record_field *fields)
{
	assert_ptr_equal(events_of, classic);
	assert_null(fields);
	return classic && strcmp(name, "kvm_pio") == 0 ? strdup("its folder") : NULL;
}

WRAP(int, classic_tracepoint_open, const char *folder, int fd)
{
	assert_string_equal(folder, "its folder");
	assert_true(fd >= 0);
	kernel.perf_opens++;
	return kernel.no_perf ? -EACCES : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

WRAP(uint64_t, late_close_put, struct late_close *to, int fd)
{
	assert_ptr_equal(to, &kernel);
	kernel.kept = fd;
	return ++kernel.puts;
}

WRAP(int, late_close_take, struct late_close *from, uint64_t number)
{
	int fd = kernel.kept;

	assert_ptr_equal(from, &kernel);
	assert_int_equal(number, kernel.puts);
	kernel.kept = -1;
	return fd;
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

struct events events;
bool present[CPUS];
struct event_rows shared;
struct snapshot snapshot;
struct classic_events *classic;
void *trace;
static struct config config;
static struct cpus cpus = { CPUS, present };
static struct items items;
static struct vms vms;
static struct report report;
static struct owners owners;

int trace_setup(void **state)
{
	int err = work_setup(state);

	events = (struct events){ .names = kernel_names, .n = ARRAY_SIZE(kernel_names) };
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

int trace_teardown(void **state)
{
	trace_family.close(trace);
	trace = NULL;
	classic = NULL;
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
void open_trace(const char *names, int err)
{
	struct family_env env = { .config = &config,
				  .events = &events,
				  .cpus = &cpus,
				  .items = &items,
				  .vms = &vms,
				  .rows = &shared,
				  .classic = classic,
				  .report = &report };
	char *copy = strdup(names), *rest = copy, *name, *error = NULL;

	while ((name = strtok_r(rest, " ", &rest)))
		assert_int_equal(config_add_event(&config, name, 1), 0);
	free(copy);
	assert_int_equal(trace_family.open(&env, &trace, &error), err);
	assert_int_equal(error != NULL, err != 0);
	free(error);
}

void attach(int err)
{
	char *error = NULL;

	assert_int_equal(trace_family.attach(trace, &report, &error), err);
	free(error);
}

void open_and_attach(const char *names)
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

struct snapshot_table *sync_table(const char *name)
{
	struct snapshot_table *table = snapshot_find_table(&snapshot, name);

	if (!table)
		assert_int_equal(snapshot_add_table(&snapshot, name, &table), 0);
	assert_int_equal(owners_update(&owners, &vms, &cpus), 0);
	assert_int_equal(table_sync(declared(name), trace, &owners, NULL, table), 0);
	return table;
}

/* After a sync the table has these columns, and rows "NUMBER NAME VALUE ..."; "-": absent. */
void assert_table(const char *name, const char *columns, const char *expected)
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
