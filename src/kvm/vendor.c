// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kvm/vendor.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>

/* Has the CPU AMD's virtualization? */
static bool cpu_has_svm(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(0x80000001, &eax, &ebx, &ecx, &edx) && ecx & 1U << 2;
}

/* Has it Intel's? */
static bool cpu_has_vmx(void)
{
	unsigned eax, ebx, ecx, edx;

	return __get_cpuid(1, &eax, &ebx, &ecx, &edx) && ecx & 1U << 5;
}
#else
static bool cpu_has_svm(void)
{
	return false;
}

static bool cpu_has_vmx(void)
{
	return false;
}
#endif

static bool is_there(const char *dir, const char *module)
{
	char *path;
	bool there;

	if (asprintf(&path, "%s/%s", dir, module) < 0)
		return false;
	there = access(path, F_OK) == 0;
	free(path);
	return there;
}

int kvm_vendor(const char *dir, enum reasons_isa *ret_isa)
{
	bool amd = is_there(dir, "kvm_amd"), intel = is_there(dir, "kvm_intel");

	if (amd && intel) {
		amd = cpu_has_svm();
		intel = cpu_has_vmx();
	}
	if (!amd && !intel)
		return -ENOENT;
	*ret_isa = amd ? REASONS_SVM : REASONS_VMX;
	return 0;
}
