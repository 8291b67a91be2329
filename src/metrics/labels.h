/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/* Labels of an instance: keys and values, which become text only where they are printed. */
#ifndef PMDAKVM_LABELS_H
#define PMDAKVM_LABELS_H

#include <stddef.h>
#include <stdint.h>

struct label {
	const char *key;
	const char *text; /* UTF-8; NULL: the value is the number */
	uint64_t number;  /* at most INT64_MAX: jansson has no more */
};

/* Immutable, and shared by references. */
struct labels {
	size_t refs;
	size_t n;
	struct label *list; /* [n], in the order given */
};

/* A copy of n labels, with one reference. Returns NULL if there is no memory. */
struct labels *labels_new(const struct label *list, size_t n);

/* Add or drop a reference; both take NULL. labels_ref returns its argument. */
struct labels *labels_ref(struct labels *labels);
void labels_unref(struct labels *labels);

/*
 * The labels of all given sets as one JSON object on one line. A key of a later set replaces that
 * of an earlier one. Sets may be NULL. Returns NULL if there is no memory; the caller frees it.
 */
char *labels_json(const struct labels *const *sets, size_t n);

/*
 * Parse a JSON object whose values are strings and non-negative integers. Returns 0, -EINVAL, or
 * -ENOMEM.
 */
int labels_parse(const char *json, struct labels **ret_labels);

#endif /* PMDAKVM_LABELS_H */
