// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "vms/vmm_cmdline.h"

#include <stdbool.h>
#include <string.h>

#include "vms/proc_text.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

enum vmm { VMM_UNKNOWN, QEMU, FIRECRACKER, CLOUD_HYPERVISOR, CROSVM, KVMTOOL, SHIM };

static const struct {
	const char *word;
	enum { PART, WHOLE } match;
	enum vmm vmm;
} programs[] = {
#define PROGRAM(word, match, vmm, source) { word, match, vmm },
#include "vms/vmm.def"
};

static enum vmm vmm_of(const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		const char *word = programs[i].word;

		if (programs[i].match == WHOLE ? !strcmp(program, word) : !!strstr(program, word))
			return programs[i].vmm;
	}
	return VMM_UNKNOWN;
}

/* --- values of options --- */

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

/* The sandbox in the path of a VMM's socket, which may be an element path=PATH of a list. */
static char *sandbox_of_path(char *value)
{
	static const char *const folders[] = {
#define FOLDER(before, source) before,
#include "vms/vmm.def"
	};

	for (size_t i = 0; i < ARRAY_SIZE(folders); i++) {
		char *found = strstr(value, folders[i]);

		if (!found)
			continue;
		found += strlen(folders[i]);
		found[strcspn(found, "/,")] = '\0';
		return found;
	}
	return NULL;
}

/* The VM's name in the path of a FIFO, DIRECTORY/NAME-event-monitor-fifo. */
static char *name_of_fifo(char *value)
{
	static const char ending[] = "-event-monitor-fifo";
	char *slash = strrchr(value, '/'), *name = slash ? slash + 1 : value;
	size_t len = strlen(name);

	if (len < strlen(ending) || strcmp(name + len - strlen(ending), ending) != 0)
		return NULL;
	name[len - strlen(ending)] = '\0';
	return name;
}

/* --- options --- */

enum field { NAME, UUID, SANDBOX, FIELDS };

static const struct option {
	enum vmm vmm;
	const char *name;
	enum { QEMU_STYLE, LONG, GO } style;
	enum field field;
	char *(*value)(char *text); /* what the argument has of it; NULL: nothing */
} options[] = {
#define OPTION(vmm, name, style, field, value, source) { vmm, name, style, field, value },
#include "vms/vmm.def"
};

/* The value after "=" in arg, or the whole next argument; NULL if arg is not this option. */
static char *option_value(const struct option *option, char *arg, char *next)
{
	size_t len = strlen(option->name);

	if (!strncmp(arg, "--", 2))
		arg += 2;
	else if (option->style != LONG && *arg == '-')
		arg++;
	else
		return NULL;
	if (strncmp(arg, option->name, len))
		return NULL;
	if (!arg[len])
		return next;
	return arg[len] == '=' && option->style != QEMU_STYLE ? arg + len + 1 : NULL;
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
		if (vmm == KVMTOOL && !strcmp(arg, "--"))
			break; /* what follows is the guest's */
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

/* An empty value is none. */
static const char *some(const char *value)
{
	return value && *value ? value : NULL;
}

void vmm_cmdline_parse(char *text, size_t size, const char *comm, struct vmm_cmdline *ret_found)
{
	char *found[FIELDS] = { 0 }, *slash = strrchr(text, '/'), *end = text + size;
	enum vmm vmm = vmm_of(slash ? slash + 1 : text);

	while (size == PROC_TEXT_MAX && end > text && end[-1])
		end--; /* drop a truncated argument */
	if (vmm == VMM_UNKNOWN)
		vmm = vmm_of(comm);
	options_read(vmm, text + strlen(text) + 1, end, found);
	*ret_found = (struct vmm_cmdline){ some(found[NAME]), some(found[UUID]),
					   some(found[SANDBOX]) };
}
