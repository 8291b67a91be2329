// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Command names, command lines and cgroups of VMMs. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "metrics/labels.h"
#include "vms/vm_identity.h"

static void check(const struct vm_identity *identity)
{
	const struct vm_cgroup *cgroup = &identity->cgroup;
	const char *texts[] = { identity->name,	 identity->uuid, cgroup->path,
				cgroup->machine, cgroup->pod,	 cgroup->vm };
	char name[VM_NAME_MAX + 1];
	struct labels *labels;

	promise(identity->name && identity->name[0]);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		promise(!texts[i] || fuzz_is_utf8(texts[i]));
	vm_identity_instance(identity->name, name);
	promise(name[0] && fuzz_is_utf8(name) && !strstr(name, "::") && !strpbrk(name, "/ \t\n\r"));
	promise(!strstr(name, "\u202e") && !strstr(name, "\u2066"));
	labels = vm_identity_labels(identity, 1, 0);
	promise(labels);
	labels_unref(labels);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct vm_identity identity;
	const uint8_t *bytes;
	char *comm, proc[4096];
	size_t n;

	bytes = fuzz_take(&data, &size, &n);
	comm = fuzz_string(bytes, n < 16 ? n : 15);
	bytes = fuzz_take(&data, &size, &n);
	fuzz_file("1/cmdline", bytes, n);
	fuzz_file("1/cgroup", data, size);
	snprintf(proc, sizeof(proc), "%.*s", (int)(strlen(fuzz_path("1")) - 2), fuzz_path("1"));
	promise(vm_identity_read(proc, 1, comm, &identity) == 0);
	check(&identity);
	vm_identity_free(&identity);
	free(comm);
	return 0;
}
