// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Derives instance names and labels from a VM's identity. */
#include "vms/vm_identity.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "base/utf8.h"

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))

/* Maximum bytes of a label's text; PCP allows 64 KiB for all labels of an instance. */
#define LABEL_MAX 1024

/* Is the character not allowed in an instance name? */
static bool code_is_forbidden(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} forbidden[] = {
		{ 0, ' ' },	    /* controls, white space */
		{ '/', '/' },	    /* separates parts of a metric's instance name */
		{ 0x7f, 0xa0 },	    /* controls, U+00A0 */
		{ 0x1680, 0x1680 }, /* Unicode separators: ogham, */
		{ 0x2000, 0x200a }, /* widths, */
		{ 0x2028, 0x2029 }, /* lines and paragraphs, */
		{ 0x202f, 0x202f }, /* narrow, */
		{ 0x205f, 0x205f }, /* mathematical, */
		{ 0x3000, 0x3000 }, /* ideographic */
		{ UTF8_REPLACEMENT, UTF8_REPLACEMENT }, /* invalid UTF-8 */
	};

	for (size_t i = 0; i < ARRAY_SIZE(forbidden); i++) {
		if (code >= forbidden[i].first && code <= forbidden[i].last)
			return true;
	}
	return false;
}

void vm_identity_instance(const char *name, char ret_name[VM_NAME_MAX + 1])
{
	size_t size = 0, len, put;
	const char *from;
	uint32_t code;

	for (; *name; name += len) {
		from = name;
		put = len = utf8_read(name, &code);
		if (!strncmp(name, "::", 2)) {
			len = 2;
			code = '/';
		}
		if (code_is_forbidden(code)) {
			from = "_";
			put = 1;
		}
		if (size + put > VM_NAME_MAX)
			break;
		memcpy(ret_name + size, from, put);
		size += put;
	}
	if (!size)
		ret_name[size++] = '_';
	ret_name[size] = '\0';
}

char *vm_identity_labels(const struct vm_identity *identity, pid_t pid, long vcpu)
{
	const struct {
		const char *key, *text;
		json_int_t number; /* if text is NULL; negative: unknown */
	} labels[] = {
		{ "vm", identity->name, -1 },
		{ "pid", NULL, pid },
		{ "uuid", identity->uuid, -1 },
		{ "cgroup", identity->cgroup, -1 },
		{ "machine", identity->machine, -1 },
		{ "pod", identity->pod, -1 },
		{ "vcpu", NULL, vcpu },
	};
	json_t *object = json_object(), *value;
	char *text = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(labels); i++) {
		if (labels[i].text)
			value = json_stringn(labels[i].text, utf8_cut(labels[i].text, LABEL_MAX));
		else if (labels[i].number >= 0)
			value = json_integer(labels[i].number);
		else
			continue;
		/* takes the reference even on failure, and fails for a NULL object or value */
		if (json_object_set_new(object, labels[i].key, value))
			goto out;
	}
	text = json_dumps(object, JSON_COMPACT);
out:
	json_decref(object);
	return text;
}
