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

/* A bucket of histograms; several histograms can have it. */
struct stat_bucket {
	struct snapshot_range range;
	char name[24]; /* if the range is unknown; else "" */
};

/* The buckets of all histograms, each once, in the order of their ranges. */
struct stat_buckets {
	struct stat_bucket *list;
	size_t n;
	uint32_t *vm_place, *vcpu_place; /* index in list by index of the decoded value */
};

/* Tables with one column per statistic, in the order of stat_tables. */
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
	uint32_t *values; /* of a histogram: [buckets.n], index of the value; STAT_NO_VALUE: none */
};

#define STAT_NO_VALUE UINT32_MAX

struct stat_columns {
	struct stat_column *list;
	size_t n;
	const struct stat_layout *layout; /* the layout of these statistics */
};

struct stat_family {
	struct family_env env;
	enum stat_source source;
	struct stat_bpf *skeleton; /* the maps; NULL: not loaded */
	struct vms_listener listener;
	struct stat_layout *layout; /* a reference; kept when detached; NULL: never attached */
	unsigned passes;	    /* complete ones since the maps were loaded */
	struct stat_buckets buckets;
	struct stat_totals totals;
	bool taken_over;   /* an earlier agent's maps were taken over */
	uint64_t *host;	   /* debugfs: values of the last pass */
	uint64_t ticked;   /* debugfs: time of the last pass, ns */
	uint64_t *scratch; /* room for the values of a VM or vCPU */
	size_t nseen;	   /* non-empty buckets of VMs and vCPUs at the last refresh */
	bool *seen;	   /* [buckets.n] scratch */
	struct stat_columns columns[STAT_TABLES];
};

extern const struct table stat_tables[STAT_TABLES];

/*
 * Make a table's columns, or remake them after KVM came back with other statistics. Returns 0 or
 * -ENOMEM.
 */
int stat_columns_make(struct stat_family *family, enum stat_table which,
		      struct snapshot_table *table);
void stat_columns_free(struct stat_columns *columns);

/* Set all values of a row except histograms, from decoded values of a VM and of its vCPUs. */
void stat_columns_put(const struct stat_columns *columns, struct snapshot_cell *cells,
		      const uint64_t *vm, const uint64_t *vcpu);

/* The same for histograms: the values of one bucket. */
void stat_columns_put_bucket(const struct stat_columns *columns, struct snapshot_cell *cells,
			     uint32_t bucket, const uint64_t *vm, const uint64_t *vcpu);

/* Build the bucket list of a layout. Returns 0 or -ENOMEM. */
int stat_buckets_init(const struct stat_layout *layout, struct stat_buckets *ret_buckets);
void stat_buckets_free(struct stat_buckets *buckets);

/*
 * Mark in family->seen the buckets into which something fell, of a VM (its own values, or NULL) and
 * of vCPUs. Returns how many they are.
 */
size_t stat_buckets_seen(const struct stat_family *family, const uint64_t *vm,
			 const uint64_t *vcpu);

/* The same number, summed over all VMs and vCPUs. */
size_t stat_buckets_count(const struct stat_family *family);

/*
 * Build a layout of host totals from debugfs: one file per statistic in DIR/kvm. All of them are in
 * the VM list. Returns 0, -ENOENT if KVM is not loaded or has no statistics there, or the error
 * from reading.
 */
int stat_debugfs_layout(const char *dir, struct stat_layout *ret_layout);

/* Read the values; a value that cannot be read is left unchanged. */
void stat_debugfs_read(const char *dir, const struct stat_layout *layout, uint64_t *values);

#endif /* PMDAKVM_STAT_H */
