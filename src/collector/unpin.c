// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "collector/unpin.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <unistd.h>

#include "bpf/vms.h"
#include "families/family.h"
#include "kernel/pinned_maps.h"

/* The object is read for its maps' names alone: nothing is loaded. */
static int unpin_family(const struct family *family, const struct pins *pins, struct report *report,
			size_t *ret_removed)
{
	size_t size;
	const void *image = family->image(&size);
	struct bpf_object *object = bpf_object__open_mem(image, size, NULL);
	int err;

	if (!object)
		return -errno;
	err = pins_remove(pins, family->name, object, report, ret_removed);
	bpf_object__close(object);
	return err;
}

/* The iterator of an agent that was killed. */
static void unpin_link(const struct pins *pins)
{
	int fd = pins_get_link(pins, VMS_LINK_PIN);

	if (fd < 0)
		return;
	close(fd);
	pins_drop(pins, VMS_LINK_PIN);
}

int unpin(const struct config *config, struct report *report)
{
	struct pins *pins;
	size_t removed = 0;
	int err = pins_find(config->pin, report, &pins), last = 0;

	if (err)
		return err;
	if (!pins) {
		report_add(report, REPORT_INFO, "no pinned maps ([bpf] pin = %s)", config->pin);
		return 0;
	}
	for (size_t i = 0; i < families_count; i++) {
		err = unpin_family(&families[i], pins, report, &removed);
		last = err ? err : last;
	}
	unpin_link(pins);
	report_add(report, REPORT_INFO, "%s: removed %zu pinned maps", pins->path, removed);
	pins_remove_folder(pins, report);
	pins_close(pins);
	return last;
}
