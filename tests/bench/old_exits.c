// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * old_exits OBJECT: attach the pair of programs of before the engine (tests/bench/old), print
 * "attached", and after a line of standard input, or at its end, detach it and print "old REASON
 * EXITS TIMED" for each reason: the exits, and how many of them an entry followed.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/engine.h"
#include "kvm/exit_offsets.h"
#include "kvm/exit_reasons.h"
#include "kvm/vendor.h"

#define THREADS 1024
#define BUCKETS 32

/* Their layouts, whose names are today's. */
struct old_cell {
	__u64 head[6];
	struct {
		__u64 count, time, max;
	} reason[EXIT_SLOTS];
};

struct old_row {
	__u64 count[EXIT_SLOTS];
	__u64 buckets, vm_buckets, pad[6];
};

static __u64 counts[EXIT_SLOTS], timed[EXIT_SLOTS];

static int map_fd(const struct bpf_object *object, const char *name)
{
	return bpf_object__find_map_fd_by_name(object, name);
}

static int prepare(struct bpf_object *object, const struct exit_layout *layout)
{
	const char *const name = layout->form == EXIT_VCPU_FIRST ? "exit_vcpu_first" :
								   "exit_reason_first";
	struct bpf_map *rodata = bpf_object__find_map_by_name(object, ".rodata");
	struct bpf_program *program;
	size_t size;
	void *setup = rodata ? (void *)bpf_map__initial_value(rodata, &size) : NULL;
	int err;

	/* setup is all that they have there, and as far as both go it is today's */
	if (!setup || size < offsetof(struct exit_setup, arm64))
		return -EINVAL;
	memcpy(setup, &layout->setup, offsetof(struct exit_setup, arm64));
	bpf_object__for_each_program(program, object)
	{
		const char *is = bpf_program__name(program);

		bpf_program__set_autoload(program, !strcmp(is, name) || !strcmp(is, "exit_entry"));
	}
	err = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "exit_cells"), THREADS);
	if (err)
		return err;
	return bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "exit_rows"),
					(__u32)libbpf_num_possible_cpus());
}

static void attach(const struct bpf_object *object, int links[2])
{
	struct bpf_program *program;
	int n = 0;

	bpf_object__for_each_program(program, object)
	{
		bool entry = strcmp(bpf_program__name(program), "exit_entry") == 0;

		if (!bpf_program__autoload(program))
			continue;
		links[n] = bpf_raw_tracepoint_open(entry ? "kvm_entry" : "kvm_exit",
						   bpf_program__fd(program));
		if (links[n++] < 0) {
			perror("old_exits: attach");
			exit(EXIT_FAILURE);
		}
	}
}

/* Add up what the threads have counted, and what found no room. */
static void cells_add(const struct bpf_object *object)
{
	int fd = map_fd(object, "exit_cells");
	static struct old_cell cell;
	struct record_key key, *last = NULL;

	for (; bpf_map_get_next_key(fd, last, &key) == 0; last = &key) {
		if (bpf_map_lookup_elem(fd, &key, &cell))
			continue;
		for (unsigned slot = 0; slot < EXIT_SLOTS; slot++)
			counts[slot] += cell.reason[slot].count;
	}
	for (__u32 cpu = 0; cpu < (__u32)libbpf_num_possible_cpus(); cpu++) {
		static struct old_row row;

		if (bpf_map_lookup_elem(map_fd(object, "exit_rows"), &cpu, &row))
			continue;
		for (unsigned slot = 0; slot < EXIT_SLOTS; slot++)
			counts[slot] += row.count[slot];
	}
}

static void buckets_add(const struct bpf_object *object)
{
	size_t cpus = (size_t)libbpf_num_possible_cpus();
	__u64(*buckets)[BUCKETS] = calloc(cpus, sizeof(*buckets));

	for (__u32 slot = 0; buckets && slot < EXIT_SLOTS; slot++) {
		if (bpf_map_lookup_elem(map_fd(object, "exit_latency"), &slot, buckets))
			continue;
		for (size_t i = 0; i < cpus * BUCKETS; i++)
			timed[slot] += buckets[i / BUCKETS][i % BUCKETS];
	}
	free(buckets);
}

/* The reason of a slot: what a range or a program has assigned to it. */
static const char *slot_name(const struct bpf_object *object, enum reasons_isa isa, __u32 slot,
			     char buffer[REASONS_NAME_SIZE])
{
	uint64_t code;

	if (reasons_code_of(isa, slot, &code) &&
	    bpf_map_lookup_elem(map_fd(object, "exit_codes"), &slot, &code))
		return REASONS_OTHER_NAME;
	return reasons_name(isa, code, buffer);
}

static void print(const struct bpf_object *object)
{
	char buffer[REASONS_NAME_SIZE];
	enum reasons_isa isa;

	if (kvm_vendor(KVM_MODULES_DIR, &isa))
		isa = REASONS_SVM;
	cells_add(object);
	buckets_add(object);
	for (__u32 slot = 0; slot < EXIT_SLOTS; slot++) {
		if (counts[slot])
			printf("old %s %llu %llu\n", slot_name(object, isa, slot, buffer),
			       (unsigned long long)counts[slot], (unsigned long long)timed[slot]);
	}
}

static int fail(const char *what, int err)
{
	fprintf(stderr, "old_exits: %s: %s\n", what, strerror(-err));
	return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = kernel_types_core(&types));
	struct bpf_object *object;
	struct exit_layout layout;
	int err, links[2];

	if (argc != 2) {
		fputs("Usage: old_exits OBJECT\n", stderr);
		return 2;
	}
	err = exit_layout_read(&types, &layout);
	if (err)
		return fail("kvm_exit", err);
	object = bpf_object__open_file(argv[1], &opts);
	err = object ? prepare(object, &layout) : -errno;
	if (!err)
		err = bpf_object__load(object);
	if (err)
		return fail(argv[1], err);
	attach(object, links);
	puts("attached");
	fflush(stdout);
	for (int c = 0; c != EOF && c != '\n';)
		c = getchar();
	close(links[0]);
	close(links[1]);
	print(object);
	return EXIT_SUCCESS;
}
