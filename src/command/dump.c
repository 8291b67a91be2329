// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf dump: attach the families, wait, print the snapshot. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "command/cause_report.h"
#include "command/commands.h"
#include "command/counting.h"
#include "command/dump_options.h"
#include "command/exit_report.h"
#include "command/exposition.h"
#include "command/halt_report.h"
#include "command/metric_output.h"
#include "command/slow_report.h"
#include "command/slower.h"
#include "command/snapshot_file.h"
#include "command/textfile.h"
#include "command/time_report.h"
#include "metrics/metric_table.h"
#include "metrics/snapshot_copy.h"

static int name_visit(const struct metric_place *place, void *data)
{
	return output_wants(data, place->name);
}

/* Report each pattern of -m that matches no metric. Returns whether there are any. */
static bool say_missing(const struct snapshot *snapshot, const struct dump_options *options)
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

/* Print the tables of exits, causes, time and halts; shown gets those whose numbers they have. */
static int tables_print(const struct snapshot *snapshot, const struct dump_options *options,
			const struct snapshot_table **shown)
{
	const struct exit_report_options exits = { .awake = options->awake,
						   .by_vcpu = options->selection.n[BY_VCPU] ||
							      options->selection.n[BY_TID],
						   .choice = &options->choice };
	int err = exit_report_print(snapshot, &exits, stdout, shown);

	if (!err)
		err = cause_report_print(snapshot, &options->choice, stdout);
	if (!err && !options->selection.slower)
		err = time_report_print(snapshot, &options->choice, stdout);
	if (!err && !options->selection.slower)
		err = halt_report_print(snapshot, &options->choice, stdout);
	if (!err && !options->selection.slower)
		err = slow_report_print(snapshot, 0, &options->choice, SLOW_TITLED, stdout);
	shown_add(snapshot, cause_report_tables, CAUSE_REPORT_TABLES, shown);
	shown_add(snapshot, time_report_tables, TIME_REPORT_TABLES, shown);
	shown_add(snapshot, halt_report_tables, HALT_REPORT_TABLES, shown);
	shown_add(snapshot, slow_report_tables, SLOW_REPORT_TABLES, shown);
	return err;
}

/* The table of metrics, below those of exits unless -m is given. */
static int people_print(const struct snapshot *snapshot, const struct dump_options *options)
{
	const struct snapshot_table
		*shown[EXIT_REPORT_TABLES + CAUSE_REPORT_TABLES + TIME_REPORT_TABLES +
		       HALT_REPORT_TABLES + SLOW_REPORT_TABLES + 1] = { NULL };
	/* with -m: all values of the chosen metrics, zeros included */
	const struct output_options output = { .all = options->all || options->nmetrics,
					       .names = options->metrics,
					       .nnames = options->nmetrics,
					       .choice = &options->choice,
					       .without = options->all ? NULL : shown };
	size_t hidden = 0;
	int err = 0;

	if (options->selection.slower) {
		uint64_t bound = slower_bound(options->selection.slower);

		printf("Only exits that took %" PRIu64 ".%03" PRIu64
		       "us or more, without those that sleep.\n\n",
		       bound / 1000, bound % 1000);
	}
	if (!options->nmetrics)
		err = tables_print(snapshot, options, shown);
	if (!err && !options->selection.slower)
		err = output_table(snapshot, &output, stdout, &hidden);
	if (!err && hidden)
		fprintf(stderr,
			"kvmbpf: %zu values not shown (0, or about kvmbpf itself): use --all\n",
			hidden);
	return err;
}

static int machines_print(const struct snapshot *snapshot, const struct dump_options *options,
			  FILE *file)
{
	const struct output_options output = { .all = true,
					       .names = options->metrics,
					       .nnames = options->nmetrics,
					       .choice = &options->choice };

	switch (options->format) {
	case DUMP_JSON:
		return output_json(snapshot, &output, file);
	case DUMP_CSV:
		return output_csv(snapshot, &output, file);
	case DUMP_OPENMETRICS:
	case DUMP_PROMETHEUS:
		return exposition_print(snapshot, &output, options->format == DUMP_OPENMETRICS,
					file);
	case DUMP_TABLE:
		break;
	}
	return -EINVAL;
}

/* --slow: nothing but slow exits. */
static int slow_print(const struct snapshot *snapshot, const struct dump_options *options)
{
	static const enum slow_format formats[] = {
		[DUMP_TABLE] = SLOW_TABLE,
		[DUMP_JSON] = SLOW_JSON,
		[DUMP_CSV] = SLOW_CSV,
	};

	return slow_report_print(snapshot, options->selection.slower, &options->choice,
				 formats[options->format], stdout);
}

struct textfile {
	const struct snapshot *snapshot;
	const struct dump_options *options;
};

static int textfile_print(FILE *file, void *data)
{
	const struct textfile *textfile = data;

	return machines_print(textfile->snapshot, textfile->options, file);
}

/* Print to where the options say. Returns 0 or a negative errno. */
static int somewhere_print(const struct snapshot *snapshot, const struct dump_options *options)
{
	struct textfile textfile = { snapshot, options };

	if (options->textfile)
		return textfile_replace(options->textfile, textfile_print, &textfile);
	if (options->slow)
		return slow_print(snapshot, options);
	return options->format ? machines_print(snapshot, options, stdout) :
				 people_print(snapshot, options);
}

/* Print what is selected of a copy of what was read. Returns an exit status. */
static int print_copy(struct snapshot *copy, const struct dump_options *options)
{
	bool unknown = selection_unknown(&options->selection, copy);
	int err;

	err = selection_apply(&options->selection, copy);
	if (!err && options->selection.slower && !options->slow)
		slower_apply(slower_bound(options->selection.slower), copy);
	if (!err)
		err = somewhere_print(copy, options);
	if (err == -EPIPE) /* nobody reads on */
		return EXIT_FAILURE;
	if (err) {
		fprintf(stderr, "kvmbpf: cannot write %s: %s\n",
			options->textfile ? options->textfile : "the output", strerror(-err));
		return EXIT_FAILURE;
	}
	/* what is not there now can be there later */
	if (options->textfile)
		return EXIT_SUCCESS;
	unknown |= say_missing(copy, options);
	return unknown ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Print a snapshot, or what was added to it since an earlier one, which may be NULL. */
static int print(const struct snapshot *snapshot, const struct snapshot *earlier,
		 const struct dump_options *options)
{
	struct snapshot copy;
	int err = snapshot_copy(snapshot, &copy), status = EXIT_FAILURE;

	if (err)
		goto out;
	if (earlier)
		err = snapshot_subtract(&copy, earlier);
	if (!err)
		status = print_copy(&copy, options);
	snapshot_free(&copy);
out:
	if (err)
		fprintf(stderr, "kvmbpf: cannot print: %s\n", strerror(-err));
	return status;
}

static int load_and_print(const struct dump_options *options)
{
	struct snapshot snapshot = { 0 }, earlier = { 0 };
	int err, status = EXIT_FAILURE;

	err = snapshot_file_load(options->from, options->verbose, &snapshot);
	if (!err && options->since)
		err = snapshot_file_load(options->since, options->verbose, &earlier);
	if (!err)
		status = print(&snapshot, options->since ? &earlier : NULL, options);
	snapshot_free(&snapshot);
	snapshot_free(&earlier);
	return status;
}

/* For --delta: keep what was read now, and let maxima begin anew. */
static int delta_begin(struct counting *counting, struct snapshot *ret_earlier)
{
	int err = counting_read(counting, UINT64_MAX);

	if (!err)
		err = snapshot_copy(counting_snapshot(counting), ret_earlier);
	if (!err)
		counting_reset_max(counting);
	if (!err)
		counting_say(counting, "counting what is added from now on");
	return err;
}

static int read_and_print(struct counting *counting, const struct dump_options *options)
{
	struct snapshot earlier = { 0 };
	bool delta = options->delta >= 0;
	int err = delta ? delta_begin(counting, &earlier) : 0, status = EXIT_FAILURE;

	if (counting_reads(counting))
		fprintf(stderr, "kvmbpf: counts of the agent that runs, from %s\n",
			counting_reads(counting));
	/* an agent has counted before: there is nothing to wait for */
	if (!err && (delta || options->seconds >= 0 || !counting_reads(counting)))
		counting_wait(counting, delta ? options->delta : options->seconds);
	if (!err)
		err = counting_read(counting, UINT64_MAX);
	if (!err && options->save)
		err = snapshot_file_save(counting_snapshot(counting), options->save,
					 counting_seconds(counting));
	if (!err)
		status = print(counting_snapshot(counting), delta ? &earlier : NULL, options);
	snapshot_free(&earlier);
	return status;
}

/* Write the file again and again, until a signal; counters go on. Returns an exit status. */
static int textfile_keep(struct counting *counting, const struct dump_options *options)
{
	bool ended = false;
	int status = 0;

	while (!ended && !status) {
		ended = counting_wait(counting, options->seconds);
		if (counting_stands(counting)) {
			fputs("kvmbpf: the agent has ended whose counts these are\n", stderr);
			return EXIT_FAILURE;
		}
		status = counting_read(counting, UINT64_MAX) ?
				 EXIT_FAILURE :
				 print(counting_snapshot(counting), NULL, options);
	}
	return status;
}

static int count_and_print(const struct dump_options *options)
{
	struct counting *counting;
	int status = counting_open(&options->config, options->verbose, &counting);

	if (status)
		return status;
	status = options->textfile ? textfile_keep(counting, options) :
				     read_and_print(counting, options);
	if (!status)
		status = counting_status(counting);
	counting_close(counting);
	return status;
}

int command_dump(int argc, char **argv)
{
	struct dump_options options;
	int status;

	if (dump_options_init(&options, argc))
		return EXIT_FAILURE;
	status = dump_options_parse(argc, argv, &options);
	if (!status && dump_options_configure(&options))
		status = EXIT_FAILURE;
	if (!status)
		status = options.from ? load_and_print(&options) : count_and_print(&options);
	dump_options_free(&options);
	return status < 0 ? EXIT_SUCCESS : status;
}
