// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * read: the agent's CPU time of summing up the counters of 4,000 vCPUs of 1,000 VMs with 12 reasons
 * each, in memory like that of the chunks. Prints lines of tab-separated fields: WHAT NS, 21 times:
 *
 *   counts     kvm.exit.count, time and max
 *   latency    kvm.exit.latency
 *   vms        kvm.vm.exit.count, time and max: 12,000 values of each
 *   arrivals   which record is whose, after a vCPU has come or gone
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "bpf/exit.h"
#include "engine/vm_counters.h"

#define VMS	   1000
#define VCPUS_EACH 4
#define VCPUS	   (VMS * VCPUS_EACH)
#define REASONS	   12
#define ROUNDS	   21
#define SLOT(i)	   (9 + 11 * (i))

static struct engine_control control;
static struct engine_state state;
static struct block ended[COUNTER_SLOTS_MAX];
static struct overflow_row overflow[2];
static struct cpus cpus = { .n = 2 };
static struct vcpu_counters counters;
static struct vm_counters vm_counters;
static struct vm vms[VMS], *list[VMS];
static struct vcpu vcpus[VCPUS];

static void *memory(size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (at == MAP_FAILED) {
		perror("read: memory");
		exit(EXIT_FAILURE);
	}
	return at;
}

static void pool_make(struct pool *pool, unsigned bits, size_t size, uint32_t limit, __u32 *taken)
{
	*pool = (struct pool){ .bits = bits, .size = size, .limit = limit, .taken = taken };
	pool->nchunks = pool->max_chunks = (limit >> bits) + 1;
	pool->chunks = calloc(pool->max_chunks, sizeof(*pool->chunks));
	for (size_t i = 0; pool->chunks && i < pool->nchunks; i++)
		pool->chunks[i] = memory((size_t)size << bits);
}

/* Blocks in the order in which vCPUs that run at a time take them. */
static void blocks_make(void)
{
	uint32_t number = 1;

	for (unsigned i = 0; i < REASONS; i++) {
		for (uint32_t j = 1; j <= VCPUS; j++) {
			struct block *block = pool_at(&counters.blocks, number);

			record_blocks(pool_at(&counters.records, j))[SLOT(i)] = number++;
			block->count = j;
			block->time = j * 1000;
			block->max = 77;
			for (unsigned k = 0; k < 8; k++)
				block->bucket[k] = j;
		}
	}
	control.records_taken = VCPUS;
	control.blocks_taken = number;
}

static void counters_make(void)
{
	size_t size = sizeof(struct record) + EXIT_SLOTS * sizeof(__u32);

	vcpu_counters_init(&counters, "exit", EXIT_LAYOUT, EXIT_SLOTS, REASONS_SVM, &cpus, "/proc");
	pool_make(&counters.records, RECORDS_BITS, size, VCPUS, &control.records_taken);
	pool_make(&counters.blocks, BLOCKS_BITS, sizeof(struct block), VCPUS * REASONS,
		  &control.blocks_taken);
	counters.object.family = &counters;
	counters.object.control = &control;
	counters.state = &state;
	counters.ended = ended;
	counters.overflow = overflow;
	for (uint32_t i = 1; i <= VCPUS; i++) {
		struct record *record = pool_at(&counters.records, i);

		record->start = record->tid = i;
		record->vcpu = i * 4096ULL;
		record->isa = REASONS_SVM + 1;
		vcpus[i - 1] = (struct vcpu){ .id = (int)i, .address = record->vcpu };
	}
	for (int i = 0; i < VMS; i++) {
		vms[i] = (struct vm){ .id = i + 1,
				      .vcpus = &vcpus[i * VCPUS_EACH],
				      .nvcpus = VCPUS_EACH };
		list[i] = &vms[i];
	}
	blocks_make();
	vm_counters_init(&vm_counters, &counters);
}

static long long cpu_time(void)
{
	struct timespec at;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
	return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static void took(const char *what, long long start)
{
	printf("%s\t%lld\n", what, cpu_time() - start);
}

static void vms_sum(void)
{
	struct slot_sums sums;

	for (uint32_t vm = 1; vm <= VMS; vm++) {
		for (unsigned i = 0; i < REASONS; i++)
			vm_counters_sum(&vm_counters, vm, 0, SLOT(i), &sums);
	}
}

int main(void)
{
	struct vms known = { .list = list, .n = VMS };

	counters_make();
	for (int round = 0; round < ROUNDS; round++) {
		long long start;

		vcpu_counters_walk(&counters);
		start = cpu_time();
		vcpu_counters_read(&counters);
		took("counts", start);
		start = cpu_time();
		vcpu_counters_read_buckets(&counters);
		took("latency", start);
		known.changes++;
		start = cpu_time();
		vm_counters_update(&vm_counters, &known);
		took("arrivals", start);
		start = cpu_time();
		vms_sum();
		took("vms", start);
	}
	if (counters.total[SLOT(0)].count != VCPUS * (VCPUS + 1ULL) / 2) {
		fprintf(stderr, "read: the sum is wrong: %llu\n",
			(unsigned long long)counters.total[SLOT(0)].count);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
