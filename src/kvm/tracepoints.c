// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kvm/tracepoints.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kvm/vendor.h"
#include "metrics/item_numbers.h"

#define TYPEDEF_PREFIX "btf_trace_"

/* Is there as long as KVM is, as a module or built in. */
#define KVM_MODULE "/sys/module/kvm"

/* The kernel's trace groups with KVM's events, of all architectures. */
static const char *const groups[] = {
	"kvm", "kvmmmu", "kvm-s390", "kvm_hv", "kvm_pr", "kvm_booke",
};

/*
 * Where KVM is built in, its typedefs are among those of the whole kernel. No other part of the
 * kernel has an event whose name begins with kvm_.
 */
static bool is_kvm_event(const char *name)
{
	return strncmp(name, "kvm_", 4) == 0 || items_find(ITEMS_TRACE, name);
}

static int name_add(struct events *events, const char *name)
{
	char **names;

	names = reallocarray(events->names, events->n + 1, sizeof(*names));
	if (!names)
		return -ENOMEM;
	events->names = names;
	names[events->n] = strdup(name);
	if (!names[events->n])
		return -ENOMEM;
	events->n++;
	return 0;
}

/* Add the events whose typedefs have ids from first on; unless all is set, only KVM's. */
static int btf_scan(const struct btf *btf, unsigned int first, bool all, struct events *events)
{
	for (unsigned int id = first; id < btf__type_cnt(btf); id++) {
		const struct btf_type *type = btf__type_by_id(btf, id);
		const char *name;
		int err;

		if (!btf_is_typedef(type))
			continue;
		name = btf__name_by_offset(btf, type->name_off);
		if (!name || strncmp(name, TYPEDEF_PREFIX, strlen(TYPEDEF_PREFIX)) != 0)
			continue;
		name += strlen(TYPEDEF_PREFIX);
		if (!all && !is_kvm_event(name))
			continue;
		err = name_add(events, name);
		if (err)
			return err;
	}
	return 0;
}

static int from_btf(struct kernel_types *types, struct events *events)
{
	const struct btf *base, *module;
	int err = kernel_types_vmlinux(types, &base);

	events->btf_err = err;
	if (err)
		return err == -ENOMEM ? err : 0;
	err = kernel_types_module(types, "kvm", &module);
	events->btf_err = err;
	if (err == -ENOMEM)
		return err;
	return err ? btf_scan(base, 1, false, events) :
		     btf_scan(module, btf__type_cnt(base), true, events);
}

static int from_tracefs_group(const char *tracefs, const char *group, struct events *events)
{
	struct dirent *entry;
	int err = 0;
	char *path;
	DIR *dir;

	if (asprintf(&path, "%s/events/%s", tracefs, group) < 0)
		return -ENOMEM;
	dir = opendir(path);
	free(path);
	if (!dir) {
		events->tracefs_err = events->tracefs_err ? events->tracefs_err : -errno;
		return 0;
	}
	while (!err && (entry = readdir(dir))) {
		if (entry->d_type == DT_DIR && entry->d_name[0] != '.')
			err = name_add(events, entry->d_name);
	}
	closedir(dir);
	return err;
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_unique(struct events *events)
{
	size_t kept = 0;

	if (!events->n)
		return;
	qsort(events->names, events->n, sizeof(*events->names), compare);
	for (size_t i = 1; i < events->n; i++) {
		if (strcmp(events->names[i], events->names[kept]) == 0)
			free(events->names[i]);
		else
			events->names[++kept] = events->names[i];
	}
	events->n = kept + 1;
}

int events_find(struct kernel_types *types, const char *tracefs, struct events *ret_events)
{
	struct events events = { 0 };
	int err;

	err = from_btf(types, &events);
	if (!err && !events.n) {
		for (size_t i = 0; !err && i < sizeof(groups) / sizeof(groups[0]); i++)
			err = from_tracefs_group(tracefs, groups[i], &events);
	}
	if (err) {
		events_free(&events);
		return err;
	}
	sort_unique(&events);
	events.loaded = events.n || access(KVM_MODULE, F_OK) == 0;
	*ret_events = events;
	return 0;
}

/* Unreadable is what a person can change; that there is no such file is mostly the kernel's build.
 */
static const char *source_error(int err)
{
	return err == -ENOENT || !err ? "none there" : strerror(-err);
}

char *events_missing(const struct events *events, const char *tracefs)
{
	char *text = NULL;
	int ret;

	if (events->n)
		ret = asprintf(&text, "this kernel's KVM lacks a tracepoint that is needed");
	else if (!events->loaded)
		ret = asprintf(&text, "KVM is not loaded");
	else
		ret = asprintf(
			&text,
			"KVM is loaded, but its tracepoints are listed neither in its type information (%s: %s) nor in tracefs (%s/events: %s); mount tracefs or let it be read",
			KERNEL_TYPES_DIR, source_error(events->btf_err), tracefs,
			source_error(events->tracefs_err));
	return ret < 0 ? NULL : text;
}

uint64_t events_stamp(const char *btf_dir, const char *tracefs)
{
	const char *const shown[][2] = {
		{ btf_dir, "kvm" },
		{ btf_dir, "kvm_amd" },
		{ btf_dir, "kvm_intel" },
		{ KVM_MODULES_DIR, "kvm" },
		{ tracefs, "events/kvm" },
		{ KVM_MODULES_DIR, "kvm_amd" },
		{ KVM_MODULES_DIR, "kvm_intel" },
	};
	uint64_t stamp = 0;

	for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++) {
		struct stat st = { 0 };
		char *path;

		if (asprintf(&path, "%s/%s", shown[i][0], shown[i][1]) < 0)
			continue;
		stamp = stamp * 31 + (stat(path, &st) == 0 ? st.st_ino : 0);
		free(path);
	}
	return stamp;
}

bool events_has(const struct events *events, const char *name)
{
	return events->n &&
	       bsearch(&name, events->names, events->n, sizeof(*events->names), compare);
}

char *events_folder(const char *tracefs, const char *name)
{
	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++) {
		char *path;

		if (asprintf(&path, "%s/events/%s/%s", tracefs, groups[i], name) < 0)
			return NULL;
		if (access(path, X_OK) == 0)
			return path;
		free(path);
	}
	return NULL;
}

bool events_atomic(const char *name)
{
	static const char *const names[] = {
#define ATOMIC_EVENT(name, where) #name,
#include "kvm/atomic_events.def"
#undef ATOMIC_EVENT
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

void events_free(struct events *events)
{
	for (size_t i = 0; i < events->n; i++)
		free(events->names[i]);
	free(events->names);
	*events = (struct events){ 0 };
}
