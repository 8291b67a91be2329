/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Fakes a kernel with few statistics, the iterator's records of VMs, and a VM register. */
#ifndef PMDAKVM_TESTS_STAT_FAKES_H
#define PMDAKVM_TESTS_STAT_FAKES_H

#include "kvm/stat_schema.h"
#include "fakes/support.h"
#include "families/stat/stat_vms.h"

/* Indexes of the statistics' values, the same in the kernel and decoded. */
enum {
	VM_FLUSH, /* "remote_tlb_flush": the stock agent has it */
	VM_COUNT, /* "count" */
	VM_BOTH,  /* "both": a vCPU statistic has the same name */
	VM_GAUGE, /* "gauge", bytes */
	VM_PEAK,  /* "peak" */
	VM_HIST,  /* "page_hist": 0, 1, 2-3, 4-7, 8+ */
	VM_VALUES = VM_HIST + 5,
};

enum {
	VCPU_EXITS, /* "exits": the stock agent has it */
	VCPU_MODE,  /* "guest_mode": the stock agent has it; a gauge */
	VCPU_BUSY,  /* "busy", ns */
	VCPU_BOTH,  /* "both" */
	VCPU_DEEP,  /* "deep", a peak */
	VCPU_HIST,  /* "wait_hist", ns: 0, 1, 2-3, 4+ */
	VCPU_VALUES = VCPU_HIST + 4,
};

/* The distinct buckets of both histograms: 0, 1, 2-3, 4-7, 8+, 4+. */
#define FAKE_BUCKETS 6

/* The layout of these statistics, in stat_layout_read()'s form. Returns 0 or -ENOMEM. */
int fake_layout(struct stat_layout *ret_layout);

/* The same with another name for "count". */
int fake_other_layout(const char *name, struct stat_layout *ret_layout);

/* A record of the iterator and the values that follow it. */
struct shown {
	struct vm_record record;
	uint64_t values[VM_VALUES];
};

/* A VM "vmm-PID", created and held open by the process pid. */
struct shown shown_vm(uint64_t kvm, uint32_t pid);
struct shown shown_vcpu(const struct shown *vm, uint64_t address, uint32_t vcpu_id);

/* The state of every test: a layout, a register, and the names of the VMs that have ended. */
extern struct stat_layout layout;
extern struct vms *vms;
extern char ended[1024];

/*
 * The fixture listens to the register: it puts the statistics on VMs and vCPUs, records the names
 * of VMs that end in ended, and then calls this, if it is set.
 */
extern void (*when_ended)(const struct vm *vm);

void assert_labels(const struct labels *labels, const char *json);

/* Replace the register by a new one; its VMs are dropped without a call of when_ended. */
int fakes_register(void);

/* Make a register, with numbers or NULL, without memory: each time it is -ENOMEM and none is made.
 */
void assert_new_without_memory(struct instance_numbers *numbers);

/* Each test runs in its own folder; the register reads "proc" in it. */
int fakes_setup(void **state);
int fakes_teardown(void **state);

#define vms_test(test) cmocka_unit_test_setup_teardown(test, fakes_setup, fakes_teardown)

/* Run a pass of the iterator that shows this NULL-terminated list. */
void pass_over(const struct shown *const *list);
#define pass(...) pass_over((const struct shown *const[]){ __VA_ARGS__, NULL })

/* Show one record within a pass. */
int see(const struct shown *shown);

/* The register's VMs, by address: "NAME#ID NAME#ID". */
void assert_vms(const char *text);

/* The vCPUs of all VMs in the register. */
void assert_vcpus(const char *text);

/* The VMs that ended since the last call, separated by blanks. */
void assert_ended(const char *names);

/* The VM at this address of struct kvm. */
struct vm *vm_at(uint64_t kvm);

#endif /* PMDAKVM_TESTS_STAT_FAKES_H */
