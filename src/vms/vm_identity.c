// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/vm_identity.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "vms/proc_text.h"
#include "vms/vm_cgroup.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* The name of a VM whose command name (comm) is empty. */
#define NAMELESS "vm"

/* --- the command line: results point into it --- */

enum vmm { VMM_UNKNOWN, QEMU, FIRECRACKER, CLOUD_HYPERVISOR, CROSVM };

/* Substrings of program names. Like comm, they have at most 15 bytes. */
static const struct {
	const char *word;
	bool exact; /* the whole name must match */
	enum vmm vmm;
} programs[] = {
	{ "qemu", false, QEMU },
	{ "kvm", true, QEMU },
	{ "firecracker", false, FIRECRACKER },
	{ "cloud-hyperviso", false, CLOUD_HYPERVISOR },
	{ "crosvm", false, CROSVM },
};

static enum vmm vmm_of(const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		const char *word = programs[i].word;

		if (programs[i].exact ? !strcmp(program, word) : !!strstr(program, word))
			return programs[i].vmm;
	}
	return VMM_UNKNOWN;
}

/* Terminate the value at its comma and unescape ",,". Returns a pointer to the rest. */
static char *qemu_value_end(char *value)
{
	char *from = value, *to = value;

	for (; *from; from++) {
		if (*from == ',' && *++from != ',')
			break;
		*to++ = *from;
	}
	*to = '\0';
	return from;
}

/*
 * The last value of key in a QEMU option list: KEY=VALUE,... If implied, a first element without
 * "=" is the value; any other element without "=" is a switch.
 */
static char *qemu_list_value(char *list, const char *key, bool implied)
{
	char *found = NULL;

	for (; *list; implied = false) {
		size_t len = strcspn(list, "=,");
		bool wanted = implied;
		char *value = list;

		if (list[len] == '=') {
			wanted = len == strlen(key) && !memcmp(list, key, len);
			value = list + len + 1;
		} else if (!implied) {
			list += len + (list[len] == ',');
			continue;
		}
		list = qemu_value_end(value);
		if (wanted)
			found = value;
	}
	return found;
}

static char *qemu_guest(char *list)
{
	return qemu_list_value(list, "guest", true);
}

static char *qemu_uuid(char *list)
{
	return qemu_list_value(list, "uuid", false);
}

/* The UUID in a list in which brackets and quotes can contain commas. */
static char *list_uuid(char *list)
{
	char *element = list, *found = NULL;
	bool quoted = false, last = false;
	int depth = 0;

	for (char *p = list; !last; p++) {
		quoted ^= *p == '"';
		if (!quoted)
			depth += (*p == '[') - (*p == ']');
		if (*p && (*p != ',' || quoted || depth > 0))
			continue;
		last = !*p;
		*p = '\0';
		if (!strncmp(element, "system_", 7)) /* the name in later versions of crosvm */
			element += 7;
		if (!strncmp(element, "uuid=", 5))
			found = element + 5;
		element = p + 1;
	}
	return found;
}

static char *whole(char *value)
{
	return value;
}

enum field { NAME, UUID, FIELDS };

/* The options that name a VM or give its UUID. The last one on the command line wins. */
static const struct option {
	enum vmm vmm;
	const char *name;
	enum field field;
	char *(*value)(
		char *text); /* extracts the value from the option's argument; NULL: none in it */
} options[] = {
	{ QEMU, "name", NAME, qemu_guest }, /* QEMU merges all -name options into one list */
	{ QEMU, "uuid", UUID, whole },
	{ QEMU, "smbios", UUID, qemu_uuid }, /* of type 1; sets the same UUID as -uuid */
	{ FIRECRACKER, "id", NAME, whole },
	{ CLOUD_HYPERVISOR, "platform", UUID, list_uuid },
	{ CROSVM, "name", NAME, whole },
	{ CROSVM, "smbios", UUID, list_uuid },
};

/*
 * The value after "=" in arg, or the whole next argument; NULL if arg is not this option. QEMU's
 * options start with one dash or two and take no "="; the others' start with two.
 */
static char *option_value(const struct option *option, char *arg, char *next)
{
	bool dash = option->vmm == QEMU;
	size_t len = strlen(option->name);

	if (!strncmp(arg, "--", 2))
		arg += 2;
	else if (dash && *arg == '-')
		arg++;
	else
		return NULL;
	if (strncmp(arg, option->name, len))
		return NULL;
	if (!arg[len])
		return next;
	return arg[len] == '=' && !dash ? arg + len + 1 : NULL;
}

/* The VMM's option that arg is, and its value; NULL if it is no known option or has no value. */
static const struct option *option_find(enum vmm vmm, char *arg, char *next, char **ret_value)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++) {
		char *value = NULL;

		if (options[i].vmm == vmm)
			value = option_value(&options[i], arg, next);
		if (value) {
			*ret_value = value;
			return &options[i];
		}
	}
	return NULL;
}

/* Parse the arguments from arg to end. */
static void options_read(enum vmm vmm, char *arg, char *end, char *found[FIELDS])
{
	const struct option *option;
	char *after, *next, *value;

	for (; arg < end; arg = after) {
		after = arg + strlen(arg) + 1;
		next = after < end ? after : NULL;
		option = option_find(vmm, arg, next, &value);
		if (!option)
			continue;
		if (value == next)
			after += strlen(next) + 1;
		value = option->value(value);
		if (value)
			found[option->field] = value;
	}
}

static int cmdline_read(const char *proc, pid_t pid, const char *comm, struct vm_identity *identity)
{
	const char *name = *comm ? comm : NAMELESS;
	char *found[FIELDS] = { 0 }, *slash, *end;
	struct proc_text input;
	enum vmm vmm;
	int err;

	err = proc_text_read(proc, pid, "cmdline", &input);
	if (err)
		return err;
	end = input.text + input.size;
	while (input.size == PROC_TEXT_MAX && end > input.text && end[-1])
		end--; /* drop a truncated argument */
	slash = strrchr(input.text, '/');
	vmm = vmm_of(slash ? slash + 1 : input.text);
	if (vmm == VMM_UNKNOWN)
		vmm = vmm_of(comm);
	options_read(vmm, input.text + strlen(input.text) + 1, end, found);
	if (found[NAME] && *found[NAME])
		name = found[NAME];
	err = utf8_copy(name, &identity->name);
	if (!err && found[UUID] && *found[UUID])
		err = utf8_copy(found[UUID], &identity->uuid);
	free(input.text);
	return err;
}

int vm_identity_read(const char *proc, pid_t pid, const char *comm,
		     struct vm_identity *ret_identity)
{
	struct vm_identity identity = { 0 };
	int err;

	err = cmdline_read(proc, pid, comm, &identity);
	if (!err)
		err = vm_cgroup_read(proc, pid, &identity.cgroup);
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
