/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Instance numbers: one number per name, the same over restarts, kill -9 and upgrades.
 *
 * A number is 30 bits of its name's hash, never 0. Where a name in use or a remembered one has
 * it, the next free one: 2^24 on, so that all of them share their low 24 bits and with them a set
 * of the file (instance_file.h). The file remembers names as 16 bytes each. If it is lost,
 * damaged or not writable, names have the same numbers but for ties.
 *
 * Two names are taken for one if 64 bits of their hashes agree, while both are in use, or 56 bits,
 * while one is remembered only: with 500,000 names once in 500,000 hosts.
 */
#ifndef PMDAKVM_INSTANCE_NUMBERS_H
#define PMDAKVM_INSTANCE_NUMBERS_H

#include <stddef.h>
#include <stdint.h>

#include "base/report.h"

struct instance_numbers;

struct instance_numbers_stats {
	uint64_t limit;	  /* records of names and values that the file has room for; 0: no file */
	uint64_t used;	  /* records in those sets of the file that were read so far */
	uint64_t dropped; /* records forgotten because a set was full, and names and values
			     that were not remembered in the first place */
	uint64_t in_use;  /* names */
	uint64_t file_bytes;   /* on disk */
	uint64_t memory_bytes; /* in this process */
	int write_error;       /* a positive errno: why the last write failed; 0: it did not */
};

/*
 * Open the file at path and make it, and the folder it is in, where they are missing. It has room
 * for this many names, rounded up to 16 times a power of two, 16 bytes each. NULL: remember
 * nothing outside this process. What goes wrong with the file is a line of the report, and numbers
 * work all the same. Later calls open nothing, so privileges may be dropped after this one.
 *
 * One process writes, the first to open the file. Any other reads: a remembered name has its
 * number, a new one a number that no remembered name and none in use in this process has.
 *
 * Returns 0 or -ENOMEM.
 */
int instance_numbers_open(const char *path, size_t names, struct report *report,
			  struct instance_numbers **ret_numbers);
void instance_numbers_close(struct instance_numbers *numbers);

/*
 * The number of a name, 1 .. 2^30 - 1. The name is in use until each take has had its release. A
 * name in use keeps its number, shares it with no other, and is never forgotten. Returns 0,
 * -ENOMEM, or -ENOSPC if all 64 numbers that the name can have belong to others.
 */
int instance_numbers_take(struct instance_numbers *numbers, const char *name, uint32_t *ret_number);

/* A name that is not in use is passed over. */
void instance_numbers_release(struct instance_numbers *numbers, const char *name);

/*
 * Values under a key, in the same file; keys and names are apart. A value is never in use: one
 * that is neither asked for nor kept again may be forgotten after other records of its set.
 * instance_numbers_kept returns 0 or -ENOENT. A value that cannot be written is dropped.
 */
int instance_numbers_kept(struct instance_numbers *numbers, const char *key, uint32_t *ret_value);
void instance_numbers_keep(struct instance_numbers *numbers, const char *key, uint32_t value);

/*
 * Once a second: note that names in use were in use today, and try again to remember those that
 * could not be. Looks at 4,096 places of the table of names in use per call, and at each place
 * once a day.
 */
void instance_numbers_tick(struct instance_numbers *numbers);

void instance_numbers_stats(const struct instance_numbers *numbers,
			    struct instance_numbers_stats *ret_stats);

#endif /* PMDAKVM_INSTANCE_NUMBERS_H */
