// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "vms/vm_identity.h"

#include <stdlib.h>

#include "base/utf8.h"
#include "vms/proc_text.h"
#include "vms/vm_cgroup.h"
#include "vms/vmm_cmdline.h"

/* The name of a VM whose command name (comm) is empty. */
#define NAMELESS "vm"

/* The name and UUID that the command line has; name NULL: none. */
static int cmdline_read(const char *proc, pid_t pid, const char *comm, struct vm_identity *identity)
{
	struct vmm_cmdline found;
	struct proc_text input;
	const char *name;
	int err;

	err = proc_text_read(proc, pid, "cmdline", &input);
	if (err)
		return err;
	vmm_cmdline_parse(input.text, input.size, comm, &found);
	name = found.name ? found.name : found.sandbox;
	if (name)
		err = utf8_copy(name, &identity->name);
	if (!err && found.uuid)
		err = utf8_copy(found.uuid, &identity->uuid);
	free(input.text);
	return err;
}

/* A VM whose command line has no name has its unit's, or the command's. */
static int name_choose(const char *comm, struct vm_identity *identity)
{
	const char *name = identity->cgroup.vm;

	if (identity->name)
		return 0;
	if (!name)
		name = *comm ? comm : NAMELESS;
	return utf8_copy(name, &identity->name);
}

int vm_identity_read(const char *proc, pid_t pid, const char *comm,
		     struct vm_identity *ret_identity)
{
	struct vm_identity identity = { 0 };
	int err;

	err = cmdline_read(proc, pid, comm, &identity);
	if (!err)
		err = vm_cgroup_read(proc, pid, &identity.cgroup);
	if (!err)
		err = name_choose(comm, &identity);
	if (err) {
		vm_identity_free(&identity);
		return err;
	}
	*ret_identity = identity;
	return 0;
}

void vm_identity_free(struct vm_identity *identity)
{
	free(identity->name);
	free(identity->uuid);
	vm_cgroup_free(&identity->cgroup);
	*identity = (struct vm_identity){ 0 };
}
