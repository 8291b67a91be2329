// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/map_memory.h"

#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* As the kernel has it: values begin at multiples of 8 bytes. */
static size_t bytes_of(const struct bpf_map *map)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	size_t bytes = (size_t)((bpf_map__value_size(map) + 7) / 8 * 8) * bpf_map__max_entries(map);

	return (bytes + page - 1) / page * page;
}

void *map_memory(const struct bpf_map *map, bool reading)
{
	int prot = reading ? PROT_READ : PROT_READ | PROT_WRITE;
	void *memory = mmap(NULL, bytes_of(map), prot, MAP_SHARED, bpf_map__fd(map), 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void map_memory_hide(void *data, size_t bytes)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)data;
	uintptr_t end = (begin + bytes) / page * page;

	begin = (begin + page - 1) / page * page;
	if (begin >= end)
		return;
	/* the addresses stay taken: whoever unmaps the whole must not unmap what came there since
	 */
	mmap((void *)begin, end - begin, PROT_NONE,
	     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
}

void map_memory_drop(const struct bpf_map *map, const void *memory)
{
	if (memory)
		munmap((void *)memory, bytes_of(map));
}
