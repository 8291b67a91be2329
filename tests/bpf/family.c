// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "bpf/family.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/programs.h"
#include "exit_typed.skel.h"
#include "kvm/exit_reasons.h"
#include "vms/vm_passes.h"

#define LINKS 32

struct collector *collector;
struct config config;
struct host host;

static struct items items;
static struct report report;
static size_t family; /* its place in families[] */

/* Where the BPF file system is mounted; empty: nothing is pinned. */
static char mounted[] = "/tmp/pins.XXXXXX", *pinned_in;

/* --- the kernel --- */

/* The events attached so far. A link's descriptor is of a file of its own, which is then closed. */
static struct {
	const char *event;
	int prog_fd, fd;
	ino_t inode;
	bool by_perf;
} links[LINKS];
static size_t nlinks;

int __wrap_bpf_raw_tracepoint_open(const char *event, int prog_fd);
int __wrap_bpf_object__load(struct bpf_object *object);
int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton);
int __real_bpf_object__load(struct bpf_object *object);
int __real_bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton);
int __wrap_events_find(struct kernel_types *types, const char *tracefs, struct events *ret_events);
bool __wrap_typed_loads_exist(struct kernel_types *types);
bool __wrap_classic_events_atomic(const struct classic_events *classic);
uint64_t __wrap_events_stamp(const char *btf_dir, const char *tracefs);
int __wrap_exit_layout_read(struct kernel_types *types, struct exit_layout *ret_layout);
int __wrap_prog_missed(int fd, uint64_t *ret_missed);
int __wrap_vms_attach(struct vms *vms, struct kernel_types *types, const char *lockdown,
		      char **ret_error);
int __real_vms_attach(struct vms *vms, struct kernel_types *types, const char *lockdown,
		      char **ret_error);
int __wrap_kvm_vendor(const char *dir, enum reasons_isa *ret_isa);
bool __wrap_tracepoints_preemptible(struct kernel_types *types);
int __wrap_classic_tracepoint_open(const char *folder, int prog_fd);

/* Does the kernel refuse this program, since it uses arguments that the event has not? */
static bool uses_too_many(const char *event, int prog_fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (!host.arguments || strcmp(event, "kvm_exit") != 0)
		return false;
	assert_int_equal(bpf_obj_get_info_by_fd(prog_fd, &info, &size), 0);
	return host.arguments < 3 && strncmp(info.name, "exit_reason", strlen("exit_reason")) == 0;
}

static int link_new(const char *event, int prog_fd, bool by_perf)
{
	struct stat status;
	int fd = memfd_create("link", MFD_CLOEXEC);

	assert_true(nlinks < LINKS);
	assert_int_equal(fstat(fd, &status), 0);
	links[nlinks].event = event;
	links[nlinks].prog_fd = prog_fd;
	links[nlinks].fd = fd;
	links[nlinks].by_perf = by_perf;
	links[nlinks++].inode = status.st_ino;
	return fd;
}

int __wrap_bpf_raw_tracepoint_open(const char *event, int prog_fd)
{
	if (uses_too_many(event, prog_fd))
		return -EINVAL;
	if (host.no_attach && strcmp(event, host.no_attach) == 0)
		return host.attach_err;
	return link_new(event, prog_fd, false);
}

bool __wrap_tracepoints_preemptible(struct kernel_types *types)
{
	(void)types;
	return host.preemptible;
}

int __wrap_classic_tracepoint_open(const char *folder, int prog_fd)
{
	const char *event = strrchr(folder, '/') + 1;
	size_t i = 0;

	if (host.perf_err)
		return host.perf_err;
	while (host.events[i] && strcmp(host.events[i], event) != 0)
		i++;
	assert_non_null(host.events[i]);
	return link_new(host.events[i], prog_fd, true);
}

static bool refuses_load(void)
{
	if (!host.refused_loads)
		return false;
	host.refused_loads--;
	return true;
}

int __wrap_bpf_object__load(struct bpf_object *object)
{
	host.objects++;
	return refuses_load() ? -EPERM : __real_bpf_object__load(object);
}

bool __wrap_classic_events_atomic(const struct classic_events *classic)
{
	(void)classic;
	return host.atomic;
}

bool __wrap_typed_loads_exist(struct kernel_types *types)
{
	(void)types;
	return host.typed_loads;
}

/* Note which build of the exit family's object it is. */
static void load_note(const struct bpf_object_skeleton *skeleton)
{
	size_t size;
	const void *typed = exit_typed_bpf__elf_bytes(&size);

	if (strcmp(skeleton->name, "exit_bpf") != 0)
		return;
	assert_true(strlen(host.loads) + sizeof(" probing") <= sizeof(host.loads));
	strcat(host.loads, skeleton->data_sz == size && memcmp(skeleton->data, typed, size) == 0 ?
				   " typed" :
				   " probing");
}

int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton)
{
	load_note(skeleton);
	host.objects++;
	return refuses_load() ? -EPERM : __real_bpf_object__load_skeleton(skeleton);
}

int __wrap_events_find(struct kernel_types *types, const char *tracefs, struct events *ret_events)
{
	struct events events = { 0 };

	(void)types, (void)tracefs;
	while (host.events[events.n])
		events.n++;
	events.names = calloc(events.n + 1, sizeof(*events.names));
	assert_non_null(events.names);
	for (size_t i = 0; i < events.n; i++)
		events.names[i] = strdup(host.events[i]);
	events.loaded = events.n || host.unlisted;
	*ret_events = events;
	return 0;
}

uint64_t __wrap_events_stamp(const char *btf_dir, const char *tracefs)
{
	(void)btf_dir, (void)tracefs;
	return host.stamp;
}

int __wrap_exit_layout_read(struct kernel_types *types, struct exit_layout *ret_layout)
{
	(void)types;
	if (!host.layout_err)
		*ret_layout = host.layout;
	return host.layout_err;
}

int __wrap_kvm_vendor(const char *dir, enum reasons_isa *ret_isa)
{
	(void)dir;
	if (host.vendor < 0)
		return host.vendor;
	*ret_isa = (enum reasons_isa)host.vendor;
	return 0;
}

/* To a family there are no VMs: this host's are none of the test's. */
int __wrap_vms_attach(struct vms *vms, struct kernel_types *types, const char *lockdown,
		      char **ret_error)
{
	return config.only ? -ENOENT : __real_vms_attach(vms, types, lockdown, ret_error);
}

int __wrap_prog_missed(int fd, uint64_t *ret_missed)
{
	if (fd < 0)
		return -ENODATA;
	*ret_missed = host.missed;
	return 0;
}

/* --- the collector --- */

static void layout_make(struct exit_layout *layout)
{
	memset(layout, 0, sizeof(*layout));
	layout->form = EXIT_REASON_FIRST;
	layout->setup.has_reasons = layout->setup.entry_has_vcpu = 1;
	layout->setup.vmx.isa = REASONS_VMX + 1;
	exit_layout_ranges(REASONS_VMX, layout->setup.vmx.ranges);
	layout->setup.svm.isa = REASONS_SVM + 1;
	layout->setup.svm.mask = 0xffffffff;
	exit_layout_ranges(REASONS_SVM, layout->setup.svm.ranges);
}

int family_setup(void **state)
{
	static const char *const events[] = { "kvm_cpuid", "kvm_entry",		 "kvm_exit",
					      "kvm_fpu",   "kvm_userspace_exit", NULL };

	(void)state;
	host = (struct host){ .events = events, .vendor = REASONS_SVM };
	layout_make(&host.layout);
	nlinks = 0;
	collector = NULL;
	return config_init(&config);
}

int family_teardown(void **state)
{
	(void)state;
	family_close();
	if (pinned_in) {
		umount2(mounted, MNT_DETACH);
		rmdir(mounted);
	}
	pinned_in = NULL;
	config_free(&config);
	items_free(&items);
	return 0;
}

void family_close(void)
{
	collector_close(collector);
	collector = NULL;
	assert_string_equal(attached_events(), "");
	nlinks = 0;
	report_clear(&report);
}

void family_pins(void)
{
	if (unshare(CLONE_NEWNS) || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
		skip_why("no mount namespace of our own");
	strcpy(mounted, "/tmp/pins.XXXXXX");
	pinned_in = mkdtemp(mounted);
	assert_non_null(pinned_in);
	assert_int_equal(mount("bpf", mounted, "bpf", 0, ""), 0);
	free(config.pin);
	assert_true(asprintf(&config.pin, "%s/ours", mounted) > 0);
	host.pins = COLLECTOR_PINS;
}

int family_pinned(const char *name)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/%s", config.pin, name);
	return bpf_obj_get(path);
}

bool family_reported(const char *words)
{
	for (size_t i = 0; i < report.n; i++) {
		if (strstr(report.lines[i].text, words))
			return true;
	}
	return false;
}

void family_open(const char *name)
{
	config.only = name;
	for (family = 0; strcmp(families[family].name, name) != 0; family++)
		assert_true(family + 1 < families_count);
	assert_int_equal(collector_open(&config, &items, NULL, host.pins, &report, &collector), 0);
}

int family_switch(bool attached)
{
	return collector_switch(collector, family, attached, &report);
}

void family_tick(void)
{
	collector_tick(collector, &report);
}

int family_err(void)
{
	return collector_families(collector)[family].err;
}

const char *family_status(void)
{
	const struct collector_family *open = &collector_families(collector)[family];

	return open->error ? open->error : open->err ? strerror(-open->err) : "attached";
}

static bool is_attached(size_t link)
{
	struct stat status;

	return fstat(links[link].fd, &status) == 0 && status.st_ino == links[link].inode;
}

const char *attached_events(void)
{
	static char text[256];

	*text = '\0';
	for (size_t i = 0; i < nlinks; i++) {
		if (!is_attached(i))
			continue;
		snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s%s",
			 *text ? " " : "", links[i].by_perf ? "+" : "", links[i].event);
	}
	return text;
}

int event_program(const char *event)
{
	for (size_t i = 0; i < nlinks; i++) {
		if (is_attached(i) && strcmp(links[i].event, event) == 0)
			return links[i].prog_fd;
	}
	fail_msg("%s is not attached", event);
	return -1;
}

void fire_event(const char *event, const uint64_t *args, size_t n)
{
	run_program(event_program(event), args, n);
}

/* --- tables --- */

void read_tables(void)
{
	assert_int_equal(collector_read(collector, UINT64_MAX), 0);
}

static struct snapshot_table *table_of(const char *name)
{
	struct snapshot_table *table = snapshot_find_table(collector_snapshot(collector), name);

	assert_non_null(table);
	return table;
}

size_t rows_of(const char *table)
{
	return table_of(table)->nrows;
}

size_t counted_rows(const char *table)
{
	size_t n = 0;

	for (size_t i = 0; i < rows_of(table); i++)
		n += value_at(table, row_name(table, i), "count") > 0;
	return n;
}

const char *row_name(const char *table, size_t row)
{
	assert_true(row < table_of(table)->nrows);
	return table_of(table)->rows[row].name;
}

bool value_of(const char *name, const char *row, const char *column, uint64_t *ret_value)
{
	struct snapshot_table *table = table_of(name);
	int at = snapshot_table_column(table, column);

	assert_true(at >= 0);
	for (size_t i = 0; i < table->nrows; i++) {
		const struct snapshot_cell *cell = snapshot_table_cell(table, i, (size_t)at);

		if (strcmp(table->rows[i].name, row) != 0)
			continue;
		*ret_value = cell->number;
		return cell->present;
	}
	return false;
}

uint64_t value_at(const char *table, const char *row, const char *column)
{
	uint64_t value;

	if (!value_of(table, row, column, &value))
		fail_msg("%s has no %s of \"%s\"", table, column, row);
	return value;
}
