// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Reading histograms of VMs' exit durations, if kvm.conf enables them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/exit_common.h"
#include "kernel/map_dump.h"

int exits_vm_latency_refresh(struct exits *exits)
{
	int fd, err;
	struct map_keys read = { 0 };
	const struct exit_vm_key *keys;

	if (!exits->vm_latency_map)
		return 0;
	fd = bpf_map__fd(exits->vm_latency_map);
	err = map_keys_read(fd, sizeof(*keys), &read);
	if (err) {
		map_keys_free(&read);
		return err;
	}
	keys = read.list;
	vm_histograms_begin(&exits->counters.vms);
	for (size_t i = 0; i < read.n; i++) {
		struct exit_buckets buckets;
		int ret;

		if (bpf_map_lookup_elem(fd, &keys[i], &buckets))
			continue;
		ret = vm_histograms_take(&exits->counters.vms, &keys[i], &buckets);
		if (ret > 0)
			bpf_map_delete_elem(fd, &keys[i]);
		if (ret == -ENOMEM)
			err = ret;
	}
	vm_histograms_end(&exits->counters.vms);
	exits->vm_histograms = read.n;
	map_keys_free(&read);
	return err;
}

void exits_vm_latency_map(const struct exits *exits, struct map_usage *ret_usage)
{
	const struct vcpu_counters *counters = &exits->counters;

	ret_usage->limit = exits->env.config->vm_histograms;
	ret_usage->used = exits->vm_histograms;
	ret_usage->bytes = exits->vm_histograms *
			   (sizeof(struct exit_vm_key) + sizeof(struct exit_buckets));
	for (size_t cpu = 0; counters->overflow && cpu < counters->cpus->n; cpu++)
		ret_usage->dropped += counters->overflow[cpu].vm_buckets;
}
