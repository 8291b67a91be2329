/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * How the engine counts keys, and the pairs that they open: an exit and the next entry. A part of
 * engine.bpf.h, for families with blocks.
 */
#ifndef PMDAKVM_ENGINE_PAIRS_BPF_H
#define PMDAKVM_ENGINE_PAIRS_BPF_H

/*
 * Count the event in the trace family's rows, if that has no program of its own there. A plain
 * increment is exact: see bpf/trace.bpf.c.
 */
static __always_inline void event_count(__u32 event)
{
	__u64 slot = control.events[event];
	struct trace_row *row;
	__u32 cpu;

	if (!slot || slot >= TRACE_SLOTS)
		return;
	cpu = bpf_get_smp_processor_id();
	row = bpf_map_lookup_elem(&trace_rows, &cpu);
	if (row)
		row->count[slot]++;
}

int overflow_count(__u32 slot, bool has_record);

/* Count what found no record, or no block, by its slot; its time is unknown. */
SLOW_PATH int overflow_count(__u32 slot, bool has_record)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct overflow_row *row = bpf_map_lookup_elem(&ENGINE_MAP(_rows), &cpu);

	if (!row)
		return 0;
	row->count[slot % COUNTER_SLOTS_MAX]++;
	row->no_block += has_record;
	return 0;
}

__u32 block_take(void);

/* Take a free block. Returns its number; 0: none is free. */
SLOW_PATH __u32 block_take(void)
{
	__u32 number = 0;

	if (bpf_map_pop_elem(&ENGINE_MAP(_blocks_free), &number))
		return 0;
	__sync_fetch_and_add(&control.blocks_taken, 1);
	return number;
}

/*
 * Bound a slot so that the verifier of Linux 5.10 sees it, which does not infer a register's bounds
 * from a comparison of its lower half, or of a copy. One out of bounds is counted as slot 0.
 */
static __always_inline __u64 slot_within(__u64 slot)
{
	asm volatile("if %0 < %1 goto +1\n"
		     "%0 = 0"
		     : "+r"(slot)
		     : "i"(ENGINE_SLOTS));
	return slot;
}

/*
 * Count a slot and open its pair. It replaces a pair that is still open, whose time stays unknown.
 */
static __always_inline void pair_open(struct engine_record *record, __u64 slot, __u64 now)
{
	__u32 *place = &record->blocks[slot_within(slot)], number = *place;
	struct block *block;

	if (!likely(number)) {
		number = block_take();
		*place = number;
	}
	block = block_at(number);
	if (likely(block))
		block->count++;
	else
		overflow_count((__u32)slot, true);
	record->head.block = number;
	record->head.opened = now;
}

/*
 * Where the bucket of a time is: that of its highest bit. A de Bruijn sequence finds the bit
 * without branches; the table holds BUCKET_PLACE() of the bit. A section of its own keeps the
 * compiler from one that is merged, which the type information does not know.
 */
#define AT(bit) BUCKET_PLACE(bit + EXIT_BUCKETS)
static const __u8 bucket_places[EXIT_BUCKETS] SEC(".rodata.buckets") = {
	AT(0),	AT(9),	AT(1),	AT(10), AT(13), AT(21), AT(2),	AT(29), AT(11), AT(14), AT(16),
	AT(18), AT(22), AT(25), AT(3),	AT(30), AT(8),	AT(12), AT(20), AT(28), AT(15), AT(17),
	AT(24), AT(7),	AT(19), AT(27), AT(23), AT(6),	AT(26), AT(5),	AT(4),	AT(31),
};
#undef AT

static __always_inline __u32 bucket_place(__u64 time)
{
	__u64 bits = time >> 32 ? 0xffffffff : time;

	bits |= bits >> 1;
	bits |= bits >> 2;
	bits |= bits >> 4;
	bits |= bits >> 8;
	bits |= bits >> 16;
	return bucket_places[bits * 0x07c4acddU >> 27 & (EXIT_BUCKETS - 1)];
}

/* The open pair ends. */
static __always_inline void pair_close(struct engine_record *record, __u64 now)
{
	__u64 time = now - record->head.opened, most = (1ULL << MAX_TIME_BITS) - 1;
	__u64 epoch = control.epoch, max = epoch << MAX_TIME_BITS | (time < most ? time : most);
	struct block *block = block_at(record->head.block);

	record->head.opened = 0;
	if (!likely(block))
		return;
	block->time += time;
	if (block->max < max || block->max >> MAX_TIME_BITS != epoch)
		block->max = max;
	block->bucket[bucket_place(time) % EXIT_BUCKETS]++;
}

__u32 code_claim(__u64 code);

/*
 * Return the slot of a code outside all ranges. The first UNKNOWN_SLOTS such codes claim slots
 * 1 to UNKNOWN_SLOTS in a hash map from slot to code; BPF_NOEXIST under the map's lock decides
 * concurrent claims. Further codes get slot 0.
 */
SLOW_PATH __u32 code_claim(__u64 code)
{
/* the verifier does not track a loop counter on the stack */
#pragma unroll
	for (__u32 i = 1; i <= UNKNOWN_SLOTS; i++) {
		__u32 slot = i;
		__u64 *claimed = bpf_map_lookup_elem(&ENGINE_MAP(_codes), &slot);

		if (!claimed) {
			bpf_map_update_elem(&ENGINE_MAP(_codes), &slot, &code, BPF_NOEXIST);
			claimed = bpf_map_lookup_elem(&ENGINE_MAP(_codes), &slot);
		}
		if (claimed && *claimed == code)
			return slot;
	}
	return 0;
}

#endif /* PMDAKVM_ENGINE_PAIRS_BPF_H */
