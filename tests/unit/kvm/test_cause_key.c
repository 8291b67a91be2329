// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <errno.h>
#include <string.h>

#include "kvm/cause_key.h"

static const struct example {
	uint64_t key;
	const char *text;
	const char *kind;
} examples[] = {
	{ 0x0100000000000608, "io:0x608:r", "io" },
	{ 0x01800000000003f8, "io:0x3f8:w", "io" },
	{ 0x0100000000000000, "io:0x0:r", "io" },
	{ 0x02800000000006e0, "msr:0x6e0:w", "msr" },
	{ 0x02000000c0000080, "msr:0xc0000080:r", "msr" },
	{ 0x0300000000000001, "cpuid:0x1", "cpuid" },
	{ 0x0300000040000000, "cpuid:0x40000000", "cpuid" },
	{ 0x040000000000000a, "hypercall:10", "hypercall" },
	{ 0x0500000000000002, "hv:0x2", "hv" },
	{ 0x0680000000000003, "cr:3:w", "cr" },
	{ 0x0600000000000008, "cr:8:r", "cr" },
	{ 0x07800000fec00000, "mmio:0xfec00000:w", "mmio" },
	{ 0x077ffffffffff000, "mmio:0x7ffffffffff000:r", "mmio" },
	{ 0x0880000000000300, "apic:0x300:w", "apic" },
	{ 0x090000000018cba0 | 0x80000000000000, "sysreg:s3_0_c12_c11_5:w", "sysreg" },
	{ 0x09000000001bdce0, "sysreg:s3_3_c13_c12_7:r", "sysreg" },
	{ 0x0a00000084000000, "hvc:2214592512", "hvc" },
	{ 0x047fffffffffffff, "hypercall:36028797018963967", "hypercall" },
	{ 0, "none", "none" },
	{ UINT64_MAX, "other", "other" },
};

static void test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		const struct example *e = &examples[i];
		char text[CAUSE_KEY_TEXT_SIZE];
		uint64_t key = 1;

		assert_int_equal(cause_key_text(e->key, text), strlen(e->text));
		assert_string_equal(text, e->text);
		assert_int_equal(cause_key_parse(e->text, &key), 0);
		assert_true(key == e->key);
		assert_string_equal(cause_key_kind(e->key), e->kind);
	}
}

/* The kinds' numbers and the bits are in pinned maps. */
static void test_layout(void **state)
{
	(void)state;
	assert_true(cause_key(CAUSE_PIO, 0x608, false) == 0x0100000000000608);
	assert_true(cause_key(CAUSE_HVC, 5, false) == 0x0a00000000000005);
	assert_true(cause_key(CAUSE_MSR, 0x10, true) == 0x0280000000000010);
	assert_true(cause_key(CAUSE_MMIO, UINT64_MAX, false) == 0x077fffffffffffff);
	assert_true(CAUSE_NONE == 0 && CAUSE_OTHER == UINT64_MAX);
}

static bool is_sysreg(uint64_t number)
{
	return number < 1 << 21 && number % 32 == 0;
}

/* Keys of every kind, with numbers of every length, there and back. */
static void test_round_trips(void **state)
{
	unsigned made = 0;

	(void)state;
	for (unsigned kind = 0; kind < 256; kind++) {
		for (uint64_t seed = 0; seed < 4 * 55; seed++) {
			uint64_t number = seed * UINT64_C(0x9e3779b97f4a7c15) >> (9 + seed % 55);
			uint64_t key = cause_key(kind, number, seed & 64), back;
			bool valid = kind >= CAUSE_PIO && kind <= CAUSE_HVC &&
				     (cause_kind_has_direction(kind) || !(seed & 64)) &&
				     (kind != CAUSE_SYSREG || is_sysreg(number));
			char text[CAUSE_KEY_TEXT_SIZE];
			int len;

			if (key == CAUSE_NONE || key == CAUSE_OTHER)
				continue;
			untouched_fill(text, sizeof(text));
			len = cause_key_text(key, text);
			if (!valid) {
				assert_int_equal(len, -EINVAL);
				assert_untouched(text, sizeof(text));
				continue;
			}
			assert_int_equal(len, strlen(text));
			assert_true(len < CAUSE_KEY_TEXT_SIZE);
			assert_int_equal(cause_key_parse(text, &back), 0);
			assert_true(back == key);
			made++;
		}
	}
	assert_true(made > 1000);
}

/* Every system register, there and back. */
static void test_system_registers(void **state)
{
	(void)state;
	for (uint64_t number = 0; number < 1 << 21; number += 32) {
		uint64_t key = cause_key(CAUSE_SYSREG, number, true), back = 0;
		char text[CAUSE_KEY_TEXT_SIZE];

		assert_true(cause_key_text(key, text) > 0);
		assert_int_equal(cause_key_parse(text, &back), 0);
		assert_true(back == key);
	}
}

static void test_kinds(void **state)
{
	(void)state;
	assert_null(cause_key_kind(UINT64_C(11) << 56));
	assert_null(cause_key_kind(UINT64_C(254) << 56));
	assert_null(cause_key_kind(1)); /* kind 0 has the one key 0 */
	assert_null(cause_key_kind(UINT64_MAX - 1));
	assert_true(cause_kind_has_direction(CAUSE_PIO));
	assert_true(cause_kind_has_direction(CAUSE_SYSREG));
	assert_false(cause_kind_has_direction(CAUSE_CPUID));
	assert_false(cause_kind_has_direction(CAUSE_HVC));
	assert_false(cause_kind_has_direction(0));
	assert_false(cause_kind_has_direction(CAUSE_KINDS));
	assert_false(cause_kind_has_direction(255));
}

static void test_bad_texts(void **state)
{
	static const char *const bad[] = {
		"",
		":",
		"io",
		"io:",
		"io::r",
		"io:0x608",
		"io:0x608:",
		"io:0x608:x",
		"io:0x608:rw",
		"io:0x0608:r",
		"io:608:r",
		"io:0x608:R",
		"IO:0x608:r",
		"io:0xA0:r",
		" io:0x608:r",
		"io:0x608:r ",
		"io: 0x608:r",
		"io:0x-1:r",
		"io:-1:r",
		"cpuid:0x1:r",
		"cpuid:0x1:w",
		"cpuid:1",
		"hypercall:0xa",
		"hypercall:010",
		"hypercall:-1",
		"cr:0x3:w",
		"cr:3",
		"hv:2",
		"hvc:0x84000000",
		"mmio:0x80000000000000:r",
		"mmio:0x10000000000001000:r",
		"mmio:0xffffffffffffffffffff:r",
		"sysreg:0x18cba0:w",
		"sysreg:s4_0_c0_c0_0:r",
		"sysreg:s3_8_c0_c0_0:r",
		"sysreg:s3_0_c16_c0_0:r",
		"sysreg:s3_0_c0_c16_0:r",
		"sysreg:s3_0_c0_c0_8:r",
		"sysreg:s3_0_c0_c0:r",
		"sysreg:S3_0_C0_C0_0:r",
		"none:",
		"other:",
		"None",
		"non",
		"others",
		"iox:0x1:r",
		"i:0x1:r",
		"\xff:0x1:r",
	};
	uint64_t key;

	(void)state;
	untouched_fill(&key, sizeof(key));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (cause_key_parse(bad[i], &key) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
	}
	assert_untouched(&key, sizeof(key));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),    cmocka_unit_test(test_layout),
		cmocka_unit_test(test_round_trips), cmocka_unit_test(test_system_registers),
		cmocka_unit_test(test_kinds),	    cmocka_unit_test(test_bad_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
