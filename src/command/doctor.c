// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf doctor: what works on this host, why the rest does not, and what to do. */
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/config.h"
#include "command/arguments.h"
#include "command/commands.h"
#include "command/counting.h"
#include "command/doctor_checks.h"
#include "kernel/kernel_types.h"
#include "kernel/proc_hiding.h"
#include "kvm/vendor.h"

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "help", no_argument, NULL, 'h' },
	{ "quiet", no_argument, NULL, 'q' },
	{ 0 },
};

/* The verdict of the worst finding, and its exit status. */
static const struct {
	const char *word, *verdict;
	int status;
} levels[] = {
	[DOCTOR_FINE] = { "ok", "all works", EXIT_SUCCESS },
	[DOCTOR_NOTE] = { "note", "all works", EXIT_SUCCESS },
	[DOCTOR_LIMITS] = { "LIMIT", "it works, but something is missing", EXIT_FAILURE },
	[DOCTOR_FAILS] = { "FAIL", "nothing can be counted", EXIT_NOTHING },
};

static void usage(FILE *out)
{
	fputs("Usage: kvmbpf doctor [OPTION]...\n"
	      "Say what works on this host, why the rest does not, and what to do. Nothing is\n"
	      "attached or changed.\n"
	      "\n"
	      "  -q, --quiet        print only what is not as it should be, and the verdict\n"
	      "  -c, --config FILE  the agent's kvm.conf, for paths and [bpf] pin\n"
	      "  -h, --help         show this text\n"
	      "\n"
	      "Exit status: 0 all works, 1 something is missing, 2 usage, 3 nothing can be\n"
	      "counted.\n"
	      "See kvmbpf(8).\n",
	      out);
}

static int no_print(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level, (void)format, (void)args;
	return 0;
}

static int look(const struct config *config, bool quiet)
{
	const struct doctor_host host = {
		.btf = KERNEL_TYPES_DIR,
		.modules = KVM_MODULES_DIR,
		.lockdown = config->lockdown,
		.tracefs = config->tracefs,
		.device = "/dev/kvm",
		.mounts = PROC_MOUNTS,
		.locks = "/proc/locks",
		.pmcd_conf = "/etc/pcp/pmcd/pmcd.conf",
		.pin = config->pin,
	};
	enum doctor_level worst = DOCTOR_FINE;
	const char *first = "";

	libbpf_set_print(no_print);
	for (size_t i = 0; i < doctor_checks_count; i++) {
		struct doctor_finding finding = { .level = DOCTOR_FINE };

		doctor_checks[i].look(&host, &finding);
		if (finding.level > worst) {
			worst = finding.level;
			first = doctor_checks[i].name;
		}
		if (quiet && finding.level < DOCTOR_LIMITS)
			continue;
		printf("%-5s  %-12s  %s\n", levels[finding.level].word, doctor_checks[i].name,
		       finding.what);
		if (*finding.then)
			printf("%-5s  %-12s  -> %s\n", "", "", finding.then);
	}
	printf("%sverdict: %s%s%s\n", quiet ? "" : "\n", levels[worst].verdict,
	       worst >= DOCTOR_LIMITS ? "; begin with: " : "", worst >= DOCTOR_LIMITS ? first : "");
	errno = 0;
	if (fflush(stdout) || ferror(stdout)) {
		fprintf(stderr, "kvmbpf doctor: cannot write the output: %s\n",
			strerror(errno ? errno : EIO));
		return EXIT_FAILURE;
	}
	return levels[worst].status;
}

/* Returns 0; EXIT_USAGE after an error message; or -1 for --help. */
static int parse(int argc, char **argv, const char **ret_config, bool *ret_quiet)
{
	int c;

	while ((c = getopt_long(argc, argv, "c:hq", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			*ret_config = optarg;
			break;
		case 'h':
			usage(stdout);
			return -1;
		case 'q':
			*ret_quiet = true;
			break;
		default:
			return arguments_refused("doctor");
		}
	}
	return optind < argc ? arguments_bad("doctor", "unexpected argument \"%s\"", argv[optind]) :
			       0;
}

int command_doctor(int argc, char **argv)
{
	const char *path = NULL;
	struct config config;
	bool quiet = false;
	int status = parse(argc, argv, &path, &quiet);

	if (status)
		return status < 0 ? EXIT_SUCCESS : status;
	if (config_init(&config) || counting_configure(&config, path, false))
		return EXIT_FAILURE;
	status = look(&config, quiet);
	config_free(&config);
	return status;
}
