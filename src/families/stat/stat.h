/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* The stat family's state, shared by stat.c, which reads, and stat_tables.c, which shows. */
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
	STAT_NOWHERE,  /* not attached, or not to be had */
	STAT_ITERATOR, /* per VM and vCPU */
	STAT_DEBUGFS,  /* of the host alone */
};

#define STAT_BUCKET_NAME_SIZE 48

/* All buckets that histograms have, each range once. */
struct stat_buckets {
	char (*names)[STAT_BUCKET_NAME_SIZE];
	uint32_t *host_number; /* of each, as an instance of the host's: its place + 1 */
	size_t n;
	/* by a value's place among the decoded ones: its bucket's place in this list */
	uint32_t *vm_place, *vcpu_place;
};

/* The tables with a column for each statistic. */
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

/* Which statistic stands in which column. */
struct stat_columns {
	struct stat_column {
		const struct statistic *stat;
		bool of_vcpu;
		bool again; /* a VM's statistic has that name too: they add up */
		size_t column;
	} * list;
	size_t n;
	const struct stat_layout *layout; /* that they are of */
};

struct stat_family {
	struct family_env env;
	enum stat_source source;
	struct bpf_object *object;
	struct bpf_link *link;
	struct stat_layout *layout; /* stays when detached; NULL: never attached */
	struct stat_buckets buckets;
	struct stat_totals totals;
	bool taken_up;	      /* what an earlier agent has left */
	uint64_t *host;	      /* debugfs: what it had last */
	uint64_t ticked;      /* when the last pass was, in ns */
	uint64_t vms_changes; /* of the VMs, when rows were made last */
	char *records;	      /* room for what the iterator writes */
	struct stat_columns columns[STAT_TABLES];
};

/* All tables: those above, and which VMs there are. */
#define STAT_FAMILY_TABLES (STAT_TABLES + 2)
extern const struct family_table stat_tables[STAT_FAMILY_TABLES];

/* Make a table's columns, anew when KVM comes back with other statistics. 0 or -ENOMEM. */
int stat_columns_make(struct stat_family *family, enum stat_table which,
		      struct snapshot_table *table);

/*
 * Put values of all that are no histograms into a row: those of a VM and of its vCPUs, as
 * they are decoded.
 */
void stat_columns_put(const struct stat_columns *columns, struct snapshot_table *table, size_t row,
		      const uint64_t *vm, const uint64_t *vcpu);

/* The same of histograms, into the rows of the buckets that have numbers. */
void stat_columns_put_buckets(const struct stat_family *family, const struct stat_columns *columns,
			      struct snapshot_table *table, const uint32_t *numbers,
			      const uint64_t *vm, const uint64_t *vcpu);

/* Make the list of buckets of a layout. 0 or -ENOMEM. */
int stat_buckets_init(const struct stat_layout *layout, struct stat_buckets *ret_buckets);
void stat_buckets_free(struct stat_buckets *buckets);

/* Give numbers to the buckets of VMs and vCPUs that something fell into for the first time. */
bool stat_buckets_number(struct stat_family *family);

/*
 * Statistics of the host as debugfs has them: a file for each in DIR/kvm. The layout has
 * them all in its list of VMs. 0, -ENOENT if KVM is not there or has none, or the error.
 */
int stat_debugfs_layout(const char *dir, struct stat_layout *ret_layout);

/* Read them; a value that cannot be read is left as it is. */
void stat_debugfs_read(const char *dir, const struct stat_layout *layout, uint64_t *values);

#endif /* PMDAKVM_STAT_H */
