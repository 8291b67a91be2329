// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/vm_identity.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/*
 * Bytes read of a file at most. A process can make its command line megabytes long; libvirt writes
 * tens of KiB at most, with the name at the front.
 */
#define INPUT_MAX (128 << 10)

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

/* --- /proc --- */

struct input {
	char *text; /* size bytes and a NUL */
	size_t size;
};

/*
 * Read PROC/PID/NAME. The text is empty if the file cannot be read, since the process may have
 * ended. Lack of memory is an error, so that it does not change the VM's name.
 */
static int input_read(const char *proc, pid_t pid, const char *name, struct input *ret_input)
{
	struct input input = { 0 };
	char *path;
	FILE *file;
	int err = 0;

	if (asprintf(&path, "%s/%ld/%s", proc, (long)pid, name) < 0)
		return -ENOMEM;
	input.text = malloc(INPUT_MAX + 1);
	if (!input.text) {
		free(path);
		return -ENOMEM;
	}
	file = fopen(path, "re");
	if (file)
		input.size = fread(input.text, 1, INPUT_MAX, file);
	if (!file || ferror(file)) {
		err = errno == ENOMEM ? -ENOMEM : 0;
		input.size = 0;
	}
	if (file)
		fclose(file);
	free(path);
	if (err) {
		free(input.text);
		return err;
	}
	input.text[input.size] = '\0';
	*ret_input = input;
	return 0;
}

static int cmdline_read(const char *proc, pid_t pid, const char *comm, struct vm_identity *identity)
{
	const char *name = *comm ? comm : NAMELESS;
	char *found[FIELDS] = { 0 }, *slash, *end;
	struct input input;
	enum vmm vmm;
	int err;

	err = input_read(proc, pid, "cmdline", &input);
	if (err)
		return err;
	end = input.text + input.size;
	while (input.size == INPUT_MAX && end > input.text && end[-1])
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

/* --- the cgroup --- */

/* The path in a line ID:CONTROLLERS:PATH, and the rank of its hierarchy; 0: not usable. */
static char *cgroup_line(char *line, unsigned *ret_rank)
{
	static const char deleted[] =
		" (deleted)"; /* the kernel appends it to a removed cgroup's path */
	char *controllers = strchr(line, ':');
	char *path = controllers ? strchr(controllers + 1, ':') : NULL;
	size_t len;

	*ret_rank = 0;
	if (!path)
		return NULL;
	*path++ = '\0';
	len = strlen(path);
	if (len >= strlen(deleted) && !strcmp(path + len - strlen(deleted), deleted))
		path[len - strlen(deleted)] = '\0';
	if (path[0] != '/' || !path[1]) /* the root: the hierarchy is unused */
		return NULL;
	if (!strcmp(line, "0:")) /* cgroup v2 */
		*ret_rank = 3;
	else
		*ret_rank = strcmp(controllers + 1, "name=systemd") ? 1 : 2;
	return path;
}

/* The path with the highest rank; among equals the first. */
static char *cgroup_find(char *lines)
{
	unsigned best = 0, rank;
	char *found = NULL;

	for (char *line; (line = strsep(&lines, "\n"));) {
		char *path = cgroup_line(line, &rank);

		if (path && rank > best) {
			best = rank;
			found = path;
		}
	}
	return found;
}

/* The part of a component between prefix and suffix; NULL if they do not match or it is empty. */
static char *between(char *component, size_t len, const char *prefix, const char *suffix,
		     size_t *ret_len)
{
	size_t before = strlen(prefix), after = strlen(suffix);

	if (len <= before + after || memcmp(component, prefix, before) ||
	    memcmp(component + len - after, suffix, after))
		return NULL;
	*ret_len = len - before - after;
	return component + before;
}

/* Undo systemd's escapes, \xHH. Anything else stays, and so does an escaped NUL. */
static void unit_unescape(char *text)
{
	char *to = text;

	for (; *text; text++) {
		unsigned byte = 0;

		if (!strncmp(text, "\\x", 2) && isxdigit((unsigned char)text[2]) &&
		    isxdigit((unsigned char)text[3]))
			sscanf(text + 2, "%2x", &byte);
		if (byte)
			text += 3;
		*to++ = byte ? (char)byte : *text;
	}
	*to = '\0';
}

/*
 * Return the machine's name (machine_find) or the pod's UID (pod_find) from a path; of nested ones
 * the outermost, since only that one is known to this host. Both truncate the path there.
 */
static char *machine_find(char *path)
{
	char *name = NULL;
	size_t len, name_len;

	for (; *path && !name; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		name = between(path, len, "machine-", ".scope", &name_len);
		if (!name)
			name = between(path, len, "systemd-nspawn@", ".service", &name_len);
	}
	if (!name)
		return NULL;
	name[name_len] = '\0';
	unit_unescape(name);
	return name;
}

/*
 * The UID in ...kubepods...-podUID.slice, the form of the kubelet's systemd cgroup driver. A
 * runtime with another driver appends :RUNTIME:CONTAINER.
 */
static char *slice_uid(char *component, size_t len, size_t *ret_len)
{
	char *end = memmem(component, len, ".slice", 6), *dash;

	if (!end || !memmem(component, (size_t)(end - component), "kubepods", 8))
		return NULL;
	dash = memrchr(component, '-', (size_t)(end - component));
	return dash ? between(dash, (size_t)(end - dash), "-pod", "", ret_len) : NULL;
}

/* The other form is kubepods/.../podUID/... */
static char *pod_find(char *path)
{
	bool below = false;
	size_t len, uid_len;
	char *uid = NULL;

	for (; *path && !uid; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		uid = slice_uid(path, len, &uid_len);
		if (!uid && below)
			uid = between(path, len, "pod", "", &uid_len);
		below |= len == 8 && !memcmp(path, "kubepods", 8);
	}
	if (!uid)
		return NULL;
	uid[uid_len] = '\0';
	for (char *p = uid; *p; p++) {
		if (*p == '_') /* slice names cannot contain "-", so "_" stands for it; a UID has no
				  "_" */
			*p = '-';
	}
	return uid;
}

static int cgroup_read(const char *proc, pid_t pid, struct vm_identity *identity)
{
	char *path, *pod = NULL, *machine = NULL;
	struct input input;
	int err;

	err = input_read(proc, pid, "cgroup", &input);
	if (err)
		return err;
	path = cgroup_find(input.text);
	if (path) {
		err = utf8_copy(path, &identity->cgroup);
		pod = pod_find(path); /* first, because machine_find() truncates: a machine inside a
					 pod belongs to the pod */
		machine = machine_find(path);
	}
	if (!err && pod)
		err = utf8_copy(pod, &identity->pod);
	if (!err && machine)
		err = utf8_copy(machine, &identity->machine);
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
		err = cgroup_read(proc, pid, &identity);
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
	free(identity->cgroup);
	free(identity->machine);
	free(identity->pod);
	*identity = (struct vm_identity){ 0 };
}
