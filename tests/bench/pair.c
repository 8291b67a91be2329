// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * pair KIND EVENT [OBJECT]: attach two programs to a raw tracepoint whose first argument is a vCPU,
 * as if each event were an exit followed by its entry; print "ready", and wait until standard input
 * ends. KIND is empty, clock (both programs read the clock), ours, the exit family's programs,
 * which get real vCPUs this way on a host where kvm_exit never fires, or old, those of before the
 * engine, from the file OBJECT. At the end, prints the number of exits that ours or old counted, or
 * "-" for the other kinds.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/exit.h" /* before the skeletons, which have its types */

#include "kvm/tracepoints.h"
#include "exit.skel.h"
#include "pair.skel.h"
#include "kvm/exit_reasons.h"
#include "kvm/stat_schema.h"

static int fail(const char *what, int err)
{
	fprintf(stderr, "pair: %s: %s\n", what, strerror(-err));
	return EXIT_FAILURE;
}

static const struct {
	const char *kind;
	const char *programs[2];
} kinds[] = {
	{ "empty", { "empty_exit", "empty_entry" } },
	{ "clock", { "clock_exit", "clock_entry" } },
	{ "ours", { "exit_vcpu_first", "exit_entry" } },
	{ "old", { "exit_vcpu_first", "exit_entry" } },
};

/*
 * Reading the reason takes two reads from the vCPU, as on SVM: a pointer, and a number behind it.
 * Here they read the pointer to struct kvm, and the lock at the start of struct kvm, which is
 * mostly 0, a code in SVM's first range.
 */
static int setup_ours(struct bpf_object *object)
{
	struct exit_setup setup = { .has_reasons = 1, .entry_has_vcpu = 1 };
	struct bpf_map *rodata = bpf_object__find_map_by_name(object, ".rodata");
	size_t size = 0;
	void *initial = rodata ? (void *)bpf_map__initial_value(rodata, &size) : NULL;
	const struct reasons_range *ranges;
	struct stat_layout layout;
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	size_t n;
	int err = stat_layout_read(&types, &layout);

	kernel_types_close(&types);
	if (err)
		return err;
	setup.svm.isa = REASONS_SVM + 1;
	setup.svm.pointer = (__s32)layout.vcpu_kvm;
	setup.svm.mask = UINT32_MAX;
	stat_layout_free(&layout);
	ranges = reasons_ranges(REASONS_SVM, &n);
	for (size_t i = 0; i < n && i < CODE_RANGES; i++)
		setup.svm.ranges[i] = (struct code_range){ (__u32)ranges[i].first,
							   (__u32)ranges[i].count, ranges[i].slot };
	/* the old one's setup begins alike */
	if (size < sizeof(setup))
		return -EINVAL;
	memcpy(initial, &setup, sizeof(setup));
	return 0;
}

/* Set the size of a map, if the object has it. */
static int map_size(struct bpf_object *object, const char *name, __u32 entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	return map ? bpf_map__set_max_entries(map, entries) : 0;
}

static int maps_size(struct bpf_object *object, bool old)
{
	int err = map_size(object, "exit_rows", (__u32)libbpf_num_possible_cpus());

	if (!err && old)
		return map_size(object, "exit_cells", 64);
	if (!err)
		err = map_size(object, "exit_cells_free", RECORDS_CHUNK);
	if (!err)
		err = map_size(object, "exit_blocks_free", BLOCKS_CHUNK);
	return err ? err : map_size(object, "exit_index", RECORDS_CHUNK);
}

static struct bpf_object *object_open(const char *kind, const char *old)
{
	struct bpf_object *object;
	const void *image;
	size_t size;
	int err;

	if (strcmp(kind, "ours") != 0 && !old) {
		image = pair_bpf__elf_bytes(&size);
		return bpf_object__open_mem(image, size, NULL);
	}
	image = exit_bpf__elf_bytes(&size);
	object = old ? bpf_object__open_file(old, NULL) : bpf_object__open_mem(image, size, NULL);
	err = object ? setup_ours(object) : -1;
	if (!err)
		err = maps_size(object, old);
	if (err) {
		bpf_object__close(object);
		return NULL;
	}
	return object;
}

/* Give numbers 1 to n to a queue, if the object has it. */
static void queue_fill(struct bpf_object *object, const char *name, __u32 n)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	for (__u32 i = 1; map && i <= n; i++)
		bpf_map_update_elem(bpf_map__fd(map), NULL, &i, BPF_ANY);
}

/* The sum over all blocks; for the old one over the reasons of all threads. */
static unsigned long long exits_counted(struct bpf_object *object, bool old)
{
	int fd = bpf_map__fd(
		bpf_object__find_map_by_name(object, old ? "exit_cells" : "exit_blocks_0"));
	static struct {
		__u64 head[6];
		__u64 reason[EXIT_SLOTS][3]; /* the first is the count */
	} cell;
	unsigned long long sum = 0;
	struct record_key key;
	struct block block;

	for (__u32 i = 1; !old && i < BLOCKS_CHUNK; i++) {
		if (bpf_map_lookup_elem(fd, &i, &block) == 0)
			sum += block.count;
	}
	for (int err = old ? bpf_map_get_next_key(fd, NULL, &key) : -1; !err;
	     err = bpf_map_get_next_key(fd, &key, &key)) {
		if (bpf_map_lookup_elem(fd, &key, &cell))
			continue;
		for (int i = 0; i < EXIT_SLOTS; i++)
			sum += cell.reason[i][0];
	}
	return sum;
}

static int attach(struct bpf_object *object, const char *const programs[2], const char *event)
{
	for (int i = 0; i < 2; i++) {
		struct bpf_program *program = bpf_object__find_program_by_name(object, programs[i]);

		if (!program || bpf_raw_tracepoint_open(event, bpf_program__fd(program)) < 0)
			return -1;
	}
	return 0;
}

int main(int argc, char **argv)
{
	const char *const *programs = NULL;
	bool old = argc == 4 && strcmp(argv[1], "old") == 0;
	struct bpf_object *object;
	char line[16];
	int err;

	for (size_t i = 0; (argc == 3 || old) && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(argv[1], kinds[i].kind) == 0)
			programs = kinds[i].programs;
	}
	if (!programs) {
		fputs("Usage: pair empty|clock|ours EVENT\n       pair old EVENT OBJECT\n", stderr);
		return 2;
	}
	object = object_open(argv[1], old ? argv[3] : NULL);
	if (!object)
		return fail("the object", -EINVAL);
	err = bpf_object__load(object);
	if (err)
		return fail("loading", err);
	queue_fill(object, "exit_cells_free", RECORDS_CHUNK - 1);
	queue_fill(object, "exit_blocks_free", BLOCKS_CHUNK - 1);
	if (attach(object, programs, argv[2]))
		return fail(argv[2], -ENOENT);
	puts("ready");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		;
	if (old || strcmp(argv[1], "ours") == 0)
		printf("%llu\n", exits_counted(object, old));
	else
		puts("-");
	bpf_object__close(object);
	return EXIT_SUCCESS;
}
