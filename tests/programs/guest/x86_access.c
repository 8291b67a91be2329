/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
#include "x86_access.h"

#ifdef GUEST_ARCH_X86

#include <string.h>

#define WIDE 0x66 /* 32-bit operands, in front of 16-bit code */

struct code {
	__u8 *page;
	__u16 at;
};

#define PUT(code, ...) \
	put_bytes(code, (const __u8[]){ __VA_ARGS__ }, sizeof((const __u8[]){ __VA_ARGS__ }))

static void put_bytes(struct code *code, const __u8 *bytes, size_t len)
{
	memcpy(code->page + code->at, bytes, len);
	code->at += len;
}

static void put16(struct code *code, __u16 value)
{
	put_bytes(code, (const __u8 *)&value, sizeof(value));
}

static void put32(struct code *code, __u32 value)
{
	put_bytes(code, (const __u8 *)&value, sizeof(value));
}

/* mov eax, VALUE */
static void put_eax(struct code *code, __u32 value)
{
	PUT(code, WIDE, 0xb8);
	put32(code, value);
}

/* Size 4 takes a prefix, sizes 2 and 4 the odd opcode. */
static void put_sized(struct code *code, __u32 size, __u8 opcode)
{
	if (size == 4)
		PUT(code, WIDE);
	PUT(code, (__u8)(opcode | (size > 1)));
}

/* DX: the port, of several the one that the counter in BP chooses */
static void put_port(struct code *code, const struct access *access)
{
	if (access->span == 1) {
		PUT(code, 0xba); /* mov dx, PORT */
		put16(code, (__u16)access->number);
		return;
	}
	PUT(code, 0x89, 0xea, 0x81, 0xe2); /* mov dx, bp; and dx, SPAN - 1 */
	put16(code, (__u16)(access->span - 1));
	PUT(code, 0x81, 0xc2); /* add dx, PORT */
	put16(code, (__u16)access->number);
}

/* A string from the page's buffer, into it, or into MMIO. ES is what the others expect again. */
static void put_string(struct code *code, const struct access *access)
{
	PUT(code, 0xb9); /* mov cx, ELEMENTS */
	put16(code, (__u16)access->string);
	if (access->write) {
		PUT(code, 0xfc, 0xbe); /* cld; mov si, BUFFER */
		put16(code, OFF_BUFFER);
		PUT(code, 0xf3);
		put_sized(code, access->size, 0x6e); /* rep outs */
		return;
	}
	PUT(code, 0x06); /* push es */
	if (access->into) {
		PUT(code, 0xb8); /* mov ax, SEGMENT; mov es, ax; mov di, OFFSET */
		put16(code, (__u16)(access->into >> 4));
		PUT(code, 0x8e, 0xc0, 0xbf);
		put16(code, access->into & 0xf);
	} else {
		PUT(code, 0x1e, 0x07, 0xbf); /* push ds; pop es; mov di, BUFFER */
		put16(code, OFF_BUFFER);
	}
	PUT(code, 0xfc, 0xf3);
	put_sized(code, access->size, 0x6c); /* cld; rep ins */
}

static void put_pio(struct code *code, const struct access *access)
{
	put_port(code, access);
	if (access->string) {
		put_string(code, access);
		return;
	}
	if (access->write)
		put_eax(code, access->value);
	put_sized(code, access->size, access->write ? 0xee : 0xec);
}

/* FS begins at 0 and has all addresses. */
static void put_mmio(struct code *code, const struct access *access)
{
	if (access->write)
		put_eax(code, access->value);
	if (access->span > 1) {
		PUT(code, WIDE, 0x89, 0xef, WIDE, 0x81, 0xe7); /* mov edi, ebp; and edi, SPAN - 1 */
		put32(code, access->span - 1);
		PUT(code, WIDE, 0xc1, 0xe7, 12, WIDE, 0x81,
		    0xc7); /* shl edi, 12; add edi, ADDRESS */
	} else {
		PUT(code, WIDE, 0xbf); /* mov edi, ADDRESS */
	}
	put32(code, (__u32)access->number);
	PUT(code, 0x64, 0x67);
	put_sized(code, access->size, access->write ? 0x88 : 0x8a); /* mov fs:[edi], eax or back */
	PUT(code, 0x07);
}

static void put_msr(struct code *code, const struct access *access)
{
	PUT(code, WIDE, 0xb9); /* mov ecx, MSR */
	put32(code, (__u32)access->number);
	if (access->write) {
		put_eax(code, access->value);
		PUT(code, WIDE, 0x31, 0xd2, 0x0f, 0x30); /* xor edx, edx; wrmsr */
	} else {
		PUT(code, 0x0f, 0x32); /* rdmsr */
	}
}

static void put_cpuid(struct code *code, const struct access *access)
{
	if (access->span > 1) {
		PUT(code, WIDE, 0x89, 0xe8, WIDE, 0x25); /* mov eax, ebp; and eax, SPAN - 1 */
		put32(code, access->span - 1);
		PUT(code, WIDE, 0x05); /* add eax, LEAF */
		put32(code, (__u32)access->number);
	} else {
		put_eax(code, (__u32)access->number);
	}
	PUT(code, WIDE, 0x31, 0xc9, 0x0f, 0xa2); /* xor ecx, ecx; cpuid */
}

static void put_cr(struct code *code, const struct access *access)
{
	if (access->toggle) {
		PUT(code, 0x0f, 0x20, (__u8)(0xc0 | access->number << 3), WIDE, 0x35);
		put32(code, access->toggle); /* mov eax, crN; xor eax, BITS */
	} else if (access->write) {
		put_eax(code, access->value);
	}
	PUT(code, 0x0f, access->write ? 0x22 : 0x20, (__u8)(0xc0 | access->number << 3));
}

static void put_body(struct code *code, const struct access *access)
{
	switch (access->kind) {
	case CAUSE_PIO:
		put_pio(code, access);
		break;
	case CAUSE_MMIO:
		put_mmio(code, access);
		break;
	case CAUSE_MSR:
		put_msr(code, access);
		break;
	case CAUSE_CPUID:
		put_cpuid(code, access);
		break;
	case CAUSE_HYPERCALL:
		put_eax(code, (__u32)access->number);
		PUT(code, 0x0f, 0x01, host_is_amd() ? 0xd9 : 0xc1); /* vmmcall, vmcall */
		break;
	case CAUSE_CR:
		put_cr(code, access);
		break;
	default: /* access__lacks() refuses it */
		break;
	}
}

__u16 put_access(struct program *prog, __u16 at, const struct plan *plan, unsigned int i,
		 unsigned int vcpu)
{
	const struct access *access = &plan->accesses[i];
	struct section *sect = &prog->sect[EV_MAX + i];
	struct code code = { prog->page, at };

	sect->start = at;
	PUT(&code, WIDE, 0xbd); /* mov ebp, COUNT */
	put32(&code, access__count(access, vcpu));
	sect->loop = code.at;
	put_body(&code, access);
	sect->after = code.at;
	if (access->string && !access->write)
		PUT(&code, 0x07); /* pop es */
	sect->dec = code.at;
	PUT(&code, WIDE, 0x4d, 0x75); /* dec ebp; jnz */
	PUT(&code, (__u8)(sect->loop - (code.at + 1)));
	sect->end = code.at;
	return sect->end;
}

static const char *lacks(const struct access *access, const struct plan *plan, bool virtualization)
{
	__u64 ram_end = GUEST_RAM + (__u64)plan->nvcpus * GUEST_PAGE,
	      last = access->number + access->span;

	switch (access->kind) {
	case CAUSE_PIO:
		return last <= 0x10000 ? NULL : "io: x86 has 65536 ports";
	case CAUSE_MMIO:
		if (access->size > 4 ||
		    access->number + (__u64)access->span * GUEST_PAGE > 1ull << 32)
			return "mmio: this guest has 32-bit code: sizes up to 4, addresses below 4 GiB";
		if (access->number < ram_end &&
		    access->number + (__u64)access->span * GUEST_PAGE > GUEST_RAM)
			return "mmio: memory is there";
		return NULL;
	case CAUSE_MSR:
	case CAUSE_CPUID:
		return last <= 1ull << 32 ? NULL : "msr, cpuid: numbers have 32 bits";
	case CAUSE_HYPERCALL:
		if (access->number >> 32)
			return "hypercall: this guest has 32-bit code";
		return virtualization ? NULL :
					"hypercall: the processor has neither VMX nor SVM (PVM?)";
	case CAUSE_CR:
		return access->number == 0 || (access->number >= 2 && access->number <= 4) ?
			       NULL :
			       "cr: x86 has 0, 2, 3 and 4 in 32-bit code";
	default:
		return "x86 guests do io, mmio, msr, cpuid, hypercall and cr; the local APIC's registers "
		       "are msr:0x8.. or, with --xapic, mmio:0xfee00...";
	}
}

const char *access__lacks(const struct plan *plan, bool virtualization)
{
	const char *lack = NULL;

	for (unsigned int i = 0; !lack && i < plan->naccesses; i++)
		lack = lacks(&plan->accesses[i], plan, virtualization);
	return lack;
}

#endif /* GUEST_ARCH_X86 */
