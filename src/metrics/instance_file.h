/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The file behind instance_numbers.h: records of names and values, found by a hash of their text.
 *
 * A header page, then SETS sets of 16 records of 16 bytes. The low bits of a record's number are
 * its set. SETS is a power of two, at most 2^24. Numbers are in the host's byte order; a file of
 * the other order has another version. The file is sparse, and one that ends early has free
 * records there.
 *
 * Every change after the header is one aligned write of one record, and no change needs a second
 * one. So a process killed between any two instructions leaves each record old or new, and there
 * is no order to keep. What a power failure or a disk does beyond that, the checksum of each
 * record finds: a damaged record is a free one.
 *
 * A file of another SETS is built beside it as PATH.new, locked, and renamed.
 *
 * The file is read by pread() and written by pwrite(), not mapped: a full disk, or a file that is
 * cut short meanwhile, is an error here and would be a SIGBUS there. One set is one pread().
 */
#ifndef PMDAKVM_INSTANCE_FILE_H
#define PMDAKVM_INSTANCE_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"

#define INSTANCE_WAYS	  16
#define INSTANCE_SETS_MAX (UINT32_C(1) << 24)

/* The low bits of a hash that all numbers made from it have, whatever SETS is. */
#define INSTANCE_LOW_MASK    (INSTANCE_SETS_MAX - 1)

#define INSTANCE_NUMBER_MASK UINT32_C(0x3fffffff)
#define INSTANCE_IS_VALUE    UINT32_C(0x80000000)

struct instance_record {
	uint32_t number; /* 0: free; a name's number; INSTANCE_IS_VALUE and 31 bits of a key's hash
			  */
	uint32_t check;	 /* the upper 32 bits of a name's hash, the upper 16 of a key's */
	uint32_t day;	 /* last in use, in days since 1970; of a value at most 65535 */
	uint32_t value;	 /* 0 for a name */
};

struct instance_file {
	int fd; /* -1: no file */
	bool writable;
	uint32_t sets;
	uint64_t forgotten; /* records that a smaller file had no room for */
};

/*
 * 64 bits of which any are good, also for texts that differ in one digit. The file holds its
 * values, so the result must never change.
 */
uint64_t instance_hash(const char *text);

/*
 * Open the file at path, and make it and its folder where they are missing. Who locks it first
 * writes; any other opener, and one without the right to write, reads. A file of another number of
 * sets is replaced by one of this number; where that fails, or without the lock, ret_file has the
 * file's own number of sets. A file that is not of this format is left alone. Never fails: each
 * thing that goes wrong is a warning, a lock held by another process is information, and without a
 * usable file fd is -1. No later call opens anything.
 */
void instance_file_open(const char *path, uint32_t sets, struct report *report,
			struct instance_file *ret_file);
void instance_file_close(struct instance_file *file);

/*
 * Read the set that this number is in; damaged records come back free. A record that another
 * process is writing may look damaged. Returns 0 or a negative errno; without a file, all records
 * are free.
 */
int instance_file_read(const struct instance_file *file, uint32_t number,
		       struct instance_record ret_records[INSTANCE_WAYS]);

/* Replace record way of its number's set. Returns 0, or a negative errno (-EROFS: not writable). */
int instance_file_write(const struct instance_file *file, unsigned way,
			const struct instance_record *record);

#endif /* PMDAKVM_INSTANCE_FILE_H */
