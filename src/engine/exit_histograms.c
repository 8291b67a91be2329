// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* Reading histograms of VMs' exit durations, if kvm.conf enables them. */
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>

#include "engine/exit_common.h"
#include "kernel/map_dump.h"

/* A read under way. */
struct reading {
	struct exits *exits;
	int err;
};

static void histogram_take(void *data, const void *key, void *value)
{
	struct reading *reading = data;
	struct exits *exits = reading->exits;
	const struct exit_vm_key *histogram = key;
	int ret;

	exits->vm_histograms++;
	if (histogram->slot >= exits->counters.nslots)
		return;
	ret = vm_histograms_take(&exits->counters.vms, histogram,
				 reason_slots_home(&exits->counters.slots, histogram->slot), value);
	if (ret > 0)
		bpf_map_delete_elem(bpf_map__fd(exits->vm_latency_map), histogram);
	else if (ret < 0)
		reading->err = ret;
}

int exits_vm_latency_refresh(struct exits *exits)
{
	struct reading reading = { .exits = exits };
	int err;

	if (!exits->vm_latency_map)
		return 0;
	exits->vm_histograms = 0;
	vm_histograms_begin(&exits->counters.vms);
	err = map_dump_read(&exits->counters.dump, bpf_map__fd(exits->vm_latency_map),
			    sizeof(struct exit_vm_key), sizeof(struct exit_buckets), histogram_take,
			    &reading);
	/* what an incomplete read has not shown is not gone */
	if (!err)
		vm_histograms_end(&exits->counters.vms);
	return err == -ENOMEM ? err : reading.err;
}

void exits_vm_latency_map(struct exits *exits, struct map_usage *ret_usage)
{
	const struct vcpu_counters *counters = &exits->counters;

	ret_usage->limit = exits->env.config->vm_histograms;
	ret_usage->used = exits->vm_histograms;
	ret_usage->bytes = exits->vm_histograms *
			   (sizeof(struct exit_vm_key) + sizeof(struct exit_buckets));
	for (size_t cpu = 0; counters->overflow && cpu < counters->cpus->n; cpu++)
		ret_usage->dropped += counters->overflow[cpu].vm_buckets;
}
