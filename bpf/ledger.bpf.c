// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * The ledger family: where each vCPU's time goes. Its own program is at kvm_vcpu_wakeup, the end of
 * a halt; the families exit and userspace_exit write the other edges (ledger.bpf.h). It also counts
 * halts by how long they were, and how long the thread then waited for a CPU.
 *
 * How long KVM has polled is in its statistics of the vCPU, of which the user side knows the place.
 * Nothing else reads kernel memory.
 */
#include "ledger.h"
#define ENGINE_NAME   ledger
#define ENGINE_RECORD ledger_record
#include "engine.bpf.h"
#include "kernel_words.bpf.h"
#include "ledger.bpf.h"

/* Used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct ledger_ended);
} ledger_ended SEC(".maps");

/* Rodata, set before loading: kernel memory can be read. */
const volatile __u32 reads_polls;

/* Written by the user side, before attaching and as KVM comes and goes. */
struct ledger_places places;

/* --- histograms --- */

__u32 bucket_of(__u64 time);

/* The number of a time's highest bit. Global: it is verified once, and not on each path to it. */
__noinline __u32 bucket_of(__u64 time)
{
	__u32 bucket = 0, rest = time >> 32 ? ~0U : (__u32)time;

#pragma unroll
	for (__u32 bits = 16; bits; bits /= 2) {
		__u32 above = rest >> bits;

		if (above) {
			rest = above;
			bucket += bits;
		}
	}
	return bucket;
}

static __always_inline void count(struct ledger_record *ledger, enum ledger_histogram histogram,
				  __u64 time)
{
	ledger->halts.bucket[histogram][bucket_of(time) % EXIT_BUCKETS]++;
}

/* --- halts --- */

/* KVM's own time of polling for a vCPU, ns; both statistics are 64-bit. */
static __always_inline __u64 polled_now(__u64 vcpu)
{
	return word_at((const void *)vcpu, places.success) +
	       word_at((const void *)vcpu, places.failure);
}

/* KVM has polled since the last wake-up; its statistics may have been reset. Returns how long, ns.
 */
static __always_inline __u64 polled_since(struct ledger_record *ledger, __u64 now, __u64 attempts)
{
	__u64 polled = now - ledger->polled, more = attempts - ledger->attempts;

	if ((__s64)polled < 0 || (__s64)more < 0)
		return 0;
	ledger->halts.poll_time += polled;
	ledger->halts.poll_attempts += more;
	return polled;
}

/*
 * How much of a halt was polling. Without KVM's statistics of the vCPU it is known of a halt that
 * polling has ended; but where they could be had, what they do not say is not guessed.
 */
static __always_inline __u64 halt_polled(struct ledger_record *ledger, __u64 halt, bool waited)
{
	__u64 vcpu = ledger->head.vcpu, now, attempts = 0, polled = waited ? 0 : halt;

	if (!vcpu)
		return polled;
	if (!reads_polls || !places.success || !places.failure)
		return 0;
	now = polled_now(vcpu);
	if (places.attempts)
		attempts = word_at((const void *)vcpu, places.attempts);
	if (ledger->knows_polled)
		polled = polled_since(ledger, now, attempts);
	ledger->knows_polled = 1;
	ledger->polled = now;
	ledger->attempts = attempts;
	return polled;
}

static __always_inline __u64 at_most(__u64 time, __u64 most)
{
	return time < most ? time : most;
}

/* A halt of so many ns has ended; waited: the thread has slept. */
static __always_inline void woken(struct ledger_record *ledger, __u32 flag, __u64 delay, __u64 halt,
				  bool waited)
{
	__u64 now = bpf_ktime_get_ns(), before = ledger->last >> LEDGER_STATE_BITS, since;
	__u64 polled, slept = 0;
	__u32 state = ledger_since(ledger);

	ledger_mark(ledger);
	since = ledger_interval(ledger, &now, delay);
	if (waited && has_run_delay)
		count(ledger, LEDGER_WAKE, now - before - since);
	/* it has waited for a CPU as the halt ended */
	halt -= at_most(now - before - since, halt);
	halt = at_most(halt, since);
	polled = at_most(halt_polled(ledger, halt, waited), halt);
	if (waited)
		slept = halt - polled;
	ledger->time[LEDGER_POLL] += polled;
	ledger->time[LEDGER_HALTED] += slept;
	ledger->reason = LEDGER_MARKED; /* it halts no more */
	if (state == LEDGER_GUEST || state == LEDGER_VMM)
		state = LEDGER_UNKNOWN; /* a kvm_exit or kvm_fpu was missed */
	ledger_pass(ledger, now, since - polled - slept, state, ledger_in_run(flag));
}

static __always_inline int halt_ended(__u64 halt, bool waited)
{
	__u32 flag = control.ledger;
	struct ledger_record *ledger;
	const struct task_struct *task = task_now();

	if (!flag)
		return 0;
	ledger = record_find(task, 0, FIND_ANY_VCPU | FIND_MAKE);
	if (!ledger)
		return ledger_drop();
	count(ledger, waited ? LEDGER_WAITED : LEDGER_POLLED, halt);
	if (ledger->head.generation == flag)
		woken(ledger, flag, task_delay(task), halt, waited);
	else
		ledger_begin(ledger, flag,
			     bpf_ktime_get_ns() << LEDGER_STATE_BITS | ledger_in_run(flag),
			     task_delay(task), 0);
	return 0;
}

int ledger_wakeup(const __u64 *ctx);

/* kvm_vcpu_wakeup(ns, waited, valid): in the vCPU's thread, at the end of a halt */
SEC("raw_tp")
int ledger_wakeup(const __u64 *ctx)
{
	return halt_ended(ctx[0], ctx[1] & 0xff);
}

int ledger_wakeup_tp(const struct wakeup_record *ctx);

/*
 * The same for perf, which can attach it for seconds more than it is to count: the flag is 0 then.
 * The result must be 1: after 0, perf counts the event for nobody.
 */
SEC("tp")
int ledger_wakeup_tp(const struct wakeup_record *ctx)
{
	halt_ended(ctx->ns, ctx->waited);
	return 1;
}

/* --- timers --- */

/* More cycles than this are as many: their product below has 64 bits. */
#define CYCLES_MAX (1ULL << 43)

int ledger_timer(const __u64 *ctx);

/*
 * kvm_wait_lapic_expire(vcpu_id, cycles): before the guest is entered with its timer's interrupt,
 * how many cycles of its TSC it is late; below 0 KVM waits, and it is not. Where KVM delivers it
 * from another thread, that is no vCPU's, or another one's.
 */
SEC("raw_tp")
int ledger_timer(const __u64 *ctx)
{
	__u64 cycles = (__s64)ctx[1] > 0 ? ctx[1] : 0;
	struct ledger_record *ledger;
	const void *vcpu;
	__u32 khz;

	if (!control.ledger || !reads_polls || !places.tsc_khz || !places.vcpu_id)
		return 0;
	ledger = record_find(task_now(), 0, FIND_ANY_VCPU);
	vcpu = ledger ? (const void *)ledger->head.vcpu : NULL;
	if (!vcpu || half_word_at(vcpu, places.vcpu_id) != (__u32)ctx[0])
		return 0;
	khz = half_word_at(vcpu, places.tsc_khz);
	if (khz)
		count(ledger, LEDGER_LATE, at_most(cycles, CYCLES_MAX) * 1000000 / khz);
	return 0;
}

int ledger_thread(const void *ctx);

SEC("raw_tp")
int ledger_thread(const void *ctx)
{
	(void)ctx;
	thread_ended();
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
