/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A small kernel's statistics, records as the iterator would show them, and a register. */
#ifndef PMDAKVM_TESTS_STAT_FAKES_H
#define PMDAKVM_TESTS_STAT_FAKES_H

#include "kvm/stat_schema.h"
#include "fakes/support.h"
#include "vms/vm_register.h"

/* Where the values of the small kernel's statistics stand, in the kernel and decoded. */
enum {
	VM_FLUSH, /* "remote_tlb_flush": the stock agent has it */
	VM_COUNT, /* "count" */
	VM_BOTH,  /* "both": a vCPU has one of that name */
	VM_GAUGE, /* "gauge", bytes */
	VM_PEAK,  /* "peak" */
	VM_HIST,  /* "page_hist": 0, 1, 2-3, 4-7, 8+ */
	VM_VALUES = VM_HIST + 5,
};

enum {
	VCPU_EXITS, /* "exits": the stock agent has it */
	VCPU_MODE,  /* "guest_mode": so it has this, a gauge */
	VCPU_BUSY,  /* "busy", ns */
	VCPU_BOTH,  /* "both" */
	VCPU_DEEP,  /* "deep", a peak */
	VCPU_HIST,  /* "wait_hist", ns: 0, 1, 2-3, 4+ */
	VCPU_VALUES = VCPU_HIST + 4,
};

/* 0, 1, 2-3, 4-7, 8+, 4+ */
#define FAKE_BUCKETS 6

/* Its layout, as stat_layout_read makes one. 0 or -ENOMEM. */
int fake_layout(struct stat_layout *ret_layout);

/* The same with "count" called something else. */
int fake_other_layout(const char *name, struct stat_layout *ret_layout);

/* A record and what follows it. */
struct shown {
	struct stat_record record;
	uint64_t values[VM_VALUES];
};

/* A VM that the process of that number has made and has open, called "vmm-PID". */
struct shown shown_vm(uint64_t kvm, uint32_t pid);
struct shown shown_vcpu(const struct shown *vm, uint64_t address, uint32_t vcpu_id);

/* What every test has: a register, and the names of the VMs that have ended. */
extern struct stat_layout layout;
extern struct vms *vms;
extern char ended[1024];

/* As the register calls it: notes the name. */
void note_ended(const struct vm *vm, void *data);

/* In a folder of its own; the register reads "proc" there. */
int fakes_setup(void **state);
int fakes_teardown(void **state);

#define vms_test(test) cmocka_unit_test_setup_teardown(test, fakes_setup, fakes_teardown)

/* A pass shows these; NULL: nobody. */
void pass_over(const struct shown *const *list);
#define pass(...) pass_over((const struct shown *const[]){ __VA_ARGS__, NULL })

/* Show one more, within a pass. */
int see(const struct shown *shown);

/* VMs that are there, by address, as "NAME#ID NAME#ID". */
void assert_vms(const char *text);

/* vCPUs that are there, of all VMs. */
void assert_vcpus(const char *text);

/* These have ended since this was asked last, apart by blanks. */
void assert_ended(const char *names);

/* The VM at that address. */
struct vm *vm_at(uint64_t kvm);

#endif /* PMDAKVM_TESTS_STAT_FAKES_H */
