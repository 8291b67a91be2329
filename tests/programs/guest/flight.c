/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Files of VMs on their way in a socket, where no process has them open. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "guest.h"

union control {
	char bytes[CMSG_SPACE((1 + MAX_VCPUS) * sizeof(int))];
	struct cmsghdr align;
};

/* The VM's descriptors: its own, then its vCPUs'. */
static int *vm_fd(struct vm *vm, unsigned int i)
{
	return i ? &vm->vcpus[i - 1].fd : &vm->fd;
}

static int send_vm(struct vm *vm, int to)
{
	unsigned int n = 1 + vm->plan->nvcpus, i;
	union control control = { 0 };
	char byte = 0;
	struct iovec one = { &byte, 1 };
	struct msghdr message = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &control };

	message.msg_controllen = CMSG_SPACE(n * sizeof(int));
	control.align.cmsg_level = SOL_SOCKET;
	control.align.cmsg_type = SCM_RIGHTS;
	control.align.cmsg_len = CMSG_LEN(n * sizeof(int));
	for (i = 0; i < n; i++)
		memcpy(CMSG_DATA(&control.align) + i * sizeof(int), vm_fd(vm, i), sizeof(int));
	if (sendmsg(to, &message, 0) != 1)
		return complain("sendmsg", errno);
	for (i = 0; i < n; i++)
		close(*vm_fd(vm, i));
	return 0;
}

static int receive_vm(struct vm *vm, int from)
{
	unsigned int n = 1 + vm->plan->nvcpus, i;
	union control control;
	char byte;
	struct iovec one = { &byte, 1 };
	struct msghdr message = { .msg_iov = &one, .msg_iovlen = 1, .msg_control = &control };

	message.msg_controllen = sizeof(control);
	if (recvmsg(from, &message, MSG_CMSG_CLOEXEC) != 1 ||
	    control.align.cmsg_len != CMSG_LEN(n * sizeof(int)))
		return complain("recvmsg", errno);
	for (i = 0; i < n; i++)
		memcpy(vm_fd(vm, i), CMSG_DATA(&control.align) + i * sizeof(int), sizeof(int));
	return 0;
}

/* Put the files of all VMs into the socket, and close them here. */
int fleet__send(struct fleet *fleet, int to)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < fleet->plan->nvms && !err; i++)
		err = send_vm(fleet->vms[i], to);
	return err;
}

int fleet__receive(struct fleet *fleet, int from)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < fleet->plan->nvms && !err; i++)
		err = receive_vm(fleet->vms[i], from);
	return err;
}
