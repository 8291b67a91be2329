// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvm.conf. */
#include "fuzz/fuzz.h"

#include <string.h>

#include "base/config.h"
#include "base/report.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *path = fuzz_file("kvm.conf", data, size);
	struct report report = { 0 };
	struct config config;

	promise(config_load(path, &report, &config) == 0);
	/* 20, how many more there are, an option without effect, and that no event is listed */
	promise(report.n <= 23 && !report.dropped);
	promise(config.debugfs[0] && config.tracefs[0] && config.lockdown[0] && config.pin[0]);
	for (size_t i = 0; i < config.nevents; i++) {
		promise(config.events[i].name[0] && config.events[i].line > 0);
		for (size_t j = 0; j < i; j++)
			promise(strcmp(config.events[i].name, config.events[j].name) != 0);
	}
	config_free(&config);
	report_clear(&report);
	return 0;
}
