// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "kvm/cause_key.h"
#include "kvm/cause_names.h"

#define TABLE "src/kvm/cause_names.def"
#define PSCI  "/usr/include/linux/psci.h"

static const char *const para_headers[] = {
	"/usr/include/linux/kvm_para.h",
	"/usr/include/x86_64-linux-gnu/asm/kvm_para.h",
};

static const struct {
	enum cause_machine machine;
	const char *key;
	const char *device;
} examples[] = {
	{ CAUSE_X86, "io:0x3f8:w", "serial" },
	{ CAUSE_X86, "io:0x3fd:r", "serial" },
	{ CAUSE_X86, "io:0x402:w", "bios-debug" },
	{ CAUSE_X86, "io:0x608:r", "acpi-pm" },
	{ CAUSE_X86, "io:0xb008:r", "acpi-pm" },
	{ CAUSE_X86, "io:0xcf8:w", "pci-config" },
	{ CAUSE_X86, "io:0xcfe:r", "pci-config" },
	{ CAUSE_X86, "io:0x70:w", "rtc" },
	{ CAUSE_X86, "io:0x1f0:r", "ide" },
	{ CAUSE_X86, "io:0x3d4:w", "vga-crtc" },
	{ CAUSE_X86, "io:0x3c2:r", "vga-status" },
	{ CAUSE_X86, "io:0x3c2:w", "vga-misc" },
	{ CAUSE_X86, "io:0x3c9:w", "vga-dac" },
	{ CAUSE_X86, "io:0x20:w", "pic" },
	{ CAUSE_X86, "io:0x40:r", "pit" },
	{ CAUSE_X86, "io:0x64:r", "keyboard" },
	{ CAUSE_X86, "io:0x80:w", "post" },
	{ CAUSE_X86, "io:0x510:w", "fw-cfg" },
	{ CAUSE_X86, "io:0x5658:r", "vmport" },
	{ CAUSE_X86, "io:0x22:r", "-" },
	{ CAUSE_X86, "io:0xffff:r", "-" },
	{ CAUSE_X86, "msr:0x6e0:w", "IA32_TSC_DEADLINE" },
	{ CAUSE_X86, "msr:0xc0000080:r", "EFER" },
	{ CAUSE_X86, "msr:0x20a:w", "MTRRphys" },
	{ CAUSE_X86, "msr:0x4b564d01:w", "KVM_SYSTEM_TIME_NEW" },
	{ CAUSE_X86, "msr:0x40000020:r", "HV_TIME_REF_COUNT" },
	{ CAUSE_X86, "msr:0x400000b5:w", "HV_STIMER" },
	{ CAUSE_X86, "msr:0x830:w", "lapic-icr" },
	{ CAUSE_X86, "msr:0x80b:w", "lapic-eoi" },
	{ CAUSE_X86, "msr:0x8ff:r", "-" },
	{ CAUSE_X86, "msr:0x7ff:r", "-" },
	{ CAUSE_X86, "cpuid:0x1", "features" },
	{ CAUSE_X86, "cpuid:0x40000000", "hypervisor" },
	{ CAUSE_X86, "cpuid:0x40000003", "hyperv" },
	{ CAUSE_X86, "hypercall:10", "send-ipi" },
	{ CAUSE_X86, "hypercall:9", "clock-pairing" },
	{ CAUSE_X86, "hypercall:19792", "-" },
	{ CAUSE_X86, "hv:0x2", "flush-virtual-address-space" },
	{ CAUSE_X86, "hv:0x8001", "query-capabilities" },
	{ CAUSE_X86, "cr:3:w", "cr3" },
	{ CAUSE_X86, "mmio:0xa0000:w", "vga" },
	{ CAUSE_X86, "mmio:0xfec00000:w", "ioapic-select" },
	{ CAUSE_X86, "mmio:0xfec00010:r", "ioapic-window" },
	{ CAUSE_X86, "mmio:0xfed000f0:r", "hpet-counter" },
	{ CAUSE_X86, "mmio:0xfee00300:w", "lapic-icr" },
	{ CAUSE_X86, "mmio:0xfee00000:r", "-" },
	{ CAUSE_X86, "mmio:0xfed1f000:r", "chipset-config" },
	{ CAUSE_X86, "io:0xa18:w", "acpi-nvdimm" },
	{ CAUSE_X86, "io:0x3bc:r", "parallel" },
	{ CAUSE_X86, "io:0x502:w", "debug-exit" },
	{ CAUSE_X86, "cpuid:0x40000080", "hyperv-syndbg" },
	{ CAUSE_X86, "mmio:0xfffff000:w", "flash" },
	{ CAUSE_X86, "mmio:0x100000000:w", "-" },
	{ CAUSE_X86, "mmio:0xfebf0000:r", "-" },
	{ CAUSE_X86, "apic:0x300:w", "lapic-icr" },
	{ CAUSE_X86, "hvc:2214592512", "-" },
	{ CAUSE_X86, "none", "-" },
	{ CAUSE_X86, "other", "-" },
	{ CAUSE_ARM64, "sysreg:s3_0_c12_c11_5:w", "ICC_SGI1R_EL1" },
	{ CAUSE_ARM64, "sysreg:s3_0_c0_c4_0:r", "id-register" },
	{ CAUSE_ARM64, "sysreg:s3_3_c14_c2_1:w", "CNTP_CTL_EL0" },
	{ CAUSE_ARM64, "hvc:2214592512", "psci-version" },
	{ CAUSE_ARM64, "hvc:3288334339", "psci-cpu-on" },
	{ CAUSE_ARM64, "hvc:3305111585", "steal-time" },
	{ CAUSE_ARM64, "mmio:0x9000000:w", "serial" },
	{ CAUSE_ARM64, "hvc:3321888771", "pkvm-mem-share" },
	{ CAUSE_ARM64, "hvc:2512501344", "psci-cpu-on" },
	{ CAUSE_ARM64, "mmio:0x9080000:r", "acpi-ged" },
	{ CAUSE_ARM64, "mmio:0xfee00300:w", "-" },
	{ CAUSE_ARM64, "msr:0x830:w", "-" },
	{ CAUSE_ARM64, "none", "-" },
};

static void test_examples(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(examples); i++) {
		uint64_t key;

		assert_int_equal(cause_key_parse(examples[i].key, &key), 0);
		assert_string_equal(cause_device_on(examples[i].machine, key), examples[i].device);
	}
}

/* A name is one word, for a column: printable, and not the word for no name. */
static void check_name(const char *name)
{
	assert_in_range(strlen(name), 2, 40);
	for (const char *c = name; *c; c++)
		assert_true(isalnum(*c) || *c == '-' || *c == '_');
}

static void test_rows(void **state)
{
	(void)state;
	for (enum cause_machine machine = 0; machine < CAUSE_MACHINES; machine++) {
		size_t count;
		const struct cause_name *rows = cause_names(machine, &count);

		assert_true(count > 50);
		for (size_t i = 0; i < count; i++) {
			const struct cause_name *row = &rows[i], *last = &rows[i ? i - 1 : 0];

			check_name(row->device);
			assert_in_range(row->kind, CAUSE_PIO, CAUSE_KINDS - 1);
			assert_in_range(row->direction, CAUSE_READS, CAUSE_BOTH);
			assert_true(cause_kind_has_direction(row->kind) ||
				    row->direction == CAUSE_BOTH);
			assert_true(row->first <= row->last && row->last <= CAUSE_NUMBER);
			if (i == 0 || row->kind > last->kind || row->first > last->last)
				continue;
			/* the same numbers twice: once for reads, once for writes */
			assert_int_equal(row->kind, last->kind);
			assert_true(row->first == last->first && row->last == last->last);
			assert_int_equal(last->direction, CAUSE_READS);
			assert_int_equal(row->direction, CAUSE_WRITES);
		}
	}
}

/* Keys of each row's ends have its name; what lies beside them has another row's, or none. */
static void test_lookup(void **state)
{
	(void)state;
	for (enum cause_machine machine = 0; machine < CAUSE_MACHINES; machine++) {
		size_t count;
		const struct cause_name *rows = cause_names(machine, &count);

		for (size_t i = 0; i < count; i++) {
			const struct cause_name *row = &rows[i];
			bool write = row->direction == CAUSE_WRITES;
			bool joined = i + 1 < count && rows[i + 1].kind == row->kind &&
				      rows[i + 1].first <= row->last + 1;
			uint64_t first = cause_key(row->kind, row->first, write);
			uint64_t last = cause_key(row->kind, row->last, write);

			assert_string_equal(cause_device_on(machine, first), row->device);
			assert_string_equal(cause_device_on(machine, last), row->device);
			if (row->kind == CAUSE_MSR || joined)
				continue; /* the local APIC's are between the others */
			assert_string_equal(cause_device_on(machine, last + 1),
					    CAUSE_DEVICE_UNKNOWN);
		}
	}
}

static void test_this_host(void **state)
{
	const uint64_t serial = cause_key(CAUSE_PIO, 0x3f8, true);
#ifdef __aarch64__
	const char *device = "-";
#else
	const char *device = "serial";
#endif

	(void)state;
	assert_string_equal(cause_device(serial), device);
}

/* Every row says where it is from, by a name that the head of the table explains. */
static void test_sources(void **state)
{
	char line[256], head[8192] = "", source[32];
	unsigned rows = 0;
	size_t counts[CAUSE_MACHINES];
	FILE *file = fopen(TABLE, "r");

	(void)state;
	assert_non_null(file); /* tests run at the top of the tree */
	while (fgets(line, sizeof(line), file)) {
		char *comma = strrchr(line, ',');

		if (strncmp(line, " *", 2) == 0 && strlen(head) + strlen(line) < sizeof(head))
			strcat(head, line);
		if (strncmp(line, "X86(", 4) != 0 && strncmp(line, "ARM64(", 6) != 0)
			continue;
		assert_non_null(comma);
		assert_int_equal(sscanf(comma, ", %31[A-Z0-9_])", source), 1);
		strcat(source, "\t");
		if (!strstr(head, source))
			fail_msg("the head does not explain the source of: %s", line);
		rows++;
	}
	fclose(file);
	cause_names(CAUSE_X86, &counts[CAUSE_X86]);
	cause_names(CAUSE_ARM64, &counts[CAUSE_ARM64]);
	assert_int_equal(rows, counts[CAUSE_X86] + counts[CAUSE_ARM64]);
}

/* The kernel's name in the table's spelling. */
static void dashed(char *name)
{
	for (; *name; name++)
		*name = *name == '_' ? '-' : tolower(*name);
}

static unsigned check_para_line(const char *line)
{
	char name[64], full[80];
	unsigned number;

	if (sscanf(line, "#define KVM_HC_%63s %u", name, &number) == 2) {
		if (strncmp(name, "PPC", 3) == 0 || strncmp(name, "MIPS", 4) == 0)
			return 0;
		dashed(name);
		assert_string_equal(cause_device_on(CAUSE_X86,
						    cause_key(CAUSE_HYPERCALL, number, false)),
				    name);
		return 1;
	}
	if (sscanf(line, "#define MSR_KVM_%63s 0x%x", name, &number) == 2) {
		snprintf(full, sizeof(full), "KVM_%s", name);
		assert_string_equal(cause_device_on(CAUSE_X86, cause_key(CAUSE_MSR, number, true)),
				    full);
		return 1;
	}
	return 0;
}

/* Hold KVM's hypercalls and MSRs against the installed headers. */
static void test_the_kernels_names(void **state)
{
	unsigned found = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(para_headers); i++) {
		FILE *file = fopen(para_headers[i], "r");
		char line[256];

		if (!file) {
			print_message("skip: no %s, which is in linux-libc-dev\n", para_headers[i]);
			skip();
		}
		while (fgets(line, sizeof(line), file))
			found += check_para_line(line);
		fclose(file);
	}
	assert_true(found >= 15); /* as many as Linux 6.1 has */
}

/* Hold PSCI's functions against the installed header. */
static void test_the_kernels_psci(void **state)
{
	FILE *file = fopen(PSCI, "r");
	unsigned found = 0, number;
	char line[256], bits[8], text[64], name[96];

	(void)state;
	if (!file) {
		print_message("skip: no " PSCI ", which is in linux-libc-dev\n");
		skip();
	}
	while (fgets(line, sizeof(line), file)) {
		uint64_t base = 0x84000000;

		if (sscanf(line, "#define PSCI_%*[01]_%*[012]_FN%7[64]_%63s PSCI_0_2_FN64(%u)",
			   bits, text, &number) == 3)
			base = 0xc4000000;
		else if (sscanf(line, "#define PSCI_%*[01]_%*[012]_FN_%63s PSCI_0_2_FN(%u)", text,
				&number) != 2)
			continue;
		dashed(text);
		snprintf(name, sizeof(name), strncmp(text, "psci-", 5) ? "psci-%s" : "%s", text);
		assert_string_equal(cause_device_on(CAUSE_ARM64,
						    cause_key(CAUSE_HVC, base + number, false)),
				    name);
		found++;
	}
	fclose(file);
	assert_true(found >= 25); /* as many as Linux 6.1 has */
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_examples),	 cmocka_unit_test(test_rows),
		cmocka_unit_test(test_lookup),		 cmocka_unit_test(test_this_host),
		cmocka_unit_test(test_sources),		 cmocka_unit_test(test_the_kernels_names),
		cmocka_unit_test(test_the_kernels_psci),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
