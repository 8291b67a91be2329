// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "bpf/exit_programs.h"

#include <bpf/bpf.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel/typed_loads.h"
#include "kvm/exit_offsets.h"
#include "kvm/tracepoints.h"
#include "tests/clocked_exit.skel.h"
#include "tests/clocked_exit_typed.skel.h"
#include "tests/memory.skel.h"

/* A vCPU in memory: AMD's has its code behind a pointer, Intel's has it in itself. */
struct vcpu {
	__u64 pad;
	__u64 vmcb;
	__u32 vmx_code, svm_code;
};

static struct clocked_exit_bpf *programs;
static struct memory_bpf *memory;
static unsigned loaded;
static int exit_fd;

struct counter_maps exit_maps;

/* --- loading --- */

static void memory_load(void)
{
	memory = memory_bpf__open();
	assert_non_null(memory);
	bpf_program__set_autoload(memory->progs.memory_read, false);
	assert_int_equal(memory_bpf__load(memory), 0);
	run_with(bpf_program__fd(memory->progs.memory_find), 0);
	assert_true(VCPUS * sizeof(struct vcpu) <= sizeof(memory->bss->memory));
}

static bool may_read_memory(void)
{
	struct memory_bpf *reads = memory_bpf__open_and_load();
	bool may = reads != NULL;

	memory_bpf__destroy(reads);
	return may;
}

static struct vcpu *vcpu_at(unsigned vcpu)
{
	assert_true(vcpu < VCPUS);
	return (struct vcpu *)memory->bss->memory + vcpu;
}

uint64_t vcpu_address(unsigned vcpu)
{
	return memory->bss->memory_address + vcpu * sizeof(struct vcpu);
}

void exit_setup_make(unsigned flags, struct exit_setup *setup)
{
	setup->has_reasons = !(flags & NO_REASONS);
	setup->entry_has_vcpu = !(flags & (NO_ENTRY_VCPU | TRAP));
	setup->vmx.isa = REASONS_VMX + 1;
	setup->vmx.pointer = EXIT_NO_POINTER;
	setup->vmx.code = offsetof(struct vcpu, vmx_code);
	setup->vmx.mask = flags & NO_VMX ? 0 : 0xffff;
	exit_layout_ranges(REASONS_VMX, setup->vmx.ranges);
	setup->svm.isa = REASONS_SVM + 1;
	setup->svm.pointer = offsetof(struct vcpu, vmcb);
	setup->svm.code = offsetof(struct vcpu, svm_code) - offsetof(struct vcpu, vmcb);
	setup->svm.mask = 0xffffffff;
	exit_layout_ranges(REASONS_SVM, setup->svm.ranges);
	setup->arm64.isa = REASONS_ARM64 + 1;
	setup->arm64.mask = flags & TRAP ? 0xffffffff : 0;
	exit_layout_ranges(REASONS_ARM64, setup->arm64.ranges);
}

bool __real_typed_loads_exist(struct kernel_types *types); /* family.h has a host of its own */

bool typed_loads(void)
{
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	bool exist = __real_typed_loads_exist(&types);

	kernel_types_close(&types);
	return exist;
}

static struct bpf_program *exit_program(unsigned flags)
{
	return flags & TRAP	    ? programs->progs.exit_trap :
	       flags & REASON_FIRST ? programs->progs.exit_reason_first :
				      programs->progs.exit_vcpu_first;
}

static int programs_load(unsigned flags)
{
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	struct bpf_program *wanted;
	int err;

	programs = calloc(1, sizeof(*programs));
	assert_non_null(programs);
	assert_int_equal(clocked_exit_bpf__create_skeleton(programs), 0);
	assert_int_equal(typed_loads_open(programs->skeleton,
					  flags & TYPED ? clocked_exit_typed_bpf__elf_bytes : NULL,
					  kernel_types_core(&types)),
			 0);
	exit_setup_make(flags, (struct exit_setup *)&programs->rodata->setup);
	programs->rodata->by_vcpu = (flags & BY_VCPU) != 0;
	if (flags & ALONE)
		programs->rodata->without = WITHOUT_CAUSES | WITHOUT_LEDGER | WITHOUT_SLOW;
	wanted = exit_program(flags);
	bpf_program__set_autoload(programs->progs.exit_vcpu_first, false);
	bpf_program__set_autoload(programs->progs.exit_reason_first, false);
	bpf_program__set_autoload(programs->progs.exit_trap, false);
	bpf_program__set_autoload(wanted, true);
	counter_maps_size(programs, exit);
	bpf_map__set_max_entries(programs->maps.ledger_rows, (__u32)possible_cpus());
	err = clocked_exit_bpf__load(programs);
	kernel_types_close(&types);
	return err;
}

void exits_load(unsigned flags, unsigned entries)
{
	memory_load();
	if (programs_load(flags)) {
		assert_false(may_read_memory() || flags & (NO_REASONS | TYPED));
		skip_why("programs that read kernel memory are refused (lockdown)");
	}
	loaded = flags;
	exit_maps = counter_maps_of(programs, exit, EXIT_SLOTS);
	pools_fill(&exit_maps, entries, flags & TWO_BLOCKS ? 2 : BLOCKS_CHUNK - 1);
	exit_fd = bpf_program__fd(exit_program(flags));
	for (unsigned i = 0; i < VCPUS; i++)
		vcpu_at(i)->vmcb = vcpu_address(i) + offsetof(struct vcpu, vmcb);
}

int exits_unload(void **state)
{
	(void)state;
	clocked_exit_bpf__destroy(programs);
	memory_bpf__destroy(memory);
	programs = NULL;
	memory = NULL;
	return 0;
}

/* --- events --- */

void clock_set(uint64_t ns)
{
	programs->bss->test_clock = ns;
}

void hints_fill(uint32_t number)
{
	for (size_t i = 0; i < HINTS; i++)
		programs->bss->hints[i] = number;
}

uint64_t ledger_dropped(void)
{
	uint64_t sum = 0;

	for (__u32 cpu = 0; cpu < (__u32)possible_cpus(); cpu++) {
		struct ledger_row row;

		assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(programs->maps.ledger_rows), &cpu,
						     &row),
				 0);
		sum += row.dropped;
	}
	return sum;
}

void vendor_gone_set(bool gone)
{
	programs->bss->vendor_gone = gone;
}

/* Where the event has the code, it is not in memory. */
void kvm_exit(unsigned vcpu, unsigned isa, uint32_t code)
{
	if (loaded & REASON_FIRST) {
		run_with(exit_fd, code, vcpu_address(vcpu), isa);
		return;
	}
	vcpu_at(vcpu)->vmx_code = isa == ISA_VMX ? code : ~0U;
	vcpu_at(vcpu)->svm_code = isa == ISA_SVM ? code : ~0U;
	run_with(exit_fd, vcpu_address(vcpu), isa);
}

void kvm_exit_arm64(uint32_t ret, uint32_t esr_ec)
{
	assert_true(loaded & TRAP);
	/* the upper halves of registers can hold anything */
	run_with(exit_fd, ret | 0x5eedULL << 32, esr_ec | 0x5eedULL << 32, 0x40080000);
}

void kvm_exit_unreadable(void)
{
	run_with(exit_fd, 8, ISA_SVM);
}

void kvm_entry(unsigned vcpu)
{
	run_with(bpf_program__fd(programs->progs.exit_entry),
		 loaded & (NO_ENTRY_VCPU | TRAP) ? 0x5eed : vcpu_address(vcpu));
}

void kvm_nested_vmexit(unsigned vcpu)
{
	run_with(bpf_program__fd(programs->progs.exit_nested), vcpu_address(vcpu), ISA_SVM);
}

void kvm_nested_vmexit_inject(uint32_t code)
{
	run_with(bpf_program__fd(programs->progs.exit_reflected), code, 0, 0, 0, 0, ISA_SVM);
}

void thread_ends(void)
{
	run_with(bpf_program__fd(programs->progs.exit_thread), 0);
}

/* --- scenarios --- */

static void clear(void)
{
	counters_clear(&exit_maps);
}

static void step_run(const struct step *step)
{
	clock_set(step->at);
	switch (step->event) {
	case EXIT:
		kvm_exit(0, ISA_SVM, step->code);
		break;
	case ENTRY:
		kvm_entry(0);
		break;
	case THREAD_ENDS:
		thread_ends();
		break;
	case ATTACHED:
		generation_begin(&exit_maps);
		break;
	case RESET_MAX:
		epoch_begin(&exit_maps);
		break;
	case UNLOAD:
	case NO_EVENT:
		fail();
	}
}

static void slots_read(struct counted *ret_slots)
{
	counters_read(&exit_maps, ret_slots);
}

static uint64_t guest_time(void)
{
	return counters_guest_time(&exit_maps);
}

const struct subject exit_subject = {
	.isa = REASONS_SVM,
	.slots = EXIT_SLOTS,
	.clear = clear,
	.step = step_run,
	.read = slots_read,
	.guest_time = guest_time,
};
