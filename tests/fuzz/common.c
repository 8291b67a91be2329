// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "fuzz/fuzz.h"

#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[PATH_MAX - 128];
static pid_t owner;

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void remove_folder(void)
{
	if (getpid() == owner)
		nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_path(const char *name)
{
	static char path[PATH_MAX];
	const char *tmp = getenv("TMPDIR");
	const char *slash = strchr(name, '/');

	if (!folder[0]) {
		snprintf(folder, sizeof(folder), "%s/pmdakvm-fuzz.XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(folder)) {
			perror(folder);
			exit(2);
		}
		owner = getpid();
		atexit(remove_folder);
	}
	if (slash) {
		snprintf(path, sizeof(path), "%s/%.*s", folder, (int)(slash - name), name);
		mkdir(path, 0777);
	}
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

const char *fuzz_file(const char *name, const uint8_t *data, size_t size)
{
	const char *path = fuzz_path(name);
	FILE *file = fopen(path, "we");

	if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0) {
		perror(path);
		exit(2);
	}
	return path;
}

char *fuzz_string(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	if (!text)
		exit(2);
	if (size)
		memcpy(text, data, size);
	text[size] = '\0';
	return text;
}

const uint8_t *fuzz_take(const uint8_t **data, size_t *size, size_t *ret_taken)
{
	const uint8_t *taken;
	size_t n = 0;

	if (*size >= 2) {
		n = (*data)[0] | (size_t)(*data)[1] << 8;
		*data += 2;
		*size -= 2;
	}
	if (n > *size)
		n = *size;
	taken = *data;
	*data += n;
	*size -= n;
	*ret_taken = n;
	return taken;
}

int fuzz_is_utf8(const char *text)
{
	/* first bytes, the second byte's range, bytes that follow it */
	static const struct {
		unsigned char first, last, low, high, more;
	} forms[] = {
		{ 0x01, 0x7f, 0, 0, 0 },       { 0xc2, 0xdf, 0x80, 0xbf, 0 },
		{ 0xe0, 0xe0, 0xa0, 0xbf, 1 }, { 0xe1, 0xec, 0x80, 0xbf, 1 },
		{ 0xed, 0xed, 0x80, 0x9f, 1 }, { 0xee, 0xef, 0x80, 0xbf, 1 },
		{ 0xf0, 0xf0, 0x90, 0xbf, 2 }, { 0xf1, 0xf3, 0x80, 0xbf, 2 },
		{ 0xf4, 0xf4, 0x80, 0x8f, 2 },
	};
	const unsigned char *p = (const unsigned char *)text;

	while (*p) {
		size_t form = 0;

		while (form < sizeof(forms) / sizeof(forms[0]) &&
		       (*p < forms[form].first || *p > forms[form].last))
			form++;
		if (form == sizeof(forms) / sizeof(forms[0]))
			return 0;
		p++;
		if (!forms[form].high)
			continue;
		if (*p < forms[form].low || *p > forms[form].high)
			return 0;
		p++;
		for (int i = 0; i < forms[form].more; i++, p++) {
			if (*p < 0x80 || *p > 0xbf)
				return 0;
		}
	}
	return 1;
}
