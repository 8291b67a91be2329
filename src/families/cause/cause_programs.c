// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "families/cause/cause_programs.h"

#include <string.h>

#include "bpf/cause.h"
#include "cause.skel.h"

/* --- what programs of perf's read --- */

#define FIELD(of, member, name) \
	(name), offsetof(struct of, member), sizeof(((struct of *)0)->member)
#define NO_MORE NULL, 0, 0

static const struct record_field pio_fields[] = {
	{ FIELD(cause_access_record, write, "rw") },
	{ FIELD(cause_access_record, number, "port") },
	{ NO_MORE },
};
static const struct record_field mmio_fields[] = {
	{ FIELD(cause_mmio_record, type, "type") },
	{ FIELD(cause_mmio_record, address, "gpa") },
	{ NO_MORE },
};
static const struct record_field fast_mmio_fields[] = {
	{ FIELD(cause_number_record, number, "gpa") },
	{ NO_MORE },
};
static const struct record_field msr_fields[] = {
	{ FIELD(cause_access_record, write, "write") },
	{ FIELD(cause_access_record, number, "ecx") },
	{ NO_MORE },
};
static const struct record_field cpuid_fields[] = {
	{ FIELD(cause_cpuid_record, function, "function") },
	{ NO_MORE },
};
static const struct record_field hypercall_fields[] = {
	{ FIELD(cause_number_record, number, "nr") },
	{ NO_MORE },
};
static const struct record_field hv_fields[] = {
	{ FIELD(cause_hv_record, code, "code") },
	{ NO_MORE },
};
static const struct record_field cr_fields[] = {
	{ FIELD(cause_access_record, write, "rw") },
	{ FIELD(cause_access_record, number, "cr") },
	{ NO_MORE },
};
static const struct record_field apic_fields[] = {
	{ FIELD(cause_access_record, write, "rw") },
	{ FIELD(cause_access_record, number, "reg") },
	{ NO_MORE },
};
static const struct record_field sysreg_fields[] = {
	{ FIELD(cause_number_record, number, "hsr") },
	{ NO_MORE },
};
static const struct record_field hvc_fields[] = {
	{ FIELD(cause_hvc_record, function, "r0") },
	{ NO_MORE },
};

/* --- programs --- */

#define BOTH(name) skeleton->progs.cause_##name, skeleton->progs.cause_##name##_tp

/* Returns how many; the first one sees threads end, and has none for perf. */
static size_t programs_of(const struct cause_bpf *skeleton,
			  struct program ret_programs[RECORD_FAMILY_PROGRAMS])
{
	const struct {
		const char *event;
		const struct bpf_program *raw, *perf;
		const struct record_field *fields;
	} programs[] = {
		{ "sched_process_exit", skeleton->progs.cause_thread, NULL, NULL },
		{ "kvm_pio", BOTH(pio), pio_fields },
		{ "kvm_mmio", BOTH(mmio), mmio_fields },
		{ "kvm_fast_mmio", BOTH(fast_mmio), fast_mmio_fields },
		{ "kvm_msr", BOTH(msr), msr_fields },
		{ "kvm_cpuid", BOTH(cpuid), cpuid_fields },
		{ "kvm_hypercall", BOTH(hypercall), hypercall_fields },
		{ "kvm_hv_hypercall", BOTH(hv_hypercall), hv_fields },
		{ "kvm_cr", BOTH(cr), cr_fields },
		{ "kvm_apic", BOTH(apic), apic_fields },
		{ "kvm_handle_sys_reg", BOTH(sysreg), sysreg_fields },
		{ "kvm_hvc_arm64", BOTH(hvc), hvc_fields },
	};
	const size_t n = sizeof(programs) / sizeof(programs[0]);

	_Static_assert(sizeof(programs) / sizeof(programs[0]) <= RECORD_FAMILY_PROGRAMS,
		       "a family has no more programs");
	for (size_t i = 0; i < n; i++)
		ret_programs[i] = (struct program){
			.program = programs[i].raw,
			.event = programs[i].event,
			.link_fd = -1,
			.classic = programs[i].perf,
			.fields = programs[i].fields,
		};
	return n;
}

/* KVM may come later: then all may be there. */
static bool may_come(const struct events *events, const struct program *program)
{
	return !events->n || strncmp(program->event, "kvm_", strlen("kvm_")) != 0 ||
	       events_has(events, program->event);
}

int cause_programs_choose(const struct cause_bpf *skeleton, const struct events *events,
			  bool by_perf)
{
	struct program programs[RECORD_FAMILY_PROGRAMS];
	size_t n = programs_of(skeleton, programs);
	int err = 0;

	for (size_t i = 0; !err && i < n; i++) {
		bool wanted = may_come(events, &programs[i]);

		err = bpf_program__set_autoload((struct bpf_program *)programs[i].program, wanted);
		if (!err && programs[i].classic)
			err = bpf_program__set_autoload((struct bpf_program *)programs[i].classic,
							wanted && by_perf);
	}
	return err;
}

void cause_programs_list(struct record_family *family, const struct cause_bpf *skeleton,
			 bool by_perf)
{
	struct program programs[RECORD_FAMILY_PROGRAMS];
	size_t n = programs_of(skeleton, programs), loaded = 0;

	for (size_t i = 0; i < n; i++) {
		if (!bpf_program__autoload(programs[i].program))
			continue;
		programs[loaded] = programs[i];
		if (!by_perf)
			programs[loaded].classic = NULL;
		loaded++;
	}
	record_family_list(family, programs, loaded);
}
