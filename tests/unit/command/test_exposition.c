// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "command/exposition.h"
#include "metrics/metric_table.h"

#define MAGIC "pmdakvm-snapshot\t2\n"

static struct snapshot snapshot;

static void load(const char *text)
{
	unsigned line;

	snapshot_free(&snapshot);
	assert_int_equal(snapshot_bytes_load(text, strlen(text), &snapshot, &line), 0);
}

static int teardown(void **state)
{
	(void)state;
	snapshot_free(&snapshot);
	return 0;
}

static char *printed(bool open)
{
	static const struct output_options options = { .all = true };
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	assert_int_equal(exposition_print(&snapshot, &options, open, file), 0);
	fclose(file);
	return text;
}

static void assert_printed(bool open, const char *wanted)
{
	char *text = printed(open);

	assert_string_equal(text, wanted);
	free(text);
}

/* Counters, gauges, times and bytes; nothing of what is absent or a text. */
static void test_types(void **state)
{
	(void)state;
	load(MAGIC "table\texit\ncolumn\tcount\ncolumn\ttime\ncolumn\tmax\n"
		   "row\t1\t\tio\t-\t18446744073709551615\t18446744073709551615\t1000\n"
		   "labels\t{\"reason\":\"io\"}\n"
		   "row\t2\t\thlt\t-\t0\t-\t0\nlabels\t{\"reason\":\"hlt\"}\n"
		   "table\texit_total\ncolumn\ttotal\nrow\t0\t\t\t-\t7\n"
		   "table\tagent\ncolumn\tversion\nrow\t0\t\t\t-\t'1\n"
		   "table\ttrace_events\ncolumn\tcount\nrow\t0\t\t\t-\t3\n"
		   "table\tmap\ncolumn\tbytes\nrow\t0\t\tm\t-\t4096\nlabels\t{\"map\":\"m\"}\n");
	assert_printed(
		true,
		"# HELP kvm_trace_count_value Number of events that kvm.conf names in [trace]\n"
		"# TYPE kvm_trace_count_value gauge\n"
		"kvm_trace_count_value 3\n"
		"# HELP kvm_agent_map_bytes Kernel memory that the entries of a BPF map take\n"
		"# TYPE kvm_agent_map_bytes gauge\n"
		"# UNIT kvm_agent_map_bytes bytes\n"
		"kvm_agent_map_bytes{map=\"m\"} 4096\n"
		"# HELP kvm_exit Exits: how often a vCPU left guest mode, for any reason\n"
		"# TYPE kvm_exit counter\n"
		"kvm_exit_total 7\n"
		"# HELP kvm_exit_count Exits by reason\n"
		"# TYPE kvm_exit_count counter\n"
		"kvm_exit_count_total{reason=\"io\"} 18446744073709551615\n"
		"kvm_exit_count_total{reason=\"hlt\"} 0\n"
		"# HELP kvm_exit_time_seconds Time from exits to the next guest entries, by reason\n"
		"# TYPE kvm_exit_time_seconds counter\n"
		"# UNIT kvm_exit_time_seconds seconds\n"
		"kvm_exit_time_seconds_total{reason=\"io\"} 18446744073.709551615\n"
		"# HELP kvm_exit_max_seconds Longest time from an exit to the next guest entry, by reason\n"
		"# TYPE kvm_exit_max_seconds gauge\n"
		"# UNIT kvm_exit_max_seconds seconds\n"
		"kvm_exit_max_seconds{reason=\"io\"} 0.000001\n"
		"kvm_exit_max_seconds{reason=\"hlt\"} 0\n"
		"# EOF\n");
}

/* The older format knows counters by their whole names, and no units. */
static void test_the_older_format(void **state)
{
	(void)state;
	load(MAGIC "table\texit\ncolumn\ttime\nrow\t1\t\tio\t-\t5\nlabels\t{\"reason\":\"io\"}\n");
	assert_printed(false,
		       "# HELP kvm_exit_time_seconds_total Time from exits to the next guest "
		       "entries, by reason\n"
		       "# TYPE kvm_exit_time_seconds_total counter\n"
		       "kvm_exit_time_seconds_total{reason=\"io\"} 0.000000005\n");
}

/* Every histogram has all buckets, those between included; the sum of times is beside. */
static void test_histograms(void **state)
{
	(void)state;
	load(MAGIC "table\texit\ncolumn\ttime\nrow\t1\t\tio\t-\t1500000000\n"
		   "table\texit_latency\ncolumn\tlatency\n"
		   "row\t1\t\tio\t4-7\t3\nlabels\t{\"reason\":\"io\",\"bucket\":\"4-7\"}\n"
		   "row\t2\t\tio\t16-31\t2\nlabels\t{\"reason\":\"io\",\"bucket\":\"16-31\"}\n"
		   "row\t3\t\tio\t64-18446744073709551615\t1\nlabels\t{\"reason\":\"io\"}\n"
		   "row\t4\t\thlt\t4-7\t-\nlabels\t{\"reason\":\"hlt\"}\n"
		   "row\t5\t\tmsr\t4-7\t9\nlabels\t{\"reason\":\"msr\"}\n");
	assert_printed(
		true,
		"# HELP kvm_exit_time_seconds Time from exits to the next guest entries, by reason\n"
		"# TYPE kvm_exit_time_seconds counter\n"
		"# UNIT kvm_exit_time_seconds seconds\n"
		"kvm_exit_time_seconds_total 1.5\n"
		"# HELP kvm_exit_latency_seconds Exits by reason and by the time until the next guest entry\n"
		"# TYPE kvm_exit_latency_seconds histogram\n"
		"# UNIT kvm_exit_latency_seconds seconds\n"
		"kvm_exit_latency_seconds_bucket{reason=\"io\",le=\"0.000000007\"} 3\n"
		"kvm_exit_latency_seconds_bucket{reason=\"io\",le=\"0.000000015\"} 3\n"
		"kvm_exit_latency_seconds_bucket{reason=\"io\",le=\"0.000000031\"} 5\n"
		"kvm_exit_latency_seconds_bucket{reason=\"io\",le=\"+Inf\"} 6\n"
		"kvm_exit_latency_seconds_count{reason=\"io\"} 6\n"
		"kvm_exit_latency_seconds_sum{reason=\"io\"} 1.5\n"
		"kvm_exit_latency_seconds_bucket{reason=\"msr\",le=\"0.000000007\"} 9\n"
		"kvm_exit_latency_seconds_bucket{reason=\"msr\",le=\"0.000000015\"} 9\n"
		"kvm_exit_latency_seconds_bucket{reason=\"msr\",le=\"0.000000031\"} 9\n"
		"kvm_exit_latency_seconds_bucket{reason=\"msr\",le=\"+Inf\"} 9\n"
		"kvm_exit_latency_seconds_count{reason=\"msr\"} 9\n"
		"# EOF\n");
}

/* Bounds that are no powers of two stay as they are; the unit is the statistic's. */
static void test_linear_histograms(void **state)
{
	char *text;

	(void)state;
	load(MAGIC "table\tstat_hist\ncolumn\tnew_hist\tcounter\tcount\n"
		   "row\t1\t\t\t0-4\t3\nrow\t2\t\t\t10-14\t2\n");
	text = printed(false);
	assert_non_null(strstr(text, "# TYPE kvm_stat_new_hist histogram\n"
				     "kvm_stat_new_hist_bucket{le=\"4\"} 3\n"
				     "kvm_stat_new_hist_bucket{le=\"14\"} 5\n"
				     "kvm_stat_new_hist_bucket{le=\"+Inf\"} 5\n"
				     "kvm_stat_new_hist_count 5\n"));
	free(text);
}

/* Labels are quoted; of a process's VMs each is another series. */
static void test_labels(void **state)
{
	char *text;

	(void)state;
	load(MAGIC
	     "table\tvm\ncolumn\tvcpus\n"
	     "row\t1\ta-1\t\t-\t1\nlabels\t{\"vm\":\"a\\\\\\\"\\n\xc3\xa9\",\"pid\":1,\"x.y\":\"z\"}\n"
	     "row\t2\ta-1.2\t\t-\t2\nlabels\t{\"vm\":\"a\",\"pid\":1}\n"
	     "row\t3\ta.2-1\t\t-\t3\nlabels\t{\"vm\":\"a.2\",\"pid\":1}\n"
	     "table\tvcpu\ncolumn\texits\nrow\t1\ta-1.23::vcpu4\t\t-\t5\n"
	     "labels\t{\"vm\":\"a\",\"pid\":1,\"vcpu\":4}\n");
	text = printed(false);
	assert_non_null(strstr(text,
			       "kvm_vm_vcpus{vm=\"a\\\\\\\"\\n\xc3\xa9\",pid=\"1\",x_y=\"z\"} 1\n"
			       "kvm_vm_vcpus{vm=\"a\",pid=\"1\",nth=\"2\"} 2\n"
			       "kvm_vm_vcpus{vm=\"a.2\",pid=\"1\"} 3\n"));
	assert_non_null(strstr(text, "kvm_vcpu_exits_total{vm=\"a\",pid=\"1\",vcpu=\"4\","
				     "nth=\"23\"} 5\n"));
	free(text);
}

/* No two metrics of THE table have one name, and each begins as its own does. */
static void test_names_are_unique(void **state)
{
	char *text, *line, *rest;
	const char *names[200];
	size_t n = 0, wanted = 0;
	char *all = NULL;
	size_t size;
	FILE *file = open_memstream(&all, &size);

	(void)state;
	fputs(MAGIC, file);
	for (size_t i = 0; i < metrics_count; i++) {
		const struct metric *metric = &metrics[i];
		bool seen = metric_is_subtree(metric) || metric->type == METRIC_STRING;

		wanted += !seen;
		for (size_t j = 0; j < i; j++)
			seen |= strcmp(metrics[j].table, metric->table) == 0;
		if (seen)
			continue;
		fprintf(file, "table\t%s\n", metric->table);
		for (int row = 0; row < 2; row++) {
			if (row)
				fputs("row\t0\t\tx\t-", file);
			for (size_t j = 0; j < metrics_count; j++) {
				if (strcmp(metrics[j].table, metric->table) != 0 ||
				    metric_is_subtree(&metrics[j]))
					continue;
				if (row)
					fputs("\t7", file);
				else
					fprintf(file, "column\t%s\n", metrics[j].column);
			}
		}
		fputc('\n', file);
	}
	fclose(file);
	load(all);
	free(all);
	rest = text = printed(false);
	while ((line = strsep(&rest, "\n"))) {
		if (strncmp(line, "# TYPE ", 7) != 0)
			continue;
		line += 7;
		line[strcspn(line, " ")] = '\0';
		for (size_t i = 0; i < n; i++)
			assert_string_not_equal(line, names[i]);
		assert_true(n < ARRAY_SIZE(names));
		names[n++] = line;
	}
	assert_true(n >= wanted);
	free(text);
}

static void test_failures(void **state)
{
	static const struct output_options options = { .all = true };
	FILE *file = open_failing_writer(10, ENOSPC);

	(void)state;
	load(MAGIC "table\texit_latency\ncolumn\tlatency\nrow\t1\t\tio\t4-7\t3\n");
	assert_int_equal(exposition_print(&snapshot, &options, true, file), -ENOSPC);
	fclose(file);
	for (unsigned n = 0;; n++) {
		int err;

		file = open_failing_writer(SIZE_MAX, EIO);
		alloc_fail_at(n);
		err = exposition_print(&snapshot, &options, true, file);
		fclose(file);
		if (!alloc_failed()) {
			assert_int_equal(err, 0);
			assert_true(n >= 2);
			return;
		}
		assert_int_equal(err, -ENOMEM);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_types, teardown),
		cmocka_unit_test_teardown(test_the_older_format, teardown),
		cmocka_unit_test_teardown(test_histograms, teardown),
		cmocka_unit_test_teardown(test_linear_histograms, teardown),
		cmocka_unit_test_teardown(test_labels, teardown),
		cmocka_unit_test_teardown(test_names_are_unique, teardown),
		cmocka_unit_test_teardown(test_failures, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
