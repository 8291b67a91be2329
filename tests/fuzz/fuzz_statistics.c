// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Files of KVM_GET_STATS_FD. */
#define _GNU_SOURCE
#include "fuzz/fuzz.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kvm/stat_schema.h"

/* Two statistics and a histogram, as of type information. */
static struct statistic list[] = {
	{ .name = "exits", .kind = STAT_INSTANT, .scale = 1, .size = 8, .buckets = 1 },
	{ .name = "pages",
	  .kind = STAT_INSTANT,
	  .scale = 1,
	  .size = 8,
	  .buckets = 1,
	  .offset = 8,
	  .first = 1 },
	{ .name = "halt_hist",
	  .kind = STAT_LOG_HIST,
	  .scale = 1,
	  .size = 8,
	  .buckets = 32,
	  .offset = 16,
	  .first = 2 },
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct statistic stats[3];
	struct stat_list all = { .list = stats, .n = 3, .nvalues = 34, .bytes = 272 };
	struct snapshot_range range;
	uint64_t values[34], end = 0;
	uint8_t member[272];
	int fd = memfd_create("statistics", MFD_CLOEXEC);

	promise(fd >= 0 && write(fd, data, size) == (ssize_t)size);
	memcpy(stats, list, sizeof(list));
	if (stat_list_describe(fd, &all) != 0)
		promise(memcmp(stats, list, sizeof(list)) == 0);
	for (size_t i = 0; i < 3; i++) {
		promise(strcmp(stats[i].name, list[i].name) == 0);
		promise(stats[i].buckets == list[i].buckets && stats[i].first == list[i].first);
		promise(stat_can_be(&stats[i], stats[i].kind));
	}
	memset(member, 0xa5, sizeof(member));
	stat_decode(&all, member, values);
	for (uint32_t bucket = 0; bucket < 32; bucket++) {
		if (!stat_bucket_range(&stats[2], bucket, &range))
			continue;
		promise(range.first <= range.last && (!bucket || !end || range.first > end));
		end = range.last;
	}
	close(fd);
	return 0;
}
