/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* A vCPU's rounds: run the programme, answer its exits, count them. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "guest.h"

enum { ROUND_GOES_ON, ROUND_OVER, ROUND_CUT };

/* Whether each of these events comes out to user space, where we count it. */
static bool comes_out(const struct plan *plan, unsigned int ev)
{
	return ev == EV_PIO || ev == EV_MMIO || (ev == EV_HLT && !plan->irqchip);
}

static int unexpected(const struct vcpu *vcpu, const char *what)
{
	fprintf(stderr, "guest: vcpu %u: %s (exit reason %u)\n", vcpu->id, what,
		vcpu->run->exit_reason);
	return -EPROTO;
}

static int answer_io(struct vcpu *vcpu)
{
	const struct kvm_run *run = vcpu->run;

	if (!access__answer_io(vcpu))
		return ROUND_GOES_ON;
	if (run->io.direction != KVM_EXIT_IO_OUT || run->io.port != GUEST_PORT ||
	    run->io.size != 1 || run->io.count != 1)
		return unexpected(vcpu, "an I/O access that is not the programme's");
	vcpu->round[EV_PIO]++;
	return ROUND_GOES_ON;
}

static int answer_mmio(struct vcpu *vcpu)
{
	__u64 gpa = GUEST_MMIO + vcpu->id * GUEST_PAGE;
	struct kvm_run *run = vcpu->run;

	if (!access__answer_mmio(vcpu))
		return ROUND_GOES_ON;
	if (run->mmio.phys_addr != gpa || run->mmio.len != 1)
		return unexpected(vcpu, "an MMIO access that is not the programme's");
	if (run->mmio.is_write) /* the programme's end, where it has such a one; see account() */
		return ROUND_OVER;
	run->mmio.data[0] = 0x5a;
	vcpu->round[EV_MMIO]++;
	return ROUND_GOES_ON;
}

static int answer_hlt(struct vcpu *vcpu)
{
	if (vcpu->round[EV_HLT] == vcpu->vm->plan->count[EV_HLT])
		return ROUND_OVER;
	vcpu->round[EV_HLT]++;
	return ROUND_GOES_ON;
}

/*
 * KVM_RUN was cut short by a signal: because we stop, or by the waker, because
 * the vCPU sleeps in its last HLT.
 */
static int answer_signal(struct vcpu *vcpu)
{
	__u64 done[MAX_LOOPS];
	bool last = false;
	int err;

	if (vm__stopping(vcpu->vm))
		return ROUND_CUT;
	if (!vcpu->vm->plan->irqchip)
		return ROUND_GOES_ON;
	err = arch_where(vcpu, done, &last);
	if (err)
		return err;
	return last ? ROUND_OVER : ROUND_GOES_ON;
}

static int run_once(struct vcpu *vcpu)
{
	/* not xioctl(): EINTR and EAGAIN are no failures */
	if (ioctl(vcpu->fd, KVM_RUN, 0) < 0) {
		if (errno == EINTR || errno == EAGAIN)
			return answer_signal(vcpu);
		return complain("KVM_RUN", errno);
	}
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_IO:
		return answer_io(vcpu);
	case KVM_EXIT_MMIO:
		return answer_mmio(vcpu);
	case KVM_EXIT_HLT:
		return answer_hlt(vcpu);
	case KVM_EXIT_SHUTDOWN:
		return unexpected(vcpu, "the guest shut down");
	case KVM_EXIT_INTERNAL_ERROR:
		fprintf(stderr, "guest: vcpu %u: KVM internal error %u\n", vcpu->id,
			vcpu->run->internal.suberror);
		return -EIO;
	case KVM_EXIT_FAIL_ENTRY:
		fprintf(stderr, "guest: vcpu %u: entry failed, hardware reason 0x%llx\n", vcpu->id,
			vcpu->run->fail_entry.hardware_entry_failure_reason);
		return -EIO;
	default:
		return unexpected(vcpu, "an exit that the programme does not make");
	}
}

/*
 * Add a round to the sums. What user space saw is taken as seen, and for a
 * finished round must be what was planned; the rest is what the guest's own
 * counters and instruction pointer say.
 */
static int account(struct vcpu *vcpu, int outcome)
{
	const struct plan *plan = vcpu->vm->plan;
	__u64 done[MAX_LOOPS];
	unsigned int loop;
	bool last = false;
	int err;

	err = arch_where(vcpu, done, &last);
	if (err)
		return err;
	if (outcome == ROUND_OVER && !last)
		return unexpected(vcpu, "the guest stopped before its programme's end");
	for (loop = 0; loop < plan__loops(plan); loop++) {
		if (!comes_out(plan, loop))
			vcpu->round[loop] = done[loop];
		if (outcome == ROUND_OVER && vcpu->round[loop] != plan__count(plan, loop, vcpu->id))
			return unexpected(vcpu, "the guest did more or less than planned");
		vcpu->seen[loop] += vcpu->round[loop];
	}
	if (outcome == ROUND_OVER && !access__as_planned(vcpu))
		return unexpected(vcpu, "an --access came out more or less than planned");
	if (outcome == ROUND_OVER)
		vcpu->rounds++;
	return 0;
}

static int run_round(struct vcpu *vcpu)
{
	int outcome, err;

	memset(vcpu->round, 0, sizeof(vcpu->round));
	err = arch_restart(vcpu);
	if (err)
		return err;
	do {
		outcome = run_once(vcpu);
	} while (outcome == ROUND_GOES_ON);
	if (outcome < 0)
		return outcome;
	return account(vcpu, outcome);
}

static void pause_round(const struct vm *vm)
{
	struct pollfd stop = { .fd = vm->stop_fd, .events = POLLIN };

	if (vm->plan->pause_ms)
		poll(&stop, 1, (int)vm->plan->pause_ms);
}

/* One round, or with --repeat as many as fit until we stop. 0 or a negative errno. */
int vcpu__run(struct vcpu *vcpu)
{
	int err = 0;

	while (!err && !vm__stopping(vcpu->vm)) {
		err = run_round(vcpu);
		if (!vcpu->vm->plan->repeat)
			break;
		if (!err)
			pause_round(vcpu->vm);
	}
	return err;
}
