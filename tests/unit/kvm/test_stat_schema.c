// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_btf.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "kvm/tracepoints.h"

/* Like the kernel's names: the longest that fits, and one character more. */
#define NAME_47 "x_a_name_that_is_just_as_long_as_a_name_can_be_"
#define NAME_48 NAME_47 "_"

/* Read the list for a VM stat member of this type; the type can be wrapped. */
static void assert_vm_stat(struct btf *btf, int stat, const char *expected, uint32_t bytes)
{
	struct stat_layout layout;

	add_vm(btf, stat);
	add_vcpu(btf, add_vcpu_stat(btf));
	btf_write(btf, "btf/vmlinux");
	assert_int_equal(layout_of("btf", &layout), 0);
	assert_list(&layout.vm, expected);
	assert_int_equal(layout.vm.bytes, bytes);
	assert_list(&layout.vcpu, "x_exits@0:8 x_hist@8:8x32");
	assert_int_equal(layout.vcpu.bytes, 33 * 8);
	assert_int_equal(layout.vm_stat, 32);
	assert_int_equal(layout.vm_userspace_pid, 904);
	assert_int_equal(layout.vcpu_stat, 104);
	assert_int_equal(layout.vcpu_kvm, 0);
	assert_int_equal(layout.vcpu_id, 12);
	assert_int_equal(layout.vcpu_pid, 24);
	stat_layout_free(&layout);
	assert_null(layout.vm.list);
	stat_layout_free(&layout);
}

static void test_integers(void **state)
{
	struct btf *btf = types_new();
	int wrapped, id;

	(void)state;
	wrapped = btf__add_typedef(btf, "__u64", btf__add_volatile(btf, u64));
	wrapped = btf__add_const(btf, btf__add_typedef(btf, "u64", wrapped));
	id = btf__add_struct(btf, "kvm_vm_stat", 64);
	field(btf, "x_a", u64, 0);
	field(btf, "x_b", wrapped, 8);
	field(btf, "x_c", u32, 16);
	field(btf, "x_d", s32, 20);
	field(btf, "x_e", u16, 24);
	field(btf, "x_f", u8, 26);
	field(btf, "x_odd", u64, 27);
	field(btf, "x_g", s64, 40);
	id = btf__add_const(btf, btf__add_typedef(btf, "stat_t", btf__add_volatile(btf, id)));
	assert_vm_stat(btf, id,
		       "x_a@0:8 x_b@8:8 x_c@16:4 x_d@20:4 x_e@24:2 x_f@26:1 x_odd@27:8 x_g@40:8",
		       64);
}

static void test_nested(void **state)
{
	struct btf *btf = types_new();
	int array = btf__add_const(btf, add_array(btf, btf__add_typedef(btf, "u64", u64), 4));
	int inner, generic, anonymous, stat;

	(void)state;
	inner = btf__add_struct(btf, "", 16);
	field(btf, "x_deep", u64, 0);
	field(btf, "x_deeper", u32, 12);
	generic = btf__add_struct(btf, "kvm_vm_stat_generic", 64);
	field(btf, "x_a", u64, 0);
	field(btf, "x_hist", array, 8);
	field(btf, "more", inner, 40);
	anonymous = btf__add_struct(btf, "", 16);
	field(btf, "x_b", u64, 0);
	field(btf, "x_c", u64, 8);
	stat = btf__add_struct(btf, "kvm_vm_stat", 96);
	field(btf, "generic", generic, 0);
	field(btf, "", anonymous, 64);
	field(btf, "x_d", u64, 80);
	assert_vm_stat(btf, stat,
		       "x_a@0:8 x_hist@8:8x4 x_deep@40:8 x_deeper@52:4 x_b@64:8 x_c@72:8 x_d@80:8",
		       96);
}

static void test_atomics(void **state)
{
	struct btf *btf = types_new();
	int nested = add_atomic(btf, "atomic_nested_t", atomic64, 8);
	int of_pointer = add_atomic(btf, NULL, pointer, 8);
	int two, other, bits, late, id;

	(void)state;
	two = btf__add_struct(btf, "two", 16); /* not an atomic: the member's own name counts */
	field(btf, "counter", u64, 0);
	field(btf, "x_next", u64, 8);
	other = btf__add_struct(btf, "other", 8);
	field(btf, "x_counter", u64, 0);
	bits = btf__add_struct(btf, "bits", 8);
	assert_int_equal(btf__add_field(btf, "counter", u64, 0, 3), 0);
	late = btf__add_struct(btf, "late", 16);
	field(btf, "counter", u64, 8);
	id = btf__add_struct(btf, "kvm_vm_stat", 200);
	field(btf, "x_a", atomic64, 0);
	field(btf, "x_b", atomic32, 8);
	field(btf, "x_c", nested, 16);
	field(btf, "x_pointer", of_pointer, 24);
	field(btf, "x_two", two, 32);
	field(btf, "x_other", other, 48);
	field(btf, "x_bits", bits, 56);
	field(btf, "x_late", late, 64);
	assert_vm_stat(btf, id, "x_a@0:8 x_b@8:4 x_c@16:8 counter@32:8 x_next@40:8 x_counter@48:8",
		       200);
}

/* KVM on x86 has pages_4k, pages_2m and pages_1g in a union with pages[3]. */
static void test_union_aliases(void **state)
{
	struct btf *btf = types_new();
	int array = add_array(btf, u64, 3), small = add_array(btf, u32, 2);
	int pages, both, overlapping, late, id;

	(void)state;
	pages = btf__add_struct(btf, "", 24);
	field(btf, "x_4k", atomic64, 0);
	field(btf, "x_2m", atomic64, 8);
	field(btf, "x_1g", atomic64, 16);
	both = btf__add_union(btf, "", 24);
	field(btf, "", pages, 0);
	field(btf, "x_pages", array, 0);
	late = btf__add_struct(btf, "", 8);
	field(btf, "x_later", u16, 2);
	field(btf, "x_free", u32, 4);
	overlapping = btf__add_union(btf, "named", 8);
	field(btf, "x_short", u32, 0);
	field(btf, "x_long", u64, 0);	 /* some of its bytes are taken */
	field(btf, "x_array", small, 0); /* here, too */
	field(btf, "x_other", pointer, 0);
	field(btf, "", late, 0);
	id = btf__add_struct(btf, "kvm_vm_stat", 48);
	field(btf, "x_first", u64, 0);
	field(btf, "", both, 8);
	field(btf, "x_union", overlapping, 32);
	field(btf, "x_last", u64, 40);
	assert_vm_stat(
		btf, id,
		"x_first@0:8 x_4k@8:8 x_2m@16:8 x_1g@24:8 x_short@32:4 x_free@36:4 x_last@40:8",
		48);
}

/* Later members of a union are added where their bytes are free; a pointer takes no bytes. */
static void test_union_order(void **state)
{
	struct btf *btf = types_new();
	int late, both, id;

	(void)state;
	late = btf__add_struct(btf, "", 16);
	field(btf, "x_pointer", pointer, 0);
	field(btf, "x_late", u64, 8);
	both = btf__add_union(btf, "", 16);
	field(btf, "", late, 0);
	field(btf, "x_early", u64, 0);
	id = btf__add_struct(btf, "kvm_vm_stat", 16);
	field(btf, "", both, 0);
	assert_vm_stat(btf, id, "x_early@0:8 x_late@8:8", 16);
}

/* A bit field in the old encoding: an integer type with bit offset and size. */
static int add_old_bits(struct btf *btf, __u32 place, __u32 bits)
{
	int id = btf__add_int(btf, "old_bits", 4, 0);
	struct btf_type *type = (struct btf_type *)btf__type_by_id(btf, (__u32)id);

	assert_non_null(type);
	*(__u32 *)(type + 1) = place << 16 | bits;
	return id;
}

static void test_left_out(void **state)
{
	struct btf *btf = types_new();
	int pointers = add_array(btf, pointer, 2), atomics = add_array(btf, atomic64, 2);
	int rows = add_array(btf, add_array(btf, u64, 2), 2), none = add_array(btf, u64, 0);
	int real = btf__add_float(btf, "double", 8);
	int enumeration = btf__add_enum(btf, "some", 4);
	int empty = btf__add_struct(btf, "empty", 0), id;
	int old_bits = add_old_bits(btf, 0, 3), old_shift = add_old_bits(btf, 8, 32);

	(void)state;
	id = btf__add_struct(btf, "kvm_vm_stat", 240);
	field(btf, "x_a", u64, 0);
	field(btf, "x_pointer", pointer, 8);
	field(btf, "x_pointers", pointers, 16);
	field(btf, "x_atomics", atomics, 32);
	field(btf, "x_rows", rows, 48);
	field(btf, "x_none", none, 80);
	field(btf, "x_double", real, 88);
	field(btf, "x_enum", enumeration, 96);
	field(btf, "x_big", u128, 112);
	field(btf, "x_empty", empty, 128);
	assert_int_equal(btf__add_field(btf, "x_bits", u64, 136 * 8, 3), 0);
	assert_int_equal(btf__add_field(btf, "x_whole", u64, 136 * 8, 0), 0);
	field(btf, "x_shifted", u32, 144);
	field_shift(btf, id, 1);
	field(btf, "x_old_bits", old_bits, 184);
	field(btf, "x_old_shift", old_shift, 192);
	field(btf, "", u64, 152);
	field(btf, NAME_47, u64, 160);
	field(btf, NAME_48, u64, 168);
	field(btf, "x_a", u64, 176); /* a second member with this name */
	field(btf, "x_last", u64, 232);
	field(btf, "x_outside", u64, 233);
	field(btf, "x_far", u64, 4096);
	assert_int_equal(strlen(NAME_47) + 1, STAT_NAME_SIZE);
	assert_vm_stat(btf, id, "x_a@0:8 x_whole@136:8 " NAME_47 "@160:8 x_last@232:8", 240);
}

static void test_histograms(void **state)
{
	struct btf *btf = types_new();
	int one = add_array(btf, u64, 1), hundred = add_array(btf, u16, 100);
	int outside = add_array(btf, u64, 0x40000000), id;

	(void)state;
	id = btf__add_struct(btf, "kvm_vm_stat", 224);
	field(btf, "x_one", one, 0);
	field(btf, "x_hundred", hundred, 8);
	field(btf, "x_scalar", u64, 208);
	field(btf, "x_outside", outside, 216);
	assert_vm_stat(btf, id, "x_one@0:8x1 x_hundred@8:2x100 x_scalar@208:8", 224);
}

/* Corrupt BTF must not cause an endless loop. */
static void test_endless(void **state)
{
	struct btf *btf = types_new();
	int id, next;

	(void)state;
	next = (int)btf__type_cnt(btf);
	assert_int_equal(btf__add_typedef(btf, "round", next + 1), next);
	assert_int_equal(btf__add_typedef(btf, "and_round", next), next + 1);
	assert_int_equal(btf__add_struct(btf, "atomic", 8), next + 2);
	field(btf, "counter", next + 2, 0);
	id = btf__add_struct(btf, "kvm_vm_stat", 8);
	field(btf, "x_a", u64, 0);
	field(btf, "x_typedef", next, 0);
	field(btf, "x_atomic", next + 2, 0);
	field(btf, "x_itself", id, 0);
	assert_vm_stat(btf, id, "x_a@0:8", 8);
}

/*
 * A member of a type that is not there. libbpf 1.3 and later refuse such type information as a
 * whole, earlier ones take it; then the member is passed over. This libbpf's own answer says
 * which of the two is right.
 */
static void test_nowhere(void **state)
{
	struct btf *btf = types_new(), *taken;
	struct stat_layout layout;
	int id;

	(void)state;
	id = btf__add_struct(btf, "kvm_vm_stat", 16);
	field(btf, "x_a", u64, 0);
	field(btf, "x_nowhere", 100000, 8);
	add_vm(btf, id);
	add_vcpu(btf, add_vcpu_stat(btf));
	btf_write(btf, "btf/vmlinux");
	taken = btf__parse_raw("btf/vmlinux");
	if (!taken) {
		assert_layout_fails(-ENOENT);
		return;
	}
	btf__free(taken);
	assert_int_equal(layout_of("btf", &layout), 0);
	assert_list(&layout.vm, "x_a@0:8");
	stat_layout_free(&layout);
}

/* Structs with these names but without members, and other kinds of types with these names. */
static void test_other_types_of_the_name(void **state)
{
	struct btf *btf = types_new();
	int id;

	(void)state;
	assert_true(btf__add_fwd(btf, "kvm", BTF_FWD_STRUCT) > 0);
	assert_true(btf__add_fwd(btf, "kvm_vcpu", BTF_FWD_STRUCT) > 0);
	assert_true(btf__add_struct(btf, "kvm", 0) > 0);
	assert_true(btf__add_typedef(btf, "kvm_vcpu", u64) > 0);
	assert_true(btf__add_union(btf, "kvm", 8) > 0);
	field(btf, "stat", u64, 0);
	id = btf__add_struct(btf, "kvm_vm_stat", 8);
	field(btf, "x_a", u64, 0);
	assert_vm_stat(btf, id, "x_a@0:8", 8);
}

/* A stat member without statistics is accepted. */
static void test_no_statistics(void **state)
{
	struct btf *btf = types_new();
	int id = btf__add_struct(btf, "kvm_vm_stat", 0);

	(void)state;
	assert_vm_stat(btf, id, "", 0);
}

/* Does BTF describe the running KVM? */
static void test_which_kvm(void **state)
{
	(void)state;
	make_folders("module");
	make_folders("btf");
	assert_int_equal(stat_layout_kvm("nowhere", "btf"), -ENOENT);
	/* built in: its types are in vmlinux */
	assert_int_equal(stat_layout_kvm("module", "btf"), 0);
	write_text("module/initstate", "live\n");
	assert_int_equal(stat_layout_kvm("module", "btf"), -ENODATA);
	write_text("btf/kvm", "");
	assert_int_equal(stat_layout_kvm("module", "btf"), 0);
	assert_int_equal(stat_layout_kvm("nowhere", "btf"), -ENOENT);
}

/* stat_items.def decides by name, unless the type contradicts it. */
static void test_kinds_of_the_table(void **state)
{
	struct btf *btf = types_new();
	struct stat_layout layout;
	int stat;

	(void)state;
	stat = btf__add_struct(btf, "kvm_vm_stat", 64);
	field(btf, "exits", u64, 0);
	field(btf, "mmu_unsync", u64, 8);
	field(btf, "max_mmu_rmap_size", u64, 16);
	field(btf, "halt_wait_ns", u64, 24);
	field(btf, "halt_wait_hist", u64, 32);
	add_vm(btf, stat);
	add_vcpu(btf, add_vcpu_stat(btf));
	btf_write(btf, "btf/vmlinux");
	assert_int_equal(layout_of("btf", &layout), 0);
	assert_int_equal(stat_list_find(&layout.vm, "exits")->kind, STAT_CUMULATIVE);
	assert_int_equal(stat_list_find(&layout.vm, "mmu_unsync")->kind, STAT_INSTANT);
	assert_int_equal(stat_list_find(&layout.vm, "max_mmu_rmap_size")->kind, STAT_PEAK);
	assert_int_equal(stat_list_find(&layout.vm, "halt_wait_ns")->kind, STAT_CUMULATIVE);
	assert_int_equal(stat_list_find(&layout.vm, "halt_wait_ns")->units, METRIC_NSEC);
	assert_int_equal(stat_list_find(&layout.vm, "halt_wait_hist")->kind, STAT_INSTANT);
	assert_int_equal(stat_list_find(&layout.vm, "halt_wait_hist")->units, METRIC_COUNT);
	stat_layout_free(&layout);
}

/* The kernel that runs the tests. */
static void test_this_kernel(void **state)
{
	struct stat_layout layout;
	int err;

	(void)state;
	err = layout_of(KERNEL_TYPES_DIR, &layout);
	if (err == -ENOENT) {
		print_message(
			"# this kernel has no BTF for KVM; run this on a kernel that has it\n");
		skip();
	}
	assert_int_equal(err, 0);
	assert_true(layout.vm.n && layout.vcpu.n);
	stat_layout_free(&layout);
}

/* The place of the TSC's rate in a vCPU; rate: its type, 0: there is none. */
static uint32_t tsc_khz_of(int rate, bool arch)
{
	struct btf *btf = types_new();
	int id = btf__add_struct(btf, "kvm_vcpu_arch", 64), stat;
	struct stat_layout layout;
	uint32_t at;

	field(btf, "x_other", u64, 0);
	if (rate)
		field(btf, "virtual_tsc_khz", rate, 40);
	stat = btf__add_struct(btf, "kvm_vm_stat", 8);
	field(btf, "x_a", u64, 0);
	add_vm(btf, stat);
	add_vcpu(btf, add_vcpu_stat(btf));
	if (arch)
		field(btf, "arch", id, 936);
	btf_write(btf, "btf/vmlinux");
	assert_int_equal(layout_of("btf", &layout), 0);
	at = layout.vcpu_tsc_khz;
	stat_layout_free(&layout);
	return at;
}

static void test_tsc_rate(void **state)
{
	(void)state;
	assert_int_equal(tsc_khz_of(u32, true), 976);
	assert_int_equal(tsc_khz_of(u64, true), STAT_NO_OFFSET);
	assert_int_equal(tsc_khz_of(0, true), STAT_NO_OFFSET);
	assert_int_equal(tsc_khz_of(u32, false), STAT_NO_OFFSET);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_integers),      work_test(test_nested),
		work_test(test_atomics),       work_test(test_union_aliases),
		work_test(test_union_order),   work_test(test_left_out),
		work_test(test_histograms),    work_test(test_endless),
		work_test(test_nowhere),       work_test(test_other_types_of_the_name),
		work_test(test_no_statistics), work_test(test_which_kvm),
		work_test(test_tsc_rate),      work_test(test_kinds_of_the_table),
		work_test(test_this_kernel),
	};

	/* suppress libbpf's messages: tests corrupt BTF on purpose */
	libbpf_set_print(NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
