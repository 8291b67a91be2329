// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "vms/vm_passes.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/privileges.h"
#include "kernel/typed_loads.h"
#include "vms/vm_follow.h"
#include "vms.skel.h"
#include "vms_typed.skel.h"

/* The kernel's buffer is 8 pages: 512 KiB where pages have 64 KiB. */
#define RECORDS_BYTES (1024 * 1024)

#define KVM_DEVICE    "/dev/kvm"

_Static_assert(STAT_NO_OFFSET == VMS_NOT_THERE, "offsets are passed on as they are");

struct vm_passes {
	struct vms_bpf *bpf;	    /* NULL: not loaded */
	struct bpf_link *link;	    /* NULL: of an agent, or none */
	int link_fd;		    /* -1: none */
	struct stat_layout *layout; /* NULL: never read */
	char *records;		    /* buffer for the iterator's records */
	bool fresh;		    /* a pass was made since vms_stale() */
	uint64_t passed;	    /* time of the last pass, ns */
	int err;
	char *error; /* text for err, or NULL */
};

/* --- passes --- */

/* Take the records of one read. Returns the bytes of those that were complete. */
static size_t records_take(struct vms *vms, const char *records, size_t size)
{
	size_t at = 0;

	while (size - at >= sizeof(struct vm_record)) {
		struct vm_record record;

		memcpy(&record, records + at, sizeof(record));
		if (size - at - sizeof(record) < record.bytes)
			break;
		/* a record that cannot be taken counts as not seen */
		vms_see(vms, &record, records + at + sizeof(record));
		at += sizeof(record) + record.bytes;
	}
	return at;
}

/* Read all records of an iterator. Returns 0 or an error. */
static int records_read(struct vms *vms, int fd)
{
	char *records = vms->passes->records;
	size_t have = 0;

	for (;;) {
		ssize_t got = read(fd, records + have, RECORDS_BYTES - have);
		size_t taken;

		if (got < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (got <= 0)
			return got ? -errno : 0;
		have += (size_t)got;
		taken = records_take(vms, records, have);
		have -= taken;
		memmove(records, records + taken, have);
	}
}

bool vms_pass(struct vms *vms)
{
	struct vm_passes *passes = vms->passes;
	int fd, err;

	if (!passes || passes->link_fd < 0)
		return false;
	passes->passed = clock_ns();
	fd = bpf_iter_create(passes->link_fd);
	if (fd < 0)
		return false;
	vms_begin(vms);
	err = records_read(vms, fd);
	close(fd);
	if (err)
		vms_cancel(vms); /* who is gone is not known */
	else
		vms_end(vms);
	return !err;
}

void vms_stale(struct vms *vms, uint64_t ns)
{
	if (vms->passes && clock_ns() - vms->passes->passed >= ns)
		vms->passes->fresh = false;
}

void vms_refresh(struct vms *vms)
{
	if (!vms->passes || vms->passes->fresh)
		return;
	vms->passes->fresh = true;
	vms_pass(vms);
}

void vms_tick(struct vms *vms, struct report *report)
{
	if (!vms->passes)
		return;
	if (clock_ns() - vms->passes->passed >= CLOCK_TICK_NS)
		vms_pass(vms);
	vms_follow(vms, report);
}

/* --- attaching --- */

static void unload(struct vm_passes *passes)
{
	if (!passes->link && passes->link_fd >= 0)
		close(passes->link_fd);
	bpf_link__destroy(passes->link);
	passes->link = NULL;
	passes->link_fd = -1;
	vms_bpf__destroy(passes->bpf);
	passes->bpf = NULL;
}

/* Load the iterator for a layout, and link it. Returns 0 or an error, with nothing loaded. */
static int load(struct vm_passes *passes, const struct stat_layout *layout, bool typed,
		struct kernel_types *types)
{
	int err;

	passes->bpf = calloc(1, sizeof(*passes->bpf));
	err = passes->bpf ? vms_bpf__create_skeleton(passes->bpf) : -ENOMEM;
	if (!err)
		err = typed_loads_open(passes->bpf->skeleton,
				       typed ? vms_typed_bpf__elf_bytes : NULL,
				       kernel_types_core(types));
	if (!err) {
		passes->bpf->rodata->offsets = (struct vms_offsets){
			.vm_stat = layout->vm_stat,
			.vm_stat_bytes = layout->vm.bytes,
			.vm_creator = layout->vm_userspace_pid,
			.vm_debugfs_dentry = layout->vm_debugfs_dentry,
			.vcpu_stat = layout->vcpu_stat,
			.vcpu_stat_bytes = layout->vcpu.bytes,
			.vcpu_kvm = layout->vcpu_kvm,
			.vcpu_id = layout->vcpu_id,
			.vcpu_pid = layout->vcpu_pid,
		};
		err = vms_bpf__load(passes->bpf);
	}
	if (!err) {
		passes->link = bpf_program__attach_iter(passes->bpf->progs.vms_files, NULL);
		err = passes->link ? 0 : -errno;
	}
	if (err)
		unload(passes);
	else
		passes->link_fd = bpf_link__fd(passes->link);
	return err;
}

/* Load what reads memory as this kernel can. */
static int load_any(struct vm_passes *passes, const struct stat_layout *layout,
		    struct kernel_types *types)
{
	if (typed_loads_exist(types) && load(passes, layout, true, types) == 0)
		return 0;
	return load(passes, layout, false, types);
}

static bool is_reading(const struct vms *vms)
{
	return vms->pins && vms->pins->reading;
}

/*
 * Have the agent's passes, or our own, which are pinned for readers of our maps. A pin that cannot
 * be made costs them the names of VMs, or an iterator of their own.
 */
static int link_get(struct vms *vms, const struct stat_layout *layout, struct kernel_types *types)
{
	struct vm_passes *passes = vms->passes;
	int err;

	if (is_reading(vms)) {
		passes->link_fd = pins_get_link(vms->pins, VMS_LINK_PIN);
		if (passes->link_fd >= 0)
			return 0;
		passes->link_fd = -1;
	}
	err = load_any(passes, layout, types);
	if (!err && vms->pins && !is_reading(vms))
		pins_add(vms->pins, VMS_LINK_PIN, passes->link_fd);
	return err;
}

/* No reader finds the passes any more; those that have them keep them. */
static void link_drop(struct vms *vms)
{
	if (vms->pins && !is_reading(vms))
		pins_drop(vms->pins, VMS_LINK_PIN);
}

/* Read the layout of KVM's types. Returns 0 or an error, with a text for it. */
static int layout_read(struct kernel_types *types, struct stat_layout *ret_layout,
		       const char **ret_text)
{
	int err = stat_layout_kvm(STAT_MODULE_DIR, types->dir);

	if (!err) {
		err = stat_layout_read(types, ret_layout);
		if (err == -ENOENT)
			err = -ENODATA;
	}
	switch (err) {
	case -ENOENT:
		*ret_text = "KVM is not loaded";
		break;
	case -ENODATA:
		*ret_text = "this kernel has no type information (BTF) for KVM";
		return -ENOENT; /* no fault either */
	case -EINVAL:
		*ret_text = "KVM's types have an unknown layout";
		break;
	default:
		*ret_text = strerror(-err);
	}
	return err;
}

/* Make passes for this layout, which is then theirs. */
static int layout_use(struct vms *vms, struct kernel_types *types, struct stat_layout *fresh)
{
	struct vm_passes *passes = vms->passes;
	struct stat_layout *layout;

	/* on failure kinds and units stay as in stat_items.def */
	stat_layout_describe(KVM_DEVICE, fresh);
	layout = stat_layout_share(fresh);
	if (!layout) {
		stat_layout_free(fresh);
		return -ENOMEM;
	}
	unload(passes);
	vms_end_all(vms); /* KVM was unloaded in between */
	stat_layout_unref(passes->layout);
	passes->layout = layout;
	vms->vm_bytes = layout->vm.bytes;
	vms->vcpu_bytes = layout->vcpu.bytes;
	return link_get(vms, layout, types);
}

static int attach(struct vms *vms, struct kernel_types *types, const char *lockdown,
		  char **ret_error)
{
	struct vm_passes *passes = vms->passes;
	struct stat_layout fresh;
	const char *text;
	int err = layout_read(types, &fresh, &text);

	if (err) {
		link_drop(vms);
		unload(passes);
		vms_end_all(vms);
		*ret_error = strdup(text);
		return err;
	}
	if (passes->link_fd >= 0 && stat_layout_equal(passes->layout, &fresh)) {
		stat_layout_free(&fresh);
		return 0;
	}
	err = layout_use(vms, types, &fresh);
	if (err)
		*ret_error = privs_load_text(err, lockdown);
	else
		vms_pass(vms);
	return err;
}

static struct vm_passes *passes_new(void)
{
	struct vm_passes *passes = calloc(1, sizeof(*passes));

	if (passes)
		passes->records = malloc(RECORDS_BYTES);
	if (passes)
		passes->link_fd = -1;
	if (passes && passes->records)
		return passes;
	free(passes);
	return NULL;
}

int vms_attach(struct vms *vms, struct kernel_types *types, const char *lockdown, char **ret_error)
{
	struct vm_passes *passes;

	if (!vms->passes)
		vms->passes = passes_new();
	passes = vms->passes;
	if (!passes)
		return -ENOMEM;
	free(passes->error);
	passes->error = NULL;
	passes->err = attach(vms, types, lockdown, &passes->error);
	if (passes->error)
		*ret_error = strdup(passes->error);
	return passes->err;
}

int vms_attached(const struct vms *vms, const char **ret_error)
{
	const struct vm_passes *passes = vms->passes;

	*ret_error = passes ? passes->error : NULL;
	return passes ? passes->err : -ENOENT;
}

struct stat_layout *vms_layout(const struct vms *vms)
{
	return vms->passes ? vms->passes->layout : NULL;
}

void vms_detach(struct vms *vms)
{
	struct vm_passes *passes = vms->passes;

	if (!passes)
		return;
	link_drop(vms);
	unload(passes);
	stat_layout_unref(passes->layout);
	free(passes->records);
	free(passes->error);
	free(passes);
	vms->passes = NULL;
}
