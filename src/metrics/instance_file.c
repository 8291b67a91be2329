// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "metrics/instance_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "base/fnv1a.h"
#include "base/folder.h"

#define VERSION	     1
#define HEADER_BYTES 4096 /* sets begin at a page, so none crosses one */
#define DAY_MAX	     UINT32_C(0xffff)
#define OPEN_FLAGS   (O_CLOEXEC | O_NOCTTY | O_NONBLOCK)
#define OPEN_TRIES   16

static const char magic[8] = "kvminsts";

struct header {
	char magic[8];
	uint32_t version;
	uint32_t sets;
	uint32_t crc; /* of all before it */
};

/* A record in the file. */
struct stored {
	uint32_t number;
	uint32_t check; /* of a value: 16 bits of the hash, 16 bits of the day */
	uint32_t day;	/* of a value: the value */
	uint32_t crc;	/* of all before it */
};

_Static_assert(sizeof(struct header) == 20, "padding in the header");
_Static_assert(sizeof(struct stored) == 16, "padding in a record");

/* FNV-1a's high bits are poor for short texts; the finalizer (murmur3's) mixes them, one to one. */
uint64_t instance_hash(const char *text)
{
	uint64_t hash = hash_text(HASH_START, text);

	hash = (hash ^ hash >> 33) * UINT64_C(0xff51afd7ed558ccd);
	hash = (hash ^ hash >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
	return hash ^ hash >> 33;
}

static uint32_t crc_of(const void *bytes, size_t size)
{
	return (uint32_t)crc32(0, bytes, (uInt)size);
}

static struct stored record_store(const struct instance_record *record)
{
	struct stored stored = { record->number, record->check, record->day, 0 };

	if (record->number & INSTANCE_IS_VALUE) {
		stored.check = record->check << 16 |
			       (record->day < DAY_MAX ? record->day : DAY_MAX);
		stored.day = record->value;
	}
	stored.crc = crc_of(&stored, offsetof(struct stored, crc));
	return stored;
}

static struct instance_record record_load(const struct stored *stored, uint32_t set, uint32_t sets)
{
	if (!stored->number || stored->crc != crc_of(stored, offsetof(struct stored, crc)) ||
	    (stored->number & (sets - 1)) != set)
		return (struct instance_record){ 0 };
	if (stored->number & INSTANCE_IS_VALUE)
		return (struct instance_record){ stored->number, stored->check >> 16,
						 stored->check & DAY_MAX, stored->day };
	if (stored->number > INSTANCE_NUMBER_MASK)
		return (struct instance_record){ 0 };
	return (struct instance_record){ stored->number, stored->check, stored->day, 0 };
}

/* What lies after the end of the file is read as zeros. */
static int read_at(int fd, void *bytes, size_t size, off_t where)
{
	ssize_t got = pread(fd, bytes, size, where);

	if (got < 0)
		return -errno;
	memset((char *)bytes + got, 0, size - (size_t)got);
	return 0;
}

static int write_at(int fd, const void *bytes, size_t size, off_t where)
{
	ssize_t put = pwrite(fd, bytes, size, where);

	if (put < 0)
		return -errno;
	return (size_t)put == size ? 0 : -ENOSPC;
}

static off_t set_offset(uint32_t set)
{
	return HEADER_BYTES + (off_t)set * INSTANCE_WAYS * (off_t)sizeof(struct stored);
}

int instance_file_read(const struct instance_file *file, uint32_t number,
		       struct instance_record ret_records[INSTANCE_WAYS])
{
	uint32_t set = number & (file->sets - 1);
	struct stored stored[INSTANCE_WAYS];
	int err;

	if (file->fd < 0) {
		memset(ret_records, 0, INSTANCE_WAYS * sizeof(*ret_records));
		return 0;
	}
	err = read_at(file->fd, stored, sizeof(stored), set_offset(set));
	if (err)
		return err;
	for (unsigned way = 0; way < INSTANCE_WAYS; way++)
		ret_records[way] = record_load(&stored[way], set, file->sets);
	return 0;
}

int instance_file_write(const struct instance_file *file, unsigned way,
			const struct instance_record *record)
{
	struct stored stored = record_store(record);

	if (!file->writable)
		return -EROFS;
	return write_at(file->fd, &stored, sizeof(stored),
			set_offset(record->number & (file->sets - 1)) +
				(off_t)(way * sizeof(stored)));
}

/* Synced, so that no later record reaches the disk in a file without a header. */
static int header_write(int fd, uint32_t sets)
{
	struct header header = { .version = VERSION, .sets = sets };
	int err;

	memcpy(header.magic, magic, sizeof(magic));
	header.crc = crc_of(&header, offsetof(struct header, crc));
	err = write_at(fd, &header, sizeof(header), 0);
	if (!err && fdatasync(fd))
		err = -errno;
	return err;
}

/*
 * Returns 0; -ENODATA if there is no header yet, or a damaged one: records in their place are good
 * all the same; -EMEDIUMTYPE if the file is another program's; or another negative errno.
 */
static int header_read(int fd, uint32_t *ret_sets)
{
	static const struct header none;
	struct header header;
	struct stat status;
	int err;

	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EMEDIUMTYPE;
	err = read_at(fd, &header, sizeof(header), 0);
	if (err)
		return err;
	if (memcmp(&header, &none, sizeof(none)) == 0)
		return -ENODATA;
	if (memcmp(header.magic, magic, sizeof(magic)) || header.version != VERSION)
		return -EMEDIUMTYPE;
	if (header.crc != crc_of(&header, offsetof(struct header, crc)) || !header.sets ||
	    header.sets > INSTANCE_SETS_MAX || header.sets & (header.sets - 1))
		return -ENODATA;
	*ret_sets = header.sets;
	return 0;
}

/*
 * Add a record to a set in memory. In a full set the one unused for longest is forgotten, which
 * may be this one. Returns how many are forgotten.
 */
static unsigned set_add(struct instance_record set[INSTANCE_WAYS],
			const struct instance_record *record)
{
	struct instance_record *oldest = set;

	for (struct instance_record *own = set; own < set + INSTANCE_WAYS; own++) {
		if (!own->number) {
			*own = *record;
			return 0;
		}
		if (own->day < oldest->day)
			oldest = own;
	}
	if (oldest->day < record->day)
		*oldest = *record;
	return 1;
}

/* Write one set of a file of another number of sets, from all records that belong in it. */
static int copy_set(const struct instance_file *from, uint32_t set, struct instance_file *to)
{
	struct instance_record old[INSTANCE_WAYS], fresh[INSTANCE_WAYS] = { 0 };
	int err;

	for (uint32_t at = set & (from->sets - 1); at < from->sets; at += to->sets) {
		err = instance_file_read(from, at, old);
		if (err)
			return err;
		for (unsigned way = 0; way < INSTANCE_WAYS; way++) {
			if (old[way].number && (old[way].number & (to->sets - 1)) == set)
				to->forgotten += set_add(fresh, &old[way]);
		}
	}
	for (unsigned way = 0; way < INSTANCE_WAYS && fresh[way].number; way++) {
		err = instance_file_write(to, way, &fresh[way]);
		if (err)
			return err;
	}
	return 0;
}

/* Fill the new file; it is complete, on disk and locked before it has the old one's name. */
static int replace_by(struct instance_file *fresh, const char *fresh_path,
		      const struct instance_file *old, const char *path)
{
	int err = 0;

	if (flock(fresh->fd, LOCK_EX | LOCK_NB))
		return -errno;
	for (uint32_t set = 0; !err && set < fresh->sets; set++)
		err = copy_set(old, set, fresh);
	if (!err)
		err = header_write(fresh->fd, fresh->sets);
	if (!err && fsync(fresh->fd))
		err = -errno;
	if (!err && rename(fresh_path, path))
		err = -errno;
	return err;
}

static int file_resize(struct instance_file *file, const char *path, uint32_t sets)
{
	struct instance_file fresh = { .writable = true, .sets = sets };
	char *fresh_path;
	int err;

	if (asprintf(&fresh_path, "%s.new", path) < 0)
		return -ENOMEM;
	unlink(fresh_path); /* of a process that was killed here */
	fresh.fd = open(fresh_path, O_RDWR | O_CREAT | O_EXCL | OPEN_FLAGS, 0644);
	err = fresh.fd < 0 ? -errno : replace_by(&fresh, fresh_path, file, path);
	if (err && fresh.fd >= 0) {
		unlink(fresh_path);
		close(fresh.fd);
	} else if (!err) {
		close(file->fd); /* its lock goes when the new file has the name */
		*file = fresh;
	}
	free(fresh_path);
	return err;
}

static bool same_file(int fd, const char *path)
{
	struct stat held, named;

	return fstat(fd, &held) == 0 && stat(path, &named) == 0 && held.st_dev == named.st_dev &&
	       held.st_ino == named.st_ino;
}

/*
 * Open and lock, or open for reading. *ret_why: why it is not writable, or 0. A writer that resizes
 * the file may rename another over it between our open() and our flock(): the lock counts only if
 * the name still leads to what is locked.
 */
static int open_locked(const char *path, int *ret_why)
{
	int fd = -1, why;

	for (int tries = 0; tries < OPEN_TRIES; tries++) {
		fd = open(path, O_RDWR | O_CREAT | OPEN_FLAGS, 0644);
		if (fd < 0)
			break;
		why = flock(fd, LOCK_EX | LOCK_NB) ? -errno : 0;
		if (why || same_file(fd, path)) {
			*ret_why = why;
			return fd;
		}
		close(fd);
	}
	why = fd < 0 ? -errno : -EAGAIN;
	fd = open(path, O_RDONLY | OPEN_FLAGS);
	if (fd < 0)
		return errno == ENOENT ? why : -errno;
	*ret_why = why;
	return fd;
}

static void report_unwritable(struct report *report, const char *path, int why)
{
	if (why == -EWOULDBLOCK)
		report_add(report, REPORT_INFO,
			   "%s: another process writes it; numbers of new instances are not "
			   "remembered by this one",
			   path);
	else if (why)
		report_add(report, REPORT_WARNING,
			   "%s: cannot be written: %s; numbers of new instances are not remembered",
			   path, strerror(-why));
}

static void report_unusable(struct report *report, const char *path, int err)
{
	if (err == -EMEDIUMTYPE)
		report_add(
			report, REPORT_WARNING,
			"%s: not a file of instance numbers of this version, left alone; instance "
			"numbers are not remembered until it is moved away",
			path);
	else
		report_add(report, REPORT_WARNING, "%s: %s; instance numbers are not remembered",
			   path, strerror(-err));
}

/* Bring a file that we may write to this number of sets. */
static void make_sets(struct instance_file *file, const char *path, uint32_t sets,
		      struct report *report)
{
	int err;

	if (file->sets == sets)
		return;
	err = file_resize(file, path, sets);
	if (err)
		report_add(
			report, REPORT_WARNING,
			"%s: cannot be replaced by one for %llu names: %s; it stays one for %llu",
			path, (unsigned long long)sets * INSTANCE_WAYS, strerror(-err),
			(unsigned long long)file->sets * INSTANCE_WAYS);
}

void instance_file_open(const char *path, uint32_t sets, struct report *report,
			struct instance_file *ret_file)
{
	struct instance_file file = { .fd = -1, .sets = sets };
	int why = 0, err;

	folder_make_of(path);
	file.fd = open_locked(path, &why);
	err = file.fd < 0 ? file.fd : header_read(file.fd, &file.sets);
	if (err == -ENODATA) {
		err = 0;
		if (!why)
			why = header_write(file.fd, sets);
	}
	if (err) {
		report_unusable(report, path, err);
		instance_file_close(&file);
		file.sets = sets;
		*ret_file = file;
		return;
	}
	report_unwritable(report, path, why);
	file.writable = !why;
	if (file.writable)
		make_sets(&file, path, sets, report);
	*ret_file = file;
}

void instance_file_close(struct instance_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
	file->writable = false;
}
