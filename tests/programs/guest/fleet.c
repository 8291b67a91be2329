/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* All the VMs of a run: made, started, woken and ended together. */
#include <errno.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "guest.h"

/*
 * -ENODEV: no usable KVM here, or none with what --stats needs; already said on
 * stderr. To be destroyed in either case.
 */
int fleet__create(const struct plan *plan, struct fleet *ret_fleet)
{
	unsigned int i;
	int err = 0;

	*ret_fleet = (struct fleet){ .plan = plan };
	ret_fleet->done_fd = eventfd(0, EFD_CLOEXEC);
	if (ret_fleet->done_fd < 0)
		return complain("eventfd", errno);
	for (i = 0; i < plan->nvms && !err; i++)
		err = vm__create(plan, i, ret_fleet->done_fd, &ret_fleet->vms[i]);
	if (!err && plan->stats)
		err = stats__check(ret_fleet->vms[0]);
	return err;
}

int fleet__start(struct fleet *fleet)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < fleet->plan->nvms && !err; i++)
		err = vm__start(fleet->vms[i]);
	return err;
}

void fleet__go(struct fleet *fleet)
{
	unsigned int i;

	for (i = 0; i < fleet->plan->nvms; i++)
		vm__go(fleet->vms[i]);
}

void fleet__stop(struct fleet *fleet)
{
	unsigned int i;

	for (i = 0; i < fleet->plan->nvms; i++)
		vm__stop(fleet->vms[i]);
}

/* Whether one of the VMs stops, be it that a thread of its failed. */
bool fleet__stopping(const struct fleet *fleet)
{
	unsigned int i;

	for (i = 0; i < fleet->plan->nvms; i++)
		if (vm__stopping(fleet->vms[i]))
			return true;
	return false;
}

int fleet__wake_due(struct fleet *fleet)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < fleet->plan->nvms && !err; i++)
		err = vm__wake_due(fleet->vms[i]);
	return err;
}

/* All threads end; a negative errno, if any failed. */
int fleet__join(struct fleet *fleet)
{
	unsigned int i;
	int err = 0, failed;

	for (i = 0; i < fleet->plan->nvms; i++) {
		failed = vm__join(fleet->vms[i]);
		if (!err)
			err = failed;
	}
	return err;
}

/* For use after fleet__join(): ret_seen has EV_MAX sums over all vCPUs. */
void fleet__total(const struct fleet *fleet, __u64 *ret_seen, __u64 *ret_rounds)
{
	__u64 seen[EV_MAX], rounds;
	unsigned int i;
	int ev;

	for (ev = 0; ev < EV_MAX; ev++)
		ret_seen[ev] = 0;
	*ret_rounds = 0;
	for (i = 0; i < fleet->plan->nvms; i++) {
		vm__total(fleet->vms[i], seen, &rounds);
		for (ev = 0; ev < EV_MAX; ev++)
			ret_seen[ev] += seen[ev];
		*ret_rounds += rounds;
	}
}

void fleet__destroy(struct fleet *fleet)
{
	unsigned int i;

	for (i = 0; i < fleet->plan->nvms; i++)
		vm__destroy(fleet->vms[i]);
	if (fleet->done_fd >= 0)
		close(fleet->done_fd);
}
