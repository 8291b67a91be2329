// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#if defined(__x86_64__) && __has_include(<asm/vmx.h>) && __has_include(<asm/svm.h>)
#include <asm/kvm.h> /* exception vectors */
#include <asm/svm.h>
#include <asm/vmx.h>
#define HAVE_X86_HEADERS 1
#endif

#include "kvm/exit_reasons.h"

#define KVM_H "/usr/include/linux/kvm.h"

/* The minimum number of rows: none may be removed. */
static const size_t rows[REASONS_ISAS] = {
	[REASONS_VMX] = 67,
	[REASONS_SVM] = 130,
	[REASONS_ARM64] = 49,
	[REASONS_USERSPACE] = 46,
};

static void test_rows(void **state)
{
	(void)state;
	for (enum reasons_isa isa = 0; isa < REASONS_ISAS; isa++) {
		size_t count;
		const struct reason *list = reasons_list(isa, &count);

		assert_in_range(count, rows[isa], REASONS_SLOTS_MAX);
		for (size_t i = 0; i < count; i++) {
			char number[REASONS_NAME_SIZE] = "untouched";

			assert_true(i == 0 || list[i].code > list[i - 1].code);
			assert_ptr_equal(reasons_find(isa, list[i].code), &list[i]);
			assert_ptr_equal(reasons_find_name(isa, list[i].name), &list[i]);
			assert_ptr_equal(reasons_name(isa, list[i].code, number), list[i].name);
			assert_string_equal(number, "untouched");
			assert_true(reasons_slot_of(isa, list[i].code) >= REASONS_SLOT_FIRST);
		}
	}
}

/* PCP identifies an instance by its name up to the first space. */
static void test_names(void **state)
{
	(void)state;
	for (enum reasons_isa isa = 0; isa < REASONS_ISAS; isa++) {
		size_t count;
		const struct reason *list = reasons_list(isa, &count);

		for (size_t i = 0; i < count; i++) {
			const char *name = list[i].name;
			size_t length = strcspn(name, " ");

			assert_true(length > 0);
			assert_true(strncmp(name, "0x", 2)); /* reserved for codes without a name */
			assert_true(strcasecmp(name, REASONS_OTHER_NAME));
			assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl"
						      "mnopqrstuvwxyz0123456789_- "),
					 strlen(name));
			for (size_t j = 0; j < i; j++)
				assert_false(strcspn(list[j].name, " ") == length &&
					     strncasecmp(list[j].name, name, length) == 0);
		}
	}
}

static void test_ranges(void **state)
{
	(void)state;
	for (enum reasons_isa isa = 0; isa < REASONS_ISAS; isa++) {
		size_t count;
		const struct reasons_range *ranges = reasons_ranges(isa, &count);
		uint32_t slot = REASONS_SLOT_FIRST;

		assert_in_range(count, 1, REASONS_RANGES_MAX);
		for (size_t i = 0; i < count; i++) {
			assert_int_equal(ranges[i].slot, slot); /* no gap, and no slot twice */
			assert_in_range(ranges[i].count, 1, REASONS_SLOTS_MAX);
			slot += ranges[i].count;
			for (size_t j = 0; j < count; j++) /* no code twice */
				assert_true(i == j ||
					    ranges[j].first - ranges[i].first >= ranges[i].count);
		}
		assert_int_equal(reasons_slots(isa), slot);
		assert_in_range(slot, 1, REASONS_SLOTS_MAX);
	}
}

/* Convert slots to codes and back, including slots of no range. */
static void test_slots(void **state)
{
	(void)state;
	for (enum reasons_isa isa = 0; isa < REASONS_ISAS; isa++) {
		size_t count, named = 0;
		uint64_t code;

		reasons_list(isa, &count);
		for (unsigned slot = REASONS_SLOT_FIRST; slot < reasons_slots(isa); slot++) {
			assert_int_equal(reasons_code_of(isa, slot, &code), 0);
			assert_int_equal(reasons_slot_of(isa, code), slot);
			named += reasons_find(isa, code) != NULL;
		}
		assert_int_equal(named, count); /* every row has a slot */

		untouched_fill(&code, sizeof(code));
		for (unsigned slot = 0; slot < REASONS_SLOT_FIRST; slot++)
			assert_int_equal(reasons_code_of(isa, slot, &code), -ENOENT);
		assert_int_equal(reasons_code_of(isa, reasons_slots(isa), &code), -ENOENT);
		assert_int_equal(reasons_code_of(isa, UINT32_MAX, &code), -ENOENT);
		assert_untouched(&code, sizeof(code));
	}
}

/* Slots keep their original values, since pinned maps depend on them. */
static void test_slots_that_stay(void **state)
{
	static const struct {
		enum reasons_isa isa;
		uint64_t code;
		int slot;
	} given[] = {
		{ REASONS_VMX, 0, 9 },
		{ REASONS_VMX, 95, 104 },
		{ REASONS_SVM, 0, 9 },
		{ REASONS_SVM, 0x0af, 184 },
		{ REASONS_SVM, 0x400, 185 },
		{ REASONS_SVM, 0x407, 192 },
		{ REASONS_SVM, 0x80000000, 193 },
		{ REASONS_SVM, 0x8000001f, 224 },
		{ REASONS_SVM, 0x8000fffc, 225 },
		{ REASONS_SVM, 0x8000ffff, 228 },
		{ REASONS_SVM, 0xf0000000, 229 },
		{ REASONS_SVM, 0xfffffffc, 230 },
		{ REASONS_SVM, 0xffffffff, 233 },
		{ REASONS_ARM64, 0, 9 },
		{ REASONS_ARM64, 3, 12 },
		{ REASONS_ARM64, REASONS_ARM64_TRAP, 13 },
		{ REASONS_ARM64, REASONS_ARM64_TRAP | 0x3f, 76 },
		{ REASONS_ARM64, 0xbadca11, 77 },
		{ REASONS_USERSPACE, 0, 9 },
		{ REASONS_USERSPACE, 63, 72 },
		{ REASONS_USERSPACE, REASONS_RESTART, 73 },
		{ REASONS_USERSPACE, REASONS_ERROR, 74 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(given); i++)
		assert_int_equal(reasons_slot_of(given[i].isa, given[i].code), given[i].slot);
	assert_true(reasons_slots(REASONS_VMX) >= 105);
	assert_true(reasons_slots(REASONS_SVM) >= 234);
	assert_true(reasons_slots(REASONS_ARM64) >= 78);
	assert_true(reasons_slots(REASONS_USERSPACE) >= 75);
	assert_int_equal(REASONS_SLOT_OTHER, 0);
	assert_int_equal(REASONS_SLOT_UNKNOWN, 1);
	assert_int_equal(REASONS_SLOT_FIRST, 9);
}

static void test_known_codes(void **state)
{
	static const struct {
		enum reasons_isa isa;
		uint64_t code;
		const char *name;
	} known[] = {
		{ REASONS_VMX, 1, "EXTERNAL_INTERRUPT" },
		{ REASONS_VMX, 12, "HLT" },
		{ REASONS_VMX, 48, "EPT_VIOLATION" },
		{ REASONS_VMX, 77, "TDCALL" },
		{ REASONS_VMX, 85, "MSR_WRITE_IMM" },
		{ REASONS_SVM, 0x040, "DE excp" },
		{ REASONS_SVM, 0x060, "interrupt" },
		{ REASONS_SVM, 0x078, "hlt" },
		{ REASONS_SVM, 0x07b, "io" },
		{ REASONS_SVM, 0x081, "hypercall" },
		{ REASONS_SVM, 0x0a5, "buslock" },
		{ REASONS_SVM, 0x0a6, "idle-halt" },
		{ REASONS_SVM, 0x400, "npf" },
		{ REASONS_SVM, 0x8000001a, "vmgexit_savic" },
		{ REASONS_SVM, 0xffffffff, "invalid_guest_state" },
		{ REASONS_ARM64, 0, "IRQ" },
		{ REASONS_ARM64, 1, "SERROR" },
		{ REASONS_ARM64, 0xbadca11, "HYP_GONE" },
		{ REASONS_ARM64, REASONS_ARM64_TRAP | 0x01, "WFx" },
		{ REASONS_ARM64, REASONS_ARM64_TRAP | 0x16, "HVC64" },
		{ REASONS_ARM64, REASONS_ARM64_TRAP | 0x24, "DABT_LOW" },
		{ REASONS_ARM64, REASONS_ARM64_TRAP | 0x2f, "EC_SERROR" },
		{ REASONS_USERSPACE, 2, "IO" },
		{ REASONS_USERSPACE, 6, "MMIO" },
		{ REASONS_USERSPACE, 39, "MEMORY_FAULT" },
		{ REASONS_USERSPACE, 43, "SNP_REQ_CERTS" },
		{ REASONS_USERSPACE, REASONS_RESTART, "restart" },
		{ REASONS_USERSPACE, REASONS_ERROR, "error" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		const struct reason *reason = reasons_find(known[i].isa, known[i].code);

		assert_non_null(reason);
		assert_string_equal(reason->name, known[i].name);
	}
}

/* Unnamed codes inside a range have a slot; codes outside have none. */
static void test_unknown_codes(void **state)
{
	static const struct {
		enum reasons_isa isa;
		uint64_t code;
		bool slot;
		const char *name;
	} unknown[] = {
		{ REASONS_VMX, 5, true, "0x5" },
		{ REASONS_VMX, 95, true, "0x5f" },
		{ REASONS_VMX, 96, false, "0x60" },
		{ REASONS_VMX, 0x80000021, false, "0x80000021" }, /* callers must mask flags */
		{ REASONS_SVM, 0x001, true, "0x1" },
		{ REASONS_SVM, 0x0b0, false, "0xb0" },
		{ REASONS_SVM, 0x3ff, false, "0x3ff" },
		{ REASONS_SVM, 0x408, false, "0x408" },
		{ REASONS_SVM, 0x7fffffff, false, "0x7fffffff" },
		{ REASONS_SVM, 0x80000000, true, "0x80000000" },
		{ REASONS_SVM, 0x80000020, false, "0x80000020" },
		{ REASONS_SVM, 0xf0000001, false, "0xf0000001" },
		{ REASONS_SVM, 0xfffffffe, true, "0xfffffffe" },
		{ REASONS_SVM, UINT64_C(0x100000000), false, "0x100000000" },
		{ REASONS_SVM, UINT64_MAX, false, "0xffffffffffffffff" },
		{ REASONS_ARM64, 2, true, "0x2" },
		{ REASONS_ARM64, 4, false, "0x4" },
		{ REASONS_ARM64, REASONS_ARM64_TRAP | 0x02, true, "0x102" },
		{ REASONS_ARM64, 0x140, false, "0x140" },
		{ REASONS_USERSPACE, 44, true, "0x2c" },
		{ REASONS_USERSPACE, 64, false, "0x40" },
		{ REASONS_USERSPACE, UINT32_MAX, false, "0xffffffff" },
		{ REASONS_USERSPACE, REASONS_ERROR + 1, false, "0x100000002" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
		enum reasons_isa isa = unknown[i].isa;
		int slot = reasons_slot_of(isa, unknown[i].code);
		char name[REASONS_NAME_SIZE];

		assert_null(reasons_find(isa, unknown[i].code));
		assert_ptr_equal(reasons_name(isa, unknown[i].code, name), name);
		assert_string_equal(name, unknown[i].name);
		assert_null(reasons_find_name(isa, name));
		if (unknown[i].slot)
			assert_in_range(slot, REASONS_SLOT_FIRST, reasons_slots(isa) - 1);
		else
			assert_int_equal(slot, -ENOENT);
	}
}

static void test_unknown_names(void **state)
{
	(void)state;
	assert_null(reasons_find_name(REASONS_VMX, ""));
	assert_null(reasons_find_name(REASONS_VMX, "HL"));
	assert_null(reasons_find_name(REASONS_VMX, "HLTX"));
	assert_null(reasons_find_name(REASONS_VMX, "hlt"));
	assert_null(reasons_find_name(REASONS_SVM, "DE"));
	assert_null(reasons_find_name(REASONS_USERSPACE, "KVM_EXIT_IO"));
	for (enum reasons_isa isa = 0; isa < REASONS_ISAS; isa++)
		assert_null(reasons_find_name(isa, REASONS_OTHER_NAME));
}

/* Compare with the kernel's own tables in the installed headers. */
static void test_the_kernels_names(void **state)
{
	(void)state;
#ifdef HAVE_X86_HEADERS
	static const struct {
		uint64_t code;
		const char *name;
	} vmx[] = { VMX_EXIT_REASONS }, svm[] = { SVM_EXIT_REASONS };

	assert_true(ARRAY_SIZE(vmx) > 60 && ARRAY_SIZE(svm) > 100);
	for (size_t i = 0; i < ARRAY_SIZE(vmx); i++) {
		const struct reason *reason = reasons_find(REASONS_VMX, vmx[i].code);

		assert_non_null(reason);
		assert_string_equal(reason->name, vmx[i].name);
	}
	for (size_t i = 0; i < ARRAY_SIZE(svm); i++) {
		const struct reason *reason = reasons_find(REASONS_SVM, (uint32_t)svm[i].code);

		assert_non_null(reason);
		assert_string_equal(reason->name, svm[i].name);
	}
#else
	print_message("skip: needs x86 and the headers of linux-libc-dev\n");
	skip();
#endif
}

/* KVM_EXIT_IO_IN is a direction, not a reason of its own. */
static bool is_detail(const char *name)
{
	for (const char *end = strchr(name, '_'); end; end = strchr(end + 1, '_')) {
		char prefix[64] = "";

		memcpy(prefix, name, end - name);
		if (reasons_find_name(REASONS_USERSPACE, prefix))
			return true;
	}
	return false;
}

static void test_the_kernels_userspace_exits(void **state)
{
	FILE *file = fopen(KVM_H, "r");
	unsigned found = 0, code;
	char line[256], name[64];

	(void)state;
	if (!file) {
		print_message("skip: no " KVM_H ", which is in linux-libc-dev\n");
		skip();
	}
	while (fgets(line, sizeof(line), file)) {
		const struct reason *reason;

		if (sscanf(line, "#define KVM_EXIT_%63s %u", name, &code) != 2 || is_detail(name))
			continue;
		reason = reasons_find(REASONS_USERSPACE, code);
		assert_non_null(reason);
		assert_string_equal(reason->name, name);
		found++;
	}
	fclose(file);
	assert_true(found >= 38); /* as many as Linux 6.1 has */
}

/* About a dozen reasons of each table are listed, "other" and unknown codes never. */
static void test_listed(void **state)
{
	(void)state;
	for (enum reasons_isa isa = 0; isa < REASONS_ISAS; isa++) {
		size_t count, listed = 0;
		const struct reason *list = reasons_list(isa, &count);

		for (size_t i = 0; i < count; i++) {
			int slot = reasons_slot_of(isa, list[i].code);

			assert_int_equal(reasons_listed(isa, (unsigned)slot), list[i].listed);
			listed += list[i].listed;
		}
		assert_in_range(listed, 6, 14);
		for (unsigned slot = 0; slot < REASONS_SLOT_FIRST; slot++)
			assert_false(reasons_listed(isa, slot));
	}
	assert_true(reasons_find_name(REASONS_SVM, "npf")->listed);
	assert_true(reasons_find_name(REASONS_VMX, "EPT_VIOLATION")->listed);
	assert_true(reasons_find_name(REASONS_USERSPACE, "MMIO")->listed);
	assert_false(reasons_find_name(REASONS_SVM, "read_cr0")->listed);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_slots),
		cmocka_unit_test(test_slots_that_stay),
		cmocka_unit_test(test_known_codes),
		cmocka_unit_test(test_unknown_codes),
		cmocka_unit_test(test_unknown_names),
		cmocka_unit_test(test_the_kernels_names),
		cmocka_unit_test(test_the_kernels_userspace_exits),
		cmocka_unit_test(test_listed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
