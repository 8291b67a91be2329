// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "variants.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bpf/exit.h"
#include "bpf/ledger.h"
#include "bpf/trace.h"
#include "kernel/prog_prepare.h"
#include "kernel/kernel_types.h"
#include "kernel/prog_template.h"
#include "kvm/exit_reasons.h"
#include "kvm/stat_schema.h"

#define RECORDS	   64
#define SLOT	   7 /* an event's in the trace family's rows */

#define GENERATION 1 /* of the programs of cause and ledger */

/* --- what is set before loading --- */

/* The initial value of a global variable; NULL: the object has none of the name. */
static void *variable(struct bpf_object *object, const char *section, const char *name)
{
	const struct btf *btf = bpf_object__btf(object);
	__s32 id = btf ? btf__find_by_name_kind(btf, section, BTF_KIND_DATASEC) : -1;
	struct bpf_map *map = bpf_object__find_map_by_name(object, section);
	const struct btf_var_secinfo *variables;
	size_t size;

	if (id < 0 || !map)
		return NULL;
	variables = btf_var_secinfos(btf__type_by_id(btf, (__u32)id));
	for (__u16 i = 0; i < btf_vlen(btf__type_by_id(btf, (__u32)id)); i++) {
		const struct btf_type *type = btf__type_by_id(btf, variables[i].type);

		if (strcmp(btf__name_by_offset(btf, type->name_off), name) == 0)
			return (char *)bpf_map__initial_value(map, &size) + variables[i].offset;
	}
	return NULL;
}

/*
 * Reading the reason takes two reads from the vCPU, as on SVM: a pointer, and a number behind it.
 * Here they read the pointer to struct kvm, and the lock at the start of struct kvm, which is
 * mostly 0, a code in SVM's first range.
 */
static int setup_make(struct exit_setup *setup)
{
	struct exit_isa isa = { .isa = REASONS_SVM + 1, .mask = UINT32_MAX };
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	const struct reasons_range *ranges;
	struct stat_layout layout;
	size_t n;
	int err = stat_layout_read(&types, &layout);

	kernel_types_close(&types);
	if (err)
		return err;
	isa.pointer = (__s32)layout.vcpu_kvm;
	stat_layout_free(&layout);
	ranges = reasons_ranges(REASONS_SVM, &n);
	for (size_t i = 0; i < n && i < CODE_RANGES; i++)
		isa.ranges[i] = (struct code_range){ (__u32)ranges[i].first, (__u32)ranges[i].count,
						     ranges[i].slot };
	*setup = (struct exit_setup){
		.vmx = isa, .svm = isa, .has_reasons = 1, .entry_has_vcpu = 1
	};
	return 0;
}

/* Set the size of a map, if the object has it. */
static int map_size(struct bpf_object *object, const char *name, __u32 entries)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	return map ? bpf_map__set_max_entries(map, entries) : 0;
}

static bool is_engine(struct bpf_object *object)
{
	return bpf_object__find_map_by_name(object, "exit_blocks_0") != NULL;
}

/* Is it an object whose records others write: cause's or ledger's? */
static bool is_shared(struct bpf_object *object)
{
	return bpf_object__find_map_by_name(object, ".data.shared") != NULL;
}

static int shared_prepare(struct bpf_object *object)
{
	static const char *const sized[] = { "cause_cells_free", "cause_index", "ledger_cells_free",
					     "ledger_index" };
	__u32 cpus = (__u32)libbpf_num_possible_cpus();
	struct engine_control *control = variable(object, ".data.shared", "control");
	int err = map_size(object, "cause_rows", cpus);

	if (!control)
		return -ENOENT;
	control->generation = GENERATION;
	if (!err)
		err = map_size(object, "ledger_rows", cpus);
	for (unsigned i = 0; i < sizeof(sized) / sizeof(sized[0]) && !err; i++)
		err = map_size(object, sized[i], RECORDS);
	return err;
}

static int object_prepare(const struct variant *variant, struct bpf_object *object)
{
	__u32 cpus = (__u32)libbpf_num_possible_cpus();
	struct engine_control *control = variable(object, ".bss", "control");
	void *setup = variable(object, ".rodata", "setup");
	__u32 *by_vcpu = variable(object, ".rodata", "by_vcpu");
	__u32 *without = variable(object, ".rodata", "without");
	struct exit_setup made;
	int err;

	if (is_shared(object))
		return shared_prepare(object);
	if (by_vcpu)
		*by_vcpu = 1;
	if (without)
		*without = (variant->causes || variant->ledger ? 0 : WITHOUT_SLOW) |
			   (variant->causes ? 0 : WITHOUT_CAUSES) |
			   (variant->ledger ? 0 : WITHOUT_LEDGER);
	err = setup_make(&made);
	if (err)
		return err;
	if (setup)
		memcpy(setup, &made,
		       offsetof(struct exit_setup, arm64)); /* as far as all are alike */
	if (control && is_engine(object))
		control->events[EXIT_EVENT_EXIT] = control->events[EXIT_EVENT_ENTRY] = SLOT;
	err = map_size(object, "exit_rows", cpus);
	if (!err)
		err = map_size(object, "trace_rows", cpus);
	if (!err && !is_engine(object))
		return map_size(object, "exit_cells", RECORDS);
	if (!err)
		err = map_size(object, "exit_cells", 2);
	if (!err)
		err = map_size(object, "exit_blocks", 2);
	if (!err)
		err = map_size(object, "exit_cells_free", RECORDS);
	if (!err)
		err = map_size(object, "exit_blocks_free", BLOCKS_CHUNK);
	return err ? err : map_size(object, "exit_index", RECORDS);
}

/* --- what is set after loading --- */

/* Add a second chunk to an array of them. Returns its descriptor. */
static int chunk_add(struct bpf_object *object, const char *chunks, const char *first,
		     unsigned bits)
{
	const struct bpf_map *like = bpf_object__find_map_by_name(object, first);
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "bench_chunk", sizeof(__u32),
				bpf_map__value_size(like) >> bits, 1 << bits, &opts);
	__u32 key = 1;
	int err;

	if (fd < 0)
		return fd;
	err = bpf_map_update_elem(bpf_map__fd(bpf_object__find_map_by_name(object, chunks)), &key,
				  &fd, BPF_ANY);
	return err ? err : fd;
}

/* Give numbers from first on to a queue, if the object has it. */
static void queue_fill(struct bpf_object *object, const char *name, __u32 first, __u32 n)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	for (__u32 i = first; map && i < first + n; i++)
		bpf_map_update_elem(bpf_map__fd(map), NULL, &i, BPF_ANY);
}

static int engine_fill(struct variant *variant, unsigned load)
{
	struct bpf_object *object = variant->loaded[load];
	bool far = variant->far;
	int fd = 0;

	if (far) {
		fd = chunk_add(object, "exit_cells", "exit_cells_0", RECORDS_BITS);
		if (fd >= 0)
			fd = variant->further_fd[load] = chunk_add(object, "exit_blocks",
								   "exit_blocks_0", BLOCKS_BITS);
	}
	if (fd < 0)
		return fd;
	queue_fill(object, "exit_cells_free", far ? RECORDS_CHUNK : 1, RECORDS);
	queue_fill(object, "exit_blocks_free", far ? BLOCKS_CHUNK : 1, BLOCKS_CHUNK - 1);
	return 0;
}

static int template_fd(const struct bpf_program *program)
{
	struct template template;
	int err = template_init(bpf_program__insns(program), bpf_program__insn_cnt(program),
				TRACE_SLOT_MARK, &template);

	if (err)
		return err;
	err = template_load(&template, SLOT, "bench");
	template_free(&template);
	return err;
}

static bool is_wanted(const struct variant *variant, const struct bpf_program *program)
{
	for (unsigned i = 0; i < VARIANT_PROGRAMS && variant->programs[i]; i++) {
		if (strcmp(variant->programs[i], bpf_program__name(program)) == 0)
			return true;
	}
	return false;
}

/* Open an object with the variant's programs in it, and set its sizes. Returns 0 or an error. */
static int object_open(const struct variant *variant, const char *folder, const char *name,
		       struct bpf_object **ret_object)
{
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	LIBBPF_OPTS(bpf_object_open_opts, opts, .btf_custom_path = kernel_types_core(&types));
	struct bpf_program *program;
	struct bpf_object *object;
	char path[4096];
	__u32 *all;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	object = bpf_object__open_file(path, &opts);
	if (!object)
		return -errno;
	bpf_object__for_each_program(program, object)
		bpf_program__set_autoload(program, is_wanted(variant, program));
	*ret_object = object;
	all = variable(object, ".rodata", "all");
	if (all)
		*all = variant->all;
	return object_prepare(variant, object);
}

/* Load a family's object, and have the variant's own share its records. */
static int records_load(struct variant *variant, const char *folder, unsigned load,
			const char *family, struct bpf_object **ret_object)
{
	static const char *const suffixes[] = { "cells_0", "cells", "cells_free",
						"index",   "rows",  "shared" };
	struct bpf_object *object = variant->loaded[load];
	char name[64];
	int err;

	snprintf(name, sizeof(name), "bpf/%s.bpf.o", family);
	err = object_open(variant, folder, name, ret_object);
	if (!err)
		err = bpf_object__load(*ret_object);
	for (unsigned i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && !err; i++) {
		struct bpf_map *from, *to;

		snprintf(name, sizeof(name), "%s_%s", family, suffixes[i]);
		to = bpf_object__find_map_by_name(object, name);
		from = bpf_object__find_map_by_name(
			*ret_object, strcmp(suffixes[i], "shared") == 0 ? ".data.shared" : name);
		err = bpf_map__reuse_fd(to, bpf_map__fd(from));
	}
	return err;
}

/* The same of all that the variant writes. */
static int shared_load(struct variant *variant, const char *folder, unsigned load)
{
	struct engine_control *control = variable(variant->loaded[load], ".bss", "control");
	int err = 0;

	if (variant->causes) {
		err = records_load(variant, folder, load, "cause", &variant->charged[load]);
		control->causes = GENERATION;
	}
	if (!err && variant->ledger) {
		err = records_load(variant, folder, load, "ledger", &variant->timed[load]);
		control->ledger = LEDGER_FLAG(GENERATION, LEDGER_KVM);
	}
	return err;
}

static int program_fd(const struct variant *variant, unsigned load, const char *name)
{
	struct bpf_object *objects[] = { variant->loaded[load], variant->charged[load] };

	for (unsigned i = 0; i < 2 && objects[i]; i++) {
		const struct bpf_program *program = bpf_object__find_program_by_name(objects[i],
										     name);

		if (program)
			return variant->template ? template_fd(program) : bpf_program__fd(program);
	}
	return -ENOENT;
}

static int load_one(struct variant *variant, const char *folder, unsigned load)
{
	struct bpf_object *object;
	int err = object_open(variant, folder, variant->object, &variant->loaded[load]);

	object = variant->loaded[load];
	if (!err)
		err = shared_load(variant, folder, load);
	if (!err)
		err = bpf_object__load(object);
	if (!err && is_engine(object))
		err = engine_fill(variant, load);
	if (!err) {
		queue_fill(variant->causes ? variant->charged[load] : object, "cause_cells_free", 1,
			   RECORDS);
		queue_fill(variant->ledger ? variant->timed[load] : object, "ledger_cells_free", 1,
			   RECORDS);
	}
	for (unsigned i = 0; i < VARIANT_PROGRAMS && variant->programs[i] && !err; i++) {
		variant->prog_fds[load][i] = program_fd(variant, load, variant->programs[i]);
		if (variant->prog_fds[load][i] < 0)
			err = variant->prog_fds[load][i];
	}
	return err;
}

int variant_load(struct variant *variant, const char *folder)
{
	int err = prog_prepare_init(BPF_PROG_TYPE_TRACEPOINT);

	for (unsigned i = 0; variant->object && i < VARIANT_LOADS && !err; i++)
		err = load_one(variant, folder, i);
	return err;
}

/* --- a run --- */

int variant_attach(struct variant *variant, unsigned load, const char *event)
{
	for (unsigned i = 0; i < VARIANT_PROGRAMS; i++) {
		variant->links[i] = -1;
		if (!variant->object || !variant->programs[i])
			continue;
		variant->links[i] = bpf_raw_tracepoint_open(event, variant->prog_fds[load][i]);
		if (variant->links[i] < 0)
			return variant->links[i];
	}
	return 0;
}

void variant_detach(struct variant *variant)
{
	for (unsigned i = 0; i < VARIANT_PROGRAMS; i++) {
		if (variant->links[i] >= 0)
			close(variant->links[i]);
	}
}

static unsigned long long blocks_sum(int fd)
{
	size_t bytes = BLOCKS_CHUNK * sizeof(struct block);
	const struct block *blocks = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	unsigned long long sum = 0;

	if (blocks == MAP_FAILED)
		return 0;
	for (__u32 i = 0; i < BLOCKS_CHUNK; i++)
		sum += blocks[i].count;
	munmap((void *)blocks, bytes);
	return sum;
}

/* The sum over the reasons of all threads. */
static unsigned long long old_sum(int fd)
{
	static struct {
		__u64 head[6];
		__u64 reason[EXIT_SLOTS][3]; /* the first is the count */
	} cell;
	unsigned long long sum = 0;
	struct record_key key;

	for (int err = bpf_map_get_next_key(fd, NULL, &key); !err;
	     err = bpf_map_get_next_key(fd, &key, &key)) {
		if (bpf_map_lookup_elem(fd, &key, &cell))
			continue;
		for (int i = 0; i < EXIT_SLOTS; i++)
			sum += cell.reason[i][0];
	}
	return sum;
}

unsigned long long variant_counted(const struct variant *variant)
{
	unsigned long long sum = 0;

	for (unsigned i = 0; variant->counts && i < VARIANT_LOADS; i++) {
		struct bpf_object *object = variant->loaded[i];
		bool engine = is_engine(object);
		int fd = bpf_map__fd(bpf_object__find_map_by_name(object, engine ? "exit_blocks_0" :
										   "exit_cells"));

		sum += !engine	    ? old_sum(fd) :
		       variant->far ? blocks_sum(variant->further_fd[i]) :
				      blocks_sum(fd);
	}
	return sum;
}
