// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_stat_kernel.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bpf/stat.h"
#include "bpf/vms.h"
#include "kvm/tracepoints.h"
#include "families/family.h"
#include "fakes/fake_maps.h"
#include "kernel/pinned_maps.h"
#include "fakes/fake_vms.h"
#include "kernel/typed_loads.h"
#include "vms_typed.skel.h"

#define ITERATOR_FD 2000
#define LINK_FD	    2001

struct kernel kernel;
static struct kernel_types kernel_types = { .dir = KERNEL_TYPES_DIR };

void kernel_show(const struct shown *const *list)
{
	kernel.size = 0;
	for (; *list; list++) {
		const struct shown *shown = *list;
		size_t sizes[] = { sizeof(shown->record), shown->record.bytes };
		const void *parts[] = { &shown->record, shown->values };

		for (int i = 0; i < 2; i++) {
			memcpy(kernel.bytes + kernel.size, parts[i], sizes[i]);
			kernel.size += sizes[i];
		}
	}
}

extern const struct family_ops stat_family;

int kernel_attach(struct vms *of, void *family, const struct config *config, struct report *to,
		  char **ret_error)
{
	char *error = NULL;

	vms_attach(of, &kernel_types, config->lockdown, &error);
	free(error);
	return stat_family.attach(family, to, ret_error);
}

int kernel_refresh(struct vms *of, void *family)
{
	vms_stale(of, 0);
	return stat_family.refresh(family, UINT64_MAX);
}

/* --- functions that unit.mk wraps --- */

int __wrap_stat_layout_kvm(const char *module_dir, const char *btf_dir);
int __wrap_stat_layout_kvm(const char *module_dir, const char *btf_dir)
{
	assert_string_equal(module_dir, STAT_MODULE_DIR);
	assert_string_equal(btf_dir, KERNEL_TYPES_DIR);
	return kernel.kvm_err;
}

#define CORE_TYPES "core types"

const char *__wrap_kernel_types_core(struct kernel_types *types);
const char *__wrap_kernel_types_core(struct kernel_types *types)
{
	assert_ptr_equal(types, &kernel_types);
	return CORE_TYPES;
}

int __wrap_stat_layout_read(struct kernel_types *types, struct stat_layout *ret_layout);
int __wrap_stat_layout_read(struct kernel_types *types, struct stat_layout *ret_layout)
{
	assert_ptr_equal(types, &kernel_types);
	if (kernel.layout_err)
		return kernel.layout_err;
	return kernel.layout_name ? fake_other_layout(kernel.layout_name, ret_layout) :
				    fake_layout(ret_layout);
}

int __wrap_stat_layout_describe(const char *path, struct stat_layout *described);
int __wrap_stat_layout_describe(const char *path, struct stat_layout *described)
{
	assert_string_equal(path, "/dev/kvm");
	assert_int_equal(described->vm.n, 6);
	kernel.describes++;
	return -ENOTTY;
}

/* Opaque handles: only their addresses matter. */
static char ended_map, vms_map, meta_map, program, link_handle;

/* What the iterator's skeleton maps. */
static union {
	struct vms_offsets offsets;
	char bytes[16384];
} mapped;

/* The object of the stat family: maps only. */
static int open_maps(struct bpf_object_skeleton *s)
{
	static const struct {
		const char *name;
		char *map;
	} maps[] = { { "stat_ended", &ended_map },
		     { "stat_vms", &vms_map },
		     { "stat_meta", &meta_map } };

	assert_int_equal(s->map_cnt, 3);
	assert_int_equal(s->prog_cnt, 0);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(skeleton_map(s, i)->name, maps[i].name);
		*skeleton_map(s, i)->map = (struct bpf_map *)maps[i].map;
	}
	kernel.objects++;
	return 0;
}

void __real_bpf_object__destroy_skeleton(struct bpf_object_skeleton *s);
void __wrap_bpf_object__destroy_skeleton(struct bpf_object_skeleton *s);
void __wrap_bpf_object__destroy_skeleton(struct bpf_object_skeleton *s)
{
	/* without memory there can be no skeleton, or none of an object */
	if (s && s->maps && s->maps[0].map && *s->maps[0].map == (struct bpf_map *)&ended_map)
		kernel.objects--;
	if (s && !s->progs)
		s->prog_cnt = 0; /* libbpf 1.5 steps through what there was no memory for */
	__real_bpf_object__destroy_skeleton(s);
}

int __wrap_bpf_object__open_skeleton(struct bpf_object_skeleton *s, const void *opts);
int __wrap_bpf_object__open_skeleton(struct bpf_object_skeleton *s, const void *opts)
{
	const struct bpf_object_open_opts *given = opts;

	if (strcmp(s->name, "stat_bpf") == 0)
		return open_maps(s);
	assert_string_equal(s->name, "vms_bpf");
	assert_string_equal(given->btf_custom_path, CORE_TYPES);
	for (int i = 0; i < s->map_cnt; i++) {
		if (strstr(skeleton_map(s, i)->name, ".rodata") && skeleton_map(s, i)->mmaped)
			*skeleton_map(s, i)->mmaped = &mapped;
	}
	assert_int_equal(s->prog_cnt, 1);
	assert_string_equal(s->progs[0].name, "vms_files");
	*s->progs[0].prog = (struct bpf_program *)&program;
	return 0;
}

bool __wrap_typed_loads_exist(struct kernel_types *types);
bool __wrap_typed_loads_exist(struct kernel_types *types)
{
	(void)types;
	return kernel.typed_loads;
}

static bool is_typed(const struct bpf_object_skeleton *s)
{
	size_t size;
	const void *typed = vms_typed_bpf__elf_bytes(&size);

	return s->data_sz == size && memcmp(s->data, typed, size) == 0;
}

int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *s);
int __wrap_bpf_object__load_skeleton(struct bpf_object_skeleton *s)
{
	const struct vms_offsets *offsets = &mapped.offsets;

	assert_string_equal(s->name, "vms_bpf");
	assert_int_equal(offsets->vm_stat, kernel.layout_name ? 40 : 8);
	assert_int_equal(offsets->vm_stat_bytes, VM_VALUES * 8);
	assert_int_equal(offsets->vm_creator, 16);
	assert_int_equal(offsets->vcpu_stat, 24);
	assert_int_equal(offsets->vcpu_stat_bytes, VCPU_VALUES * 8);
	kernel.typed = is_typed(s);
	return kernel.typed && kernel.typed_refused ? -EPERM : kernel.load_err;
}

int __wrap_bpf_map__set_value_size(struct bpf_map *map, uint32_t size);
int __wrap_bpf_map__set_value_size(struct bpf_map *map, uint32_t size)
{
	assert_ptr_not_equal(map, &meta_map);
	kernel.value_sizes[(void *)map == &vms_map] = size;
	return 0;
}

int __wrap_bpf_map__set_max_entries(struct bpf_map *map, uint32_t max);
int __wrap_bpf_map__set_max_entries(struct bpf_map *map, uint32_t max)
{
	assert_ptr_equal(map, &vms_map);
	kernel.max_vms = max;
	return 0;
}

int __wrap_bpf_map__fd(const struct bpf_map *map);
int __wrap_bpf_map__fd(const struct bpf_map *map)
{
	assert_ptr_not_equal(map, &meta_map);
	return (const void *)map == &ended_map ? FAKE_ENDED_FD : FAKE_VMS_FD;
}

int __wrap_pins_load(const struct pins *pins, const struct pinned *pinned, struct report *to);
int __wrap_pins_load(const struct pins *pins, const struct pinned *pinned, struct report *to)
{
	assert_int_equal(pinned->layout, STAT_LAYOUT);
	assert_ptr_equal(pins, kernel.pins);
	assert_string_equal(pinned->skeleton->name, "stat_bpf");
	assert_ptr_equal(pinned->meta, &meta_map);
	assert_non_null(to);
	return kernel.maps_err;
}

uint64_t __wrap_pins_generation(const struct bpf_map *meta, uint64_t step);
uint64_t __wrap_pins_generation(const struct bpf_map *meta, uint64_t step)
{
	assert_ptr_equal(meta, &meta_map);
	return kernel.generation += (unsigned)step;
}

struct bpf_link *__wrap_bpf_program__attach_iter(const struct bpf_program *of, const void *opts);
struct bpf_link *__wrap_bpf_program__attach_iter(const struct bpf_program *of, const void *opts)
{
	assert_ptr_equal(of, &program);
	assert_null(opts);
	assert_false(kernel.linked);
	errno = -kernel.link_err;
	if (kernel.link_err)
		return NULL;
	kernel.links++;
	kernel.linked = true;
	return (struct bpf_link *)&link_handle;
}

int __wrap_bpf_link__destroy(struct bpf_link *link);
int __wrap_bpf_link__destroy(struct bpf_link *link)
{
	if (link)
		kernel.linked = false;
	return 0;
}

int __wrap_bpf_link__fd(const struct bpf_link *link);
int __wrap_bpf_link__fd(const struct bpf_link *link)
{
	assert_ptr_equal(link, &link_handle);
	return LINK_FD;
}

int __wrap_bpf_iter_create(int link_fd);
int __wrap_bpf_iter_create(int link_fd)
{
	assert_int_equal(link_fd, LINK_FD);
	assert_true(kernel.linked);
	if (kernel.create_err)
		return kernel.create_err;
	kernel.at = 0;
	kernel.passes++;
	return ITERATOR_FD;
}

ssize_t __real_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size);
ssize_t __wrap_read(int fd, void *to, size_t size)
{
	static int interrupted;
	int err = kernel.at ? 0 : kernel.read_errs[0];

	if (fd != ITERATOR_FD)
		return __real_read(fd, to, size);
	if (kernel.at == kernel.size)
		err = kernel.read_errs[1];
	if (interrupted++ < kernel.interrupts)
		err = interrupted % 2 ? -EINTR : -EAGAIN;
	else
		interrupted = 0;
	if (err) {
		errno = -err;
		return -1;
	}
	if (size > kernel.size - kernel.at)
		size = kernel.size - kernel.at;
	if (kernel.step && size > kernel.step)
		size = kernel.step;
	memcpy(to, kernel.bytes + kernel.at, size);
	kernel.at += size;
	return (ssize_t)size;
}

int __real_close(int fd);
int __wrap_close(int fd);
int __wrap_close(int fd)
{
	return fd == ITERATOR_FD ? 0 : __real_close(fd);
}

int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ret_now)
{
	(void)clock;
	*ret_now = (struct timespec){ (time_t)(kernel.ns / 1000000000),
				      (long)(kernel.ns % 1000000000) };
	return 0;
}
