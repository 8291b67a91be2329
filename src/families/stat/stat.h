/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * State of the stat family, shared by its files: stat.c reads, stat_columns.c, stat_buckets.c and
 * stat_tables.c fill the tables.
 */
#ifndef PMDAKVM_STAT_H
#define PMDAKVM_STAT_H

#include <bpf/libbpf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "families/family.h"
#include "kvm/stat_schema.h"
#include "families/stat/stat_totals.h"

enum stat_source {
	STAT_NOWHERE,  /* not attached, or not available */
	STAT_ITERATOR, /* per VM and vCPU */
	STAT_DEBUGFS,  /* host totals only */
};

#define STAT_BUCKET_NAME_SIZE 48

/* The buckets of all histograms, each range once. */
struct stat_buckets {
	char (*names)[STAT_BUCKET_NAME_SIZE];
	uint32_t *host_number; /* instance number of each in the host's domain: index + 1 */
	size_t n;
	/* index in names by index of the decoded value */
	uint32_t *vm_place, *vcpu_place;
};

/* Tables with one column per statistic. */
enum stat_table {
	STAT_STOCK,
	STAT_HOST,
	STAT_HOST_HIST,
	STAT_VM,
	STAT_VM_HIST,
	STAT_VCPU,
	STAT_VCPU_HIST,
	STAT_TABLES,
};

/* Maps statistics to columns. */
struct stat_column {
	const struct statistic *stat;
	bool of_vcpu;
	bool again; /* a VM's statistic has the same name: both are added */
	size_t column;
};

struct stat_columns {
	struct stat_column *list;
	size_t n;
	const struct stat_layout *layout; /* the layout of these statistics */
};

struct stat_family {
	struct family_env env;
	enum stat_source source;
	struct bpf_object *object;
	struct bpf_link *link;
	struct stat_layout *layout; /* kept when detached; NULL: never attached */
	struct stat_buckets buckets;
	struct stat_totals totals;
	bool taken_over;      /* an earlier agent's maps were taken over */
	uint64_t *host;	      /* debugfs: values of the last pass */
	uint64_t ticked;      /* time of the last pass, ns */
	uint64_t vms_changes; /* env.vms->changes when rows were last made */
	char *records;	      /* buffer for the iterator's records */
	struct stat_columns columns[STAT_TABLES];
};

/* All tables: the above, and those that list VMs. */
#define STAT_FAMILY_TABLES (STAT_TABLES + 2)
extern const struct family_table stat_tables[STAT_FAMILY_TABLES];

/*
 * Make a table's columns, or remake them after KVM came back with other statistics. Returns 0 or
 * -ENOMEM.
 */
int stat_columns_make(struct stat_family *family, enum stat_table which,
		      struct snapshot_table *table);

/* Set all values of a row except histograms, from decoded values of a VM and of its vCPUs. */
void stat_columns_put(const struct stat_columns *columns, struct snapshot_table *table, size_t row,
		      const uint64_t *vm, const uint64_t *vcpu);

/* The same for histograms: set the rows of buckets that have numbers. */
void stat_columns_put_buckets(const struct stat_family *family, const struct stat_columns *columns,
			      struct snapshot_table *table, const uint32_t *numbers,
			      const uint64_t *vm, const uint64_t *vcpu);

/* Build the bucket list of a layout. Returns 0 or -ENOMEM. */
int stat_buckets_init(const struct stat_layout *layout, struct stat_buckets *ret_buckets);
void stat_buckets_free(struct stat_buckets *buckets);

/* Number the buckets of VMs and vCPUs that became non-empty. Returns whether there were any. */
bool stat_buckets_number(struct stat_family *family);

/*
 * Build a layout of host totals from debugfs: one file per statistic in DIR/kvm. All of them are in
 * the VM list. Returns 0, -ENOENT if KVM is not loaded or has no statistics there, or the error
 * from reading.
 */
int stat_debugfs_layout(const char *dir, struct stat_layout *ret_layout);

/* Read the values; a value that cannot be read is left unchanged. */
void stat_debugfs_read(const char *dir, const struct stat_layout *layout, uint64_t *values);

#endif /* PMDAKVM_STAT_H */
