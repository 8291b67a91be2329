// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * Passes over VMs that an agent and readers of its pinned iterator make at a time: each sees every
 * VM and vCPU of a real KVM as it is, and readers load nothing.
 */
#define _GNU_SOURCE
#include "bpf/family.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "kernel/pinned_folder.h"
#include "vms/vm_passes.h"
#include "vms/vm_register.h"

#define VMS	3
#define VCPUS	5
#define READERS 3
#define PASSES	300

static char mounted[] = "/tmp/passes.XXXXXX", folder[64];
static int vm_fds[VMS], vcpu_fds[VMS][VCPUS];
static struct report said;
static struct pins *pins;
static struct vms *agent;
static unsigned wrong; /* passes that saw something else */

/* Why there are no VMs; NULL: there are. */
static const char *vms_make(void)
{
	int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	const char *why = kvm < 0 ? "no /dev/kvm: this needs a host with KVM" : NULL;

	for (int i = 0; !why && i < VMS; i++) {
		vm_fds[i] = ioctl(kvm, KVM_CREATE_VM, 0);
		if (vm_fds[i] < 0)
			why = "this KVM makes no VM";
		for (int j = 0; !why && j < VCPUS; j++) {
			vcpu_fds[i][j] = ioctl(vm_fds[i], KVM_CREATE_VCPU, j);
			if (vcpu_fds[i][j] < 0)
				why = "this KVM makes no vCPU";
		}
	}
	if (kvm >= 0)
		close(kvm);
	return why;
}

/* Returns whether passes can be made; if not, *ret_error says why, or is NULL. */
static bool register_attach(struct vms *vms, char **ret_error)
{
	struct kernel_types types = { .dir = KERNEL_TYPES_DIR };
	int err = vms_attach(vms, &types, "/nonexistent", ret_error);

	kernel_types_close(&types);
	return !err;
}

static struct vms *register_open(const struct pins *with)
{
	struct vms *vms = NULL;
	char *error = NULL;

	assert_int_equal(vms_new("/proc", NULL, &vms), 0);
	vms->pins = with;
	if (!register_attach(vms, &error))
		skip_why(error ? error : "passes cannot be made");
	free(error);
	return vms;
}

static void register_close(struct vms *vms)
{
	if (vms)
		vms_detach(vms);
	vms_free(vms);
}

/* Are our VMs there, each with its vCPUs? */
static bool sees_all(const struct vms *vms)
{
	unsigned n = 0;

	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];
		unsigned ids = 0;

		if (!vm_is_there(vms, vm) || vm->process != getpid())
			continue;
		for (size_t j = 0; j < vm->nvcpus; j++)
			ids |= vcpu_is_there(vms, &vm->vcpus[j]) ? 1U << vm->vcpus[j].vcpu_id : 0;
		n += vm->nvcpus == VCPUS && ids == (1U << VCPUS) - 1;
	}
	return n == VMS;
}

static int setup(void **state)
{
	if (family_setup(state) || unshare(CLONE_NEWNS) ||
	    mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL))
		return -1;
	strcpy(mounted, "/tmp/passes.XXXXXX");
	if (!mkdtemp(mounted) || mount("bpf", mounted, "bpf", 0, ""))
		return -1;
	snprintf(folder, sizeof(folder), "%s/pins", mounted);
	agent = NULL;
	pins = NULL;
	return 0;
}

static int teardown(void **state)
{
	register_close(agent);
	pins_close(pins);
	report_clear(&said);
	for (int i = 0; i < VMS; i++) {
		for (int j = 0; j < VCPUS; j++)
			close(vcpu_fds[i][j]);
		close(vm_fds[i]);
	}
	umount2(mounted, MNT_DETACH);
	rmdir(mounted);
	return family_teardown(state);
}

static void agent_open(void)
{
	const char *why = vms_make();

	if (why)
		skip_why(why);
	assert_int_equal(pins_open(folder, &said, &pins), 0);
	assert_non_null(pins);
	agent = register_open(pins);
	assert_true(sees_all(agent));
}

static bool is_pinned(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/" VMS_LINK_PIN, folder);
	return access(path, F_OK) == 0;
}

static void test_readers_load_nothing(void **state)
{
	struct pins *theirs;
	struct vms *reader;
	unsigned objects;

	(void)state;
	agent_open();
	assert_true(is_pinned());
	objects = host.objects;
	assert_int_equal(pins_watch(folder, &said, &theirs), 0);
	assert_non_null(theirs);
	reader = register_open(theirs);
	assert_int_equal(host.objects, objects);
	assert_true(sees_all(reader));
	register_close(reader);
	pins_close(theirs);
	assert_true(is_pinned());
	assert_true(vms_pass(agent) && sees_all(agent));
	register_close(agent);
	agent = NULL;
	assert_false(is_pinned());
}

/* Without the pin a reader has an iterator of its own. */
static void test_no_pin(void **state)
{
	struct pins *theirs;
	struct vms *reader;
	unsigned objects;

	(void)state;
	agent_open();
	pins_drop(pins, VMS_LINK_PIN);
	objects = host.objects;
	assert_int_equal(pins_watch(folder, &said, &theirs), 0);
	reader = register_open(theirs);
	assert_true(host.objects > objects);
	assert_true(sees_all(reader));
	register_close(reader);
	pins_close(theirs);
	assert_false(is_pinned());
}

static void *passes_make(void *vms)
{
	for (unsigned i = 0; i < PASSES; i++) {
		if (!vms_pass(vms) || !sees_all(vms))
			__atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_at_a_time(void **state)
{
	struct vms *readers[READERS];
	pthread_t threads[READERS];
	struct pins *theirs;

	(void)state;
	agent_open();
	assert_int_equal(pins_watch(folder, &said, &theirs), 0);
	wrong = 0;
	for (unsigned i = 0; i < READERS; i++) {
		readers[i] = register_open(theirs);
		assert_int_equal(pthread_create(&threads[i], NULL, passes_make, readers[i]), 0);
	}
	passes_make(agent);
	for (unsigned i = 0; i < READERS; i++) {
		pthread_join(threads[i], NULL);
		register_close(readers[i]);
	}
	pins_close(theirs);
	assert_int_equal(wrong, 0);
}

/*
 * A kernel whose types promise typed loads can refuse them, one without a compiler for programs
 * (JIT) say. Then passes read as before.
 */
static void test_typed_loads_refused(void **state)
{
	char *error = NULL;

	(void)state;
	agent_open();
	register_close(agent);
	agent = NULL;
	host.typed_loads = true;
	host.refused_loads = 1;
	host.objects = 0;
	assert_int_equal(vms_new("/proc", NULL, &agent), 0);
	assert_true(register_attach(agent, &error));
	assert_null(error);
	assert_int_equal(host.refused_loads, 0);
	assert_int_equal(host.objects, 2);
	assert_true(vms_pass(agent) && sees_all(agent));
}

static int nothing_seen(void *data, struct vm *vm, struct vcpu *vcpu, const void *member)
{
	(void)data;
	(void)vm;
	(void)vcpu;
	(void)member;
	return 0;
}

static void nothing_ended(void *data, struct vm *vm, struct vcpu *vcpu)
{
	(void)data;
	(void)vm;
	(void)vcpu;
}

static void pass_counted(void *data, bool complete)
{
	unsigned *passes = data;

	*passes += complete;
}

/* One pass serves all reads that follow vms_stale(), and those to whom it is not too old. */
static void test_stale(void **state)
{
	unsigned passes = 0;
	struct vms_listener listener = { &passes, nothing_seen, nothing_ended, pass_counted };

	(void)state;
	agent_open();
	agent->listener = &listener;
	vms_stale(agent, 0);
	vms_refresh(agent);
	vms_refresh(agent);
	assert_int_equal(passes, 1);
	vms_stale(agent, UINT64_MAX);
	vms_refresh(agent);
	assert_int_equal(passes, 1);
	vms_stale(agent, 1);
	vms_refresh(agent);
	assert_int_equal(passes, 2);
	agent->listener = NULL;
}

#define passes_test(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		passes_test(test_readers_load_nothing),
		passes_test(test_no_pin),
		passes_test(test_at_a_time),
		passes_test(test_stale),
		passes_test(test_typed_loads_refused),
	};

	return run_group("vm_passes", tests, ARRAY_SIZE(tests));
}
