// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/fake_families.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct fake fakes[FAKES];

static int fake_open(struct fake *fake, const struct family_env *env, void **ret_state,
		     char **ret_error)
{
	fake->env = *env;
	fake->opens++;
	if (fake->when_opened)
		fake->when_opened(env);
	if (!fake->no_state)
		*ret_state = fake;
	if (fake->error)
		*ret_error = strdup(fake->error);
	return fake->open_err;
}

static int fake_attach(void *state, struct report *attach_report, char **ret_error)
{
	struct fake *fake = state;

	assert_non_null(fake);
	assert_int_equal(fake->open_err, 0);
	fake->attaches++;
	if (fake->when_attached)
		fake->when_attached(&fake->env);
	if (fake->said)
		report_add(attach_report, REPORT_WARNING, "%s", fake->said);
	if (fake->attach_error)
		*ret_error = strdup(fake->attach_error);
	return fake->attach_err;
}

static void fake_detach(void *state)
{
	struct fake *fake = state;

	assert_non_null(fake);
	fake->detaches++;
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

static uint64_t fake_generation(void *state)
{
	struct fake *fake = state;

	assert_non_null(fake);
	return fake->generation;
}

unsigned fake_reads(void)
{
	unsigned n = 0;

	for (size_t i = 0; i < FAKES; i++)
		n += fakes[i].reads[0] + fakes[i].reads[1];
	return n;
}

static int fake_refresh(void *state, uint64_t wanted)
{
	struct fake *fake = state;

	assert_non_null(fake);
	fake->refreshes++;
	fake->wanted = wanted;
	fake->reads_before = fake_reads();
	return fake->refresh_ret;
}

static void fake_tick(void *state, struct report *tick_report)
{
	struct fake *fake = state;

	assert_non_null(fake);
	assert_ptr_equal(tick_report, &report);
	fake->ticks++;
}

static int fake_map(void *state, size_t number, struct map_usage *ret_usage)
{
	struct fake *fake = state;

	assert_non_null(fake);
	if (number >= fake->nmaps)
		return -ENOENT;
	*ret_usage = fake->maps[number];
	return 0;
}

int fake_columns(void *state, const struct table *table, struct snapshot_table *to)
{
	struct fake *fake = state;
	char name[32];
	int err = fake->sync_err;

	(void)table;
	fake->syncs++;
	for (size_t i = to->ncolumns; !err && i < 1 + fake->more_columns; i++) {
		snprintf(name, sizeof(name), i ? "more%zu" : "reads", i);
		err = snapshot_table_add_column(to, name);
	}
	return err;
}

int fake_keys(void *state, const struct owner *owner, struct table_sync *sync)
{
	struct fake *fake = state;
	char name[32];
	int err = 0;

	(void)owner;
	for (uint32_t i = 0; !err && i < 1 + fake->more_rows; i++) {
		snprintf(name, sizeof(name), "row%u", i);
		err = table_want(sync, &(struct table_key){
					       .key = i, .name = i ? name : NULL, .number = i });
	}
	return err;
}

int fake_fill(void *state, const struct table_row *row)
{
	struct fake *fake = state;

	if (row->key == 0)
		fake->reads[row->table->variant]++;
	snapshot_cell_set(&row->cells[0], fake->reads[row->table->variant]);
	return fake->read_err;
}

#define OPS(number, family)                                                                        \
	static int family##_open(const struct family_env *env, void **ret_state, char **ret_error) \
	{                                                                                          \
		return fake_open(&fakes[number], env, ret_state, ret_error);                       \
	}                                                                                          \
	static const struct table family##_tables[] = {                                            \
		{ .name = #family "_one",                                                          \
		  .make_columns = fake_columns,                                                    \
		  .keys = fake_keys,                                                               \
		  .fill = fake_fill },                                                             \
		{ .name = #family "_two",                                                          \
		  .variant = 1,                                                                    \
		  .make_columns = fake_columns,                                                    \
		  .keys = fake_keys,                                                               \
		  .fill = fake_fill },                                                             \
	};                                                                                         \
	static struct family_ops family##_ops = {                                                  \
		.open = family##_open,                                                             \
		.attach = fake_attach,                                                             \
		.detach = fake_detach,                                                             \
		.close = fake_close,                                                               \
		.missed = fake_missed,                                                             \
		.generation = fake_generation,                                                     \
		.tables = family##_tables,                                                         \
		.ntables = 2,                                                                      \
	}

OPS(ALPHA, alpha);
OPS(BETA, beta);
OPS(GAMMA, gamma);
OPS(DELTA, delta);

const struct family families[] = {
	{ .name = "alpha", .ops = &alpha_ops },
	{ .name = "beta", .ops = &beta_ops },
	{ .name = "gamma", .ops = &gamma_ops },
	{ .name = "delta", .ops = &delta_ops },
};

const size_t families_count = ARRAY_SIZE(families);

struct machine machine;

void __wrap_kernel_types_close(struct kernel_types *types);
void __wrap_kernel_types_close(struct kernel_types *types)
{
	if (!machine.types_open) /* the list of CPUs could not be read */
		return;
	assert_ptr_equal(types, machine.types);
	machine.types_open = false;
	machine.closes++;
}

bool __wrap_tracepoints_preemptible(struct kernel_types *types);
int __wrap_cpus_read(const char *dir, struct cpus *ret_cpus);
int __wrap_cpus_update(const char *dir, struct cpus *cpus);
int __wrap_events_find(struct kernel_types *types, const char *tracefs, struct events *ret_events);
uint64_t __wrap_events_stamp(const char *btf_dir, const char *tracefs);
int __wrap_pins_open(const char *wanted, struct report *pins_report, struct pins **ret_pins);
void __wrap_pins_close(struct pins *pins);
int __wrap_vms_attach(struct vms *vms, struct kernel_types *types, const char *lockdown,
		      char **ret_error);

bool __wrap_tracepoints_preemptible(struct kernel_types *types)
{
	assert_ptr_equal(types, machine.types);
	machine.asked++;
	return machine.preemptible;
}

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

int __wrap_events_find(struct kernel_types *types, const char *tracefs, struct events *ret_events)
{
	assert_string_equal(types->dir, KERNEL_TYPES_DIR);
	machine.types = types;
	machine.types_open = true;
	assert_string_equal(tracefs, machine.tracefs ? machine.tracefs : "/its/tracefs");
	machine.finds++;
	if (machine.events_err)
		return machine.events_err;
	*ret_events = (struct events){ 0 };
	if (machine.no_kvm)
		return 0;
	ret_events->names = calloc(1, sizeof(char *));
	if (!ret_events->names)
		return -ENOMEM;
	ret_events->names[0] = strdup("kvm_exit");
	ret_events->n = ret_events->names[0] ? 1 : 0;
	if (ret_events->n)
		return 0;
	free(ret_events->names);
	return -ENOMEM;
}

uint64_t __wrap_events_stamp(const char *btf_dir, const char *tracefs)
{
	assert_string_equal(btf_dir, KERNEL_TYPES_DIR);
	assert_string_equal(tracefs, machine.tracefs ? machine.tracefs : "/its/tracefs");
	return machine.stamp;
}

static struct pins the_pins;

int __wrap_pins_open(const char *wanted, struct report *pins_report, struct pins **ret_pins)
{
	assert_string_equal(wanted, "its-pins");
	assert_ptr_equal(pins_report, &report);
	machine.pins_opens++;
	if (machine.pins_err)
		return machine.pins_err;
	*ret_pins = &the_pins;
	return 0;
}

void __wrap_pins_close(struct pins *pins)
{
	if (!pins)
		return;
	assert_ptr_equal(pins, &the_pins);
	machine.pins_closes++;
}

/* The register makes no passes. */
int __wrap_vms_attach(struct vms *vms, struct kernel_types *types, const char *lockdown,
		      char **ret_error)
{
	(void)vms, (void)lockdown, (void)ret_error;
	assert_ptr_equal(types, machine.types);
	machine.register_attaches++;
	return -ENOENT;
}

struct config config = { .tracefs = (char *)"/its/tracefs",
			 .lockdown = (char *)"/its/lockdown",
			 .pin = (char *)"its-pins" };
struct items items;
struct report report;
struct collector *collector;

void fake_alpha_tables(const struct table *tables, size_t n)
{
	alpha_ops.tables = tables;
	alpha_ops.ntables = n;
}

static struct family_ops *const all_ops[FAKES] = { &alpha_ops, &beta_ops, &gamma_ops, &delta_ops };

void fake_hooks(size_t family)
{
	all_ops[family]->refresh = fake_refresh;
	all_ops[family]->tick = fake_tick;
	all_ops[family]->map = fake_map;
}

void fake_last(size_t family)
{
	all_ops[family]->last = true;
}

int fake_setup(void **state)
{
	(void)state;
	for (size_t i = 0; i < FAKES; i++) {
		all_ops[i]->refresh = NULL;
		all_ops[i]->tick = NULL;
		all_ops[i]->map = NULL;
		all_ops[i]->last = false;
	}
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
	assert_false(machine.types_open);
	for (size_t i = 0; i < FAKES; i++)
		assert_int_equal(fakes[i].closes, fakes[i].no_state ? 0 : fakes[i].opens);
	assert_int_equal(machine.pins_closes, machine.pins_err ? 0 : machine.pins_opens);
	return 0;
}

void open_all(void)
{
	assert_int_equal(collector_open(&config, &items, machine.numbers, machine.pin, &report,
					&collector),
			 0);
}

void assert_open_fails(int err)
{
	untouched_fill(&collector, sizeof(struct collector *));
	assert_int_equal(collector_open(&config, &items, machine.numbers, machine.pin, &report,
					&collector),
			 err);
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

int say_as_libbpf(enum libbpf_print_level level, const char *format, ...)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	va_list args;
	int ret;

	libbpf_set_print(print);
	va_start(args, format);
	ret = print(level, format, args);
	va_end(args);
	return ret;
}
