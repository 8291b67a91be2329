/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The command line. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

enum opt_type { OPT_NUMBER, OPT_FLAG, OPT_TEXT, OPT_CPUS, OPT_TIMES, OPT_ACCESS, OPT_HELP };

struct opt {
	const char *name;
	const char *arg; /* NULL: takes none */
	const char *help;
	enum opt_type type;
	size_t offset; /* in struct plan, of what it sets */
	__u32 max;
};

#define MAX_COUNT  0xffffffffu
#define MAX_FAULTS 65536 /* 256 MiB for each vCPU */
#define EVENT(ev)  offsetof(struct plan, count[ev])

static const struct opt opts[] = {
	{ "pio", "N", "N one-byte OUTs to port 0xe9, each out to user space", OPT_NUMBER,
	  EVENT(EV_PIO), MAX_COUNT },
	{ "mmio", "N", "N one-byte reads of no memory (0x80000), each out to user space",
	  OPT_NUMBER, EVENT(EV_MMIO), MAX_COUNT },
	{ "cpuid", "N", "N CPUIDs of leaf 0", OPT_NUMBER, EVENT(EV_CPUID), MAX_COUNT },
	{ "msr", "N", "N RDMSRs of IA32_APIC_BASE, or MRSs of ID_AA64PFR0_EL1", OPT_NUMBER,
	  EVENT(EV_MSR), MAX_COUNT },
	{ "hypercall", "N",
	  "N VMCALLs or VMMCALLs of number 0x4d50, or HVCs of 0xc0000000; not with PVM", OPT_NUMBER,
	  EVENT(EV_HYPERCALL), MAX_COUNT },
	{ "fault", "N", "N pages touched, each a page fault in the first round; arm64 only",
	  OPT_NUMBER, EVENT(EV_FAULT), MAX_FAULTS },
	{ "hlt", "N", "N HLTs, each out to user space (see --irqchip)", OPT_NUMBER, EVENT(EV_HLT),
	  MAX_COUNT },
	{ "spin", "N", "N rounds of a loop of two plain instructions", OPT_NUMBER, EVENT(EV_SPIN),
	  MAX_COUNT },
	{ "pause", "N",
	  "N PAUSEs in a loop, or YIELDs; a processor that looks for such loops exits now and then",
	  OPT_NUMBER, EVENT(EV_PAUSE), MAX_COUNT },
	{ "access", "KEY=N", "N accesses of a port, an address, a register ..., see below",
	  OPT_ACCESS, 0, 0 },
	{ "vcpus", "N", "N vCPUs in N threads, each of which does all of the above", OPT_NUMBER,
	  offsetof(struct plan, nvcpus), MAX_VCPUS },
	{ "overcommit", NULL, "more vCPUs than CPUs: two for each that we may run on, and one more",
	  OPT_FLAG, offsetof(struct plan, overcommit), 0 },
	{ "vms", "N", "N VMs, each with its vCPUs; all of them do all of the above, together",
	  OPT_NUMBER, offsetof(struct plan, nvms), MAX_VMS },
	{ "cpus", "LIST", "such as 0,1: thread i runs on CPU number i modulo its length", OPT_CPUS,
	  0, 0 },
	{ "irqchip", NULL, "HLTs sleep in the kernel, an interrupt ends each", OPT_FLAG,
	  offsetof(struct plan, irqchip), 0 },
	{ "sleep", NULL, "with --irqchip: the last HLT lasts until SIGTERM or SIGINT", OPT_FLAG,
	  offsetof(struct plan, sleep), 0 },
	{ "timer-us", "LIST",
	  "with --irqchip and --hlt: the vCPU's timer (TSC deadline) ends each HLT; microseconds after it\n"
	  "                 began, 1 to 8 such as 300,20000, which take turns. \"tsc VM VCPU khz=K\" is the\n"
	  "                 rate of its TSC. x86 only",
	  OPT_TIMES, 0, 0 },
	{ "xapic", NULL,
	  "with --irqchip: the local APIC's registers are at 0xfee00000, not MSRs; not with --hlt",
	  OPT_FLAG, offsetof(struct plan, xapic), 0 },
	{ "repeat", NULL, "start over until SIGTERM or SIGINT", OPT_FLAG,
	  offsetof(struct plan, repeat), 0 },
	{ "pause-ms", "M", "pause for M milliseconds between two rounds", OPT_NUMBER,
	  offsetof(struct plan, pause_ms), 0x7fffffff },
	{ "wait", NULL, "print \"ready\", run after a line or the end of standard input", OPT_FLAG,
	  offsetof(struct plan, wait), 0 },
	{ "hold", NULL, "keep the VM open until standard input ends, or a signal", OPT_FLAG,
	  offsetof(struct plan, hold), 0 },
	{ "flight", NULL,
	  "before --hold: at a line of standard input, put the VMs' files into a socket and close\n"
	  "                 them, print \"sent\"; at the next one take them back, print \"back\"",
	  OPT_FLAG, offsetof(struct plan, flight), 0 },
	{ "stats", "FILE", "write KVM_GET_STATS_FD's values there, see below", OPT_TEXT,
	  offsetof(struct plan, stats), 0 },
	{ "help", NULL, "print this", OPT_HELP, 0, 0 },
};

#define NOPTS (sizeof(opts) / sizeof(opts[0]))

static const char intro[] =
	"Usage: guest [OPTION]... [-- IGNORED...]\n"
	"Run a VM that does an exact number of things, in the order of this list.\n\n";

static const char notes[] =
	"\nCounts are per vCPU and round, 0 unless given, at most 4294967295.\n"
	"The threads of --cpus count through all VMs: those of the first, then the second's.\n"
	"\n"
	"The programme ends with one HLT more, which goes out to user space as\n"
	"KVM_EXIT_HLT. With --irqchip it sleeps in the kernel, and a signal ends it: KVM_RUN\n"
	"fails with EINTR, once. So there is one kvm_userspace_exit for each OUT, MMIO\n"
	"read and HLT, the last one with them; but with --irqchip none for the HLTs of --hlt.\n"
	"An MMIO read is two kvm_mmio, unsatisfied-read and read. Each HLT of --hlt with\n"
	"--irqchip is one kvm_msi_set_irq, kvm_apic_accept_irq and kvm_msr (end of interrupt),\n"
	"and, as the last one, one kvm_vcpu_wakeup. With --timer-us it is two kvm_msr and no kvm_msi_set_irq;\n"
	"a HLT that comes after its interrupt is left out.\n"
	"With VMX and SVM all but the spinning and the PAUSEs is one kvm_exit each; one more kvm_exit and one\n"
	"kvm_page_fault come from each vCPU's page in its first round, and one kvm_page_fault\n"
	"from each MMIO read (with VMX only from a vCPU's first, an EPT_VIOLATION; the others\n"
	"are EPT_MISCONFIG). Interrupts of the host add exits of their own reason.\n"
	"With PVM KVM emulates each instruction. One turn of a loop is this many\n"
	"kvm_emulate_insn, and 1 more sets up a loop, and 1 is the last HLT:\n"
	"pio 3, mmio 3, cpuid 4, msr 4, hlt 3, spin 2; with --irqchip hlt 9, last HLT 2.\n"
	"\n"
	"--access KEY=N[/N...][,WORD=VALUE...], up to 32 times, in the given order after the others.\n"
	"KEY is as in kvm.cause: io:0x70:r, mmio:0xd0000000:w, msr:0x10:r, cpuid:0x1, hypercall:10, cr:4:w;\n"
	"on arm64 mmio, hvc:N and sysreg:s3_0_c0_c4_0:r. With several N, vCPU i takes number i modulo how\n"
	"many there are. Each is one kvm_pio, kvm_msr, kvm_cpuid, kvm_hypercall or kvm_cr, or one kvm_mmio\n"
	"write or read (and an unsatisfied-read where user space answers). Nothing catches a fault. WORDs:\n"
	"  size=S       bytes of io and mmio, 1 unless given: 1, 2, 4, with mmio on arm64 also 8\n"
	"  string=C     io by INS of C elements, one access, or OUTS, which is C; at most 768 bytes\n"
	"  into=ADDR    where INS writes to, MMIO below 1 MiB: one kvm_mmio, and an exit to user space for\n"
	"               each 8 bytes\n"
	"  span=K       a power of two: N of each of K ports, of K pages' addresses, of K leaves\n"
	"  value=V      what is written, 0 unless given\n"
	"  toggle=BITS  of cr:N:w: what it holds is written back, with these bits turned over\n"
	"  delay-us=D   user space answers each after D microseconds asleep\n"
	"  busy-us=D    user space answers each after D microseconds on a CPU\n"
	"\n"
	"On arm64 the programme ends with one MMIO write instead. --hlt is a WFI there, which takes\n"
	"--irqchip: it sleeps in the kernel, and a signal ends each. So there is one kvm_userspace_exit\n"
	"for each MMIO read, WFI (EINTR) and the write. All but the spinning is one kvm_exit each: DABT,\n"
	"SYS64, HVC64 or WFx; one more, IABT, comes from each vCPU's page in its first round. A WFI\n"
	"while an interrupt of the host is pending does nothing, and makes none of those.\n"
	"\n"
	"When the vCPUs are through, one line sums up all of them:\n"
	"done pio=N mmio=N cpuid=N msr=N hypercall=N fault=N hlt=N spin=N pause=N vcpus=N rounds=N seconds=S\n"
	"In front of it is a line for each vCPU and --access, where KEY is the first, N all accesses done,\n"
	"exits and into (of into=) came out to user space, and delay-ns is how long that kept them waiting:\n"
	"access VM VCPU KEY=N exits=N into=N delay-ns=N\n"
	"pio, mmio and hlt (without --irqchip) are the exits seen by user space, the last\n"
	"HLTs left out: they are as many as rounds. The others are from the guest's own loop\n"
	"counters, and true of a round that a signal cut short, too.\n"
	"\n"
	"FILE of --stats appears once all vCPUs are through, before --hold, and is complete\n"
	"then. A histogram's bucket is NAME[BUCKET], from 0. VM and VCPU are numbers from 0.\n"
	"  vm VM NAME VALUE\n"
	"  vcpu VM VCPU NAME VALUE\n"
	"  desc vm|vcpu NAME KIND UNIT EXPONENT BASE SIZE BUCKET_SIZE\n"
	"KIND is cumulative, instant, peak, linear_hist or log_hist; UNIT is none, bytes,\n"
	"seconds, cycles or boolean, times BASE (10 or 2) to the power of EXPONENT; SIZE is\n"
	"the number of values. Each NAME has one desc, in front of its first value.\n"
	"\n"
	"With --repeat and --hold the first signal ends the rounds, the second the program.\n"
	"\n"
	"Exit status: 0 fine, 1 failure, 2 bad usage, 77 KVM missing or not able to\n"
	"(with --stats: before Linux 5.14).\n";

static void print_help(void)
{
	char left[32];
	size_t i;

	fputs(intro, stdout);
	for (i = 0; i < NOPTS; i++) {
		snprintf(left, sizeof(left), "--%s%s%s", opts[i].name, opts[i].arg ? " " : "",
			 opts[i].arg ? opts[i].arg : "");
		printf("  %-14s %s\n", left, opts[i].help);
	}
	fputs(notes, stdout);
}

/* A number that ends at the text's end or at the byte end. */
static int parse_number(const char *text, char end, __u32 max, const char **ret_next,
			__u32 *ret_value)
{
	unsigned long long value;
	char *next;

	errno = 0;
	value = strtoull(text, &next, 0);
	if (errno || text[0] < '0' || text[0] > '9' || value > max)
		return -EINVAL;
	if (*next && *next != end)
		return -EINVAL;
	*ret_next = next;
	*ret_value = (__u32)value;
	return 0;
}

static int parse_list(const char *list, __u32 max, unsigned int most, __u32 *values,
		      unsigned int *ret_n)
{
	unsigned int n = 0;

	do {
		if (n == most || parse_number(list, ',', max, &list, &values[n++]))
			return -EINVAL;
	} while (*list++);
	*ret_n = n;
	return 0;
}

static int apply(const struct opt *opt, const char *arg, struct plan *plan)
{
	char *target = (char *)plan + opt->offset;
	const char *next;
	bool yes = true;
	__u32 value;
	int err = 0;

	switch (opt->type) {
	case OPT_NUMBER:
		err = parse_number(arg, 0, opt->max, &next, &value);
		if (!err)
			memcpy(target, &value, sizeof(value));
		break;
	case OPT_FLAG:
		memcpy(target, &yes, sizeof(yes));
		break;
	case OPT_TEXT:
		err = *arg ? 0 : -EINVAL;
		memcpy(target, &arg, sizeof(arg));
		break;
	case OPT_CPUS:
		err = parse_list(arg, CPU_SETSIZE - 1, MAX_CPULIST, plan->cpus, &plan->ncpus);
		break;
	case OPT_TIMES:
		err = parse_list(arg, MAX_TIMER_US, MAX_TIMES, plan->timer_us, &plan->ntimes);
		break;
	case OPT_ACCESS:
		return access__parse(arg, plan);
	case OPT_HELP:
		print_help();
		exit(0);
	}
	if (err)
		fprintf(stderr, "guest: --%s: no valid %s: %s\n", opt->name, opt->arg, arg);
	return err;
}

/* Two vCPUs for each CPU that we may run on, and one more. */
static unsigned int overcommitted(void)
{
	cpu_set_t set;
	unsigned int n;

	if (sched_getaffinity(0, sizeof(set), &set))
		return MAX_VCPUS;
	n = 2 * (unsigned int)CPU_COUNT(&set) + 1;
	return n < MAX_VCPUS ? n : MAX_VCPUS;
}

/* Does not return after --help. -EINVAL: bad usage, said on stderr. */
int options__parse(int argc, char **argv, struct plan *ret_plan)
{
	struct option longopts[NOPTS + 1] = { 0 };
	struct plan plan = { .nvms = 1, .nvcpus = 1 };
	int index = 0;
	size_t i;
	int c;

	for (i = 0; i < NOPTS; i++) {
		longopts[i].name = opts[i].name;
		longopts[i].has_arg = opts[i].arg ? required_argument : no_argument;
	}
	/* "-": what is no option comes as option 1, but for what follows "--" */
	while ((c = getopt_long(argc, argv, "-", longopts, &index)) != -1) {
		if (c == 1)
			fprintf(stderr, "guest: what is '%s'?\n", optarg);
		if (c || apply(&opts[index], optarg, &plan))
			goto usage;
	}
	if (plan.overcommit)
		plan.nvcpus = overcommitted();
	if (!plan.nvcpus || !plan.nvms) {
		fprintf(stderr, "guest: --%s: at least 1\n", plan.nvms ? "vcpus" : "vms");
		goto usage;
	}
	if (plan.sleep && !plan.irqchip) {
		fputs("guest: --sleep: with --irqchip\n", stderr);
		return -EINVAL;
	}
	if (plan.ntimes && (!plan.irqchip || !plan.count[EV_HLT])) {
		fputs("guest: --timer-us: with --irqchip and --hlt\n", stderr);
		goto usage;
	}
	if (plan.xapic && (!plan.irqchip || plan.count[EV_HLT])) {
		fputs("guest: --xapic: with --irqchip, and not with --hlt, whose interrupts end by an MSR\n",
		      stderr);
		goto usage;
	}
	*ret_plan = plan;
	return 0;
usage:
	fputs("guest: try --help\n", stderr);
	return -EINVAL;
}
