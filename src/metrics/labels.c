// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "metrics/labels.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

/* Bytes of a label's key and text, with their NULs. */
static size_t label_bytes(const struct label *label)
{
	return strlen(label->key) + 1 + (label->text ? strlen(label->text) + 1 : 0);
}

static const char *text_put(char **to, const char *text)
{
	char *put = *to;

	*to = stpcpy(put, text) + 1;
	return put;
}

struct labels *labels_new(const struct label *list, size_t n)
{
	size_t bytes = sizeof(struct labels) + n * sizeof(struct label);
	struct labels *labels;
	char *to;

	for (size_t i = 0; i < n; i++)
		bytes += label_bytes(&list[i]);
	labels = malloc(bytes);
	if (!labels)
		return NULL;
	*labels = (struct labels){ .refs = 1, .n = n, .list = (struct label *)(labels + 1) };
	to = (char *)(labels->list + n);
	for (size_t i = 0; i < n; i++) {
		labels->list[i] = list[i];
		labels->list[i].key = text_put(&to, list[i].key);
		if (list[i].text)
			labels->list[i].text = text_put(&to, list[i].text);
	}
	return labels;
}

struct labels *labels_ref(struct labels *labels)
{
	if (labels)
		labels->refs++;
	return labels;
}

void labels_unref(struct labels *labels)
{
	if (labels && --labels->refs == 0)
		free(labels);
}

static int label_add(json_t *object, const struct label *label)
{
	/* takes the value in any case, and refuses NULL */
	return json_object_set_new(object, label->key,
				   label->text ? json_string(label->text) :
						 json_integer((json_int_t)label->number));
}

char *labels_json(const struct labels *const *sets, size_t n)
{
	json_t *object = json_object();
	char *json = NULL;

	for (size_t i = 0; i < n; i++) {
		for (size_t j = 0; sets[i] && j < sets[i]->n; j++) {
			if (label_add(object, &sets[i]->list[j]))
				goto out;
		}
	}
	errno = 0; /* jansson leaves out a key for which the text cannot grow */
	json = json_dumps(object, JSON_COMPACT);
	if (errno == ENOMEM) {
		free(json);
		json = NULL;
	}
out:
	json_decref(object);
	return json;
}

static int object_read(json_t *object, struct label *list)
{
	const char *key;
	json_t *value;
	size_t n = 0;

	json_object_foreach(object, key, value)
	{
		if (json_is_string(value))
			list[n] = (struct label){ key, json_string_value(value), 0 };
		else if (json_is_integer(value) && json_integer_value(value) >= 0)
			list[n] = (struct label){ key, NULL, (uint64_t)json_integer_value(value) };
		else
			return -EINVAL;
		n++;
	}
	return 0;
}

int labels_parse(const char *json, struct labels **ret_labels)
{
	struct label *list = NULL;
	struct labels *labels;
	json_t *object;
	int err;

	errno = 0; /* jansson does not report every lack of memory */
	object = json_loads(json, JSON_REJECT_DUPLICATES, NULL);
	if (!json_is_object(object)) {
		err = !object && errno == ENOMEM ? -ENOMEM : -EINVAL;
		goto out;
	}
	list = calloc(json_object_size(object) + 1, sizeof(*list));
	err = list ? object_read(object, list) : -ENOMEM;
	if (err)
		goto out;
	labels = labels_new(list, json_object_size(object));
	if (labels)
		*ret_labels = labels;
	else
		err = -ENOMEM;
out:
	free(list);
	json_decref(object);
	return err;
}
