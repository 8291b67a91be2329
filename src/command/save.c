// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf save: count for a while, then write all that was read to a file. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "command/arguments.h"
#include "command/commands.h"
#include "command/counting.h"
#include "command/dump_options.h"
#include "command/snapshot_file.h"

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "duration", required_argument, NULL, 'd' },
	{ "event", required_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ "once", no_argument, NULL, '1' },
	{ "verbose", no_argument, NULL, 'v' },
	{ 0 },
};

static void usage(FILE *out)
{
	fputs("Usage: kvmbpf save [OPTION]... FILE\n"
	      "Count for a while, then write all that was read to FILE (-: standard output),\n"
	      "for the option --from of other commands, which need no privilege and no KVM.\n"
	      "\n"
	      "  -d, --duration SECONDS   count for SECONDS, such as 0.5 (default: until ^C)\n"
	      "  -1, --once               the same as -d 1\n"
	      "  -e, --event PATTERN      count these events only; see kvmbpf dump\n"
	      "  -c, --config FILE        count the events named in this kvm.conf\n"
	      "  -v, --verbose            report when counting begins, and details of failures\n"
	      "  -h, --help               show this text\n"
	      "\n"
	      "Counting requires root, or CAP_BPF and CAP_PERFMON. See kvmbpf(8).\n",
	      out);
}

/* Returns as dump_options_parse() does. */
static int parse(int argc, char **argv, struct dump_options *options, const char **ret_path)
{
	int c, status = 0;

	while (!status && (c = getopt_long(argc, argv, "1c:d:e:hv", long_options, NULL)) != -1) {
		if (c == 'h') {
			usage(stdout);
			return -1;
		}
		status = dump_options_count("save", c, options);
		if (status == DUMP_OPTION_OTHER)
			status = arguments_refused("save");
	}
	if (status)
		return status;
	if (options->config_path && options->events)
		return arguments_bad("save", "-c and -e exclude each other");
	if (optind == argc)
		return arguments_bad("save", "the name of the file is missing");
	if (optind + 1 < argc)
		return arguments_bad("save", "unexpected argument \"%s\"", argv[optind + 1]);
	*ret_path = argv[optind];
	return 0;
}

static int count_and_save(const struct dump_options *options, const char *path)
{
	struct counting *counting;
	int err, status = counting_open(&options->config, options->verbose, &counting);

	if (status)
		return status;
	counting_wait(counting, options->seconds);
	err = counting_read(counting, UINT64_MAX);
	if (!err)
		err = snapshot_file_save(counting_snapshot(counting), path,
					 counting_seconds(counting));
	status = err ? EXIT_FAILURE : counting_status(counting);
	counting_close(counting);
	return status;
}

int command_save(int argc, char **argv)
{
	struct dump_options options;
	const char *path = NULL;
	int status;

	if (dump_options_init(&options, argc))
		return EXIT_FAILURE;
	status = parse(argc, argv, &options, &path);
	if (!status && dump_options_configure(&options))
		status = EXIT_FAILURE;
	if (!status)
		status = count_and_save(&options, path);
	dump_options_free(&options);
	return status < 0 ? EXIT_SUCCESS : status;
}
