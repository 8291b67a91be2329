// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Derives instance names and labels from a VM's identity. */
#include "vms/vm_identity.h"

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
		{ 0x061c, 0x061c }, /* what reorders text: the Arabic mark, */
		{ 0x200e, 0x200f }, /* other marks, */
		{ 0x202a, 0x202e }, /* embeddings, overrides, */
		{ 0x2066, 0x2069 }, /* isolates */
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

/* Add a text label, cut to LABEL_MAX bytes in a buffer of its own. */
static void label_add(struct label *list, size_t *n, const char *key, const char *text,
		      char cut[LABEL_MAX + 1])
{
	size_t bytes;

	if (!text)
		return;
	bytes = utf8_cut(text, LABEL_MAX);
	memcpy(cut, text, bytes);
	cut[bytes] = '\0';
	list[(*n)++] = (struct label){ key, cut, 0 };
}

struct labels *vm_identity_labels(const struct vm_identity *identity, pid_t pid, long vcpu)
{
	char texts[5][LABEL_MAX + 1];
	struct label list[7];
	size_t n = 0;

	label_add(list, &n, "vm", identity->name, texts[0]);
	if (pid >= 0)
		list[n++] = (struct label){ "pid", NULL, (uint64_t)pid };
	label_add(list, &n, "uuid", identity->uuid, texts[1]);
	label_add(list, &n, "cgroup", identity->cgroup.path, texts[2]);
	label_add(list, &n, "machine", identity->cgroup.machine, texts[3]);
	label_add(list, &n, "pod", identity->cgroup.pod, texts[4]);
	if (vcpu >= 0)
		list[n++] = (struct label){ "vcpu", NULL, (uint64_t)vcpu };
	return labels_new(list, n);
}
