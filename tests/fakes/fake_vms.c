// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_vms.h"

#include "vms/vm_passes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stat_layout layout;
struct vms *vms;
char ended[1024];

static int list_copy(const struct statistic *from, size_t n, struct stat_list *ret_list)
{
	struct statistic *list = calloc(n, sizeof(*list));
	uint32_t nvalues = 0;

	if (!list)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		list[i] = from[i];
		list[i].scale = 1;
		list[i].size = sizeof(uint64_t);
		list[i].buckets += !list[i].buckets;
		list[i].first = nvalues;
		list[i].offset = nvalues * list[i].size;
		nvalues += list[i].buckets;
	}
	*ret_list = (struct stat_list){ list, n, nvalues, nvalues * 8 };
	return 0;
}

int fake_layout(struct stat_layout *ret_layout)
{
	static const struct statistic vm[] = {
		{ .name = "remote_tlb_flush", .kind = STAT_CUMULATIVE, .units = METRIC_COUNT },
		{ .name = "count", .kind = STAT_CUMULATIVE, .units = METRIC_COUNT },
		{ .name = "both", .kind = STAT_CUMULATIVE, .units = METRIC_COUNT },
		{ .name = "gauge", .kind = STAT_INSTANT, .units = METRIC_BYTES },
		{ .name = "peak", .kind = STAT_PEAK, .units = METRIC_COUNT },
		{ .name = "page_hist", .kind = STAT_LOG_HIST, .buckets = 5 },
	};
	static const struct statistic vcpu[] = {
		{ .name = "exits", .kind = STAT_CUMULATIVE, .units = METRIC_COUNT },
		{ .name = "guest_mode", .kind = STAT_INSTANT, .units = METRIC_NONE },
		{ .name = "busy", .kind = STAT_CUMULATIVE, .units = METRIC_NSEC },
		{ .name = "both", .kind = STAT_CUMULATIVE, .units = METRIC_COUNT },
		{ .name = "deep", .kind = STAT_PEAK, .units = METRIC_COUNT },
		{ .name = "wait_hist", .kind = STAT_LOG_HIST, .units = METRIC_NSEC, .buckets = 4 },
	};
	struct stat_layout made = { .vm_stat = 8, .vm_userspace_pid = 16, .vcpu_stat = 24 };

	if (list_copy(vm, ARRAY_SIZE(vm), &made.vm))
		return -ENOMEM;
	if (list_copy(vcpu, ARRAY_SIZE(vcpu), &made.vcpu)) {
		free(made.vm.list);
		return -ENOMEM;
	}
	*ret_layout = made;
	return 0;
}

int fake_other_layout(const char *name, struct stat_layout *ret_layout)
{
	int err = fake_layout(ret_layout);

	if (err)
		return err;
	strcpy(ret_layout->vm.list[1].name, name);
	ret_layout->vm_stat = 40; /* at another offset */
	return 0;
}

struct shown shown_vm(uint64_t kvm, uint32_t pid)
{
	struct shown shown = { .record = { .kvm = kvm,
					   .birth = 1,
					   .pid = pid,
					   .tgid = pid,
					   .creator = pid,
					   .bytes = VM_VALUES * 8,
					   .comm = "vmm" } };

	return shown;
}

struct shown shown_vcpu(const struct shown *vm, uint64_t address, uint32_t vcpu_id)
{
	struct shown shown = { .record = vm->record };

	shown.record.vcpu = address;
	shown.record.vcpu_id = vcpu_id;
	shown.record.bytes = VCPU_VALUES * 8;
	return shown;
}

void (*when_ended)(const struct vm *vm);

static uint64_t scratch[VM_VALUES + VCPU_VALUES];

static int listen_seen(void *data, struct vm *vm, struct vcpu *vcpu, const void *member)
{
	assert_ptr_equal(data, &layout);
	return stat_vms_seen(&layout, scratch, vm, vcpu, member);
}

static void listen_ended(void *data, struct vm *vm, struct vcpu *vcpu)
{
	assert_ptr_equal(data, &layout);
	if (vcpu) {
		stat_vms_vcpu_ended(&layout, vm, vcpu);
		return;
	}
	snprintf(ended + strlen(ended), sizeof(ended) - strlen(ended), "%s%s", *ended ? " " : "",
		 vm->name);
	if (when_ended)
		when_ended(vm);
	stat_vms_free(vm);
}

static void listen_passed(void *data, bool complete)
{
	(void)complete;
	assert_ptr_equal(data, &layout);
	for (size_t i = 0; i < vms->n; i++)
		stat_vms_sum(&layout, vms, vms->list[i]);
}

static void listen_leave(void *data, struct vm *vm, struct vcpu *vcpu)
{
	(void)data;
	if (vcpu)
		stat_vms_vcpu_free(vcpu);
	else
		stat_vms_free(vm);
}

static const struct vms_listener leaving = { .ended = listen_leave };
static const struct vms_listener listener = { &layout, listen_seen, listen_ended, listen_passed };

int fakes_register(void)
{
	int err;

	if (vms) /* an agent that is gone sees no VM end */
		vms->listener = &leaving;
	vms_free(vms);
	vms = NULL;
	err = vms_new("proc", NULL, &vms);
	if (err)
		return err;
	vms->away_ns = 0; /* absent VMs end at once; else see test_vm_register_away.c */
	vms->listener = &listener;
	vms->vm_bytes = layout.vm.bytes;
	vms->vcpu_bytes = layout.vcpu.bytes;
	return 0;
}

void assert_new_without_memory(struct instance_numbers *numbers)
{
	struct vms *made = NULL;
	unsigned n;

	for (n = 0;; n++) {
		int err;

		alloc_fail_at(n);
		err = vms_new("proc", numbers, &made);
		if (!alloc_failed())
			break;
		assert_int_equal(err, -ENOMEM);
		assert_null(made);
	}
	assert_true(n > 0);
	vms_free(made);
}

int fakes_setup(void **state)
{
	*ended = '\0';
	vms = NULL;
	when_ended = NULL;
	layout = (struct stat_layout){ 0 };
	return work_setup(state) || fake_layout(&layout) || fakes_register() ? -1 : 0;
}

void assert_labels(const struct labels *labels, const char *json)
{
	char *found = labels_json(&labels, 1);

	assert_non_null(found);
	assert_string_equal(found, json);
	free(found);
}

int fakes_teardown(void **state)
{
	if (vms) {
		vms_detach(vms);
		if (vms->listener)
			vms->listener = &leaving;
	}
	vms_free(vms);
	vms = NULL;
	stat_layout_free(&layout);
	return work_teardown(state);
}

int see(const struct shown *shown)
{
	return vms_see(vms, &shown->record, shown->values);
}

void pass_over(const struct shown *const *list)
{
	vms_begin(vms);
	for (; *list; list++)
		assert_int_equal(see(*list), 0);
	vms_end(vms);
}

static void add_name(char *text, const char *name, uint32_t id)
{
	sprintf(text + strlen(text), "%s%s#%u", *text ? " " : "", name, id);
}

void assert_vms(const char *text)
{
	char found[1024] = "";

	for (size_t i = 0; i < vms->n; i++) {
		assert_true(!i || vms->list[i - 1]->key.kvm < vms->list[i]->key.kvm);
		if (vm_is_there(vms, vms->list[i]))
			add_name(found, vms->list[i]->name, vms->list[i]->id);
	}
	assert_string_equal(found, text);
}

void assert_vcpus(const char *text)
{
	char found[1024] = "";

	for (size_t i = 0; i < vms->n; i++) {
		const struct vm *vm = vms->list[i];

		for (size_t j = 0; j < vm->nvcpus; j++) {
			if (vcpu_is_there(vms, &vm->vcpus[j]))
				add_name(found, vm->vcpus[j].name, vm->vcpus[j].id);
		}
	}
	assert_string_equal(found, text);
}

void assert_ended(const char *names)
{
	assert_string_equal(ended, names);
	*ended = '\0';
}

struct vm *vm_at(uint64_t kvm)
{
	for (size_t i = 0; i < vms->n; i++) {
		if (vms->list[i]->key.kvm == kvm)
			return vms->list[i];
	}
	fail_msg("no VM at %llu", (unsigned long long)kvm);
	return NULL;
}
