// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/vm_cgroup.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "vms/proc_text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

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

/* How a component of the path names a machine. */
static const struct unit {
	const char *before, *after;
	enum { MACHINE, VM, NUMBERED_VM } whose;
} units[] = {
#define UNIT(before, after, whose, source) { before, after, whose },
#include "vms/vmm.def"
};

/* What follows a number and a dash; NULL: nothing does. */
static char *behind_number(char *text)
{
	char *rest = text + strspn(text, "0123456789");

	return rest > text && rest[0] == '-' && rest[1] ? rest + 1 : NULL;
}

/* The VM's name in a machine's; NULL: none. */
static char *machine_vm(char *machine)
{
	static const char *const prefixes[] = {
#define NUMBERED(before, source) before,
#include "vms/vmm.def"
	};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++) {
		size_t len = strlen(prefixes[i]);

		if (!strncmp(machine, prefixes[i], len))
			return behind_number(machine + len);
	}
	return NULL;
}

/* Take the names of a component, of which len bytes are the name between a unit's ends. */
static bool unit_take(const struct unit *unit, char *name, size_t len, char **machine, char **vm)
{
	name[len] = '\0';
	if (unit->whose == NUMBERED_VM)
		name = behind_number(name);
	if (!name)
		return false;
	unit_unescape(name);
	*machine = name;
	*vm = unit->whose == MACHINE ? machine_vm(name) : name;
	return true;
}

/*
 * Find the names of machine and VM (machine_find) or the pod's UID (pod_find) in a path; of nested
 * ones the outermost, since only that one is known to this host. Both truncate the path there.
 */
static void machine_find(char *path, char **machine, char **vm)
{
	size_t len, name_len;

	for (; *path; path += len) {
		path += strspn(path, "/");
		len = strcspn(path, "/");
		for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
			char *name = between(path, len, units[i].before, units[i].after, &name_len);

			if (name && unit_take(&units[i], name, name_len, machine, vm))
				return;
			if (name)
				name[name_len] = *units[i].after;
		}
	}
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

int vm_cgroup_read(const char *proc, pid_t pid, struct vm_cgroup *ret_cgroup)
{
	char *path, *pod = NULL, *machine = NULL, *vm = NULL;
	struct vm_cgroup cgroup = { 0 };
	struct proc_text input;
	int err;

	err = proc_text_read(proc, pid, "cgroup", &input);
	if (err)
		return err;
	cgroup.err = input.err;
	path = cgroup_find(input.text);
	if (path) {
		err = utf8_copy(path, &cgroup.path);
		pod = pod_find(path); /* first, because machine_find() truncates: a machine inside a
					 pod belongs to the pod */
		machine_find(path, &machine, &vm);
	}
	if (!err && pod)
		err = utf8_copy(pod, &cgroup.pod);
	if (!err && machine)
		err = utf8_copy(machine, &cgroup.machine);
	if (!err && vm)
		err = utf8_copy(vm, &cgroup.vm);
	free(input.text);
	if (err) {
		vm_cgroup_free(&cgroup);
		return err;
	}
	*ret_cgroup = cgroup;
	return 0;
}

bool vm_cgroup_equal(const struct vm_cgroup *one, const struct vm_cgroup *other)
{
	/* machine and pod are in the path */
	return one->path && other->path ? !strcmp(one->path, other->path) :
					  one->path == other->path;
}

void vm_cgroup_free(struct vm_cgroup *cgroup)
{
	free(cgroup->path);
	free(cgroup->machine);
	free(cgroup->pod);
	free(cgroup->vm);
	*cgroup = (struct vm_cgroup){ 0 };
}
