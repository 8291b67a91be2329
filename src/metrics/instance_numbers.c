// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "metrics/instance_numbers.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "metrics/instance_file.h"

#define TIE_STEP      INSTANCE_SETS_MAX
#define TIE_NUMBERS   ((INSTANCE_NUMBER_MASK + 1) / TIE_STEP)
#define TABLE_MIN     64
#define TICK_PLACES   4096
#define SECONDS_A_DAY 86400

/* A name in use. Its number and its hash have their low 24 bits in common. */
struct in_use {
	uint64_t hash;
	uint32_t number;
	uint32_t takes; /* 0: the place is free */
};

struct instance_numbers {
	struct instance_file file;
	bool remembers; /* a path was given */
	uint8_t *seen;	/* one bit per set: its records are in used */
	uint64_t used, dropped;
	int write_error;
	struct in_use *table; /* open addressing, linear probing; at most 3/4 are in use */
	size_t places, n;     /* places is a power of two */
	size_t tick_place;    /* the next place that a tick looks at */
	uint32_t tick_day;
};

/* A name or key as the file has it, with its set read. */
struct place {
	struct instance_record own; /* what its record should be */
	struct instance_record records[INSTANCE_WAYS];
	int way; /* of its record; -1: it has none */
	int err; /* the set cannot be read, so must not be written */
};

static uint32_t today(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint32_t)(now.tv_sec / SECONDS_A_DAY);
}

/* --- names in use --- */

static size_t place_next(const struct instance_numbers *numbers, size_t place)
{
	return (place + 1) & (numbers->places - 1);
}

/* By the bits that hash and number share: look-ups of either begin here. */
static size_t place_first(const struct instance_numbers *numbers, uint32_t number)
{
	return number & INSTANCE_LOW_MASK & (numbers->places - 1);
}

static struct in_use *in_use_find(const struct instance_numbers *numbers, uint64_t hash)
{
	size_t place = place_first(numbers, (uint32_t)hash);

	for (; numbers->table[place].takes; place = place_next(numbers, place)) {
		if (numbers->table[place].hash == hash)
			return &numbers->table[place];
	}
	return NULL;
}

static bool number_in_use(const struct instance_numbers *numbers, uint32_t number)
{
	size_t place = place_first(numbers, number);

	for (; numbers->table[place].takes; place = place_next(numbers, place)) {
		if (numbers->table[place].number == number)
			return true;
	}
	return false;
}

static void in_use_add(struct instance_numbers *numbers, const struct in_use *entry)
{
	size_t place = place_first(numbers, entry->number);

	while (numbers->table[place].takes)
		place = place_next(numbers, place);
	numbers->table[place] = *entry;
}

/* Make room for one more. Entries may move. */
static int in_use_reserve(struct instance_numbers *numbers)
{
	struct in_use *old = numbers->table;
	size_t places = numbers->places;

	if (numbers->n < places / 4 * 3)
		return 0;
	numbers->table = calloc(places * 2, sizeof(*numbers->table));
	if (!numbers->table) {
		numbers->table = old;
		return -ENOMEM;
	}
	numbers->places = places * 2;
	for (size_t i = 0; i < places; i++) {
		if (old[i].takes)
			in_use_add(numbers, &old[i]);
	}
	free(old);
	return 0;
}

/* Close the gap, so that each entry is found from its first place on without a free one between. */
static void in_use_remove(struct instance_numbers *numbers, struct in_use *entry)
{
	size_t mask = numbers->places - 1, gap = (size_t)(entry - numbers->table);

	for (size_t i = place_next(numbers, gap); numbers->table[i].takes;
	     i = place_next(numbers, i)) {
		size_t first = place_first(numbers, numbers->table[i].number);

		if (((i - first) & mask) >= ((i - gap) & mask)) {
			numbers->table[gap] = numbers->table[i];
			gap = i;
		}
	}
	numbers->table[gap] = (struct in_use){ 0 };
	numbers->n--;
}

/* --- records --- */

/* Count a set's records when it is read for the first time. */
static void count_used(struct instance_numbers *numbers, uint32_t number,
		       const struct instance_record records[INSTANCE_WAYS])
{
	uint32_t set = number & (numbers->file.sets - 1);

	if (numbers->seen[set / 8] & 1u << set % 8)
		return;
	numbers->seen[set / 8] |= (uint8_t)(1u << set % 8);
	for (unsigned way = 0; way < INSTANCE_WAYS; way++)
		numbers->used += records[way].number != 0;
}

static void set_read(struct instance_numbers *numbers, struct place *place)
{
	place->way = -1;
	place->err = instance_file_read(&numbers->file, place->own.number, place->records);
	if (place->err)
		memset(place->records, 0, sizeof(place->records));
	else
		count_used(numbers, place->own.number, place->records);
}

/*
 * Find the record of a name. One whose number another name in use has is not its own: a reader
 * may have given that number to a name before the writer gave it to this one.
 */
static void place_name(struct instance_numbers *numbers, uint64_t hash, const struct in_use *entry,
		       struct place *place)
{
	place->own = (struct instance_record){
		.number = entry ? entry->number : (uint32_t)hash & INSTANCE_NUMBER_MASK,
		.check = (uint32_t)(hash >> 32),
		.day = today(),
	};
	set_read(numbers, place);
	for (int way = 0; way < INSTANCE_WAYS; way++) {
		uint32_t number = place->records[way].number;

		if (!number || number & INSTANCE_IS_VALUE ||
		    place->records[way].check != place->own.check ||
		    (number ^ (uint32_t)hash) & INSTANCE_LOW_MASK)
			continue;
		if (entry ? number == entry->number : !number_in_use(numbers, number)) {
			place->own.number = number;
			place->way = way;
			return;
		}
	}
}

static void place_value(struct instance_numbers *numbers, const char *key, struct place *place)
{
	uint64_t hash = instance_hash(key);

	place->own = (struct instance_record){
		.number = (uint32_t)hash | INSTANCE_IS_VALUE,
		.check = (uint32_t)(hash >> 48),
		.day = today(),
	};
	set_read(numbers, place);
	for (int way = 0; way < INSTANCE_WAYS; way++) {
		if (place->records[way].number == place->own.number &&
		    place->records[way].check == place->own.check)
			place->way = way;
	}
}

static bool set_has(const struct place *place, uint32_t number)
{
	for (unsigned way = 0; way < INSTANCE_WAYS; way++) {
		if (place->records[way].number == number)
			return true;
	}
	return false;
}

/* Find a number for a name that has none. */
static int number_choose(const struct instance_numbers *numbers, struct place *place)
{
	uint32_t number = place->own.number;

	for (unsigned i = 0; i < TIE_NUMBERS; i++) {
		if (number && !number_in_use(numbers, number) && !set_has(place, number)) {
			place->own.number = number;
			return 0;
		}
		number = (number + TIE_STEP) & INSTANCE_NUMBER_MASK;
	}
	return -ENOSPC;
}

/* A free way, or that of the record unused for longest; -1 if all are of names in use. */
static int way_choose(const struct instance_numbers *numbers, const struct place *place)
{
	int oldest = -1;

	for (int way = 0; way < INSTANCE_WAYS; way++) {
		const struct instance_record *record = &place->records[way];

		if (!record->number)
			return way;
		if (!number_in_use(numbers, record->number) &&
		    (oldest < 0 || record->day < place->records[oldest].day))
			oldest = way;
	}
	return oldest;
}

static bool record_write(struct instance_numbers *numbers, const struct place *place, int way)
{
	int err = instance_file_write(&numbers->file, (unsigned)way, &place->own);

	if (err != -EROFS)
		numbers->write_error = -err;
	return !err;
}

/*
 * Remember a name or value: write its record, if that says anything new. Returns false if it is
 * not remembered.
 */
static bool remember(struct instance_numbers *numbers, struct place *place)
{
	int way = place->way;

	if (way >= 0) {
		const struct instance_record *old = &place->records[way];

		if (old->day == place->own.day && old->value == place->own.value)
			return true;
		/* with an old day, a name is remembered all the same */
		return record_write(numbers, place, way) || old->value == place->own.value;
	}
	if (place->err || !numbers->file.writable)
		return false;
	way = way_choose(numbers, place);
	if (way < 0 || !record_write(numbers, place, way))
		return false;
	if (place->records[way].number)
		numbers->dropped++;
	else
		numbers->used++;
	return true;
}

/* --- the interface --- */

static uint32_t sets_for(size_t names)
{
	uint32_t sets = 1;

	while (sets < INSTANCE_SETS_MAX && (size_t)sets * INSTANCE_WAYS < names)
		sets *= 2;
	return sets;
}

int instance_numbers_open(const char *path, size_t names, struct report *report,
			  struct instance_numbers **ret_numbers)
{
	struct instance_numbers *numbers = calloc(1, sizeof(*numbers));

	if (!numbers)
		return -ENOMEM;
	numbers->remembers = path;
	numbers->file = (struct instance_file){ .fd = -1, .sets = 1 };
	numbers->places = TABLE_MIN;
	numbers->table = calloc(numbers->places, sizeof(*numbers->table));
	if (!numbers->table)
		goto out;
	if (path)
		instance_file_open(path, sets_for(names), report, &numbers->file);
	numbers->dropped = numbers->file.forgotten;
	numbers->seen = calloc(numbers->file.sets / 8 + 1, 1);
	if (!numbers->seen)
		goto out;
	*ret_numbers = numbers;
	return 0;
out:
	instance_numbers_close(numbers);
	return -ENOMEM;
}

void instance_numbers_close(struct instance_numbers *numbers)
{
	if (!numbers)
		return;
	instance_file_close(&numbers->file);
	free(numbers->seen);
	free(numbers->table);
	free(numbers);
}

int instance_numbers_take(struct instance_numbers *numbers, const char *name, uint32_t *ret_number)
{
	uint64_t hash = instance_hash(name);
	struct in_use *entry = in_use_find(numbers, hash);
	struct place place;
	int err;

	if (entry) {
		entry->takes++;
		*ret_number = entry->number;
		return 0;
	}
	err = in_use_reserve(numbers);
	if (err)
		return err;
	place_name(numbers, hash, NULL, &place);
	if (place.way < 0) {
		err = number_choose(numbers, &place);
		if (err)
			return err;
	}
	if (!remember(numbers, &place) && numbers->remembers)
		numbers->dropped++;
	in_use_add(numbers, &(struct in_use){ hash, place.own.number, 1 });
	numbers->n++;
	*ret_number = place.own.number;
	return 0;
}

/*
 * Note that a name in use was in use today, or remember it at last. Its number may be in another
 * name's record if the set could not be read when the number was chosen.
 */
static void refresh(struct instance_numbers *numbers, const struct in_use *entry)
{
	struct place place;

	if (!numbers->file.writable)
		return;
	place_name(numbers, entry->hash, entry, &place);
	if (place.way >= 0 || !set_has(&place, entry->number))
		remember(numbers, &place);
}

void instance_numbers_release(struct instance_numbers *numbers, const char *name)
{
	struct in_use *entry = in_use_find(numbers, instance_hash(name));

	if (!entry)
		return;
	if (entry->takes > 1) {
		entry->takes--;
		return;
	}
	refresh(numbers, entry);
	in_use_remove(numbers, entry);
}

int instance_numbers_kept(struct instance_numbers *numbers, const char *key, uint32_t *ret_value)
{
	struct place place;

	place_value(numbers, key, &place);
	if (place.way < 0)
		return -ENOENT;
	place.own.value = place.records[place.way].value;
	remember(numbers, &place);
	*ret_value = place.own.value;
	return 0;
}

void instance_numbers_keep(struct instance_numbers *numbers, const char *key, uint32_t value)
{
	struct place place;

	place_value(numbers, key, &place);
	place.own.value = value;
	if (!remember(numbers, &place) && numbers->remembers)
		numbers->dropped++;
}

/* A release may move an entry to a place looked at already; it is refreshed a day later then. */
void instance_numbers_tick(struct instance_numbers *numbers)
{
	uint32_t day = today();

	if (day != numbers->tick_day) {
		numbers->tick_day = day;
		numbers->tick_place = 0;
	}
	for (unsigned i = 0; i < TICK_PLACES && numbers->tick_place < numbers->places; i++) {
		const struct in_use *entry = &numbers->table[numbers->tick_place++];

		if (entry->takes)
			refresh(numbers, entry);
	}
}

void instance_numbers_stats(const struct instance_numbers *numbers,
			    struct instance_numbers_stats *ret_stats)
{
	struct instance_numbers_stats stats = {
		.used = numbers->used,
		.dropped = numbers->dropped,
		.in_use = numbers->n,
		.memory_bytes = sizeof(*numbers) + numbers->file.sets / 8 + 1 +
				numbers->places * sizeof(*numbers->table),
		.write_error = numbers->write_error,
	};
	struct stat status;

	if (numbers->file.fd >= 0) {
		stats.limit = (uint64_t)numbers->file.sets * INSTANCE_WAYS;
		if (fstat(numbers->file.fd, &status) == 0)
			stats.file_bytes = (uint64_t)status.st_blocks * 512;
	}
	*ret_stats = stats;
}
