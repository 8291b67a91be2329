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
 * Most of a file that is read. A command line may be megabytes, as its owner likes; those
 * that libvirt writes are tens of KiB at the most, with the name at the front.
 */
#define INPUT_MAX (128 << 10)

/* What a name becomes that is empty even as the kernel has it. */
#define NAMELESS "vm"

/* --- the command line: all found in it points into it --- */

enum vmm { VMM_UNKNOWN, QEMU, FIRECRACKER, CLOUD_HYPERVISOR, CROSVM };

/* Words in the names of programs. As comm is, they are of no more than 15 bytes. */
static const struct {
	const char *word;
	bool alone; /* the name is that word */
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

		if (programs[i].alone ? !strcmp(program, word) : !!strstr(program, word))
			return programs[i].vmm;
	}
	return VMM_UNKNOWN;
}

/* End the value here at its comma; ",," is one that is meant. Returns what follows. */
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
 * The last value of key in a list as QEMU reads it: KEY=VALUE,... A first element that
 * has no "=" is the value of an implied key; another without is a switch.
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

/* The UUID in a list where brackets and quotes may hold commas. */
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
		if (!strncmp(element, "system_", 7)) /* as later versions name it */
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

enum what { NAME, UUID, WHATS };

/* The options that say who a guest is. The last one counts. */
static const struct option {
	enum vmm vmm;
	const char *name;
	enum what what;
	char *(*value)(char *text); /* what is meant of the option's value; NULL: none of it */
} options[] = {
	{ QEMU, "name", NAME, qemu_guest }, /* all of them make one list */
	{ QEMU, "uuid", UUID, whole },
	{ QEMU, "smbios", UUID, qemu_uuid }, /* of type 1; sets what -uuid sets */
	{ FIRECRACKER, "id", NAME, whole },
	{ CLOUD_HYPERVISOR, "platform", UUID, list_uuid },
	{ CROSVM, "name", NAME, whole },
	{ CROSVM, "smbios", UUID, list_uuid },
};

/*
 * The value in arg, or all of the next argument; NULL if this is not the option. QEMU's
 * begin with one dash or two, and never hold a value; the others' with two.
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

/* The VMM's option that arg is, and its value; NULL: none, or without one. */
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

/* Look through the arguments from arg to end. */
static void options_read(enum vmm vmm, char *arg, char *end, char *found[WHATS])
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
			found[option->what] = value;
	}
}

/* --- /proc --- */

struct input {
	char *text; /* size bytes, and a NUL */
	size_t size;
};

/*
 * Read PROC/PID/NAME. Empty if it cannot be read, since the process may have ended; for
 * want of memory is an error, lest the VM be called something else for that.
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
	char *found[WHATS] = { 0 }, *slash, *end;
	struct input input;
	enum vmm vmm;
	int err;

	err = input_read(proc, pid, "cmdline", &input);
	if (err)
		return err;
	end = input.text + input.size;
	while (input.size == INPUT_MAX && end > input.text && end[-1])
		end--; /* part of an argument is none */
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

/* --- the control group --- */

/* The path in a line ID:CONTROLLERS:PATH, and how much it says. */
static char *cgroup_line(char *line, unsigned *ret_rank)
{
	static const char deleted[] = " (deleted)"; /* the kernel adds it for a zombie */
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
	if (path[0] != '/' || !path[1]) /* the root: this hierarchy is not in use */
		return NULL;
	if (!strcmp(line, "0:")) /* version 2 */
		*ret_rank = 3;
	else
		*ret_rank = strcmp(controllers + 1, "name=systemd") ? 1 : 2;
	return path;
}

/* The path that says most; of the same rank the first. */
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

/* What a component has between prefix and suffix; NULL if it has nothing there. */
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

/* Undo systemd's escapes, \xHH. What is none of them stays; so does one of a NUL. */
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
 * The name of the machine, or the UID of the pod, that a path is in, of several the
 * outermost: it is the one that this host knows. Both end the path there.
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
 * The UID in ...kubepods...-podUID.slice, where the kubelet has systemd make the groups.
 * A runtime of another mind puts :RUNTIME:CONTAINER behind it.
 */
static char *slice_uid(char *component, size_t len, size_t *ret_len)
{
	char *end = memmem(component, len, ".slice", 6), *dash;

	if (!end || !memmem(component, (size_t)(end - component), "kubepods", 8))
		return NULL;
	dash = memrchr(component, '-', (size_t)(end - component));
	return dash ? between(dash, (size_t)(end - dash), "-pod", "", ret_len) : NULL;
}

/* Else it is kubepods/.../podUID/... */
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
		if (*p == '_') /* a dash is between slices there; in a UID "_" is none */
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
		pod = pod_find(path); /* first: a machine in it would be the pod's own */
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
