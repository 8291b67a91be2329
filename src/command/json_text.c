// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "command/json_text.h"

#include <errno.h>
#include <inttypes.h>

static void value_write(const json_t *value, int depth, FILE *file);

static void string_write(const char *text, FILE *file)
{
	fputc('"', file);
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(file, "\\%c", c);
		else if (c < ' ')
			fprintf(file, "\\u%04x", c);
		else
			fputc(c, file);
	}
	fputc('"', file);
}

static void line_begin(int depth, FILE *file)
{
	fprintf(file, "\n%*s", depth, "");
}

static void object_write(json_t *object, int depth, FILE *file)
{
	bool first = true;
	const char *key;
	json_t *member;

	fputc('{', file);
	json_object_foreach(object, key, member)
	{
		if (!first)
			fputc(',', file);
		first = false;
		line_begin(depth + 1, file);
		string_write(key, file);
		fputs(": ", file);
		value_write(member, depth + 1, file);
	}
	if (!first)
		line_begin(depth, file);
	fputc('}', file);
}

static void array_write(const json_t *array, int depth, FILE *file)
{
	size_t n = json_array_size(array);

	fputc('[', file);
	for (size_t i = 0; i < n; i++) {
		if (i)
			fputc(',', file);
		line_begin(depth + 1, file);
		value_write(json_array_get(array, i), depth + 1, file);
	}
	if (n)
		line_begin(depth, file);
	fputc(']', file);
}

static void value_write(const json_t *value, int depth, FILE *file)
{
	if (json_is_object(value))
		object_write((json_t *)value, depth, file); /* jansson's loop takes no const */
	else if (json_is_array(value))
		array_write(value, depth, file);
	else if (json_is_string(value))
		string_write(json_string_value(value), file);
	else
		fprintf(file, "%" PRIu64, (uint64_t)json_integer_value(value));
}

static void element_begin(struct json_writer *writer, const char *key)
{
	if (writer->some)
		fputc(',', writer->file);
	if (writer->depth)
		line_begin(writer->depth, writer->file);
	writer->some = true;
	if (!key)
		return;
	string_write(key, writer->file);
	fputs(": ", writer->file);
}

void json_begin(struct json_writer *writer, const char *key, char bracket)
{
	element_begin(writer, key);
	fputc(bracket, writer->file);
	writer->depth++;
	writer->some = false;
}

int json_put(struct json_writer *writer, const char *key, json_t *value)
{
	if (!value)
		return -ENOMEM;
	element_begin(writer, key);
	value_write(value, writer->depth, writer->file);
	json_decref(value);
	return 0;
}

void json_end(struct json_writer *writer, char bracket)
{
	writer->depth--;
	if (writer->some)
		line_begin(writer->depth, writer->file);
	fputc(bracket, writer->file);
	writer->some = true;
}
