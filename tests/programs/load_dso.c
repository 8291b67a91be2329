// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * load_dso PMDA_KVM.SO: load the DSO as pmcd does, and check that it does not change the process:
 * privileges, signals, limits, timers, standard files, libbpf's print function. Unload it as pmcd
 * does, and check that no descriptor and no mapped map is left. All that more than once.
 */
#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <pcp/pmapi.h>
#include <pcp/pmda.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef void (*init_fn)(pmdaInterface *);

struct state {
	char text[16384];
	size_t used;
};

static void add(struct state *state, const char *text)
{
	size_t len = strlen(text);

	if (state->used + len < sizeof(state->text)) {
		memcpy(state->text + state->used, text, len + 1);
		state->used += len;
	}
}

/* Add the lines of a file that begin with one of the words (NULL: all lines). */
static void add_lines(struct state *state, const char *path, const char *const *words)
{
	FILE *file = fopen(path, "re");
	char line[512];

	while (file && fgets(line, sizeof(line), file)) {
		for (size_t i = 0; !words || words[i]; i++) {
			if (words && strncmp(line, words[i], strlen(words[i])) != 0)
				continue;
			add(state, line);
			break;
		}
	}
	if (file)
		fclose(file);
}

static void state_read(struct state *state)
{
	static const char *const status[] = { "Uid",	"Gid",	  "Groups", "Cap",     "NoNewPrivs",
					      "SigBlk", "SigIgn", "SigCgt", "Threads", NULL };
	char path[64], target[256];

	state->used = 0;
	add_lines(state, "/proc/self/status", status);
	add_lines(state, "/proc/self/limits", NULL);
	add_lines(state, "/proc/self/timers", NULL);
	for (int fd = 0; fd < 3; fd++) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		target[len > 0 ? len : 0] = '\0';
		add(state, target);
		add(state, "\n");
	}
}

static int our_print(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

/* The open descriptors, and the mapped maps. */
static void held_read(struct state *state)
{
	char path[64], target[256], line[512];
	FILE *maps = fopen("/proc/self/maps", "re");

	state->used = 0;
	add(state, "");
	while (maps && fgets(line, sizeof(line), maps)) {
		if (strstr(line, "bpf-map"))
			add(state, line);
	}
	if (maps)
		fclose(maps);
	for (int fd = 0; fd < 4096; fd++) {
		ssize_t len;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		len = readlink(path, target, sizeof(target) - 1);
		if (len < 0)
			continue;
		target[len] = '\0';
		add(state, target);
		add(state, "\n");
	}
}

static bool differ(const struct state *before, const struct state *after)
{
	if (strcmp(before->text, after->text) == 0)
		return false;
	fprintf(stderr, "before:\n%s\nafter:\n%s\n", before->text, after->text);
	return true;
}

/* Load, check, unload, check. Returns an exit status. */
static int cycle(const char *path)
{
	static struct state before, after, held, left;
	pmdaInterface dispatch = { .domain = 95 };
	init_fn init;
	void *dso;

	held_read(&held);
	dso = dlopen(path, RTLD_NOW);
	if (!dso) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	*(void **)&init = dlsym(dso, "kvm_init");
	state_read(&before);
	dispatch.comm.pmapi_version = PMAPI_VERSION;
	dispatch.comm.pmda_interface = PMDA_INTERFACE_7;
	init(&dispatch);
	state_read(&after);
	if (dispatch.status < 0) {
		fprintf(stderr, "kvm_init: %s\n", pmErrStr(dispatch.status));
		return 1;
	}
	if (differ(&before, &after))
		return 1;
	if (libbpf_set_print(our_print) != our_print) {
		fputs("libbpf's print function was changed\n", stderr);
		return 1;
	}
	if (dlclose(dso)) {
		fprintf(stderr, "%s\n", dlerror());
		return 1;
	}
	held_read(&left);
	return differ(&held, &left) ? 1 : 0;
}

int main(int argc, char **argv)
{
	int status = 0;

	if (argc != 2)
		return 2;
	libbpf_set_print(our_print);
	for (int i = 0; !status && i < 3; i++)
		status = cycle(argv[1]);
	if (!status)
		puts("unchanged");
	return status;
}
