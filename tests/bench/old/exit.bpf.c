// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Kept for "make bench", which compares it with bpf/exit.bpf.c: the exit family's programs as they
 * were before the engine (bpf/engine.bpf.h), with hash maps and per-CPU histograms.
 *
 * The exit family: exit reasons of vCPUs, and the time from each exit to the next entry. One
 * program at kvm_exit, in a variant per argument form, and one at kvm_entry.
 *
 * The reason is in a struct of KVM's vendor module. CO-RE relocation against a module's BTF needs
 * CAP_SYS_ADMIN, so the user side (src/kvm/exit_offsets.c) reads the offsets and sets them in
 * rodata. Nothing else reads kernel memory: without reasons the programs run in every lockdown
 * mode; since Linux 6.2 with them, too (kernel_words.bpf.h).
 */
#include "vcpu_counters.bpf.h"
#include "kernel_words.bpf.h"
#include "exit.h"

#define KVM_ISA_VMX 1 /* arch/x86/kvm/trace.h */

const volatile struct exit_setup setup;

/* Counters, one entry per vCPU thread; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct thread_key);
	__type(value, struct exit_counters);
} exit_cells SEC(".maps");

/* Counters of retired threads; used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size,
	       sizeof(struct retired_counters) + sizeof(struct reason_counters) * EXIT_SLOTS);
} exit_ended SEC(".maps");

/* Overflow counters, one row per possible CPU; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct overflow_row);
} exit_rows SEC(".maps");

/* Histograms of exit times, by slot. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, EXIT_HISTOGRAMS);
	__type(key, __u32);
	__type(value, struct exit_buckets);
} exit_latency SEC(".maps");

/* Histograms by vCPU and slot, for per-VM sums; max_entries is set before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1);
	__type(key, struct exit_vm_key);
	__type(value, struct exit_buckets);
} exit_vm_latency SEC(".maps");

/* Claimed slot to code, for codes outside all ranges. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, UNKNOWN_SLOTS);
	__type(key, __u32);
	__type(value, __u64);
} exit_codes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct counters_control);
} exit_control SEC(".maps");

/* Used by the user side only. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct pin_meta);
} exit_meta SEC(".maps");

/* Zeroed initial values of map entries; too large for the stack. */
static struct exit_counters fresh_counters;
static struct exit_buckets fresh_buckets;

static __always_inline __u32 slot_of(__u32 isa_number, __u32 code)
{
	const volatile struct exit_isa *isa = isa_number == KVM_ISA_VMX ? &setup.vmx : &setup.svm;

	if (!setup.has_reasons || !isa->mask)
		return 0;
	for (int i = 0; i < CODE_RANGES; i++) {
		__u32 at = code - isa->ranges[i].first;

		if (at < isa->ranges[i].count)
			return isa->ranges[i].slot + at;
	}
	return code_claim(&exit_codes, code);
}

static __always_inline __u32 code_read(__u64 vcpu, __u32 isa_number)
{
	const volatile struct exit_isa *isa = isa_number == KVM_ISA_VMX ? &setup.vmx : &setup.svm;
	const void *base = (const void *)vcpu;

	if (!setup.has_reasons || !isa->mask)
		return 0;
	if (isa->pointer != EXIT_NO_POINTER)
		base = pointer_at(base, isa->pointer);
	return half_word_at(base, isa->code) & isa->mask;
}

/* Count an exit without a map entry by its reason; its time is unknown. */
static __always_inline void count_dropped(__u32 slot)
{
	__u32 cpu = bpf_get_smp_processor_id();
	struct overflow_row *row = bpf_map_lookup_elem(&exit_rows, &cpu);

	if (row)
		row->count[slot]++;
}

static __always_inline int exited(__u64 vcpu, __u32 isa, __u32 code)
{
	__u32 zero = 0, slot = slot_of(isa, code) % EXIT_SLOTS;
	const struct counters_control *control = bpf_map_lookup_elem(&exit_control, &zero);
	struct exit_counters *exits;

	if (!control)
		return 0;
	exits = (void *)counters_get(&exit_cells, &fresh_counters, vcpu);
	if (!exits) {
		count_dropped(slot);
		return 0;
	}
	counters_renew(&exits->counters, control);
	exits->counters.isa = isa == KVM_ISA_VMX ? setup.vmx.isa : setup.svm.isa;
	exits->reason[slot].count++;
	exit_begin(&exits->counters, slot, bpf_ktime_get_ns());
	return 0;
}

int exit_vcpu_first(const __u64 *ctx);

/* Since Linux 5.16: kvm_exit(vcpu, isa). */
SEC("raw_tp")
int exit_vcpu_first(const __u64 *ctx)
{
	__u64 vcpu = ctx[0];
	__u32 isa = (__u32)ctx[1];

	return exited(vcpu, isa, code_read(vcpu, isa));
}

int exit_reason_first(const __u64 *ctx);

/* Before Linux 5.16: kvm_exit(reason, vcpu, isa). */
SEC("raw_tp")
int exit_reason_first(const __u64 *ctx)
{
	__u32 isa = (__u32)ctx[2];

	return exited(ctx[1], isa,
		      (__u32)ctx[0] & (isa == KVM_ISA_VMX ? setup.vmx.mask : setup.svm.mask));
}

static __always_inline __u32 bucket_of(__u64 time)
{
	__u32 rest = time >> 31 ? 1U << 31 : (__u32)time, bucket = 0;

	for (__u32 step = 16; step; step /= 2) {
		if (rest >> step) {
			rest >>= step;
			bucket += step;
		}
	}
	return bucket % EXIT_BUCKETS;
}

/* Count a time in the histogram of this key; false: the map is full. */
static __always_inline bool count_bucket(void *map, const void *key, __u32 bucket)
{
	struct exit_buckets *buckets = bpf_map_lookup_elem(map, key);

	if (!buckets) {
		bpf_map_update_elem(map, key, &fresh_buckets, BPF_NOEXIST);
		buckets = bpf_map_lookup_elem(map, key);
	}
	if (!buckets)
		return false;
	buckets->count[bucket]++;
	return true;
}

static __always_inline void count_latency(__u64 vcpu, __u32 slot, __u64 time)
{
	struct exit_vm_key key = { .vcpu = vcpu, .slot = slot };
	__u32 bucket = bucket_of(time), cpu;
	bool fits = count_bucket(&exit_latency, &slot, bucket), vm_fits = true;
	struct overflow_row *row;

	if (setup.vm_histograms && vcpu)
		vm_fits = count_bucket(&exit_vm_latency, &key, bucket);
	if (fits && vm_fits)
		return;
	cpu = bpf_get_smp_processor_id();
	row = bpf_map_lookup_elem(&exit_rows, &cpu);
	if (!row)
		return;
	row->buckets += !fits;
	row->vm_buckets += !vm_fits;
}

int exit_entry(const __u64 *ctx);

SEC("raw_tp")
int exit_entry(const __u64 *ctx)
{
	__u64 now, vcpu = setup.entry_has_vcpu ? ctx[0] : 0;
	struct exit_counters *exits;
	const struct counters_control *control;
	__u32 zero = 0, slot;

	control = bpf_map_lookup_elem(&exit_control, &zero);
	exits = (void *)counters_get(&exit_cells, &fresh_counters, vcpu);
	if (!control || !exits)
		return 0;
	counters_renew(&exits->counters, control);
	now = bpf_ktime_get_ns();
	if (exits->counters.opened) {
		slot = exits->counters.slot % EXIT_SLOTS;
		count_latency(exits->counters.vcpu, slot,
			      exit_end(&exits->counters, &exits->reason[slot], control->epoch,
				       now));
	}
	/* AMD's fast path before Linux 6.12 enters the guest again without kvm_exit */
	if (!exits->counters.entered)
		exits->counters.entered = now;
	return 0;
}

int exit_thread(const void *ctx);

SEC("raw_tp")
int exit_thread(const void *ctx)
{
	(void)ctx;
	thread_ended(&exit_cells);
	return 0;
}

char LICENSE[] SEC("license") = "GPL";
