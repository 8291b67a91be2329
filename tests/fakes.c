// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fake fakes[FAKES];

#define IMAGE(index, name)                                \
	static const void *name##_image(size_t *ret_size) \
	{                                                 \
		*ret_size = 100 + (index);                \
		return &fakes[index];                     \
	}

IMAGE(ALPHA, alpha)
IMAGE(BETA, beta)
IMAGE(GAMMA, gamma)
IMAGE(DELTA, delta)

static int fake_open(const struct family_env *env, void **ret_state, char **ret_why)
{
	struct fake *fake = (struct fake *)env->image;

	fake->env = *env;
	fake->opens++;
	if (fake->when_opened)
		fake->when_opened(env);
	if (!fake->no_state)
		*ret_state = fake;
	if (fake->why)
		*ret_why = strdup(fake->why);
	return fake->open_err;
}

static void fake_close(void *state)
{
	struct fake *fake = state;

	if (fake)
		fake->closes++;
}

static int fake_missed(void *state, uint64_t *ret_missed)
{
	struct fake *fake = state;

	assert_non_null(fake);
	if (!fake->missed_err)
		*ret_missed = fake->missed;
	return fake->missed_err;
}

int fake_init(void *state, struct snapshot_table *table)
{
	struct fake *fake = state;
	int err = snapshot_table_add_column(table, "reads");

	if (!err)
		err = snapshot_table_add_row(table, 0, "");
	return err ? err : fake->init_err;
}

static int read_into(struct fake *fake, unsigned which, struct snapshot_table *table)
{
	snapshot_cell_set(snapshot_table_cell(table, 0, 0), ++fake->reads[which]);
	return fake->read_err;
}

int fake_read(void *state, struct snapshot_table *table)
{
	return read_into(state, 0, table);
}

static int read_second(void *state, struct snapshot_table *table)
{
	return read_into(state, 1, table);
}

#define OPS(name)                                                                                  \
	static const struct family_table name##_tables[] = {                                       \
		{ #name "_one", fake_init, fake_read },                                            \
		{ #name "_two", fake_init, read_second },                                          \
	};                                                                                         \
	static struct family_ops name##_ops = { fake_open, fake_close, fake_missed, name##_tables, \
						2 }

OPS(alpha);
OPS(beta);
OPS(gamma);
OPS(delta);

const struct family families[] = {
	{ "alpha", alpha_image, &alpha_ops },
	{ "beta", beta_image, &beta_ops },
	{ "gamma", gamma_image, &gamma_ops },
	{ "delta", delta_image, &delta_ops },
};

const size_t families_count = ARRAY_SIZE(families);

struct machine machine;

int __wrap_cpus_read(const char *dir, struct cpus *ret_cpus);
int __wrap_cpus_update(const char *dir, struct cpus *cpus);
int __wrap_events_find(const char *btf_dir, const char *tracefs, struct events *ret_events);

int __wrap_cpus_read(const char *dir, struct cpus *ret_cpus)
{
	assert_string_equal(dir, CPUS_SYSFS);
	if (machine.cpus_err)
		return machine.cpus_err;
	ret_cpus->present = calloc(5, sizeof(bool));
	if (!ret_cpus->present)
		return -ENOMEM;
	ret_cpus->n = 5;
	return 0;
}

int __wrap_cpus_update(const char *dir, struct cpus *cpus)
{
	assert_string_equal(dir, CPUS_SYSFS);
	assert_int_equal(cpus->n, 5);
	machine.updates++;
	return machine.update_ret;
}

int __wrap_events_find(const char *btf_dir, const char *tracefs, struct events *ret_events)
{
	assert_string_equal(btf_dir, EVENTS_BTF_DIR);
	assert_string_equal(tracefs, "/its/tracefs");
	if (machine.events_err)
		return machine.events_err;
	ret_events->names = calloc(1, sizeof(char *));
	if (!ret_events->names)
		return -ENOMEM;
	ret_events->names[0] = strdup("kvm_exit");
	ret_events->n = ret_events->names[0] ? 1 : 0;
	return ret_events->n ? 0 : -ENOMEM;
}

struct config config = { .tracefs = (char *)"/its/tracefs" };
struct report report;
struct collector *collector;

void fake_alpha_tables(const struct family_table *tables, size_t n)
{
	alpha_ops.tables = tables;
	alpha_ops.ntables = n;
}

int fake_setup(void **state)
{
	(void)state;
	memset(fakes, 0, sizeof(fakes));
	memset(&machine, 0, sizeof(machine));
	fake_alpha_tables(alpha_tables, ARRAY_SIZE(alpha_tables));
	collector = NULL;
	return 0;
}

int fake_teardown(void **state)
{
	(void)state;
	collector_close(collector);
	report_clear(&report);
	for (size_t i = 0; i < FAKES; i++)
		assert_int_equal(fakes[i].closes, fakes[i].no_state ? 0 : fakes[i].opens);
	return 0;
}

void open_all(void)
{
	assert_int_equal(collector_open(&config, &report, &collector), 0);
}

void assert_open_fails(int err)
{
	untouched_fill(&collector, sizeof(struct collector *));
	assert_int_equal(collector_open(&config, &report, &collector), err);
	assert_untouched(&collector, sizeof(struct collector *));
	collector = NULL;
}

struct snapshot_cell *cell_at(const char *table_name, size_t row, const char *column)
{
	struct snapshot_table *table = snapshot_find_table(collector_snapshot(collector),
							   table_name);
	int number;

	assert_non_null(table);
	assert_true(row < table->nrows);
	number = snapshot_table_column(table, column);
	assert_true(number >= 0);
	return snapshot_table_cell(table, row, (size_t)number);
}
