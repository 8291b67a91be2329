// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
/* kvmbpf top: which VM exits most, why, and what it costs, as it happens. */
#define _GNU_SOURCE
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "command/arguments.h"
#include "command/commands.h"
#include "command/counting.h"
#include "command/top_about.h"
#include "command/top_screen.h"
#include "command/top_source.h"

/* The first interval of a screen, which is to be there soon. */
#define FIRST_SECONDS 0.1

struct options {
	struct config config;
	const char *config_path;
	const char *files[TOP_FILES];
	size_t nfiles;
	const char *vm, *sort, *filter;
	double delay;
	unsigned long count; /* screens; 0: until interrupted */
	bool batch, exact;
};

struct top {
	const struct options *options;
	struct top_source *source;
	struct top_view view;
	struct top_model model;
	struct top_page page;
	struct rates rates;
	uint64_t tables; /* of the last reading; 0: of another screen */
	double read;	 /* when that was, s */
	char host[96];
	bool first; /* there was one reading only */
	bool again; /* there were others before it */
};

static const struct option long_options[] = {
	{ "batch", no_argument, NULL, 'b' },
	{ "config", required_argument, NULL, 'c' },
	{ "count", required_argument, NULL, 'n' },
	{ "delay", required_argument, NULL, 'd' },
	{ "exact", no_argument, NULL, 'x' },
	{ "filter", required_argument, NULL, 'f' },
	{ "from", required_argument, NULL, 'F' },
	{ "help", no_argument, NULL, 'h' },
	{ "sort", required_argument, NULL, 's' },
	{ "vm", required_argument, NULL, 'V' },
	{ 0 },
};

static void usage(FILE *out)
{
	fputs("Usage: kvmbpf top [OPTION]...\n"
	      "Show which VMs exit most, why, and what it costs, as it happens. Enter shows a\n"
	      "VM, h lists the keys. Where an agent runs, its maps are read, and guests pay\n"
	      "nothing.\n"
	      "\n"
	      "  -d, --delay SECONDS  seconds between two screens (default: 1)\n"
	      "  -s, --sort COLUMN    sort by the column of this heading\n"
	      "  -f, --filter WORDS   show only VMs that have these words, or match them if\n"
	      "                       they have one of *?[\n"
	      "      --vm NAME        show this VM\n"
	      "  -x, --exact          numbers with all their digits\n"
	      "  -b, --batch          print the screens, whole, and take no keys; so it does\n"
	      "                       where it writes to no terminal, or to a dumb one\n"
	      "  -n, --count N        end after N screens\n"
	      "      --from FILE      show what kvmbpf save wrote; given twice, the rates\n"
	      "                       between the two files, as if they were --delay apart\n"
	      "  -c, --config FILE    a kvm.conf: its [bpf] pin is where an agent's maps are\n"
	      "  -h, --help           show this text\n"
	      "\n"
	      "See kvmbpf(8).\n",
	      out);
}

#define bad(...) arguments_bad("top", __VA_ARGS__)

static int parse_count(const char *text, unsigned long *ret_count)
{
	char *end;

	errno = 0;
	*ret_count = strtoul(text, &end, 10);
	return errno || end == text || *end || *text == '-' || !*ret_count ? -EINVAL : 0;
}

/* Returns 0; EXIT_USAGE after an error message; or -1 for --help. */
static int take(struct options *options, int c)
{
	switch (c) {
	case 'b':
		options->batch = true;
		return 0;
	case 'c':
		options->config_path = optarg;
		return 0;
	case 'd':
		if (!arguments_seconds(optarg, &options->delay) &&
		    options->delay >= TOP_DELAY_MIN && options->delay <= TOP_DELAY_MAX)
			return 0;
		return bad("-d: not a number of seconds from 0.1 to 3600: \"%s\"", optarg);
	case 'f':
		options->filter = optarg;
		return 0;
	case 'F':
		if (options->nfiles == TOP_FILES)
			return bad("--from: more than %d files", TOP_FILES);
		options->files[options->nfiles++] = optarg;
		return 0;
	case 'h':
		usage(stdout);
		return -1;
	case 'n':
		return parse_count(optarg, &options->count) ?
			       bad("-n: not a number of screens: \"%s\"", optarg) :
			       0;
	case 's':
		options->sort = optarg;
		return 0;
	case 'V':
		options->vm = optarg;
		return 0;
	case 'x':
		options->exact = true;
		return 0;
	default:
		return arguments_refused("top");
	}
}

static int parse(int argc, char **argv, struct options *options)
{
	int c, status = 0;

	while (!status && (c = getopt_long(argc, argv, "bc:d:f:hn:s:x", long_options, NULL)) != -1)
		status = take(options, c);
	if (!status && optind < argc)
		return bad("unexpected argument \"%s\"", argv[optind]);
	if (!status && options->filter && strlen(options->filter) >= TOP_WORDS)
		return bad("-f: longer than %d bytes", TOP_WORDS - 1);
	return status;
}

/* --- reading --- */

/* Read what the screen needs; what was read before is what rates are since. */
static int read_next(struct top *top)
{
	const struct snapshot *snapshot = top_source_snapshot(top->source);
	bool keeps = !top->view.based || top->view.rebase || top->first;
	int err = 0;

	if (top->tables && top_source_ended(top->source)) {
		top->first = false;
		return 0;
	}
	if (top->tables && keeps) {
		err = rates_keep(&top->rates, snapshot, top->tables, top->read);
		top->rates.began = !top->again && top_source_begins(top->source);
		top->again = true;
	}
	if (top->tables)
		top->view.rebase = false;
	top->first = !top->tables;
	if (!top->tables)
		rates_free(&top->rates);
	top->tables = top_tables(snapshot, *top->view.vm);
	if (!err)
		err = top_source_read(top->source, top->tables, top->first);
	top->read = top_source_now(top->source);
	top->rates.now = top->read;
	return err;
}

/* Make the screen's lines of what was read. */
static int make(struct top *top, int width, int height)
{
	const struct snapshot *snapshot = top_source_snapshot(top->source);
	struct top_about about = {
		.host = top->host,
		.seconds = top->view.delay,
		.first = top->first,
		.note = top_source_note(top->source),
	};
	const struct snapshot_table *vms = snapshot_find_table(snapshot, "vm");
	char clock[TOP_CLOCK_SIZE];
	int err;

	top_clock(clock);
	about.clock = clock;
	if (vms && rates_seconds(&top->rates, vms) > 0)
		about.seconds = rates_seconds(&top->rates, vms);
	err = *top->view.vm ? top_model_vm(&top->model, snapshot, &top->rates, top->view.vm) :
			      top_model_host(&top->model, snapshot, &top->rates);
	if (err)
		return err;
	err = top_view_apply(&top->view, &top->model);
	if (err)
		return err;
	return top_page_make(&top->page, &top->view, &top->model, &about, width, height);
}

/* --- a pipe --- */

static int batch_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	int width = columns ? atoi(columns) : 0;

	if (width <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		width = size.ws_col;
	return width > 0 ? width : 80;
}

static int batch_print(struct top *top)
{
	int err = make(top, batch_width(), 0);

	for (size_t i = 0; !err && i < top->page.n; i++)
		puts(top->page.lines[i].text);
	errno = 0;
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = errno ? -errno : -EIO;
	return err;
}

static int batch_run(struct top *top)
{
	int err = read_next(top);

	for (unsigned long n = 0; !err && (!top->options->count || n < top->options->count); n++) {
		if (top_source_wait(top->source, top->view.delay))
			break;
		err = read_next(top);
		if (!err && n)
			putchar('\n');
		if (!err)
			err = batch_print(top);
		if (top_source_ended(top->source))
			break;
	}
	return err;
}

/* --- a terminal --- */

static int screen_draw(struct top *top)
{
	int width, height, err;

	top_screen_size(&width, &height);
	err = make(top, width, height);
	if (!err)
		top_screen_show(&top->page);
	return err;
}

/* Take keys until so many seconds after the last reading. Returns 1 if another screen is to be
 * read, 0, or an error. */
static int keys_take(struct top *top, double seconds)
{
	double end = top_source_due(top->source, seconds), left;

	while ((left = end - top_source_clock()) > 0 || top->view.paused) {
		int err, key = top_screen_key(left < 0 || left > 1 ? 1 : left);
		bool other = false, over;

		if (key != TOP_KEY_NONE)
			other = top_view_key(&top->view, &top->model, key, top->page.rows);
		over = key == TOP_KEY_NONE && !top->view.paused && top_source_clock() >= end;
		if (top->view.quit || top_source_poll(top->source, over)) {
			top->view.quit = true;
			return 0;
		}
		if (other)
			return 1;
		if (over) /* what is read next is drawn */
			return 0;
		err = screen_draw(top);
		if (err)
			return err;
	}
	return 0;
}

static int screen_run(struct top *top)
{
	unsigned long n = 0;
	int err = 0;

	while (err >= 0 && !top->view.quit) {
		bool other = err > 0;

		if (other)
			top->tables = 0;
		err = read_next(top);
		if (!err)
			err = screen_draw(top);
		if (!top->first && ++n == top->options->count)
			break;
		if (!err)
			err = keys_take(top, top->first ? FIRST_SECONDS : top->view.delay);
	}
	return err;
}

/* --- the whole --- */

/* Begin as the options say. Returns an exit status, after a message if it is not 0. */
static int begin(struct top *top)
{
	const struct options *options = top->options;
	enum top_section section = options->vm ? TOP_REASONS : TOP_VMS;
	int err;

	top_view_init(&top->view);
	top->view.delay = options->delay;
	top->view.exact = options->exact;
	if (options->vm) {
		err = top_source_read(top->source,
				      top_tables(top_source_snapshot(top->source), true), true);
		if (err || !top_source_find(top->source, options->vm, top->view.vm))
			return EXIT_FAILURE;
	}
	if (options->filter)
		strcpy(top->view.filters[section], options->filter);
	top->model.exits = top_has_exits(top_source_snapshot(top->source));
	if (options->sort && top_view_sort(&top->view, &top->model, section, options->sort) &&
	    top_view_sort(&top->view, &top->model, TOP_CAUSES, options->sort))
		return bad("-s: there is no column \"%s\"", options->sort);
	return 0;
}

static int run(const struct options *options)
{
	struct top top = { .options = options };
	int err = 0, status = top_source_open(&options->config, options->files, options->nfiles,
					      options->delay, &top.source);

	if (status)
		return status;
	top_model_init(&top.model);
	top_host_text(options->nfiles ? options->files[options->nfiles - 1] : NULL, top.host,
		      sizeof(top.host));
	status = begin(&top);
	if (!status && !options->batch && top_screen_open()) {
		err = screen_run(&top);
		top_screen_close();
	} else if (!status) {
		err = batch_run(&top);
	}
	if (err) {
		fprintf(stderr, "kvmbpf top: %s\n", strerror(-err));
		status = EXIT_FAILURE;
	}
	top_page_free(&top.page);
	top_model_free(&top.model);
	rates_free(&top.rates);
	top_source_close(top.source);
	return status;
}

int command_top(int argc, char **argv)
{
	struct options options = { .delay = 1 };
	int status = EXIT_FAILURE;

	if (config_init(&options.config))
		return EXIT_FAILURE;
	status = parse(argc, argv, &options);
	if (!status && counting_configure(&options.config, options.config_path, false))
		return EXIT_FAILURE;
	counting_of_numbers(&options.config);
	if (!status)
		status = run(&options);
	config_free(&options.config);
	return status < 0 ? EXIT_SUCCESS : status;
}
