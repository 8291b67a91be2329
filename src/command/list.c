// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/list.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/arguments.h"
#include "command/commands.h"
#include "command/counting.h"
#include "command/sheet_choice.h"
#include "command/sheet_print.h"
#include "command/snapshot_file.h"

enum { OPTION_CSV = 256, OPTION_FROM };

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "csv", no_argument, NULL, OPTION_CSV },
	{ "duration", required_argument, NULL, 'd' },
	{ "from", required_argument, NULL, OPTION_FROM },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'j' },
	{ "output", required_argument, NULL, 'o' },
	{ "sort", required_argument, NULL, 'k' },
	{ "verbose", no_argument, NULL, 'v' },
	{ 0 },
};

struct options {
	const char *from, *config_path;
	struct sheet_choice choice;
	double seconds;
	bool json, csv, verbose;
};

static void usage(const struct list *list, FILE *out)
{
	fprintf(out, "Usage: kvmbpf %s [OPTION]...\n%s\n", list->command, list->about);
	if (list->seconds)
		fputs("  -d, --duration SECONDS  count for SECONDS before (default: 0)\n", out);
	if (!list->events)
		fputs("  -c, --config FILE       a kvm.conf: its [bpf] pin is where an agent's maps are\n",
		      out);
	fputs("      --from FILE         list those in a FILE written by kvmbpf save\n"
	      "  -o, --output COLUMNS    print these columns\n"
	      "  -k, --sort COLUMN       sort by this column; see kvmbpf dump\n"
	      "  -j, --json              print JSON\n"
	      "      --csv               print CSV\n"
	      "  -v, --verbose           report details of failures\n"
	      "  -h, --help              show this text\n"
	      "\n"
	      "Columns: ",
	      out);
	for (size_t i = 0; i < list->ncolumns; i++)
		fprintf(out, "%s%s", i ? ", " : "", list->columns[i].name);
	fputs("\n\nWithout --from it requires root, or CAP_BPF and CAP_PERFMON. See kvmbpf(8).\n",
	      out);
}

/* Returns 0; EXIT_USAGE after an error message; or -1 for --help. */
static int parse_one(const struct list *list, int c, struct options *options)
{
	switch (c) {
	case 'c':
		if (list->events)
			return arguments_bad(list->command, "-c: this list reads no agent's maps");
		options->config_path = optarg;
		return 0;
	case 'd':
		if (!list->seconds)
			return arguments_bad(list->command, "-d: this list counts nothing");
		if (arguments_seconds(optarg, &options->seconds))
			return arguments_bad(list->command, "-d: invalid number of seconds \"%s\"",
					     optarg);
		return 0;
	case 'h':
		usage(list, stdout);
		return -1;
	case 'j':
		options->json = true;
		return 0;
	case 'k':
		options->choice.sort = optarg;
		return 0;
	case 'o':
		options->choice.columns = optarg;
		return 0;
	case 'v':
		options->verbose = true;
		return 0;
	case OPTION_CSV:
		options->csv = true;
		return 0;
	case OPTION_FROM:
		options->from = optarg;
		return 0;
	default:
		return arguments_refused(list->command);
	}
}

static int parse(const struct list *list, int argc, char **argv, struct options *options)
{
	const struct sheet_columns set = { list->columns, list->ncolumns };
	int c, status = 0;

	while (!status && (c = getopt_long(argc, argv, "c:d:hjk:o:v", long_options, NULL)) != -1)
		status = parse_one(list, c, options);
	if (status)
		return status;
	if (optind < argc)
		return arguments_bad(list->command, "unexpected argument \"%s\"", argv[optind]);
	if (options->json && options->csv)
		return arguments_bad(list->command, "--json and --csv exclude each other");
	return sheet_choice_check(&options->choice, list->command, &set, 1) ? EXIT_USAGE : 0;
}

static int print(const struct list *list, const struct options *options,
		 const struct snapshot *snapshot)
{
	struct sheet sheet = { .columns = list->columns, .ncolumns = list->ncolumns };
	int err = list->sheet_make(snapshot, &sheet);

	if (!err && options->json)
		err = sheet_print_json(&sheet, &options->choice, list->command, stdout);
	else if (!err && options->csv)
		err = sheet_print_csv(&sheet, &options->choice, stdout);
	else if (!err)
		err = sheet_print_table(&sheet, &options->choice, stdout);
	list->sheet_free(&sheet);
	if (err && err != -EPIPE)
		fprintf(stderr, "kvmbpf: cannot write the output: %s\n", strerror(-err));
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int count_and_print(const struct list *list, const struct options *options)
{
	struct counting *counting;
	struct config config;
	int status = EXIT_FAILURE;

	if (config_init(&config) ||
	    counting_configure(&config, options->config_path, options->verbose))
		return EXIT_FAILURE;
	config.only = list->family;
	if (!list->events || !config_add_event(&config, "*", 0))
		status = counting_open(&config, options->verbose, &counting);
	if (!status) {
		counting_wait(counting, options->seconds);
		status = EXIT_FAILURE;
		if (!counting_read(counting, UINT64_MAX))
			status = print(list, options, counting_snapshot(counting));
		if (!status)
			status = counting_status(counting);
		counting_close(counting);
	}
	config_free(&config);
	return status;
}

static int load_and_print(const struct list *list, const struct options *options)
{
	struct snapshot snapshot;
	int status;

	if (snapshot_file_load(options->from, options->verbose, &snapshot))
		return EXIT_FAILURE;
	status = print(list, options, &snapshot);
	snapshot_free(&snapshot);
	return status;
}

int list_run(const struct list *list, int argc, char **argv)
{
	struct options options = { 0 };
	int status = parse(list, argc, argv, &options);

	if (!status)
		status = options.from ? load_and_print(list, &options) :
					count_and_print(list, &options);
	return status < 0 ? EXIT_SUCCESS : status;
}
