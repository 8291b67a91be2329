// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/core_types.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Sorted: the structs of vmlinux.h, and the helper functions' numbers. */
static const char *const names[] = {
#include "core_type_names.h"
};

struct copy {
	const struct btf *from;
	struct btf *to;
	int *ids; /* [types of from], in to; 0: not copied */
	int pointer;
};

static int type_copy(struct copy *copy, __u32 id);

/* Copy a struct or union, after the types of its members. Returns its number or an error. */
static int members_copy(struct copy *copy, const struct btf_type *type, const char *name)
{
	const struct btf_member *members = btf_members(type);
	__u16 n = btf_vlen(type);
	int *ids = calloc(n + 1U, sizeof(*ids)), id = ids ? 0 : -ENOMEM;

	for (__u16 i = 0; id >= 0 && i < n; i++)
		id = ids[i] = type_copy(copy, members[i].type);
	if (id >= 0)
		id = btf_is_struct(type) ? btf__add_struct(copy->to, name, type->size) :
					   btf__add_union(copy->to, name, type->size);
	for (__u16 i = 0; id >= 0 && i < n; i++) {
		int err = btf__add_field(copy->to,
					 btf__name_by_offset(copy->from, members[i].name_off),
					 ids[i], btf_member_bit_offset(type, i),
					 btf_member_bitfield_size(type, i));

		id = err < 0 ? err : id;
	}
	free(ids);
	return id;
}

static int enum_copy(struct copy *copy, const struct btf_type *type, const char *name)
{
	const struct btf_enum *values = btf_enum(type);
	int id = btf__add_enum(copy->to, name, type->size);

	for (__u16 i = 0; id >= 0 && i < btf_vlen(type); i++) {
		int err = btf__add_enum_value(copy->to,
					      btf__name_by_offset(copy->from, values[i].name_off),
					      values[i].val);

		id = err < 0 ? err : id;
	}
	return id;
}

static int array_copy(struct copy *copy, const struct btf_array *array)
{
	int index = type_copy(copy, array->index_type);
	int element = index < 0 ? index : type_copy(copy, array->type);

	return element < 0 ? element : btf__add_array(copy->to, index, element, array->nelems);
}

static int pointer_copy(struct copy *copy)
{
	if (!copy->pointer)
		copy->pointer = btf__add_ptr(copy->to, 0);
	return copy->pointer;
}

/* Returns its number in the copy; 0: void, for what programs do not read; or an error. */
static int type_copy(struct copy *copy, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(copy->from, id);
	const char *name;
	int made = 0;

	while (type && (btf_is_mod(type) || btf_is_typedef(type))) {
		id = type->type;
		type = btf__type_by_id(copy->from, id);
	}
	if (!type || copy->ids[id])
		return type ? copy->ids[id] : 0;
	name = btf__name_by_offset(copy->from, type->name_off);
	if (btf_is_composite(type))
		made = members_copy(copy, type, name);
	else if (btf_is_enum(type))
		made = enum_copy(copy, type, name);
	else if (btf_is_array(type))
		made = array_copy(copy, btf_array(type));
	else if (btf_is_ptr(type))
		made = pointer_copy(copy);
	else if (btf_is_int(type))
		made = btf__add_int(copy->to, name, type->size, btf_int_encoding(type));
	if (made > 0)
		copy->ids[id] = made;
	return made;
}

static int name_compare(const void *left, const void *right)
{
	return strcmp(left, *(const char *const *)right);
}

static bool is_wanted(const struct btf *btf, const struct btf_type *type)
{
	const char *name = btf__name_by_offset(btf, type->name_off);

	return (btf_is_composite(type) || btf_is_enum(type)) &&
	       bsearch(name, names, sizeof(names) / sizeof(names[0]), sizeof(names[0]),
		       name_compare);
}

/* Several types can have the same name: libbpf compares all. */
static int named_copy(struct copy *copy)
{
	__u32 end = btf__type_cnt(copy->from);
	int ret = 0;

	for (__u32 id = 1; ret >= 0 && id < end; id++) {
		if (is_wanted(copy->from, btf__type_by_id(copy->from, id)))
			ret = type_copy(copy, id);
	}
	return ret;
}

/* Add an enum with the kernel's numbers of types; one that it has not is left out. */
static int numbers_add(struct copy *copy)
{
	static const char *const values[][2] = {
		{ "KERNEL_WORD_ID", "timespec64" },
		{ "KERNEL_HALF_WORD_ID", "upid" },
	};
	int err = btf__add_enum(copy->to, "kernel_word_ids", sizeof(__u32));

	for (size_t i = 0; err >= 0 && i < sizeof(values) / sizeof(values[0]); i++) {
		__s32 id = btf__find_by_name_kind(copy->from, values[i][1], BTF_KIND_STRUCT);

		if (id > 0)
			err = btf__add_enum_value(copy->to, values[i][0], id);
	}
	return err;
}

struct btf *core_types_copy(const struct btf *kernel)
{
	struct copy copy = { .from = kernel, .to = btf__new_empty() };

	copy.ids = calloc(btf__type_cnt(kernel), sizeof(*copy.ids));
	if (copy.ids && copy.to && named_copy(&copy) >= 0 && numbers_add(&copy) >= 0) {
		free(copy.ids);
		return copy.to;
	}
	free(copy.ids);
	btf__free(copy.to);
	return NULL;
}

int core_types_write(const struct btf *types)
{
	__u32 size;
	const char *bytes = btf__raw_data(types, &size);
	int fd = memfd_create("kernel types", MFD_CLOEXEC);
	ssize_t written;

	if (fd < 0)
		return -errno;
	for (__u32 at = 0; bytes && at < size; at += (__u32)written) {
		written = write(fd, bytes + at, size - at);
		if (written > 0)
			continue;
		close(fd);
		return -EIO;
	}
	if (bytes)
		return fd;
	close(fd);
	return -ENOMEM;
}
