// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/top_about.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "kvm/vendor.h"

void top_clock(char text[TOP_CLOCK_SIZE])
{
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm) || !strftime(text, TOP_CLOCK_SIZE, "%H:%M:%S", &tm))
		text[0] = '\0';
}

/* Whose virtualization KVM uses. */
static const char *kind_of(const struct utsname *name)
{
	enum reasons_isa isa;

	if (kvm_vendor(KVM_MODULES_DIR, &isa) == 0)
		return isa == REASONS_SVM ? " AMD" : " Intel";
	if (access(KVM_MODULES_DIR "/kvm_pvm", F_OK) == 0)
		return " PVM";
	return strcmp(name->machine, "aarch64") == 0 ? " arm64" : "";
}

void top_host_text(const char *file, char *text, size_t size)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	struct utsname name;

	if (file) {
		snprintf(text, size, "from %s", file);
		return;
	}
	if (uname(&name)) {
		text[0] = '\0';
		return;
	}
	/* the first part of a release says which kernel it is */
	name.release[strcspn(name.release, "-+")] = '\0';
	snprintf(text, size, "Linux %s%s  %ld CPU%s", name.release, kind_of(&name), cpus,
		 cpus == 1 ? "" : "s");
}
