// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The least that counts an exit pair's reason, time, maximum and bucket by vCPU, with two reads for
 * the reason: a record found by the vCPU's address alone, and everything in global arrays, whose
 * addresses the programs know. Neither threads, nor detaching, nor more vCPUs than there is room
 * for are seen. With all, a minimal ledger and minimal causes, too. It shows what the rest of the
 * engine costs, and counts nothing that is kept.
 */
#define TYPED_LOADS
#include "vmlinux.h"
#include <bpf/bpf_helpers.h>
#include "exit.h"
#include "kernel_words.bpf.h"

const volatile struct exit_setup setup;

/* Rodata: count all that the families exit, cause and ledger do. */
const volatile __u32 all;

#define LEAST_RECORDS 64
#define LEAST_BLOCKS  256

struct least_record {
	__u64 vcpu, since, guest_time;
	__u64 last, delay, task;
	__u64 none_count, none_time, time[8];
	__u32 block, open;
	__u32 blocks[EXIT_SLOTS];
};

struct least_record records[LEAST_RECORDS];
struct block blocks[LEAST_BLOCKS];
__u32 blocks_taken;

/* Two vCPUs of one place would take it from each other. */
static __always_inline struct least_record *record_of(__u64 vcpu)
{
	struct least_record *record = &records[vcpu * 0x9e3779b97f4a7c15ULL >> 58];

	if (record->vcpu == vcpu)
		return record;
	record->vcpu = vcpu;
	record->task = bpf_get_current_task();
	return record;
}

/* An edge: what the thread has waited for a CPU, and the rest, which the ending state has. */
static __always_inline void edge(struct least_record *record, __u64 now, __u32 ended)
{
	__u64 delay = word_at((const void *)record->task,
			      bpf_core_field_offset(struct task_struct, sched_info.run_delay));
	__u64 since = now - record->last, waited = delay - record->delay;

	record->delay = delay;
	record->last = now;
	record->time[3] += waited;
	record->time[ended & 7] += since - waited;
}

/* The highest bit of a time, by a de Bruijn sequence, as the engine finds it. */
static const __u8 bits_of[EXIT_BUCKETS] SEC(".rodata.bits") = {
	0, 9,  1,  10, 13, 21, 2,  29, 11, 14, 16, 18, 22, 25, 3, 30,
	8, 12, 20, 28, 15, 17, 24, 7,  19, 27, 23, 6,  26, 5,  4, 31,
};

static __always_inline void bucket_count(struct block *block, __u64 time)
{
	__u64 bits = time >> 32 ? 0xffffffff : time;

	bits |= bits >> 1;
	bits |= bits >> 2;
	bits |= bits >> 4;
	bits |= bits >> 8;
	bits |= bits >> 16;
	block->bucket[bits_of[bits * 0x07c4acddU >> 27 & (EXIT_BUCKETS - 1)] % EXIT_BUCKETS]++;
}

int exit_vcpu_first(const __u64 *ctx);

SEC("raw_tp")
int exit_vcpu_first(const __u64 *ctx)
{
	__u64 now = bpf_ktime_get_ns(), vcpu = ctx[0];
	const void *base = pointer_at((const void *)vcpu, setup.svm.pointer);
	__u32 code = half_word_at(base, setup.svm.code) & setup.svm.mask;
	__u32 at = code - setup.svm.ranges[0].first, number;
	struct least_record *record = record_of(vcpu);

	at = at < setup.svm.ranges[0].count ? (setup.svm.ranges[0].slot + at) % EXIT_SLOTS : 0;
	number = record->blocks[at];
	if (!number) {
		number = blocks_taken++ % LEAST_BLOCKS;
		record->blocks[at] = number;
	}
	number %= LEAST_BLOCKS;
	blocks[number].count++;
	record->block = number;
	if ((__s64)record->since < 0)
		record->guest_time += now + record->since;
	record->since = now;
	if (all) {
		record->open = 1;
		edge(record, now, 0);
	}
	return 0;
}

int exit_entry(const __u64 *ctx);

SEC("raw_tp")
int exit_entry(const __u64 *ctx)
{
	__u64 now = bpf_ktime_get_ns(), time;
	struct least_record *record = record_of(ctx[0]);
	struct block *block = &blocks[record->block % LEAST_BLOCKS];

	time = now - record->since;
	record->since = -now;
	block->time += time;
	if (block->max < time)
		block->max = time;
	bucket_count(block, time);
	if (all) {
		record->none_count += record->open;
		record->none_time += time;
		record->open = 0;
		edge(record, now, 1);
	}
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
