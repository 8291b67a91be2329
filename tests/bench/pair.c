// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * pair FOLDER EVENT ROUNDS EVENTS LINES CPU [CPU]: what BPF programs on a tracepoint whose first
 * argument is a vCPU cost a guest that runs here, in turn, in an order that each round has of its
 * own. FOLDER is that of the objects, build/. Pairs of programs are attached as if each event were
 * an exit followed by its entry: they get real vCPUs this way on a host where kvm_exit never fires.
 *
 * Prints lines of tab-separated fields: MODE VARIANT ROUND NS, the time of an event with the
 * programs attached; and "counted" VARIANT COUNTED NEEDED. Modes:
 *
 *   hot    CPU time of a loop of EVENTS events; the least of 4
 *   two    the same on two vCPUs at a time, on both CPUs
 *   enter  time of entering the guest for one event; the median of EVENTS/40
 *   cold   the same after reading LINES cache lines
 *   turns  the same of 3 vCPUs in turn, on one thread
 */
#define _GNU_SOURCE
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "variants.h"
#include "vcpus.h"

#define REPEATS	      4
#define PATIENCE      3000 /* waits of 10 ms for another program to be detached */

#define PAIR	      "tests/bench/pair.bpf.o"
#define OURS	      "bpf/exit_typed.bpf.o"
#define EXIT_PROGRAMS "exit_vcpu_first", "exit_entry"

enum mode { HOT, TWO, ENTER, COLD, TURNS, MODES };

static const char *const mode_names[] = { "hot", "two", "enter", "cold", "turns" };

enum {
	NOTHING,
	ONE_EMPTY,
	ONE_TRACE,
	EMPTY,
	CLOCK,
	OLD,
	OURS_NEAR,
	OURS_FAR,
	PROBE,
	MISS,
	ONE_KEY,
	CAUSES,
	LEDGER,
	BOTH,
	WHOLE,
	WHOLE_CLOCK,
	LEAST,
	LEAST_BOTH,
	VARIANTS
};

static struct variant variants[VARIANTS] = {
	[NOTHING] = { .name = "nothing" },
	[ONE_EMPTY] = { .name = "one-empty", .object = PAIR, .programs = { "empty_exit" } },
	[ONE_TRACE] = { .name = "one-trace",
			.object = "bpf/trace.bpf.o",
			.programs = { "trace_template" },
			.template = true },
	[EMPTY] = { .name = "empty", .object = PAIR, .programs = { "empty_exit", "empty_entry" } },
	[CLOCK] = { .name = "clock", .object = PAIR, .programs = { "clock_exit", "clock_entry" } },
	[OLD] = { .name = "old",
		  .object = "tests/bench/old/exit.bpf.o",
		  .programs = { EXIT_PROGRAMS },
		  .counts = true },
	[OURS_NEAR] = { .name = "ours",
			.object = OURS,
			.programs = { EXIT_PROGRAMS },
			.counts = true },
	[OURS_FAR] = { .name = "far",
		       .object = OURS,
		       .programs = { EXIT_PROGRAMS },
		       .counts = true,
		       .far = true },
	[PROBE] = { .name = "probe",
		    .object = "bpf/exit.bpf.o",
		    .programs = { EXIT_PROGRAMS },
		    .counts = true },
	[MISS] = { .name = "miss",
		   .object = "tests/bench/miss.bpf.o",
		   .programs = { EXIT_PROGRAMS },
		   .counts = true },
	/* each event is an access to the same port */
	[ONE_KEY] = { .name = "one-key", .object = "bpf/cause.bpf.o", .programs = { "cause_pio" } },
	[CAUSES] = { .name = "causes",
		     .object = OURS,
		     .programs = { EXIT_PROGRAMS },
		     .counts = true,
		     .causes = true },
	[LEDGER] = { .name = "ledger",
		     .object = OURS,
		     .programs = { EXIT_PROGRAMS },
		     .counts = true,
		     .ledger = true },
	[BOTH] = { .name = "both",
		   .object = OURS,
		   .programs = { EXIT_PROGRAMS },
		   .counts = true,
		   .causes = true,
		   .ledger = true },
	[WHOLE] = { .name = "whole",
		    .object = OURS,
		    .programs = { "exit_vcpu_first", "cause_pio", "exit_entry" },
		    .counts = true,
		    .causes = true },
	[WHOLE_CLOCK] = { .name = "whole-clock",
			  .object = PAIR,
			  .programs = { "clock_exit", "empty_exit", "clock_entry" } },
	[LEAST] = { .name = "least",
		    .object = "tests/bench/least.bpf.o",
		    .programs = { EXIT_PROGRAMS } },
	[LEAST_BOTH] = { .name = "least-both",
			 .object = "tests/bench/least.bpf.o",
			 .programs = { EXIT_PROGRAMS },
			 .all = true },
};

#define BIT(variant) (1u << (variant))

/* The variants of each mode; all have the first one. */
static const unsigned wanted[] = {
	[HOT] = BIT(ONE_EMPTY) | BIT(ONE_TRACE) | BIT(EMPTY) | BIT(CLOCK) | BIT(OLD) |
		BIT(OURS_NEAR) | BIT(OURS_FAR) | BIT(PROBE) | BIT(ONE_KEY) | BIT(CAUSES) |
		BIT(LEDGER) | BIT(BOTH) | BIT(WHOLE) | BIT(WHOLE_CLOCK) | BIT(LEAST) |
		BIT(LEAST_BOTH),
	[TWO] = BIT(CLOCK) | BIT(OLD) | BIT(OURS_NEAR),
	[ENTER] = BIT(CLOCK) | BIT(OLD) | BIT(OURS_NEAR) | BIT(PROBE),
	[COLD] = BIT(CLOCK) | BIT(OLD) | BIT(OURS_NEAR) | BIT(OURS_FAR) | BIT(PROBE) | BIT(CAUSES) |
		 BIT(LEDGER) | BIT(BOTH) | BIT(WHOLE) | BIT(WHOLE_CLOCK) | BIT(LEAST) |
		 BIT(LEAST_BOTH),
	[TURNS] = BIT(CLOCK) | BIT(OURS_NEAR) | BIT(MISS),
};

static const char *event;
static unsigned events, lines;
static int cpus[2], ncpus;
static bool cpuid; /* the event is that of a CPUID, not of each emulated instruction */
static unsigned long long needed[VARIANTS];

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vfprintf(stderr, format, arguments) : 0;
}

/* The number of BPF programs attached to the event as a raw tracepoint, by anybody. */
static int links(void)
{
	__u32 id = 0;
	int n = 0;

	while (bpf_link_get_next_id(id, &id) == 0) {
		struct bpf_link_info info = { 0 };
		char name[64] = "";
		__u32 size = sizeof(info);
		int fd = bpf_link_get_fd_by_id(id);

		if (fd < 0)
			continue;
		info.raw_tracepoint.tp_name = (__u64)(unsigned long)name;
		info.raw_tracepoint.tp_name_len = sizeof(name);
		if (bpf_obj_get_info_by_fd(fd, &info, &size) == 0 &&
		    info.type == BPF_LINK_TYPE_RAW_TRACEPOINT && strcmp(name, event) == 0)
			n++;
		close(fd);
	}
	return n;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		fprintf(stderr, "pair: not pinned to CPU %d: %s\n", cpu, strerror(errno));
}

/* Turns of the loop that make the events: each has two instructions. */
static unsigned turns(void)
{
	return cpuid ? events : events / 2;
}

struct second {
	double least;
};

static double least_spin(unsigned vcpu)
{
	double least = 0;

	for (unsigned i = 0; i < REPEATS; i++) {
		double ns = vcpus_spin(vcpu, turns(), cpuid);

		least = i == 0 || ns < least ? ns : least;
	}
	return least / events;
}

static void *second_run(void *data)
{
	struct second *second = data;

	pin(cpus[1]);
	second->least = least_spin(1);
	return NULL;
}

/* Two vCPUs at a time: the mean of both. */
static double two_spin(void)
{
	struct second second = { 0 };
	pthread_t thread;
	double first;

	if (pthread_create(&thread, NULL, second_run, &second)) {
		fputs("pair: no second thread\n", stderr);
		exit(EXIT_FAILURE);
	}
	first = least_spin(0);
	pthread_join(thread, NULL);
	return (first + second.least) / 2;
}

/* Run the guest. Returns the time of an event; *ret_events: the least number of them. */
static double run(enum mode mode, unsigned long long *ret_events)
{
	unsigned entries = events / 40 + 1;

	*ret_events = entries;
	switch (mode) {
	case TWO:
		*ret_events = 2ULL * REPEATS * events;
		return two_spin();
	case ENTER:
		return vcpus_out(1, entries, 0);
	case COLD:
		return vcpus_out(1, entries, lines);
	case TURNS:
		return vcpus_out(BENCH_VCPUS, entries, 0);
	default:
		*ret_events = (unsigned long long)REPEATS * events;
		return least_spin(0);
	}
}

/* Measure a variant, when no other program is attached to the event. */
static int measure(enum mode mode, struct variant *variant, unsigned round)
{
	int own = 0, before, after;

	for (unsigned i = 0; variant->object && i < VARIANT_PROGRAMS; i++)
		own += variant->programs[i] != NULL;
	for (int wait = 0; wait < PATIENCE; wait++) {
		unsigned long long n;
		double ns;

		if (links()) {
			usleep(10000);
			continue;
		}
		if (variant_attach(variant, round % VARIANT_LOADS, event)) {
			fprintf(stderr, "pair: %s cannot be attached to %s\n", variant->name,
				event);
			return -1;
		}
		before = links();
		ns = run(mode, &n);
		after = links();
		variant_detach(variant);
		needed[variant - variants] += n;
		if (before != own || after != own)
			continue;
		printf("%s\t%s\t%u\t%.2f\n", mode_names[mode], variant->name, round, ns);
		return 0;
	}
	fprintf(stderr, "pair: another program counts %s (see bpftool link show)\n", event);
	return -1;
}

static void shuffle(unsigned *order, unsigned n)
{
	for (unsigned i = n - 1; i > 0; i--) {
		unsigned j = (unsigned)rand() % (i + 1), other = order[i];

		order[i] = order[j];
		order[j] = other;
	}
}

static int measure_round(enum mode mode, unsigned round)
{
	unsigned order[VARIANTS], n = 0;

	for (unsigned i = 0; i < VARIANTS; i++) {
		if (i == NOTHING || wanted[mode] & BIT(i))
			order[n++] = i;
	}
	shuffle(order, n);
	for (unsigned i = 0; i < n; i++) {
		if (measure(mode, &variants[order[i]], round))
			return -1;
	}
	fflush(stdout);
	return 0;
}

static int measure_all(unsigned rounds)
{
	for (unsigned round = 0; round < rounds; round++) {
		for (unsigned mode = 0; mode < MODES; mode++) {
			if ((mode == TWO && ncpus < 2) || (mode != HOT && mode != TWO && cpuid))
				continue;
			if (measure_round(mode, round))
				return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	unsigned rounds;

	if (argc < 7 || argc > 8) {
		fputs("Usage: pair FOLDER EVENT ROUNDS EVENTS LINES CPU [CPU]\n", stderr);
		return 2;
	}
	event = argv[2];
	cpuid = strcmp(event, "kvm_emulate_insn") != 0;
	rounds = (unsigned)atoi(argv[3]);
	events = (unsigned)atoi(argv[4]);
	lines = (unsigned)atoi(argv[5]);
	for (int i = 6; i < argc; i++)
		cpus[ncpus++] = atoi(argv[i]);
	srand((unsigned)time(NULL));
	libbpf_set_print(quiet);
	pin(cpus[0]);
	for (unsigned i = 0; i < VARIANTS; i++) {
		if (variant_load(&variants[i], argv[1])) {
			fprintf(stderr, "pair: %s cannot be loaded\n", variants[i].name);
			return EXIT_FAILURE;
		}
	}
	vcpus_make();
	if (measure_all(rounds))
		return EXIT_FAILURE;
	for (unsigned i = 0; i < VARIANTS; i++) {
		if (variants[i].counts)
			printf("counted\t%s\t%llu\t%llu\n", variants[i].name,
			       variant_counted(&variants[i]), needed[i]);
	}
	return EXIT_SUCCESS;
}
