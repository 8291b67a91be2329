// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf dump: attach the families, wait, print the snapshot. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "collector/collector.h"
#include "command/cause_report.h"
#include "command/time_report.h"
#include "command/commands.h"
#include "metrics/metric_table.h"
#include "command/metric_output.h"
#include "command/exit_report.h"

/* The largest -d. */
#define SECONDS_MAX 1e9

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
	      "the style of perf kvm stat, what in guests causes them, where vCPUs' time went, all\n"
	      "other counters, and KVM's own statistics of VMs.\n"
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

static int bad(const char *format, const char *what)
{
	fputs("kvmbpf dump: ", stderr);
	fprintf(stderr, format, what);
	fputs("; see kvmbpf dump --help\n", stderr);
	return EXIT_USAGE;
}

static int parse_seconds(const char *text, double *ret_seconds)
{
	char *end;
	double seconds;

	errno = 0;
	seconds = strtod(text, &end);
	if (end == text || *end || errno || !(seconds >= 0) || seconds > SECONDS_MAX)
		return -EINVAL;
	*ret_seconds = seconds;
	return 0;
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
		return bad("unexpected argument \"%s\"", more);
	if (options->config_path && options->events)
		return bad("-c and -e exclude each other%s", "");
	if (options->awake && (options->json || options->nmetrics))
		return bad("--no-halt concerns tables of exits, which %s does not print",
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
			if (parse_seconds(optarg, &options->seconds))
				return bad("-d: invalid number of seconds \"%s\"", optarg);
			break;
		case 'e':
			if (add_event(options, optarg))
				return bad("-e: invalid event name or pattern \"%s\"", optarg);
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

static void show_report(struct report *report, bool verbose)
{
	for (size_t i = 0; i < report->n; i++) {
		if (report->lines[i].level > REPORT_DEBUG || verbose)
			fprintf(stderr, "kvmbpf: %s\n", report->lines[i].text);
	}
	report_clear(report);
}

static void report_attached(struct report *report, const struct collector *collector)
{
	const struct collector_family *open = collector_families(collector);

	for (size_t i = 0; i < families_count; i++) {
		if (!open[i].err)
			report_add(report, REPORT_DEBUG, "%s: attached in %.1f ms",
				   families[i].name, (double)open[i].attach_time / 1e6);
	}
}

static double monotonic(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/*
 * Wait until the time is over or one of the signals, which are blocked, arrives. Ticks once a
 * second, to follow KVM being loaded and new CPUs.
 */
static void wait_for_end(struct collector *collector, const struct options *options,
			 const sigset_t *signals)
{
	double end = monotonic() + options->seconds;

	for (;;) {
		double left = options->seconds < 0 ? 1 : end - monotonic();
		struct report report = { 0 };
		struct timespec ts = { .tv_sec = 1 };

		if (left <= 0)
			return;
		if (left < 1)
			ts = (struct timespec){ .tv_nsec = (long)(left * 1e9) };
		if (sigtimedwait(signals, NULL, &ts) >= 0)
			return;
		collector_tick(collector, &report);
		show_report(&report, options->verbose);
	}
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

/* Add tables of the snapshot, by their names, to a list that ends with NULL. */
static void shown_add(const struct snapshot *snapshot, const char *const *names, size_t n,
		      const struct snapshot_table **shown)
{
	while (*shown)
		shown++;
	for (size_t i = 0; i < n; i++) {
		*shown = snapshot_find_table(snapshot, names[i]);
		shown += *shown != NULL;
	}
}

/* Print the tables of exits, causes and time; shown gets those whose numbers they have. */
static int tables_print(const struct snapshot *snapshot, const struct options *options,
			const struct snapshot_table **shown)
{
	int err = exit_report_print(snapshot, options->awake, stdout, shown);

	if (!err)
		err = cause_report_print(snapshot, stdout);
	if (!err)
		err = time_report_print(snapshot, stdout);
	shown_add(snapshot, cause_report_tables, CAUSE_REPORT_TABLES, shown);
	shown_add(snapshot, time_report_tables, TIME_REPORT_TABLES, shown);
	return err;
}

/* With -m: all values of the chosen metrics, zeros included, and no tables of exits. */
static int print(const struct snapshot *snapshot, const struct options *options)
{
	const struct snapshot_table *
		shown[EXIT_REPORT_TABLES + CAUSE_REPORT_TABLES + TIME_REPORT_TABLES + 1] = { NULL };
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
	struct collector *collector = NULL;
	struct report report = { 0 };
	struct items items = { 0 }; /* not loaded from or saved to a file: kvmbpf shows no PMID */
	int err, status = EXIT_FAILURE;
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	err = collector_open(&options->config, &items, NULL, false, &report, &collector);
	if (!err)
		report_attached(&report, collector);
	show_report(&report, options->verbose);
	if (err) {
		fprintf(stderr, "kvmbpf: cannot start counting: %s\n", strerror(-err));
		goto out;
	}
	if (!collector_attached(collector) && !collector_waits(collector)) {
		fputs("kvmbpf: no family could be attached: nothing to count\n", stderr);
		status = EXIT_NOTHING;
		goto out;
	}
	wait_for_end(collector, options, &signals);
	err = collector_read(collector, UINT64_MAX);
	if (!err && options->save)
		err = save(collector_snapshot(collector), options->save);
	if (!err)
		status = print(collector_snapshot(collector), options);
	if (!status && !collector_attached(collector)) {
		fprintf(stderr, "kvmbpf: nothing was counted: %s\n",
			collector_waits(collector) ? "KVM was not loaded" :
						     "no family could be attached");
		status = EXIT_NOTHING;
	}
out:
	collector_close(collector);
	items_free(&items);
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
	show_report(&report, options->verbose);
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
