/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* --access: its text, its exits to user space, and what it prints. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest.h"
#include "kvm/cause_key.h"

#define MAX_SPEC 256
#define NS	 1000000000ull

static const struct word {
	const char *name;
	size_t offset;
	__u32 min, max;
} words[] = {
	{ "span", offsetof(struct access, span), 1, MAX_SPAN },
	{ "size", offsetof(struct access, size), 1, 8 },
	{ "string", offsetof(struct access, string), 1, MAX_STRING },
	{ "into", offsetof(struct access, into), 0x10000, 0xfffff },
	{ "value", offsetof(struct access, value), 0, 0xffffffff },
	{ "toggle", offsetof(struct access, toggle), 1, 0xffffffff },
	{ "delay-us", offsetof(struct access, delay_us), 1, 10000000 },
	{ "busy-us", offsetof(struct access, busy_us), 1, 10000000 },
};

static bool is_number(const char *text, __u32 min, __u32 max, __u32 *ret_value)
{
	unsigned long long value;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || *text < '0' || *text > '9' || *end || value < min || value > max)
		return false;
	*ret_value = (__u32)value;
	return true;
}

static const char *parse_counts(char *list, struct access *access)
{
	char *next;

	for (; list; list = next) {
		next = strchr(list, '/');
		if (next)
			*next++ = '\0';
		if (access->ncounts == MAX_COUNTS ||
		    !is_number(list, 1, 0xffffffff, &access->counts[access->ncounts++]))
			return "KEY=N, or KEY=N/N...: no more than 16 numbers, each 1 or more";
	}
	return NULL;
}

static const char *parse_word(char *text, struct access *access)
{
	char *value = strchr(text, '=');

	if (value)
		*value++ = '\0';
	for (size_t i = 0; value && i < sizeof(words) / sizeof(words[0]); i++) {
		void *target = (char *)access + words[i].offset;

		if (strcmp(text, words[i].name) == 0 &&
		    is_number(value, words[i].min, words[i].max, target))
			return NULL;
	}
	return "after the counts only span=, size=, string=, into=, value=, toggle=, delay-us=, busy-us= (see --help)";
}

static __u64 stride(const struct access *access)
{
	return access->kind == CAUSE_MMIO ? GUEST_PAGE : 1;
}

/* The number is one of the access's, whatever its direction. */
static bool has_number(const struct access *access, __u64 number)
{
	__u64 distance = number - access->number;

	return distance % stride(access) == 0 && distance / stride(access) < access->span;
}

static bool overlap(const struct access *a, const struct access *b)
{
	return a->kind == b->kind && a->write == b->write &&
	       (has_number(a, b->number) || has_number(b, a->number));
}

/* What of it makes no sense, on any architecture. */
static const char *complaint(const struct access *access, const struct plan *plan)
{
	const bool memory = access->kind == CAUSE_MMIO, port = access->kind == CAUSE_PIO;

	if (access->span & (access->span - 1))
		return "span= takes a power of two";
	if (access->span > 1 && !memory && !port && access->kind != CAUSE_CPUID)
		return "span= is for io, mmio and cpuid";
	if (access->size & (access->size - 1) || (port && access->size > 4))
		return "size= takes 1, 2 or 4, for mmio on arm64 also 8";
	if (access->size > 1 && !memory && !port)
		return "size= is for io and mmio";
	if (access->string && (!port || access->string * access->size > MAX_STRING))
		return "string= is for io, with at most 768 bytes";
	if (access->into && (!access->string || access->write))
		return "into= is for reads with string=";
	if (access->toggle && (access->kind != CAUSE_CR || !access->write))
		return "toggle= is for writes of cr";
	if ((access->delay_us || access->busy_us) && !memory && !port)
		return "delay-us= and busy-us= are for io and mmio, which come out to user space";
	for (unsigned int i = 0; i < access->ncounts; i++)
		if ((__u64)access->counts[i] * access->span > 0xffffffff)
			return "more than 4294967295 turns of a loop";
	for (unsigned int i = 0; i < plan->naccesses; i++)
		if (overlap(access, &plan->accesses[i]))
			return "another --access has the same key";
	return NULL;
}

/* Add KEY=N[/N...][,WORD=VALUE...] to the plan. -EINVAL: no such thing, said on stderr. */
int access__parse(const char *spec, struct plan *plan)
{
	struct access access = { .span = 1, .size = 1 };
	char text[MAX_SPEC], *counts, *word, *next;
	const char *wrong = NULL;
	uint64_t key;

	snprintf(text, sizeof(text), "%s", spec);
	word = strchr(text, ',');
	if (word)
		*word++ = '\0';
	counts = strchr(text, '=');
	if (counts)
		*counts++ = '\0';
	if (strlen(spec) >= sizeof(text) || !counts || cause_key_parse(text, &key) ||
	    key == CAUSE_NONE || key == CAUSE_OTHER)
		wrong = "begins with a key such as io:0x70:r, mmio:0xd0000000:w or msr:0x10:r, and =N";
	if (!wrong) {
		access.kind = key >> CAUSE_KIND_SHIFT;
		access.number = key & CAUSE_NUMBER;
		access.write = key & CAUSE_WRITE;
		wrong = parse_counts(counts, &access);
	}
	for (; !wrong && word; word = next) {
		next = strchr(word, ',');
		if (next)
			*next++ = '\0';
		wrong = parse_word(word, &access);
	}
	if (!wrong)
		wrong = complaint(&access, plan);
	if (!wrong && plan->naccesses == MAX_ACCESSES)
		wrong = "there are too many";
	if (wrong) {
		fprintf(stderr, "guest: --access %s: %s\n", spec, wrong);
		return -EINVAL;
	}
	plan->accesses[plan->naccesses++] = access;
	return 0;
}

/* How many turns the loop of an access takes. */
__u32 access__count(const struct access *access, unsigned int vcpu)
{
	return access->counts[vcpu % access->ncounts] * access->span;
}

bool access__uses(const struct plan *plan, enum cause_kind kind)
{
	for (unsigned int i = 0; i < plan->naccesses; i++)
		if (plan->accesses[i].kind == kind)
			return true;
	return false;
}

/* The index of the access that has this key; -ENOENT: none. */
static int find(const struct plan *plan, enum cause_kind kind, __u64 number, bool write)
{
	for (unsigned int i = 0; i < plan->naccesses; i++) {
		const struct access *access = &plan->accesses[i];

		if (access->kind == kind && access->write == write && has_number(access, number))
			return (int)i;
	}
	return -ENOENT;
}

static __u64 now_ns(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (__u64)ts.tv_sec * NS + (__u64)ts.tv_nsec;
}

/* Keep the guest waiting, as a slow device does. */
static void delay(const struct access *access, struct answered *answered)
{
	__u64 begin = now_ns(CLOCK_MONOTONIC), ns = (__u64)access->delay_us * 1000;
	__u64 busy = now_ns(CLOCK_THREAD_CPUTIME_ID) + (__u64)access->busy_us * 1000;
	struct timespec ts = { .tv_sec = (time_t)(ns / NS), .tv_nsec = (long)(ns % NS) };

	if (!ns && !access->busy_us)
		return;
	while (ns && nanosleep(&ts, &ts) && errno == EINTR)
		;
	while (now_ns(CLOCK_THREAD_CPUTIME_ID) < busy)
		;
	answered->delay_ns += now_ns(CLOCK_MONOTONIC) - begin;
}

/* 0; -ENOENT: this I/O is none of --access. */
int access__answer_io(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	bool write = run->io.direction == KVM_EXIT_IO_OUT;
	int i = find(vcpu->vm->plan, CAUSE_PIO, run->io.port, write);
	__u32 bytes = run->io.size * run->io.count;

	if (i < 0 || run->io.size != vcpu->vm->plan->accesses[i].size)
		return -ENOENT;
	vcpu->answered[i].exits++;
	vcpu->answered[i].bytes += bytes;
	if (!write)
		memset((char *)run + run->io.data_offset, 0x5a, bytes);
	delay(&vcpu->vm->plan->accesses[i], &vcpu->answered[i]);
	return 0;
}

/* The write of a string that is read into MMIO. */
static bool answer_into(struct vcpu *vcpu)
{
	const struct plan *plan = vcpu->vm->plan;
	const struct kvm_run *run = vcpu->run;

	for (unsigned int i = 0; run->mmio.is_write && i < plan->naccesses; i++) {
		const struct access *access = &plan->accesses[i];

		if (!access->into ||
		    run->mmio.phys_addr - access->into >= (__u64)access->string * access->size)
			continue;
		vcpu->answered[i].into_exits++;
		vcpu->answered[i].into_bytes += run->mmio.len;
		return true;
	}
	return false;
}

/* 0; -ENOENT: this MMIO is none of --access. */
int access__answer_mmio(struct vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	int i = find(vcpu->vm->plan, CAUSE_MMIO, run->mmio.phys_addr, run->mmio.is_write);

	if (answer_into(vcpu))
		return 0;
	if (i < 0 || run->mmio.len != vcpu->vm->plan->accesses[i].size)
		return -ENOENT;
	vcpu->answered[i].exits++;
	vcpu->answered[i].bytes += run->mmio.len;
	if (!run->mmio.is_write)
		memset(run->mmio.data, 0x5a, sizeof(run->mmio.data));
	delay(&vcpu->vm->plan->accesses[i], &vcpu->answered[i]);
	return 0;
}

/*
 * Whether what has come out so far is what finished rounds do. KVM answers some itself: then none
 * comes out.
 */
bool access__as_planned(const struct vcpu *vcpu)
{
	const struct plan *plan = vcpu->vm->plan;

	for (unsigned int i = 0; i < plan->naccesses; i++) {
		const struct access *access = &plan->accesses[i];
		const struct answered *out = &vcpu->answered[i];
		__u64 bytes = vcpu->seen[EV_MAX + i] * access->size *
			      (access->string ? access->string : 1);

		if ((out->bytes && out->bytes != bytes) ||
		    (access->into && out->into_bytes != bytes))
			return false;
	}
	return true;
}

/* How many accesses a turn is: KVM does OUTS element by element, INS as a whole. */
static __u32 per_turn(const struct access *access)
{
	return access->string && access->write ? access->string : 1;
}

static void print_vcpu(const struct vcpu *vcpu)
{
	const struct plan *plan = vcpu->vm->plan;

	for (unsigned int i = 0; i < plan->naccesses; i++) {
		const struct access *access = &plan->accesses[i];
		const struct answered *out = &vcpu->answered[i];
		char key[CAUSE_KEY_TEXT_SIZE];

		if (cause_key_text(cause_key(access->kind, access->number, access->write), key) < 0)
			abort();
		printf("access %u %u %s=%llu exits=%llu into=%llu delay-ns=%llu\n", vcpu->vm->index,
		       vcpu->id, key, vcpu->seen[EV_MAX + i] * per_turn(access), out->exits,
		       out->into_exits, out->delay_ns);
	}
}

/* For use after fleet__join(). */
void access__print(const struct fleet *fleet)
{
	for (unsigned int vm = 0; vm < fleet->plan->nvms; vm++)
		for (unsigned int id = 0; id < fleet->plan->nvcpus; id++)
			print_vcpu(&fleet->vms[vm]->vcpus[id]);
}
