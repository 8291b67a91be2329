// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_btf.h"

#include <linux/kvm.h>
#include <stdlib.h>
#include <string.h>

int u8, u16, u32, u64, u128, s32, s64, pointer, atomic64, atomic32;

int add_atomic(struct btf *btf, const char *name, int type, __u32 size)
{
	int id = btf__add_struct(btf, "", size);

	assert_int_equal(btf__add_field(btf, "counter", type, 0, 0), 0);
	return name ? btf__add_typedef(btf, name, id) : id;
}

int add_array(struct btf *btf, int type, __u32 n)
{
	return btf__add_array(btf, u32, type, n);
}

void field(struct btf *btf, const char *name, int type, __u32 offset)
{
	assert_true(type > 0);
	assert_int_equal(btf__add_field(btf, name, type, offset * 8, 0), 0);
}

void field_shift(struct btf *btf, int id, __u32 bits)
{
	struct btf_type *type = (struct btf_type *)btf__type_by_id(btf, (__u32)id);

	assert_non_null(type);
	btf_members(type)[btf_vlen(type) - 1].offset += bits;
}

struct btf *types_new(void)
{
	struct btf *btf = btf__new_empty();

	assert_non_null(btf);
	u8 = btf__add_int(btf, "unsigned char", 1, 0);
	u16 = btf__add_int(btf, "unsigned short", 2, 0);
	u32 = btf__add_int(btf, "unsigned int", 4, 0);
	u64 = btf__add_int(btf, "unsigned long", 8, 0);
	u128 = btf__add_int(btf, "__int128", 16, 0);
	s32 = btf__add_int(btf, "int", 4, BTF_INT_SIGNED);
	s64 = btf__add_int(btf, "long", 8, BTF_INT_SIGNED);
	pointer = btf__add_ptr(btf, 0);
	atomic64 = add_atomic(btf, "atomic64_t", btf__add_typedef(btf, "s64", s64), 8);
	atomic32 = add_atomic(btf, "atomic_t", s32, 4);
	return btf;
}

int add_vcpu_stat(struct btf *btf)
{
	int array = add_array(btf, u64, 32), id;

	id = btf__add_struct(btf, "kvm_vcpu_stat", 33 * 8);
	field(btf, "x_exits", u64, 0);
	field(btf, "x_hist", array, 8);
	return id;
}

void add_vcpu(struct btf *btf, int stat)
{
	assert_true(btf__add_struct(btf, "kvm_vcpu", 1000) > 0);
	field(btf, "kvm", pointer, 0);
	field(btf, "cpu", s32, 8);
	field(btf, "vcpu_id", s32, 12);
	field(btf, "pid", pointer, 24);
	field(btf, "stat", stat, 104);
}

void add_vm(struct btf *btf, int stat)
{
	assert_true(btf__add_struct(btf, "kvm", 1000) > 0);
	field(btf, "mmu_lock", u64, 0);
	field(btf, "stat", stat, 32);
	field(btf, "userspace_pid", s32, 904);
}

void btf_write(struct btf *btf, const char *path)
{
	const void *bytes;
	__u32 size;

	bytes = btf__raw_data(btf, &size);
	assert_non_null(bytes);
	make_folders("btf");
	write_bytes(path, bytes, size);
	btf__free(btf);
}

void assert_list(const struct stat_list *list, const char *expected)
{
	char text[4096] = "";
	uint32_t first = 0;

	for (size_t i = 0; i < list->n; i++) {
		const struct statistic *stat = &list->list[i];
		char buckets[32] = "";

		if (stat->kind == STAT_LOG_HIST)
			snprintf(buckets, sizeof(buckets), "x%u", stat->buckets);
		else
			assert_int_equal(stat->buckets, 1);
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s@%u:%u%s",
			 i ? " " : "", stat->name, stat->offset, stat->size, buckets);
		assert_int_equal(stat->first, first);
		first += stat->buckets;
		assert_int_equal(stat->kind, *buckets ? STAT_LOG_HIST : STAT_INSTANT);
		assert_int_equal(stat->units, *buckets ? METRIC_NSEC : METRIC_COUNT);
		assert_int_equal(stat->scale, 1);
		assert_int_equal(stat->bucket_size, 0);
	}
	assert_string_equal(text, expected);
	assert_int_equal(list->nvalues, first);
}

int layout_of(const char *dir, struct stat_layout *ret_layout)
{
	struct kernel_types types = { .dir = dir };
	int err = stat_layout_read(&types, ret_layout);

	kernel_types_close(&types);
	return err;
}

void assert_layout_fails(int err)
{
	struct stat_layout layout;

	untouched_fill(&layout, sizeof(layout));
	assert_int_equal(layout_of("btf", &layout), err);
	assert_untouched(&layout, sizeof(layout));
}

void write_descriptors(const char *path, const struct descriptor *list, size_t n, __u32 name_size)
{
	struct kvm_stats_header header = { .name_size = name_size, .num_desc = (__u32)n };
	size_t step = sizeof(struct kvm_stats_desc) + name_size;
	char *bytes;

	header.id_offset = sizeof(header);
	header.desc_offset = sizeof(header) + 13;
	header.data_offset = (__u32)(header.desc_offset + n * step);
	bytes = calloc(1, header.data_offset);
	assert_non_null(bytes);
	memset(bytes, 'X', header.desc_offset);
	memcpy(bytes, &header, sizeof(header));
	for (size_t i = 0; i < n; i++) {
		struct kvm_stats_desc desc = {
			.flags = list[i].flags,
			.exponent = (__s16)list[i].exponent,
			.size = 1,
			.bucket_size = list[i].bucket_size,
		};
		char *at = bytes + header.desc_offset + i * step;

		memcpy(at, &desc, sizeof(desc));
		memcpy(at + sizeof(desc), list[i].name, strnlen(list[i].name, name_size));
	}
	write_bytes(path, bytes, header.data_offset);
	free(bytes);
}
