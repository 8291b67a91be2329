/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Scenarios of a family that times exits: events with their times and arguments, and what must be
 * counted afterwards. They know nothing of the programs or their maps: exit_programs.c and
 * userspace_exit_programs.c run an event and read the counts.
 */
#ifndef PMDAKVM_TESTS_BPF_STEPS_H
#define PMDAKVM_TESTS_BPF_STEPS_H

#include "bpf/run.h"
#include "kvm/exit_reasons.h"

#define STEPS 12
#define WANTS 4

enum event {
	NO_EVENT,
	EXIT,	     /* with a code */
	ENTRY,	     /* the guest, or KVM_RUN, goes on */
	UNLOAD,	     /* kvm_fpu with load 0 */
	THREAD_ENDS, /* sched_process_exit */
	ATTACHED,    /* the programs were detached and are attached anew */
	RESET_MAX,   /* maxima begin anew */
};

struct step {
	uint64_t at; /* ns */
	enum event event;
	uint32_t code; /* of an EXIT */
	int error;     /* of KVM_RUN */
};

/* What a reason has, over all threads. */
struct counted {
	uint64_t count, time, max;
	uint64_t timed; /* exits in its histogram */
};

struct scenario {
	const char *name;
	struct step steps[STEPS];
	struct {
		uint64_t code;
		struct counted counted;
	} wants[WANTS]; /* of all other reasons nothing is counted */
	uint64_t guest_time;
};

/* A loaded family. */
struct subject {
	enum reasons_isa isa;
	unsigned slots;
	void (*clear)(void); /* forget what was counted */
	void (*step)(const struct step *step);
	void (*read)(struct counted *ret_slots); /* [slots] */
	uint64_t (*guest_time)(void);
};

/* Run the steps on a family that has counted nothing, and check the counts. */
void assert_scenario(const struct subject *subject, const struct scenario *scenario);

#endif /* PMDAKVM_TESTS_BPF_STEPS_H */
