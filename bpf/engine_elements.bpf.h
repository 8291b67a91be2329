/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Where the elements of chunks are. A part of engine.bpf.h. */
#ifndef PMDAKVM_ENGINE_ELEMENTS_BPF_H
#define PMDAKVM_ENGINE_ELEMENTS_BPF_H

/*
 * An element of a first chunk of 1 << bits, each of this size: its address is known, for the loader
 * makes that of the chunk from the map. Keeps the compiler from seeing what it is an address of.
 */
static __always_inline void *near_at(void *first, __u32 bits, __u32 size, __u32 number)
{
	__u64 at = number;

	/* changes nothing; the verifier forgets a comparison of a lower half, or a copy */
	asm volatile("%0 &= %1" : "+r"(at) : "i"((1U << bits) - 1));
	keep_here(first);
	return (char *)first + at * size;
}

/* An element of a further chunk. */
static __always_inline void *far_at(void *chunks, __u32 bits, __u32 number)
{
	__u32 chunk = number >> bits, at = number & ((1U << bits) - 1);
	void *found = bpf_map_lookup_elem(chunks, &chunk);

	return found ? bpf_map_lookup_elem(found, &at) : NULL;
}

/*
 * Defines for a family's records NAME_at(number), which is NULL if there is no such chunk, and
 * NAME_hinted(number), for a number that need not lead to the right record: it is then that of
 * nobody, with number 0, rather than NULL. What is not in the first chunk takes two look-ups,
 * behind the usual path.
 */
#define RECORDS(name, type, first, chunks)                                              \
	static __noinline type *name##_far(__u32 number)                                \
	{                                                                               \
		return far_at(chunks, RECORDS_BITS, number);                            \
	}                                                                               \
                                                                                        \
	static __always_inline type *name##_at(__u32 number)                            \
	{                                                                               \
		if (likely(number < RECORDS_CHUNK))                                     \
			return near_at(first, RECORDS_BITS, sizeof(type), number);      \
		return name##_far(number);                                              \
	}                                                                               \
                                                                                        \
	static __always_inline type *name##_hinted(__u32 number)                        \
	{                                                                               \
		type *record;                                                           \
                                                                                        \
		if (likely(number < RECORDS_CHUNK))                                     \
			return near_at(first, RECORDS_BITS, sizeof(type), number);      \
		record = name##_far(number);                                            \
		return record ? record : near_at(first, RECORDS_BITS, sizeof(type), 0); \
	}

#endif /* PMDAKVM_ENGINE_ELEMENTS_BPF_H */
