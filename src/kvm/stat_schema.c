// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kvm/stat_schema.h"

#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "metrics/item_numbers.h"

/* Nesting limit; the kernel's structs nest three deep. Corrupt BTF can be cyclic. */
#define NESTING_MAX 8

/* A statistic found in BTF. */
struct leaf {
	const char *name;
	uint64_t bit; /* offset from the start of the stat member */
	uint32_t size;
	uint32_t buckets; /* 0: not a histogram */
};

/*
 * The size in bytes of an integer type that can be read as such (1, 2, 4 or 8); 0 for other types.
 */
static uint32_t integer_size(const struct btf *btf, uint32_t id)
{
	const struct btf_type *type = btf__type_by_id(btf, (uint32_t)btf__resolve_type(btf, id));

	if (!type || !btf_is_int(type) || btf_int_offset(type) || type->size > 8 ||
	    (type->size & (type->size - 1)) || btf_int_bits(type) != type->size * 8)
		return 0;
	return type->size;
}

/* The same, and also for an atomic: a struct whose only member is named counter. */
static uint32_t scalar_size(const struct btf *btf, uint32_t id)
{
	for (unsigned depth = 0; depth < NESTING_MAX; depth++) {
		const struct btf_type *type;
		const struct btf_member *member;
		const char *name;

		type = btf__type_by_id(btf, (uint32_t)btf__resolve_type(btf, id));
		if (!type || !btf_is_struct(type) || btf_vlen(type) != 1)
			return integer_size(btf, id);
		member = btf_members(type);
		name = btf__name_by_offset(btf, member->name_off);
		if (!name || strcmp(name, "counter") != 0 || btf_member_bit_offset(type, 0) ||
		    btf_member_bitfield_size(type, 0))
			return 0;
		id = member->type;
	}
	return 0;
}

/*
 * Set kind and units from stat_items.def if it has the name and its kind fits the type. On entry
 * the kind is the default for an array or a scalar.
 */
static void kind_from_table(struct statistic *stat)
{
	const struct item *item = items_find(ITEMS_STAT, stat->name);

	stat->units = stat_is_histogram(stat) ? METRIC_NSEC : METRIC_COUNT;
	if (item && stat_can_be(stat, item->kind)) {
		stat->kind = item->kind;
		stat->units = item->units;
	}
}

/* Does the leaf overlap, or share its name with, a statistic in the list? */
static bool is_taken(const struct stat_list *list, const struct leaf *leaf, uint64_t offset,
		     uint64_t end)
{
	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];
		uint64_t stat_end = stat->offset + (uint64_t)stat->size * stat->buckets;

		if ((offset < stat_end && stat->offset < end) ||
		    strcmp(stat->name, leaf->name) == 0)
			return true;
	}
	return false;
}

/* Append the leaf, unless it cannot be read or named. */
static int leaf_add(struct stat_list *list, const struct leaf *leaf)
{
	uint32_t buckets = leaf->buckets ? leaf->buckets : 1;
	uint64_t offset = leaf->bit / 8, end = offset + (uint64_t)leaf->size * buckets;
	struct statistic *grown, *stat;

	if (!*leaf->name || strlen(leaf->name) >= STAT_NAME_SIZE || leaf->bit % 8 ||
	    end > list->bytes || is_taken(list, leaf, offset, end))
		return 0;
	grown = reallocarray(list->list, list->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->list = grown;
	stat = &grown[list->n++];
	*stat = (struct statistic){
		.kind = leaf->buckets ? STAT_LOG_HIST : STAT_INSTANT,
		.scale = 1,
		.offset = (uint32_t)offset,
		.size = leaf->size,
		.buckets = buckets,
	};
	strcpy(stat->name, leaf->name);
	kind_from_table(stat);
	return 0;
}

static int flatten(const struct btf *btf, const struct btf_type *type, uint64_t bit, unsigned depth,
		   struct stat_list *list);

/* Add a member, or the members nested in it; bit is its offset. */
static int member_add(const struct btf *btf, const struct btf_member *member, uint64_t bit,
		      unsigned depth, struct stat_list *list)
{
	const struct btf_type *type;
	struct leaf leaf = {
		.name = btf__name_by_offset(btf, member->name_off),
		.bit = bit,
		.size = scalar_size(btf, member->type),
	};

	if (!leaf.name)
		return 0;
	if (leaf.size)
		return leaf_add(list, &leaf);
	type = btf__type_by_id(btf, (uint32_t)btf__resolve_type(btf, member->type));
	if (!type)
		return 0;
	if (btf_is_composite(type))
		return depth < NESTING_MAX ? flatten(btf, type, bit, depth + 1, list) : 0;
	if (!btf_is_array(type))
		return 0;
	leaf.size = integer_size(btf, btf_array(type)->type);
	leaf.buckets = btf_array(type)->nelems;
	return leaf.size && leaf.buckets ? leaf_add(list, &leaf) : 0;
}

/*
 * Add all members of a struct or union. In a union the first member to cover a byte wins: KVM has
 * pages_4k, pages_2m and pages_1g there, then pages[3], which is the same memory.
 */
static int flatten(const struct btf *btf, const struct btf_type *type, uint64_t bit, unsigned depth,
		   struct stat_list *list)
{
	int err = 0;

	for (unsigned i = 0; !err && i < btf_vlen(type); i++) {
		if (btf_member_bitfield_size(type, i))
			continue;
		err = member_add(btf, &btf_members(type)[i], bit + btf_member_bit_offset(type, i),
				 depth, list);
	}
	return err;
}

static int compare_offsets(const void *a, const void *b)
{
	const struct statistic *left = a, *right = b;

	return left->offset < right->offset ? -1 : left->offset > right->offset;
}

/*
 * Build the list of statistics in a stat member of this type; the list can be incomplete on
 * failure.
 */
static int list_make(const struct btf *btf, const struct btf_type *type, struct stat_list *list)
{
	int err;

	list->bytes = type->size;
	err = flatten(btf, type, 0, 0, list);
	if (err)
		return err;
	if (list->n) /* members of a union can be out of order */
		qsort(list->list, list->n, sizeof(*list->list), compare_offsets);
	for (size_t i = 0; i < list->n; i++) {
		list->list[i].first = list->nvalues;
		list->nvalues += list->list[i].buckets;
	}
	return 0;
}

/* The type that a member must have to be accepted. */
enum member_type { MEMBER_STRUCT, MEMBER_POINTER, MEMBER_INT };

static bool is_of_type(const struct btf *btf, const struct btf_type *type, uint32_t id,
		       enum member_type wanted)
{
	switch (wanted) {
	case MEMBER_STRUCT:
		return btf_is_struct(type);
	case MEMBER_POINTER:
		return btf_is_ptr(type);
	case MEMBER_INT:
		return integer_size(btf, id) == sizeof(int);
	}
	return false;
}

/*
 * Find a member by name, also inside anonymous structs and unions. Sets its offset and its type,
 * typedefs and modifiers resolved; returns false if there is no such member.
 */
static bool member_find(const struct btf *btf, const struct btf_type *type, const char *name,
			enum member_type wanted, unsigned depth, uint32_t *ret_offset,
			const struct btf_type **ret_type)
{
	for (unsigned i = 0; i < btf_vlen(type); i++) {
		const struct btf_member *member = &btf_members(type)[i];
		const char *found = btf__name_by_offset(btf, member->name_off);
		uint32_t bit = btf_member_bit_offset(type, i), offset;
		const struct btf_type *inner;

		inner = btf__type_by_id(btf, (uint32_t)btf__resolve_type(btf, member->type));
		if (!found || !inner || bit % 8 || btf_member_bitfield_size(type, i))
			continue;
		if (!*found && btf_is_composite(inner) && depth < NESTING_MAX &&
		    member_find(btf, inner, name, wanted, depth + 1, &offset, ret_type)) {
			*ret_offset = bit / 8 + offset;
			return true;
		}
		if (strcmp(found, name) == 0 && is_of_type(btf, inner, member->type, wanted)) {
			*ret_offset = bit / 8;
			*ret_type = inner;
			return true;
		}
	}
	return false;
}

/* The place of the TSC's rate of a vCPU, which x86 has. */
static uint32_t tsc_khz_find(const struct btf *btf, const struct btf_type *vcpu)
{
	const struct btf_type *arch, *rate;
	uint32_t at, offset;

	if (!member_find(btf, vcpu, "arch", MEMBER_STRUCT, 0, &at, &arch) ||
	    !member_find(btf, arch, "virtual_tsc_khz", MEMBER_INT, 0, &offset, &rate))
		return STAT_NO_OFFSET;
	return at + offset;
}

static int layout_make(const struct btf *btf, const struct btf_type *vm,
		       const struct btf_type *vcpu, struct stat_layout *layout)
{
	const struct btf_type *vm_stat, *vcpu_stat, *other;
	int err;

	if (!member_find(btf, vm, "stat", MEMBER_STRUCT, 0, &layout->vm_stat, &vm_stat) ||
	    !member_find(btf, vcpu, "stat", MEMBER_STRUCT, 0, &layout->vcpu_stat, &vcpu_stat) ||
	    !member_find(btf, vcpu, "kvm", MEMBER_POINTER, 0, &layout->vcpu_kvm, &other) ||
	    !member_find(btf, vcpu, "vcpu_id", MEMBER_INT, 0, &layout->vcpu_id, &other))
		return -EINVAL;
	/* these identify process, VM and thread; fallbacks exist */
	if (!member_find(btf, vm, "userspace_pid", MEMBER_INT, 0, &layout->vm_userspace_pid,
			 &other))
		layout->vm_userspace_pid = STAT_NO_OFFSET;
	if (!member_find(btf, vm, "debugfs_dentry", MEMBER_POINTER, 0, &layout->vm_debugfs_dentry,
			 &other))
		layout->vm_debugfs_dentry = STAT_NO_OFFSET;
	if (!member_find(btf, vcpu, "pid", MEMBER_POINTER, 0, &layout->vcpu_pid, &other))
		layout->vcpu_pid = STAT_NO_OFFSET;
	layout->vcpu_tsc_khz = tsc_khz_find(btf, vcpu);
	err = list_make(btf, vm_stat, &layout->vm);
	if (!err)
		err = list_make(btf, vcpu_stat, &layout->vcpu);
	return err;
}

/* A struct with this name and with members, whose id is in [first, end). */
static const struct btf_type *struct_find(const struct btf *btf, const char *name, uint32_t first,
					  uint32_t end)
{
	for (uint32_t id = first; id < end; id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *found;

		if (!type || !btf_is_struct(type) || !btf_vlen(type))
			continue;
		found = btf__name_by_offset(btf, type->name_off);
		if (found && strcmp(found, name) == 0)
			return type;
	}
	return NULL;
}

/* BTF ids from own on are the module's; they are searched first. */
static int layout_find(const struct btf *btf, uint32_t own, struct stat_layout *layout)
{
	const struct btf_type *vm, *vcpu;

	vm = struct_find(btf, "kvm", own, btf__type_cnt(btf));
	if (!vm)
		vm = struct_find(btf, "kvm", 1, own);
	vcpu = struct_find(btf, "kvm_vcpu", own, btf__type_cnt(btf));
	if (!vcpu)
		vcpu = struct_find(btf, "kvm_vcpu", 1, own);
	if (!vm || !vcpu)
		return -ENOENT;
	return layout_make(btf, vm, vcpu, layout);
}

/* Does the folder contain this name? */
static bool folder_has(const char *dir, const char *name)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	bool has = fd >= 0 && faccessat(fd, name, F_OK, 0) == 0;

	if (fd >= 0)
		close(fd);
	return has;
}

int stat_layout_kvm(const char *module_dir, const char *btf_dir)
{
	if (!folder_has(module_dir, "."))
		return -ENOENT;
	/* only a loadable module has initstate */
	if (folder_has(module_dir, "initstate") && !folder_has(btf_dir, "kvm"))
		return -ENODATA;
	return 0;
}

/* Type information that cannot be read is none. */
static int types_error(int err)
{
	return err && err != -ENOMEM ? -ENOENT : err;
}

int stat_layout_read(struct kernel_types *types, struct stat_layout *ret_layout)
{
	struct stat_layout layout = { 0 };
	const struct btf *base, *module;
	int err = types_error(kernel_types_vmlinux(types, &base));

	if (err)
		return err;
	err = types_error(kernel_types_module(types, "kvm", &module));
	if (!err)
		err = layout_find(module, btf__type_cnt(base), &layout);
	else if (err == -ENOENT) /* KVM is built in or absent */
		err = layout_find(base, 1, &layout);
	if (err)
		stat_layout_free(&layout);
	else
		*ret_layout = layout;
	return err;
}

void stat_layout_free(struct stat_layout *layout)
{
	if (!layout)
		return;
	free(layout->vm.list);
	free(layout->vcpu.list);
	*layout = (struct stat_layout){ 0 };
}

struct stat_layout *stat_layout_share(struct stat_layout *layout)
{
	struct stat_layout *shared = malloc(sizeof(*shared));

	if (!shared)
		return NULL;
	*shared = *layout;
	shared->refs = 1;
	return shared;
}

struct stat_layout *stat_layout_ref(struct stat_layout *layout)
{
	layout->refs++;
	return layout;
}

void stat_layout_unref(struct stat_layout *layout)
{
	if (!layout || --layout->refs)
		return;
	stat_layout_free(layout);
	free(layout);
}

static bool list_equal(const struct stat_list *one, const struct stat_list *other)
{
	if (one->n != other->n || one->nvalues != other->nvalues || one->bytes != other->bytes)
		return false;
	for (size_t i = 0; i < one->n; i++) {
		const struct statistic *a = &one->list[i], *b = &other->list[i];

		if (strcmp(a->name, b->name) != 0 || a->offset != b->offset || a->size != b->size ||
		    a->buckets != b->buckets)
			return false;
	}
	return true;
}

bool stat_layout_equal(const struct stat_layout *one, const struct stat_layout *other)
{
	return list_equal(&one->vm, &other->vm) && list_equal(&one->vcpu, &other->vcpu) &&
	       one->vm_stat == other->vm_stat && one->vm_userspace_pid == other->vm_userspace_pid &&
	       one->vm_debugfs_dentry == other->vm_debugfs_dentry &&
	       one->vcpu_stat == other->vcpu_stat && one->vcpu_kvm == other->vcpu_kvm &&
	       one->vcpu_id == other->vcpu_id && one->vcpu_pid == other->vcpu_pid &&
	       one->vcpu_tsc_khz == other->vcpu_tsc_khz;
}
