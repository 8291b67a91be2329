// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf stat: a line per interval, for logs. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "command/arguments.h"
#include "command/commands.h"
#include "command/counting.h"
#include "command/top_model.h"

/* Lines on a terminal after which the headings are printed again. */
#define HEADING_LINES 22

#define LINE_WIDTH    200

struct options {
	struct config config;
	const char *config_path;
	const char *output; /* NULL: stdout */
	double delay;
	unsigned long count; /* lines; 0: until interrupted */
};

enum { TIME, VMS, VCPUS, EXITS, TRIPS, HALTS, EMULATED, SHARES };

static const struct grid_column columns[] = {
	{ .heading = "TIME", .width = 24 },
	{ .heading = "VMS", .width = 4, .format = GRID_COUNT },
	{ .heading = "VCPUS", .width = 5, .format = GRID_COUNT },
	{ .heading = "EXITS/s", .width = 9, .format = GRID_RATE },
	{ .heading = "VMM-X/s", .width = 9, .format = GRID_RATE },
	{ .heading = "HALTS/s", .width = 9, .format = GRID_RATE },
	{ .heading = "EMUL/s", .width = 9, .format = GRID_RATE },
	{ .heading = "GST", .width = 3, .format = GRID_PERCENT },
	{ .heading = "KVM", .width = 3, .format = GRID_PERCENT },
	{ .heading = "VMM", .width = 3, .format = GRID_PERCENT },
	{ .heading = "HLT", .width = 3, .format = GRID_PERCENT },
	{ .heading = "RDY", .width = 3, .format = GRID_PERCENT },
	{ .heading = "UNK", .width = 3, .format = GRID_PERCENT },
};

static const struct option long_options[] = {
	{ "config", required_argument, NULL, 'c' }, { "count", required_argument, NULL, 'n' },
	{ "delay", required_argument, NULL, 'd' },  { "help", no_argument, NULL, 'h' },
	{ "output", required_argument, NULL, 'o' }, { 0 },
};

static void usage(FILE *out)
{
	fputs("Usage: kvmbpf stat [OPTION]... [SECONDS [COUNT]]\n"
	      "Print a line per interval, as vmstat does: how many VMs run, how often they\n"
	      "exit, and where their vCPUs' time goes, in per cent. Where an agent runs, its\n"
	      "maps are read.\n"
	      "\n"
	      "  -d, --delay SECONDS  seconds between two lines, as the first argument\n"
	      "                       (default: 1)\n"
	      "  -n, --count N        end after N lines, as the second argument\n"
	      "  -o, --output FILE    append to FILE; SIGHUP opens it anew, for logrotate\n"
	      "  -c, --config FILE    a kvm.conf: its [bpf] pin is where an agent's maps are\n"
	      "  -h, --help           show this text\n"
	      "\n"
	      "\"-\" cannot be told, 0 is measured. See kvmbpf(8).\n",
	      out);
}

#define bad(...) arguments_bad("stat", __VA_ARGS__)

static int parse_delay(const char *text, struct options *options)
{
	if (!arguments_seconds(text, &options->delay) && options->delay >= 0.01)
		return 0;
	return bad("not a number of seconds of at least 0.01: \"%s\"", text);
}

static int parse_lines(const char *text, struct options *options)
{
	char *end;

	errno = 0;
	options->count = strtoul(text, &end, 10);
	if (!errno && end != text && !*end && *text != '-' && options->count)
		return 0;
	return bad("not a number of lines: \"%s\"", text);
}

/* Returns 0; EXIT_USAGE after an error message; or -1 for --help. */
static int parse(int argc, char **argv, struct options *options)
{
	int c, status = 0;

	while (!status && (c = getopt_long(argc, argv, "c:d:hn:o:", long_options, NULL)) != -1) {
		switch (c) {
		case 'c':
			options->config_path = optarg;
			break;
		case 'd':
			status = parse_delay(optarg, options);
			break;
		case 'h':
			usage(stdout);
			return -1;
		case 'n':
			status = parse_lines(optarg, options);
			break;
		case 'o':
			options->output = optarg;
			break;
		default:
			return arguments_refused("stat");
		}
	}
	if (!status && optind < argc)
		status = parse_delay(argv[optind++], options);
	if (!status && optind < argc)
		status = parse_lines(argv[optind++], options);
	if (!status && optind < argc)
		return bad("unexpected argument \"%s\"", argv[optind]);
	return status;
}

/* --- lines --- */

/* Where lines go. */
struct output {
	const char *path; /* NULL: stdout */
	FILE *file;
	unsigned long lines;
};

static int output_failed(const struct output *output, int err)
{
	fprintf(stderr, "kvmbpf stat: %s: %s\n", output->path ? output->path : "stdout",
		strerror(-err));
	return EXIT_FAILURE;
}

/* Open the file, or open it anew. Returns an exit status. */
static int output_open(struct output *output)
{
	if (!output->path) {
		output->file = stdout;
		return 0;
	}
	if (output->file)
		fclose(output->file);
	output->file = fopen(output->path, "ae");
	output->lines = 0;
	return output->file ? 0 : output_failed(output, -errno);
}

static void now_text(char *text, size_t size)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm) || !strftime(text, size, "%Y-%m-%dT%H:%M:%S%z", &tm))
		text[0] = '\0';
}

static void row_fill(const struct top_host *host, struct grid_cell *cells)
{
	cells[VMS] = host->vms;
	cells[VCPUS] = host->vcpus;
	cells[EXITS] = host->exits;
	cells[TRIPS] = host->trips;
	cells[HALTS] = host->halts;
	cells[EMULATED] = host->emulated;
	memcpy(&cells[SHARES], host->shares, TOP_SHARES * sizeof(*cells));
}

/* Returns an exit status. */
static int line_print(struct output *output, const struct top_host *host)
{
	bool terminal = isatty(fileno(output->file));
	struct grid_layout layout;
	struct grid_line line;
	struct grid_cell *cells;
	struct grid grid;
	char now[40];

	grid_init(&grid, columns, sizeof(columns) / sizeof(columns[0]));
	cells = grid_add(&grid);
	now_text(now, sizeof(now));
	if (!cells || grid_text(&cells[TIME], now)) {
		grid_free(&grid);
		return output_failed(output, -ENOMEM);
	}
	row_fill(host, cells);
	grid_lay_out(&grid, LINE_WIDTH, &layout);
	if (!output->lines || (terminal && output->lines % HEADING_LINES == 0)) {
		grid_heading(&grid, &layout, 0, &line);
		fprintf(output->file, "%s\n", line.text);
	}
	grid_row(&grid, &layout, 0, 0, true, &line);
	fprintf(output->file, "%s\n", line.text);
	output->lines++;
	grid_free(&grid);
	errno = 0;
	if (fflush(output->file) || ferror(output->file))
		return output_failed(output, errno ? -errno : -EIO);
	return 0;
}

/* --- intervals --- */

static double clock_s(void)
{
	return (double)clock_ns() / 1e9;
}

/* Wait until then. Returns -1 if it is time to end, or an exit status. */
static int wait_until(struct counting *counting, struct output *output, double until)
{
	for (;;) {
		double left = until - clock_s();
		int status;

		if (left <= 0 || !counting_wait(counting, left))
			return 0;
		if (counting_signal(counting) != SIGHUP || !output->path)
			return -1;
		status = output_open(output);
		if (status)
			return status;
	}
}

static int read_all(struct counting *counting, uint64_t tables)
{
	int err = counting_read(counting, tables);

	if (err)
		fprintf(stderr, "kvmbpf stat: %s\n", strerror(-err));
	return err ? EXIT_FAILURE : 0;
}

static int lines_print(const struct options *options, struct counting *counting,
		       struct output *output)
{
	const struct snapshot *snapshot = counting_snapshot(counting);
	uint64_t tables = top_host_tables(snapshot);
	double now = clock_s(), next = now;
	struct rates rates = { 0 };
	struct top_model model;
	int status = read_all(counting, tables);

	top_model_init(&model);
	for (unsigned long n = 0; !status && (!options->count || n < options->count); n++) {
		if (rates_keep(&rates, snapshot, tables, now)) {
			status = output_failed(output, -ENOMEM);
			break;
		}
		next += options->delay;
		status = wait_until(counting, output, next);
		if (!status)
			status = read_all(counting, tables);
		if (status)
			break;
		now = rates.now = clock_s();
		/* after a suspend, say, lines that were due are not made up for */
		next = next < now - options->delay ? now : next;
		top_model_numbers(&model, snapshot, &rates);
		status = line_print(output, &model.host);
	}
	top_model_free(&model);
	rates_free(&rates);
	return status < 0 ? 0 : status;
}

static int run(const struct options *options)
{
	struct output output = { .path = options->output };
	struct counting *counting;
	int status = output_open(&output);

	if (!status)
		status = counting_open(&options->config, false, &counting);
	if (!status) {
		status = lines_print(options, counting, &output);
		counting_close(counting);
	}
	if (output.path && output.file && fclose(output.file) && !status)
		status = output_failed(&output, -errno);
	return status;
}

/* What a line does not show is not counted, so that guests do not pay for it. */
static void not_shown(struct config *config)
{
	counting_of_numbers(config);
	config->causes = 0;
	config->slow_us = 0;
}

int command_stat(int argc, char **argv)
{
	struct options options = { .delay = 1 };
	int status = EXIT_FAILURE;

	if (config_init(&options.config))
		return EXIT_FAILURE;
	status = parse(argc, argv, &options);
	if (!status && counting_configure(&options.config, options.config_path, false))
		return EXIT_FAILURE;
	not_shown(&options.config);
	if (!status)
		status = run(&options);
	config_free(&options.config);
	return status < 0 ? EXIT_SUCCESS : status;
}
