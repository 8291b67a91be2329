// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* VMMs as they are deployed: each of tests/data/vmms is recognized. */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "vms/vm_identity.h"

/* One VMM of the file while it is read. */
struct vmm {
	char title[128], comm[32], cmdline[4096], cgroup[2048];
	size_t cmdline_size;
};

static void append(char *to, size_t *size, size_t room, const char *text, char end)
{
	size_t len = strlen(text);

	assert_true(*size + len + 1 <= room);
	memcpy(to + *size, text, len);
	to[*size + len] = end;
	*size += len + 1;
}

static void assert_found(const struct vmm *vmm, const char *what, const char *found,
			 const char *expected)
{
	if (!found)
		found = "-";
	if (strcmp(found, expected) != 0)
		fail_msg("%s: %s is %s, should be %s", vmm->title, what, found, expected);
}

static void assert_field(const struct vmm *vmm, const char *field, const char *expected)
{
	struct vm_identity identity;

	write_bytes("proc/4711/cmdline", vmm->cmdline, vmm->cmdline_size);
	write_text("proc/4711/cgroup", vmm->cgroup);
	assert_int_equal(vm_identity_read("proc", 4711, vmm->comm, &identity), 0);
	if (!strcmp(field, "name"))
		assert_found(vmm, field, identity.name, expected);
	else if (!strcmp(field, "uuid"))
		assert_found(vmm, field, identity.uuid, expected);
	else if (!strcmp(field, "machine"))
		assert_found(vmm, field, identity.cgroup.machine, expected);
	else if (!strcmp(field, "pod"))
		assert_found(vmm, field, identity.cgroup.pod, expected);
	else
		fail_msg("%s: what is \"%s\"?", vmm->title, field);
	vm_identity_free(&identity);
}

/* Take a line "FIELD TEXT". Returns whether it is something that was found as it should. */
static bool line_take(struct vmm *vmm, char *line)
{
	char *text = strchr(line, ' ');
	size_t size = strlen(vmm->cgroup);

	assert_non_null(text);
	*text++ = '\0';
	if (!strcmp(line, "vmm")) {
		*vmm = (struct vmm){ 0 };
		snprintf(vmm->title, sizeof(vmm->title), "%s", text);
	} else if (!strcmp(line, "arg")) {
		append(vmm->cmdline, &vmm->cmdline_size, sizeof(vmm->cmdline), text, '\0');
	} else if (!strcmp(line, "comm")) {
		assert_in_range(snprintf(vmm->comm, sizeof(vmm->comm), "%s", text), 1, 15);
	} else if (!strcmp(line, "cgroup")) {
		append(vmm->cgroup, &size, sizeof(vmm->cgroup) - 1, text, '\n');
	} else {
		assert_field(vmm, line, text);
		return true;
	}
	return false;
}

static FILE *data_open(void)
{
	const char *top = getenv("TOP");
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/data/vmms", top && *top ? top : ".");
	file = fopen(path, "re");
	if (!file)
		fail_msg("%s cannot be opened", path);
	return file;
}

static void test_vmms(void **state)
{
	FILE *file = *state;
	unsigned vmms = 0, found = 0;
	struct vmm vmm = { 0 };
	char *line = NULL;
	size_t size = 0;

	make_folders("proc/4711");
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (!*line || *line == '#')
			continue;
		vmms += !strncmp(line, "vmm ", 4);
		found += line_take(&vmm, line);
	}
	free(line);
	assert_true(vmms >= 20);
	assert_int_equal(found, 4 * vmms);
}

/* The file is opened before the test has a folder of its own. */
static FILE *data;

static int setup(void **state)
{
	data = data_open();
	if (work_setup(state))
		return -1;
	*state = data;
	return 0;
}

static int teardown(void **state)
{
	int err = work_teardown(state); /* it counts open files */

	fclose(data);
	return err;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_vmms, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
