// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "command/dump_options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command/arguments.h"
#include "command/cause_report.h"
#include "command/commands.h"
#include "command/counting.h"
#include "command/exit_report.h"
#include "command/metric_output.h"
#include "command/sheet_choice.h"
#include "command/halt_report.h"
#include "command/slow_report.h"
#include "command/time_report.h"

/* Options without a letter. */
enum {
	OPTION_CAUSE = 256,
	OPTION_CSV,
	OPTION_DELTA,
	OPTION_FROM,
	OPTION_NO_HALT,
	OPTION_OPENMETRICS,
	OPTION_PROMETHEUS,
	OPTION_REASON,
	OPTION_SAVE,
	OPTION_SINCE,
	OPTION_SLOW,
	OPTION_SLOWER,
	OPTION_TEXTFILE,
	OPTION_VCPU,
};

/* The letters are those of kvm_stat and perf kvm stat for the same, where they are free. */
static const char letters[] = "1ac:d:e:f:g:hjk:m:o:p:s:t:vz";

static const struct option long_options[] = {
	{ "all", no_argument, NULL, 'a' },
	{ "cause", required_argument, NULL, OPTION_CAUSE },
	{ "config", required_argument, NULL, 'c' },
	{ "csv", no_argument, NULL, OPTION_CSV },
	{ "delta", required_argument, NULL, OPTION_DELTA },
	{ "duration", required_argument, NULL, 'd' },
	{ "event", required_argument, NULL, 'e' },
	{ "fields", required_argument, NULL, 'f' },
	{ "from", required_argument, NULL, OPTION_FROM },
	{ "guest", required_argument, NULL, 'g' },
	{ "help", no_argument, NULL, 'h' },
	{ "json", no_argument, NULL, 'j' },
	{ "key", required_argument, NULL, 'k' },
	{ "load", required_argument, NULL, OPTION_FROM },
	{ "metric", required_argument, NULL, 'm' },
	{ "no-halt", no_argument, NULL, OPTION_NO_HALT },
	{ "once", no_argument, NULL, '1' },
	{ "openmetrics", no_argument, NULL, OPTION_OPENMETRICS },
	{ "output", required_argument, NULL, 'o' },
	{ "pid", required_argument, NULL, 'p' },
	{ "prometheus", no_argument, NULL, OPTION_PROMETHEUS },
	{ "reason", required_argument, NULL, OPTION_REASON },
	{ "save", required_argument, NULL, OPTION_SAVE },
	{ "set-delay", required_argument, NULL, 's' },
	{ "since", required_argument, NULL, OPTION_SINCE },
	{ "skip-zero-records", no_argument, NULL, 'z' },
	{ "slow", no_argument, NULL, OPTION_SLOW },
	{ "slower-than", required_argument, NULL, OPTION_SLOWER },
	{ "sort", required_argument, NULL, 'k' },
	{ "textfile", required_argument, NULL, OPTION_TEXTFILE },
	{ "tid", required_argument, NULL, 't' },
	{ "vcpu", required_argument, NULL, OPTION_VCPU },
	{ "verbose", no_argument, NULL, 'v' },
	{ "vm", required_argument, NULL, 'g' },
	{ 0 },
};

static const char *const format_names[] = {
	[DUMP_JSON] = "--json",
	[DUMP_CSV] = "--csv",
	[DUMP_OPENMETRICS] = "--openmetrics",
	[DUMP_PROMETHEUS] = "--prometheus",
};

static void usage(FILE *out)
{
	fputs("Usage: kvmbpf dump [OPTION]...\n"
	      "Count KVM's tracepoints for a while, then print VM exits by reason, VM and\n"
	      "vCPU in the style of perf kvm stat, what in guests causes them, all other\n"
	      "counters, and KVM's own statistics of VMs.\n"
	      "\n"
	      "What to count, and when:\n"
	      "  -d, --duration SECONDS   count for SECONDS, such as 0.5 (default: until ^C)\n"
	      "  -1, --once               the same as -d 1\n"
	      "  -s, --delta SECONDS      print what is added within SECONDS, also to KVM's\n"
	      "                           own statistics, which count since a VM's creation\n"
	      "  -e, --event PATTERN      count these events only, as in [trace] of kvm.conf,\n"
	      "                           or as perf has them (kvm:kvm_exit,kvm:kvm_entry);\n"
	      "                           may be given more than once (default: all events)\n"
	      "  -c, --config FILE        count the events named in this kvm.conf\n"
	      "      --from FILE          print a FILE that kvmbpf save wrote, count nothing\n"
	      "      --since FILE         with --from: print what was added since this FILE\n"
	      "      --save FILE          also save the values to FILE\n"
	      "\n"
	      "What to print; each may be given more than once:\n"
	      "  -g, --vm PATTERN         VMs of this name, or NAME-PID\n"
	      "  -p, --pid LIST           VMs of these processes\n"
	      "  -t, --tid LIST           vCPUs that these threads run\n"
	      "      --vcpu LIST          vCPUs of these numbers, such as 0,2-3\n"
	      "      --reason PATTERN     exits for this reason, in capitals or small letters\n"
	      "      --cause PATTERN      these causes, such as 'io:*'\n"
	      "  -m, --metric PATTERN     these metrics only, such as 'kvm.exit.*', and no\n"
	      "                           tables of exits\n"
	      "  -f, --fields PATTERN     metrics whose names end in this\n"
	      "\n"
	      "      --slow               only the last slow exits of each vCPU, the newest\n"
	      "                           first: when, why, how long, and where the time went\n"
	      "  --slower-than US         only exits that took US microseconds or more\n"
	      "  --no-halt                leave exits in which a vCPU sleeps out of the tables\n"
	      "  -a, --all                print values of 0 and metrics about kvmbpf itself\n"
	      "  -z, --skip-zero-records  print no values of 0 (the default)\n"
	      "\n"
	      "How to print it:\n"
	      "  -o, --output COLUMNS     these columns of the tables that have them\n"
	      "  -k, --sort COLUMN        sort the tables that have this column; a number's\n"
	      "                           largest come first, but for COLUMN:asc\n"
	      "  -j, --json               all metrics as JSON, and no tables\n"
	      "      --csv                all metrics as CSV\n"
	      "      --openmetrics        all metrics as OpenMetrics 1.0\n"
	      "      --prometheus         all metrics for node_exporter's textfile collector\n"
	      "      --textfile FILE      with these two: write FILE anew every -d seconds,\n"
	      "                           until ^C; counters go on, and nobody who reads it\n"
	      "                           sees half a file\n"
	      "  -v, --verbose            report when counting begins, and details of failures\n"
	      "  -h, --help               show this text\n"
	      "\n"
	      "Counting requires root, or CAP_BPF and CAP_PERFMON. See kvmbpf(8).\n",
	      out);
}

int dump_options_init(struct dump_options *options, int argc)
{
	*options = (struct dump_options){ .seconds = -1, .delta = -1 };
	if (config_init(&options->config))
		return -ENOMEM;
	options->metrics = calloc((size_t)argc, sizeof(*options->metrics));
	options->made = calloc((size_t)argc, sizeof(*options->made));
	if (!options->metrics || !options->made ||
	    selection_init(&options->selection, (size_t)argc)) {
		dump_options_free(options);
		return -ENOMEM;
	}
	return 0;
}

void dump_options_free(struct dump_options *options)
{
	for (size_t i = 0; i < options->nmade; i++)
		free(options->made[i]);
	free(options->made);
	free(options->metrics);
	selection_free(&options->selection);
	config_free(&options->config);
}

/* Add the events of a list, each with or without the group that perf writes before it. */
static int events_add(const char *command, struct dump_options *options, const char *text)
{
	char *list = strdup(text), *rest = list, *name;
	int err = list ? 0 : -ENOMEM;

	if (list)
		options->made[options->nmade++] = list;
	while (!err && (name = strsep(&rest, ","))) {
		if (strncmp(name, "kvm:", strlen("kvm:")) == 0)
			name += strlen("kvm:");
		err = config_add_event(&options->config, name, 0);
		if (err == -EEXIST)
			err = 0;
		if (err == -EINVAL)
			return arguments_bad(command, "-e: invalid event name or pattern \"%s\"",
					     name);
	}
	options->events = true;
	options->config.only = "trace";
	return err ? EXIT_FAILURE : 0;
}

/* kvm_stat's fields are events and statistics: the ends of our names. */
static int field_add(struct dump_options *options, const char *field)
{
	char *pattern;

	if (asprintf(&pattern, "*.%s", field) < 0)
		return EXIT_FAILURE;
	options->made[options->nmade++] = pattern;
	options->metrics[options->nmetrics++] = pattern;
	return 0;
}

static int seconds_parse(const char *command, const char *option, double *ret_seconds)
{
	if (arguments_seconds(optarg, ret_seconds))
		return arguments_bad(command, "%s: invalid number of seconds \"%s\"", option,
				     optarg);
	return 0;
}

static int slower_parse(struct dump_options *options)
{
	char *end;
	double us = strtod(optarg, &end);

	if (end == optarg || *end || !(us > 0) || us > SECONDS_MAX * 1e6)
		return arguments_bad("dump", "--slower-than: invalid number of microseconds \"%s\"",
				     optarg);
	options->selection.slower = us < 0.001 ? 1 : (uint64_t)(us * 1000);
	return 0;
}

static int format_choose(struct dump_options *options, enum dump_format format)
{
	if (options->format && options->format != format)
		return arguments_bad("dump", "%s and %s exclude each other",
				     format_names[options->format], format_names[format]);
	options->format = format;
	return 0;
}

static int select_by(struct dump_options *options, enum selection_by by, const char *option)
{
	if (selection_add(&options->selection, by, optarg))
		return arguments_bad("dump", "%s: \"%s\" is no %s", option, optarg,
				     selection_is_of_numbers(by) ? "list of numbers" : "pattern");
	return 0;
}

int dump_options_count(const char *command, int c, struct dump_options *options)
{
	switch (c) {
	case '1':
		options->seconds = 1;
		return 0;
	case 'c':
		options->config_path = optarg;
		return 0;
	case 'd':
		return seconds_parse(command, "-d", &options->seconds);
	case 'e':
		return events_add(command, options, optarg);
	case 'v':
		options->verbose = true;
		return 0;
	default:
		return DUMP_OPTION_OTHER;
	}
}

static int parse_what(int c, struct dump_options *options)
{
	switch (c) {
	case 's':
	case OPTION_DELTA:
		return seconds_parse("dump", "--delta", &options->delta);
	case 'f':
		return field_add(options, optarg);
	case 'g':
		return select_by(options, BY_VM, "--vm");
	case 'm':
		options->metrics[options->nmetrics++] = optarg;
		return 0;
	case 'p':
		return select_by(options, BY_PID, "-p");
	case 't':
		return select_by(options, BY_TID, "-t");
	case OPTION_CAUSE:
		return select_by(options, BY_CAUSE, "--cause");
	case OPTION_REASON:
		return select_by(options, BY_REASON, "--reason");
	case OPTION_VCPU:
		return select_by(options, BY_VCPU, "--vcpu");
	case OPTION_SLOW:
		options->slow = true;
		return 0;
	case OPTION_SLOWER:
		return slower_parse(options);
	case OPTION_FROM:
		options->from = optarg;
		return 0;
	case OPTION_SINCE:
		options->since = optarg;
		return 0;
	case OPTION_SAVE:
		options->save = optarg;
		return 0;
	case OPTION_TEXTFILE:
		options->textfile = optarg;
		return 0;
	default:
		return DUMP_OPTION_OTHER;
	}
}

static int parse_how(int c, struct dump_options *options)
{
	switch (c) {
	case 'a':
		options->all = true;
		return 0;
	case 'h':
		usage(stdout);
		return -1;
	case 'j':
		return format_choose(options, DUMP_JSON);
	case 'k':
		options->choice.sort = optarg;
		return 0;
	case 'o':
		options->choice.columns = optarg;
		return 0;
	case 'z':
		options->all = false;
		return 0;
	case OPTION_CSV:
		return format_choose(options, DUMP_CSV);
	case OPTION_NO_HALT:
		options->awake = true;
		return 0;
	case OPTION_OPENMETRICS:
		return format_choose(options, DUMP_OPENMETRICS);
	case OPTION_PROMETHEUS:
		return format_choose(options, DUMP_PROMETHEUS);
	default:
		return arguments_refused("dump");
	}
}

/* The option that leaves no tables of exits to print, or NULL. */
static const char *without_tables(const struct dump_options *options)
{
	if (options->format)
		return format_names[options->format];
	return options->nmetrics ? "--metric" : NULL;
}

/* The option that has a meaning only where events are counted, or NULL. */
static const char *of_counting(const struct dump_options *options)
{
	if (options->save)
		return "--save";
	if (options->delta >= 0)
		return "--delta";
	return options->seconds >= 0 ? "-d" : NULL;
}

static int check_time(const struct dump_options *options)
{
	bool since = options->delta >= 0 || options->since;

	if (options->delta >= 0 && options->seconds >= 0)
		return arguments_bad("dump", "-d and --delta exclude each other");
	if (options->from && of_counting(options))
		return arguments_bad("dump", "--from counts nothing: %s has no meaning with it",
				     of_counting(options));
	if (options->since && !options->from)
		return arguments_bad("dump", "--since needs --from");
	if (since && options->format >= DUMP_OPENMETRICS)
		return arguments_bad("dump", "%s has counters since they began, not since %s",
				     format_names[options->format],
				     options->since ? "a file" : "a moment");
	return 0;
}

static int check_textfile(const struct dump_options *options)
{
	if (!options->textfile)
		return 0;
	if (options->format < DUMP_OPENMETRICS)
		return arguments_bad("dump", "--textfile needs --prometheus or --openmetrics");
	if (options->from || options->save)
		return arguments_bad("dump", "--textfile and %s exclude each other",
				     options->from ? "--from" : "--save");
	if (options->seconds <= 0)
		return arguments_bad("dump", "--textfile needs -d, how often to write the file");
	return 0;
}

static int check_choice(const struct dump_options *options)
{
	struct sheet_columns sets[5 + HALT_REPORT_SHEETS];
	size_t nsets = sizeof(sets) / sizeof(sets[0]);

	sets[0].list = output_columns(&sets[0].n);
	sets[1].list = exit_report_columns(&sets[1].n);
	sets[2].list = cause_report_columns(&sets[2].n);
	sets[3].list = time_report_columns(&sets[3].n);
	sets[4].list = slow_report_columns(&sets[4].n);
	for (size_t i = 5; i < nsets; i++)
		sets[i].list = halt_report_columns(i - 5, &sets[i].n);
	if (options->slow)
		return sheet_choice_check(&options->choice, "dump", &sets[4], 1) ? EXIT_USAGE : 0;
	if ((options->choice.columns || options->choice.sort) && options->format &&
	    options->format != DUMP_CSV)
		return arguments_bad("dump", "-o and --sort concern tables and --csv, not %s",
				     format_names[options->format]);
	return sheet_choice_check(&options->choice, "dump", sets,
				  without_tables(options) ? 1 : nsets) ?
		       EXIT_USAGE :
		       0;
}

/* --slow prints a list of its own, of what is kept. */
static int check_slow(const struct dump_options *options)
{
	const char *other = NULL;

	if (options->format >= DUMP_OPENMETRICS)
		other = format_names[options->format];
	else if (options->nmetrics)
		other = "--metric";
	else if (options->events)
		other = "-e";
	else if (options->awake)
		other = "--no-halt";
	else if (options->delta >= 0)
		other = "--delta";
	else if (options->since)
		other = "--since";
	if (options->slow && other)
		return arguments_bad("dump",
				     "--slow lists the last slow exits: %s has no meaning with it",
				     other);
	return 0;
}

/* Refuse options that exclude each other, and more: the first argument that is no option. */
static int check(const struct dump_options *options, const char *more)
{
	int err;

	if (more)
		return arguments_bad("dump", "unexpected argument \"%s\"", more);
	if (options->config_path && options->events)
		return arguments_bad("dump", "-c and -e exclude each other");
	if (options->awake && without_tables(options))
		return arguments_bad("dump",
				     "--no-halt concerns tables of exits, which %s does not print",
				     without_tables(options));
	if (options->selection.slower && !options->slow && without_tables(options))
		return arguments_bad(
			"dump", "--slower-than concerns tables of exits, which %s does not print",
			without_tables(options));
	if (options->events && selection_is_of_vms(&options->selection))
		return arguments_bad(
			"dump", "-e counts events by CPU, so no VM, vCPU, reason or cause of them "
				"is known; leave out -e");
	err = check_slow(options);
	if (!err)
		err = check_time(options);
	if (!err)
		err = check_textfile(options);
	return err ? err : check_choice(options);
}

int dump_options_parse(int argc, char **argv, struct dump_options *options)
{
	int c, status = 0;

	while (!status && (c = getopt_long(argc, argv, letters, long_options, NULL)) != -1) {
		status = dump_options_count("dump", c, options);
		if (status == DUMP_OPTION_OTHER)
			status = parse_what(c, options);
		if (status == DUMP_OPTION_OTHER)
			status = parse_how(c, options);
	}
	if (!status)
		status = check(options, optind < argc ? argv[optind] : NULL);
	/* what -e has not counted is not there; a file can have it */
	for (size_t i = 0; !status && options->from && i < options->config.nevents; i++)
		selection_add(&options->selection, BY_EVENT, options->config.events[i].name);
	return status;
}

int dump_options_configure(struct dump_options *options)
{
	if (options->config_path)
		return counting_configure(&options->config, options->config_path, options->verbose);
	if (options->events || options->slow || selection_is_of_vms(&options->selection))
		return 0;
	return config_add_event(&options->config, "*", 0);
}
