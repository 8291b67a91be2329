// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_btf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOG_HIST    KVM_STATS_TYPE_LOG_HIST
#define LINEAR_HIST KVM_STATS_TYPE_LINEAR_HIST
#define PEAK	    KVM_STATS_TYPE_PEAK
#define INSTANT	    KVM_STATS_TYPE_INSTANT
#define CUMULATIVE  KVM_STATS_TYPE_CUMULATIVE
#define SECONDS	    KVM_STATS_UNIT_SECONDS
#define BYTES	    KVM_STATS_UNIT_BYTES
#define CYCLES	    KVM_STATS_UNIT_CYCLES
#define BOOLEAN	    KVM_STATS_UNIT_BOOLEAN
#define POW2	    KVM_STATS_BASE_POW2

/* Behaviour of pread(): limit bytes per call, and EINTR on every second call. */
static struct {
	size_t chunk; /* 0: no limit */
	unsigned calls;
} reads;

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
	if (reads.chunk) {
		if (reads.calls++ % 2) {
			errno = EINTR;
			return -1;
		}
		if (size > reads.chunk)
			size = reads.chunk;
	}
	return syscall(SYS_pread64, fd, bytes, size, offset);
}

static struct statistic scalar(const char *name)
{
	struct statistic stat = { .kind = STAT_INSTANT, .units = METRIC_COUNT, .scale = 1 };

	stat.size = 8;
	stat.buckets = 1;
	strcpy(stat.name, name);
	return stat;
}

static struct statistic histogram(const char *name)
{
	struct statistic stat = scalar(name);

	stat.kind = STAT_LOG_HIST;
	stat.units = METRIC_NSEC;
	stat.buckets = 32;
	return stat;
}

static int describe(const char *path, struct stat_list *list)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC), err;

	assert_true(fd >= 0);
	err = stat_list_describe(fd, list);
	close(fd);
	return err;
}

/* Describe a statistic by a single descriptor. */
static struct statistic described(struct statistic stat, unsigned flags, int exponent,
				  unsigned bucket_size)
{
	struct descriptor one = { stat.name, flags, exponent, bucket_size };
	struct stat_list list = { &stat, 1, 1, 8 };

	write_descriptors("stats", &one, 1, 48);
	assert_int_equal(describe("stats", &list), 0);
	return stat;
}

static void assert_kind(struct statistic stat, unsigned flags, enum stat_kind kind)
{
	stat = described(stat, flags | KVM_STATS_UNIT_NONE, 0, 7);
	assert_int_equal(stat.kind, kind);
	assert_int_equal(stat.units, METRIC_COUNT);
	assert_int_equal(stat.bucket_size, kind == STAT_LINEAR_HIST ? 7 : 0);
}

static void test_kinds(void **state)
{
	(void)state;
	assert_kind(scalar("a"), CUMULATIVE, STAT_CUMULATIVE);
	assert_kind(scalar("a"), INSTANT, STAT_INSTANT);
	assert_kind(scalar("a"), PEAK, STAT_PEAK);
	assert_kind(histogram("a"), LINEAR_HIST, STAT_LINEAR_HIST);
	assert_kind(histogram("a"), LOG_HIST, STAT_LOG_HIST);
	/* an unknown kind leaves the kind; the units are known */
	for (unsigned type = KVM_STATS_TYPE_MAX + 1; type <= KVM_STATS_TYPE_MASK; type++) {
		assert_kind(scalar("a"), type, STAT_INSTANT);
		assert_kind(histogram("a"), type, STAT_LOG_HIST);
	}
}

/* A histogram with one value, or the reverse: the descriptor is ignored. */
static void test_kinds_that_cannot_be(void **state)
{
	static const unsigned of_scalar[] = { CUMULATIVE, INSTANT, PEAK };
	static const unsigned of_histogram[] = { LINEAR_HIST, LOG_HIST };
	struct statistic stat, before;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(of_scalar); i++) {
		before = histogram("a");
		stat = described(before, of_scalar[i] | BYTES, 3, 5);
		assert_memory_equal(&stat, &before, sizeof(stat));
	}
	for (size_t i = 0; i < ARRAY_SIZE(of_histogram); i++) {
		before = scalar("a");
		stat = described(before, of_histogram[i] | BYTES, 3, 5);
		assert_memory_equal(&stat, &before, sizeof(stat));
	}
}

static void assert_units(unsigned flags, int exponent, enum metric_units units, uint64_t scale)
{
	struct statistic stat = scalar("a");

	/* differs from the defaults, so that an unchanged value shows */
	stat.units = METRIC_NONE;
	stat.scale = 77;
	stat = described(stat, PEAK | flags, exponent, 0);
	assert_int_equal(stat.kind, STAT_PEAK);
	assert_int_equal(stat.units, units);
	assert_true(stat.scale == scale);
}

static void assert_units_left(unsigned flags, int exponent)
{
	assert_units(flags, exponent, METRIC_NONE, 77);
}

static void test_units(void **state)
{
	uint64_t scale = 1;

	(void)state;
	assert_units(KVM_STATS_UNIT_NONE, 0, METRIC_COUNT, 1);
	assert_units(KVM_STATS_UNIT_NONE, 3, METRIC_COUNT, 1000);
	assert_units(CYCLES, 0, METRIC_COUNT, 1);
	assert_units(CYCLES | POW2, 4, METRIC_COUNT, 16);
	assert_units(BOOLEAN, 0, METRIC_COUNT, 1);
	assert_units(BYTES, 0, METRIC_BYTES, 1);
	assert_units(BYTES, 6, METRIC_BYTES, 1000000);
	assert_units(BYTES | POW2, 12, METRIC_BYTES, 4096);
	assert_units(BYTES | POW2, 63, METRIC_BYTES, UINT64_C(1) << 63);
	assert_units(BYTES, 19, METRIC_BYTES, UINT64_C(10000000000000000000));
	for (int exponent = -9; exponent <= 0; exponent++, scale *= 10)
		assert_units(SECONDS, exponent, METRIC_NSEC, scale);
}

static void test_units_that_we_have_not(void **state)
{
	(void)state;
	assert_units_left(SECONDS, 1);
	assert_units_left(SECONDS, -10);
	assert_units_left(SECONDS | POW2, 0);
	assert_units_left(SECONDS | POW2, -1);
	assert_units_left(BYTES, -1);
	assert_units_left(BYTES, 20);
	assert_units_left(BYTES, 32767);
	assert_units_left(BYTES | POW2, 64);
	assert_units_left(BYTES | POW2, -32768);
	assert_units_left(CYCLES, -1);
	for (unsigned base = POW2 + (1u << KVM_STATS_BASE_SHIFT); base <= KVM_STATS_BASE_MASK;
	     base += 1u << KVM_STATS_BASE_SHIFT)
		assert_units_left(base, 0);
	for (unsigned unit = BOOLEAN + (1u << KVM_STATS_UNIT_SHIFT); unit <= KVM_STATS_UNIT_MASK;
	     unit += 1u << KVM_STATS_UNIT_SHIFT)
		assert_units_left(unit, 0);
	/* unknown flags are ignored */
	assert_units(0xfffff000u | BYTES, 0, METRIC_BYTES, 1);
}

static const struct descriptor several[] = {
	{ "unknown", CUMULATIVE | BYTES, 0, 0 },  { "c", PEAK | BYTES, 0, 0 },
	{ "a", CUMULATIVE | SECONDS, -6, 0 },	  { "", PEAK, 0, 0 },
	{ "hist", LINEAR_HIST | SECONDS, -3, 9 }, { "cc", CUMULATIVE, 0, 0 },
};

static struct stat_list several_list(struct statistic stats[4])
{
	stats[0] = scalar("a");
	stats[1] = scalar("b");
	stats[2] = scalar("c");
	stats[3] = histogram("hist");
	return (struct stat_list){ stats, 4, 35, 280 };
}

static void assert_several(const struct statistic *stats)
{
	struct statistic b = scalar("b");

	assert_int_equal(stats[0].kind, STAT_CUMULATIVE);
	assert_int_equal(stats[0].units, METRIC_NSEC);
	assert_int_equal(stats[0].scale, 1000);
	assert_memory_equal(&stats[1], &b, sizeof(b));
	assert_int_equal(stats[2].kind, STAT_PEAK);
	assert_int_equal(stats[2].units, METRIC_BYTES);
	assert_int_equal(stats[3].kind, STAT_LINEAR_HIST);
	assert_int_equal(stats[3].scale, 1000000);
	assert_int_equal(stats[3].bucket_size, 9);
}

/* Any order, any name size, any read size. */
static void test_several(void **state)
{
	static const __u32 name_sizes[] = { 8, 9, 11, 48, 256 };
	static const size_t chunks[] = { 0, 1, 7, 100 };
	struct statistic stats[4];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(name_sizes); i++) {
		write_descriptors("stats", several, ARRAY_SIZE(several), name_sizes[i]);
		for (size_t j = 0; j < ARRAY_SIZE(chunks); j++) {
			struct stat_list list = several_list(stats);

			reads.chunk = chunks[j];
			assert_int_equal(describe("stats", &list), 0);
			reads.chunk = 0;
			assert_several(stats);
		}
	}
}

/* A name without a NUL is ignored, even if the next descriptor begins with a 0 byte. */
static void test_unended_name(void **state)
{
	static const struct descriptor list[] = { { "abcd", PEAK, 0, 0 },
						  { "abc", CUMULATIVE, 0, 0 } };
	struct statistic stats[] = { scalar("abcd"), scalar("abc"), scalar("abcdabc") };
	struct stat_list all = { stats, 3, 3, 24 };

	(void)state;
	write_descriptors("stats", list, 2, 4);
	assert_int_equal(describe("stats", &all), 0);
	assert_int_equal(stats[0].kind, STAT_INSTANT);
	assert_int_equal(stats[1].kind, STAT_CUMULATIVE);
	assert_int_equal(stats[2].kind, STAT_INSTANT);
}

/* Expect this error and an unchanged list. */
static void assert_refused(int fd, int err)
{
	struct statistic stats[4], before[4];
	struct stat_list list = several_list(stats);

	several_list(before);
	assert_int_equal(stat_list_describe(fd, &list), err);
	assert_memory_equal(stats, before, sizeof(stats));
}

static void assert_header_refused(const struct kvm_stats_header *header)
{
	int fd = open("stats", O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, header, sizeof(*header), 0), sizeof(*header));
	assert_refused(fd, -EINVAL);
	close(fd);
}

static void test_broken_header(void **state)
{
	struct kvm_stats_header good, header;
	int fd;

	(void)state;
	write_descriptors("stats", several, ARRAY_SIZE(several), 48);
	fd = open("stats", O_RDWR | O_CLOEXEC);
	assert_int_equal(read(fd, &good, sizeof(good)), sizeof(good));
	header = good, header.num_desc++; /* more than the file contains */
	assert_header_refused(&header);
	header = good, header.num_desc = UINT32_MAX;
	assert_header_refused(&header);
	header = good, header.name_size = 0;
	assert_header_refused(&header);
	header = good, header.name_size = UINT32_MAX - 15; /* a step that wraps to 0 in 32 bits */
	assert_header_refused(&header);
	header = good, header.desc_offset = sizeof(header) - 1;
	assert_header_refused(&header);
	header = good, header.desc_offset = UINT32_MAX;
	assert_header_refused(&header);
	assert_int_equal(ftruncate(fd, sizeof(header) - 1), 0);
	assert_refused(fd, -EINVAL);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_refused(fd, -EINVAL);
	close(fd);
	fd = open("stats", O_WRONLY | O_CLOEXEC);
	assert_refused(fd, -EBADF);
	close(fd);
}

/* The maximum number of descriptors, and one more; a sparse file holds all of them. */
static void test_bounds(void **state)
{
	struct kvm_stats_header header = { .name_size = 256,
					   .num_desc = 4096,
					   .desc_offset = sizeof(header) };
	int fd = open("stats", O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	(void)state;
	assert_int_equal(ftruncate(fd, 1 << 22), 0);
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_refused(fd, 0);
	header.num_desc++;
	assert_header_refused(&header);
	header.num_desc = 1;
	header.name_size++;
	assert_header_refused(&header);
	header.name_size--;
	header.num_desc = 0;
	assert_int_equal(pwrite(fd, &header, sizeof(header), 0), sizeof(header));
	assert_refused(fd, 0);
	close(fd);
}

static void test_no_memory(void **state)
{
	int fd;

	(void)state;
	write_descriptors("stats", several, ARRAY_SIZE(several), 48);
	fd = open("stats", O_RDONLY | O_CLOEXEC);
	alloc_fail_at(0);
	assert_refused(fd, -ENOMEM);
	assert_true(alloc_failed());
	close(fd);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_kinds),	       work_test(test_kinds_that_cannot_be),
		work_test(test_units),	       work_test(test_units_that_we_have_not),
		work_test(test_several),       work_test(test_unended_name),
		work_test(test_broken_header), work_test(test_bounds),
		work_test(test_no_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
