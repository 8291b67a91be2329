// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_maps.h"

#include <errno.h>
#include <linux/types.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/stat.h"

#define KEY_SIZE sizeof(struct vm_key)

int fake_maps_err;
bool fake_maps_batches;

static struct {
	size_t value_size, max, n;
	char *ended;
	char *vms; /* [max] of a key and a value */
	char writes[1024];
} maps;

static char *entry_at(size_t i)
{
	return maps.vms + i * (KEY_SIZE + maps.value_size);
}

void fake_maps_make(size_t value_size, size_t max_vms)
{
	fake_maps_free();
	maps.value_size = value_size;
	maps.max = max_vms;
	maps.ended = calloc(1, value_size);
	maps.vms = calloc(max_vms + 1, KEY_SIZE + value_size);
	assert_non_null(maps.ended);
	assert_non_null(maps.vms);
}

void fake_maps_free(void)
{
	free(maps.ended);
	free(maps.vms);
	memset(&maps, 0, sizeof(maps));
	fake_maps_err = 0;
}

size_t fake_maps_vms(void)
{
	return maps.n;
}

uint64_t *fake_maps_ended_value(void)
{
	return (uint64_t *)maps.ended;
}

uint64_t *fake_maps_vm_value(uint64_t kvm)
{
	for (size_t i = 0; i < maps.n; i++) {
		if (*(uint64_t *)entry_at(i) == kvm)
			return (uint64_t *)(entry_at(i) + KEY_SIZE);
	}
	return NULL;
}

static void note(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void note(const char *format, ...)
{
	size_t length = strlen(maps.writes);
	va_list args;

	va_start(args, format);
	vsnprintf(maps.writes + length, sizeof(maps.writes) - length, format + !length, args);
	va_end(args);
}

void assert_map_writes(const char *text)
{
	assert_string_equal(maps.writes, text);
	*maps.writes = '\0';
}

/* The index of the entry; maps.n if there is none. */
static size_t entry_find(const void *key)
{
	size_t i = 0;

	while (i < maps.n && memcmp(entry_at(i), key, KEY_SIZE) != 0)
		i++;
	return i;
}

static void assert_map(int fd)
{
	assert_in_range(fd, FAKE_ENDED_FD, FAKE_MAPS_END - 1);
	assert_non_null(maps.ended);
}

int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value);
int __wrap_bpf_map_lookup_elem(int fd, const void *key, void *value)
{
	size_t at;

	assert_map(fd);
	if (fd == FAKE_ENDED_FD) {
		assert_int_equal(*(const uint32_t *)key, 0);
		memcpy(value, maps.ended, maps.value_size);
		return 0;
	}
	at = entry_find(key);
	if (at == maps.n)
		return -ENOENT;
	memcpy(value, entry_at(at) + KEY_SIZE, maps.value_size);
	return 0;
}

int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags);
int __wrap_bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)
{
	size_t at;

	assert_map(fd);
	assert_int_equal(flags, 0); /* BPF_ANY */
	if (fd == FAKE_ENDED_FD) {
		assert_int_equal(*(const uint32_t *)key, 0);
		memcpy(maps.ended, value, maps.value_size);
		note(" ended");
		return 0;
	}
	if (fake_maps_err)
		return fake_maps_err;
	at = entry_find(key);
	if (at == maps.max)
		return -E2BIG;
	memcpy(entry_at(at), key, KEY_SIZE);
	memcpy(entry_at(at) + KEY_SIZE, value, maps.value_size);
	maps.n += at == maps.n;
	note(" +%llu", *(const unsigned long long *)key);
	return 0;
}

/* Moves the last entry to the place of the deleted one: order changes, as in a kernel's hash. */
int __wrap_bpf_map_delete_elem(int fd, const void *key);
int __wrap_bpf_map_delete_elem(int fd, const void *key)
{
	size_t at;

	assert_int_equal(fd, FAKE_VMS_FD);
	assert_map(fd);
	at = entry_find(key);
	if (at == maps.n)
		return -ENOENT;
	note(" -%llu", *(const unsigned long long *)key);
	maps.n--;
	memmove(entry_at(at), entry_at(maps.n), KEY_SIZE + maps.value_size);
	return 0;
}

int __wrap_bpf_map_get_next_key(int fd, const void *key, void *next);
int __wrap_bpf_map_get_next_key(int fd, const void *key, void *next)
{
	size_t at = 0;

	assert_int_equal(fd, FAKE_VMS_FD);
	assert_map(fd);
	if (key)
		at = entry_find(key) + 1;
	if (at > maps.n)
		at = 0; /* unknown key: start with the first, as the kernel does */
	if (at == maps.n)
		return -ENOENT;
	memcpy(next, entry_at(at), KEY_SIZE);
	return 0;
}

/* Batches of two entries at most; the place is the number of entries given. */
int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, uint32_t *n,
				const void *options);
int __wrap_bpf_map_lookup_batch(int fd, void *in, void *out, void *keys, void *values, uint32_t *n,
				const void *options)
{
	static char copy[65536]; /* deleting moves entries: a bucket of a hash does not */
	static size_t total;
	size_t entry = KEY_SIZE + maps.value_size;
	uint32_t at = 0, taken = 0;

	assert_int_equal(fd, FAKE_VMS_FD);
	assert_map(fd);
	assert_null(options);
	if (!fake_maps_batches)
		return -EINVAL;
	if (in)
		memcpy(&at, in, sizeof(at));
	if (!at) {
		total = maps.n;
		assert_true(total * entry <= sizeof(copy));
		memcpy(copy, maps.vms, total * entry);
	}
	for (; at < total && taken < 2 && taken < *n; at++, taken++) {
		memcpy((char *)keys + taken * KEY_SIZE, copy + at * entry, KEY_SIZE);
		memcpy((char *)values + taken * maps.value_size, copy + at * entry + KEY_SIZE,
		       maps.value_size);
	}
	*n = taken;
	memcpy(out, &at, sizeof(at));
	return at < total ? 0 : -ENOENT;
}
