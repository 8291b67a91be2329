// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Instance numbers in a file that is damaged, cut short or another program's. */
#include "fakes/fake_numbers.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOREIGN                                                                                    \
	"store: not a file of instance numbers of this version, left alone; instance numbers are " \
	"not remembered until it is moved away"

static void poke(size_t where, const void *bytes, size_t size)
{
	FILE *file = fopen("store", "r+e");

	assert_non_null(file);
	assert_int_equal(fseek(file, (long)where, SEEK_SET), 0);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void assert_same_file(const unsigned char *before, size_t size)
{
	size_t now;
	unsigned char *after = file_bytes("store", &now);

	assert_int_equal(now, size);
	assert_memory_equal(after, before, size);
	free(after);
}

/* Each bit of a record: a record with one that is wrong is as if not there. */
static void test_a_wrong_bit(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);
	unsigned char record[16], bad[16], *bytes;
	size_t size, where;

	(void)state;
	numbers_take(numbers, FIRST);
	numbers_take(numbers, SECOND);
	instance_numbers_close(numbers);
	where = record_find(0x01000007);
	bytes = file_bytes("store", &size);
	memcpy(record, bytes + where, sizeof(record));
	free(bytes);
	for (unsigned bit = 0; bit < 128; bit++) {
		memcpy(bad, record, sizeof(bad));
		bad[bit / 8] ^= (unsigned char)(1u << bit % 8);
		poke(where, bad, sizeof(bad));
		numbers = numbers_open(16);
		assert_int_equal(numbers_take(numbers, THIRD), 0x01000007);
		assert_int_equal(numbers_stats(numbers).used, 2);
		instance_numbers_close(numbers);
	}
	poke(where, record, sizeof(record));
	numbers = numbers_open(16);
	assert_int_equal(numbers_take(numbers, THIRD), 0x02000007);
	instance_numbers_close(numbers);
}

/* A record where it does not belong, or of no kind, with the right checksum. */
static void test_a_record_out_of_place(void **state)
{
	static const uint32_t no_kind[4] = { 0x40000000, 1, 1, 0xd151a293 };
	struct instance_numbers *numbers = numbers_open(32);
	unsigned char *bytes;
	size_t size;

	(void)state;
	numbers_take(numbers, "=0000000100000008");
	numbers_take(numbers, "=0000000200000008");
	instance_numbers_close(numbers);
	bytes = file_bytes("store", &size);
	assert_int_equal(size, NUMBERS_HEADER + 32);
	poke(size + 256 - 32, bytes + NUMBERS_HEADER, 32); /* the same in set 1 */
	poke(size, no_kind, sizeof(no_kind));
	free(bytes);
	numbers = numbers_open(32);
	assert_int_equal(numbers_take(numbers, "=0000000300000008"), 0x02000008);
	assert_int_equal(numbers_take(numbers, "=0000000300000009"), 9);
	assert_int_equal(numbers_stats(numbers).used, 4);
	instance_numbers_close(numbers);
}

#define TORN_NAMES 3000

/* Many names, of which each 16th has a tie. */
static void torn_name(unsigned i, char name[64])
{
	if (i % 16)
		snprintf(name, 64, "vm-%u::vcpu0", i);
	else
		snprintf(name, 64, "=%08x%08x", i, i / 32 * 977);
}

static void test_damage(void **state)
{
	struct instance_numbers *numbers = numbers_open(16384);
	uint32_t before[TORN_NAMES], after[TORN_NAMES];
	size_t where[TORN_NAMES], size, kept = 0;
	unsigned char *old, *bytes;
	char name[64];

	(void)state;
	for (unsigned i = 0; i < TORN_NAMES; i++) {
		torn_name(i, name);
		before[i] = numbers_take(numbers, name);
	}
	instance_numbers_close(numbers);
	old = file_bytes("store", &size);
	bytes = file_bytes("store", &size);
	for (unsigned i = 0; i < TORN_NAMES; i++) /* in the order of their sets: cheap to find */
		for (where[i] = NUMBERS_HEADER + (before[i] & 1023) * 256;
		     memcmp(bytes + where[i], &before[i], 4); where[i] += 16)
			;
	srandom(11);
	for (size_t at = NUMBERS_HEADER; at < size; at += 8) {
		long dice = random() % 20; /* half a record each */

		for (size_t i = at; dice < 3 && i < at + 8; i++)
			bytes[i] = dice ? (unsigned char)random() : 0;
	}
	write_bytes("store", bytes, size);
	numbers = numbers_open(16384);
	for (unsigned i = TORN_NAMES; i-- > 0;) {
		torn_name(i, name);
		after[i] = numbers_take(numbers, name);
		if (memcmp(bytes + where[i], old + where[i], 16) == 0) {
			assert_int_equal(after[i], before[i]);
			kept++;
		}
		for (unsigned j = i + 1; j < TORN_NAMES; j++)
			assert_int_not_equal(after[j], after[i]);
	}
	assert_in_range(kept, TORN_NAMES / 2, TORN_NAMES - TORN_NAMES / 8);
	instance_numbers_close(numbers);
	free(old);
	free(bytes);
}

static void test_a_damaged_header(void **state)
{
	static const unsigned char none[NUMBERS_HEADER];
	struct instance_numbers *numbers = numbers_open(64);
	unsigned char *bytes;
	size_t size;

	(void)state;
	numbers_take(numbers, FIRST);
	numbers_take(numbers, SECOND);
	instance_numbers_close(numbers);
	bytes = file_bytes("store", &size);
	for (unsigned i = 11; i < 23; i++) {
		if (i == 11) /* a page that did not reach the disk */
			poke(0, none, sizeof(none));
		else if (i < 20) /* any byte of sets and checksum */
			poke(i, &(unsigned char){ bytes[i] ^ 0x41 }, 1);
		else /* sets that cannot be, with the right checksum */
			poke(12,
			     (const uint32_t[]){ 0, 0x45439d7d, 3, 0x57f63293, 0x2000000,
						 0xab4dfc51 } +
				     2 * (i - 20),
			     8);
		numbers = numbers_open(64);
		assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
		assert_int_equal(numbers_stats(numbers).limit, 64);
		instance_numbers_close(numbers);
		assert_same_file(bytes, size);
	}
	free(bytes);
}

static void test_a_file_cut_short(void **state)
{
	struct instance_numbers *numbers = numbers_open(16);
	uint32_t value;

	(void)state;
	numbers_take(numbers, FIRST);
	numbers_take(numbers, SECOND);
	instance_numbers_close(numbers);
	assert_int_equal(truncate("store", NUMBERS_HEADER + 25), 0);
	numbers = numbers_open(16);
	assert_int_equal(numbers_take(numbers, THIRD), 0x01000007);
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(truncate("store", 0), 0); /* under us */
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), -ENOENT);
	assert_int_equal(numbers_take(numbers, SECOND), 0x02000007);
	instance_numbers_release(numbers, FIRST); /* remembered anew */
	instance_numbers_close(numbers);
	numbers = numbers_open(16);
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(numbers_take(numbers, SECOND), 0x02000007);
	instance_numbers_close(numbers);
}

static void assert_foreign(const char *bytes, size_t size)
{
	struct instance_numbers *numbers;
	uint32_t value;

	write_bytes("store", bytes, size);
	numbers = numbers_open_line(16, REPORT_WARNING, FOREIGN);
	assert_int_equal(numbers_take(numbers, FIRST), 7);
	assert_int_equal(numbers_take(numbers, SECOND), 0x01000007);
	instance_numbers_keep(numbers, "key", 1);
	assert_int_equal(instance_numbers_kept(numbers, "key", &value), -ENOENT);
	instance_numbers_tick(numbers);
	instance_numbers_release(numbers, FIRST);
	assert_int_equal(numbers_stats(numbers).limit, 0);
	assert_int_equal(numbers_stats(numbers).dropped, 3);
	instance_numbers_close(numbers);
	assert_same_file((const unsigned char *)bytes, size);
	assert_int_equal(access("store.new", F_OK), -1);
}

static void test_foreign_files(void **state)
{
	struct instance_numbers *numbers = numbers_open(32);
	unsigned char *bytes;
	size_t size;

	(void)state;
	numbers_take(numbers, FIRST);
	instance_numbers_close(numbers);
	bytes = file_bytes("store", &size);
	bytes[8] = 2; /* another version */
	assert_foreign((char *)bytes, size);
	bytes[8] = 1;
	bytes[0] ^= 1;
	assert_foreign((char *)bytes, size);
	free(bytes);
	assert_foreign("x", 1);
	assert_foreign("kvminst", 7);
	assert_foreign("trace 768 kvm_new\nstat 769 new\ntrace 770 another\n", 49);
	assert_int_equal(unlink("store"), 0);
	assert_int_equal(mkfifo("store", 0600), 0);
	instance_numbers_close(numbers_open_line(16, REPORT_WARNING, FOREIGN));
	assert_int_equal(unlink("store"), 0);
	make_folders("store");
	instance_numbers_close(numbers_open_line(16, REPORT_WARNING, FOREIGN));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		numbers_test(test_a_wrong_bit),	     numbers_test(test_a_record_out_of_place),
		numbers_test(test_damage),	     numbers_test(test_a_damaged_header),
		numbers_test(test_a_file_cut_short), numbers_test(test_foreign_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
