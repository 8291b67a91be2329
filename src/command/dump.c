// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf dump: attach the families, wait, print the snapshot. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "command/arguments.h"
#include "command/cause_report.h"
#include "command/commands.h"
#include "command/counting.h"
#include "command/exit_report.h"
#include "command/metric_output.h"
#include "metrics/metric_table.h"

struct options {
	struct config config;
	const char *config_path;
	const char *save;
	const char *load;
	const char **metrics; /* patterns of -m */
	size_t nmetrics;
	double seconds; /* negative: until interrupted */
	bool events;	/* -e was given */
	bool json;
	bool all;
	bool awake; /* --no-halt */
	bool verbose;
};

static const struct option long_options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "config", required_argument, NULL, 'c' },
	{ "duration", required_argument, NULL, 'd' },
	{ "event", required_argument, NULL, 'e' },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'j' },
	{ "load", required_argument, NULL, 'L' },
	{ "metric", required_argument, NULL, 'm' },
	{ "no-halt", no_argument, NULL, 'H' },
	{ "save", required_argument, NULL, 'S' },
	{ "verbose", no_argument, NULL, 'v' },
	{ 0 },
};

static void usage(FILE *out)
{
	fputs("Usage: kvmbpf dump [OPTION]...\n"
	      "Count KVM's tracepoints for a while, then print VM exits by reason, VM and vCPU in\n"
	      "the style of perf kvm stat, what in guests causes them, all other counters, and\n"
	      "KVM's own statistics of VMs.\n"
	      "\n"
	      "  -d, --duration SECONDS  count for SECONDS, such as 0.5 (default: until ^C)\n"
	      "  -e, --event PATTERN     count these events only, as in [trace] of kvm.conf;\n"
	      "                          may be given more than once (default: all events)\n"
	      "  -c, --config FILE       count the events named in this kvm.conf\n"
	      "  -m, --metric PATTERN    print these metrics only, such as 'kvm.exit.*', and no\n"
	      "                          tables of exits; may be given more than once\n"
	      "      --no-halt           leave exits in which a vCPU sleeps out of those tables\n"
	      "  -j, --json              print all metrics as JSON, and no tables\n"
	      "  -a, --all               print values of 0 and metrics about kvmbpf itself, too\n"
	      "      --save FILE         also save the values to FILE\n"
	      "      --load FILE         print a FILE written by --save, and count nothing\n"
	      "  -v, --verbose           report when counting begins, and details of failures\n"
	      "  -h, --help              show this text\n"
	      "\n"
	      "Counting requires root, or CAP_BPF and CAP_PERFMON. See kvmbpf(8).\n",
	      out);
}

static int add_event(struct options *options, const char *pattern)
{
	int err = config_add_event(&options->config, pattern, 0);

	options->events = true;
	options->config.only = "trace";
	return err == -EEXIST ? 0 : err;
}

/* Refuse options that exclude each other, and more: the first argument that is no option. */
static int check(const struct options *options, const char *more)
{
	if (more)
		return arguments_bad("dump", "unexpected argument \"%s\"", more);
	if (options->config_path && options->events)
		return arguments_bad("dump", "-c and -e exclude each other");
	if (options->awake && (options->json || options->nmetrics))
		return arguments_bad("dump",
				     "--no-halt concerns tables of exits, which %s does not print",
				     options->json ? "--json" : "--metric");
	return 0;
}

/* Returns 0; EXIT_USAGE after an error message; or -1 for --help. */
static int parse(int argc, char **argv, struct options *options)
{
	int c;

	while ((c = getopt_long(argc, argv, "ac:d:e:hjm:v", long_options, NULL)) != -1) {
		switch (c) {
		case 'a':
			options->all = true;
			break;
		case 'c':
			options->config_path = optarg;
			break;
		case 'd':
			if (arguments_seconds(optarg, &options->seconds))
				return arguments_bad("dump", "-d: invalid number of seconds \"%s\"",
						     optarg);
			break;
		case 'e':
			if (add_event(options, optarg))
				return arguments_bad(
					"dump", "-e: invalid event name or pattern \"%s\"", optarg);
			break;
		case 'h':
			usage(stdout);
			return -1;
		case 'H':
			options->awake = true;
			break;
		case 'j':
			options->json = true;
			break;
		case 'L':
			options->load = optarg;
			break;
		case 'm':
			options->metrics[options->nmetrics++] = optarg;
			break;
		case 'S':
			options->save = optarg;
			break;
		case 'v':
			options->verbose = true;
			break;
		default:
			return EXIT_USAGE;
		}
	}
	return check(options, optind < argc ? argv[optind] : NULL);
}

static int name_visit(const struct metric_place *place, void *data)
{
	return output_wants(data, place->name);
}

/* Report each pattern of -m that matches no metric. Returns whether there are any. */
static bool say_missing(const struct snapshot *snapshot, const struct options *options)
{
	bool missing = false;

	for (size_t i = 0; i < options->nmetrics; i++) {
		struct output_options one = { .names = &options->metrics[i], .nnames = 1 };

		if (!metrics_each(snapshot, name_visit, &one)) {
			fprintf(stderr, "kvmbpf: no metric matches \"%s\"\n", one.names[0]);
			missing = true;
		}
	}
	return missing;
}

/* Print the tables of exits and of causes; shown gets those whose numbers they have. */
static int tables_print(const struct snapshot *snapshot, const struct options *options,
			const struct snapshot_table **shown)
{
	static const struct sheet_choice choice;
	const struct exit_report_options exits = { .awake = options->awake, .choice = &choice };
	int err = exit_report_print(snapshot, &exits, stdout, shown);

	if (!err)
		err = cause_report_print(snapshot, &choice, stdout);
	while (*shown)
		shown++;
	for (size_t i = 0; i < CAUSE_REPORT_TABLES; i++) {
		*shown = snapshot_find_table(snapshot, cause_report_tables[i]);
		shown += *shown != NULL;
	}
	return err;
}

/* With -m: all values of the chosen metrics, zeros included, and no tables of exits. */
static int print(const struct snapshot *snapshot, const struct options *options)
{
	const struct snapshot_table *shown[EXIT_REPORT_TABLES + CAUSE_REPORT_TABLES + 1] = { NULL };
	struct output_options output = { .all = options->all || options->nmetrics,
					 .names = options->metrics,
					 .nnames = options->nmetrics,
					 .without = options->all ? NULL : shown };
	size_t hidden = 0;
	int err = 0;

	if (!options->json && !options->nmetrics)
		err = tables_print(snapshot, options, shown);
	if (!err)
		err = options->json ? output_json(snapshot, &output, stdout) :
				      output_table(snapshot, &output, stdout, &hidden);
	if (err) {
		fprintf(stderr, "kvmbpf: cannot write the output: %s\n", strerror(-err));
		return EXIT_FAILURE;
	}
	if (hidden)
		fprintf(stderr,
			"kvmbpf: %zu values not shown (0, or about kvmbpf itself): use --all\n",
			hidden);
	return say_missing(snapshot, options) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int save(const struct snapshot *snapshot, const char *path)
{
	FILE *file = fopen(path, "we");
	int err;

	err = file ? snapshot_save(snapshot, file) : -errno;
	if (file && fclose(file) && !err)
		err = -errno;
	if (err)
		fprintf(stderr, "kvmbpf: %s: %s\n", path, strerror(-err));
	return err;
}

static int load_and_print(const struct options *options)
{
	FILE *file = fopen(options->load, "re");
	struct snapshot snapshot = { 0 };
	unsigned line = 0;
	int err, status = EXIT_FAILURE;

	err = file ? snapshot_load(file, &snapshot, &line) : -errno;
	if (err == -EINVAL)
		fprintf(stderr, "kvmbpf: %s:%u: not a snapshot written by --save\n", options->load,
			line);
	else if (err == -EILSEQ)
		fprintf(stderr, "kvmbpf: %s:%u: not UTF-8, so not written by --save\n",
			options->load, line);
	else if (err)
		fprintf(stderr, "kvmbpf: %s: %s\n", options->load, strerror(-err));
	else
		status = print(&snapshot, options);
	snapshot_free(&snapshot);
	if (file)
		fclose(file);
	return status;
}

static int count_and_print(const struct options *options)
{
	struct counting *counting;
	int err, status = counting_open(&options->config, options->verbose, &counting);

	if (status)
		return status;
	counting_wait(counting, options->seconds);
	status = EXIT_FAILURE;
	err = counting_read(counting, UINT64_MAX);
	if (!err && options->save)
		err = save(counting_snapshot(counting), options->save);
	if (!err)
		status = print(counting_snapshot(counting), options);
	if (!status)
		status = counting_status(counting);
	counting_close(counting);
	return status;
}

/* Without -e: choose events by -c, or else all. Returns 0 or -ENOMEM. */
static int configure(struct options *options)
{
	struct report report = { 0 };
	int err;

	if (!options->config_path)
		return options->events ? 0 : config_add_event(&options->config, "*", 0);
	config_free(&options->config);
	err = config_load(options->config_path, &report, &options->config);
	counting_show(&report, options->verbose);
	return err == -ENOMEM ? err : 0;
}

int command_dump(int argc, char **argv)
{
	struct options options = { .seconds = -1 };
	int status = EXIT_FAILURE;

	if (config_init(&options.config))
		return EXIT_FAILURE;
	options.metrics = calloc((size_t)argc, sizeof(*options.metrics));
	if (options.metrics)
		status = parse(argc, argv, &options);
	if (!status && configure(&options))
		status = EXIT_FAILURE;
	if (!status)
		status = options.load ? load_and_print(&options) : count_and_print(&options);
	free(options.metrics);
	config_free(&options.config);
	return status < 0 ? EXIT_SUCCESS : status;
}
