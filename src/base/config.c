// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "base/config.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Warnings reported per file; further ones are only counted. */
#define WARNINGS_MAX 20
/* Bytes of an invalid word that a warning quotes. */
#define SHOWN_BYTES 60

enum section {
	SECTION_NONE,
	SECTION_UNKNOWN,
	SECTION_PATHS,
	SECTION_BPF,
	SECTION_INSTANCES,
	SECTION_TRACE
};

static const struct {
	const char *name;
	enum section section;
} sections[] = {
	{ "paths", SECTION_PATHS },	    { "bpf", SECTION_BPF },
	{ "instances", SECTION_INSTANCES }, { "trace", SECTION_TRACE },
	{ "dynamic", SECTION_TRACE },
};

/*
 * An option's value type: TAKES_PATH and TAKES_PIN set a char *, TAKES_NUMBER a uint32_t, and
 * TAKES_LIMIT, too, to 0 for off; TAKES_SWITCH sets one to 0 or 1. An option of an earlier
 * version is TAKES_NOTHING: it has no effect, and a line says so.
 */
enum takes { TAKES_PATH, TAKES_PIN, TAKES_NUMBER, TAKES_LIMIT, TAKES_SWITCH, TAKES_NOTHING };

/* All NAME = VALUE options. */
static const struct option {
	enum section section;
	const char *name;
	size_t offset; /* in struct config */
	enum takes takes;
	uint32_t least, most; /* limits of a TAKES_NUMBER value */
} options[] = {
	{ SECTION_PATHS, "debugfs", offsetof(struct config, debugfs), TAKES_PATH, 0, 0 },
	{ SECTION_PATHS, "tracefs", offsetof(struct config, tracefs), TAKES_PATH, 0, 0 },
	{ SECTION_PATHS, "lockdown", offsetof(struct config, lockdown), TAKES_PATH, 0, 0 },
	{ SECTION_BPF, "pin", offsetof(struct config, pin), TAKES_PIN, 0, 0 },
	{ SECTION_BPF, "vms", offsetof(struct config, vms), TAKES_NUMBER, 1, 1000000 },
	{ SECTION_BPF, "vcpus", offsetof(struct config, vcpus), TAKES_NUMBER, 1, 1000000 },
	{ SECTION_BPF, "counters", offsetof(struct config, counters), TAKES_NUMBER, 1, 16000000 },
	{ SECTION_BPF, "causes", offsetof(struct config, causes), TAKES_LIMIT, 1, 16000000 },
	{ SECTION_BPF, "vm_causes", offsetof(struct config, vm_causes), TAKES_NUMBER, 1, 100000 },
	{ SECTION_BPF, "ledger", offsetof(struct config, ledger), TAKES_SWITCH, 0, 1 },
	{ SECTION_BPF, "slow_us", offsetof(struct config, slow_us), TAKES_LIMIT, 10, 3600000000 },
	{ SECTION_BPF, "vm_histograms", 0, TAKES_NOTHING, 0, 0 },
	{ SECTION_INSTANCES, "names", offsetof(struct config, instances), TAKES_NUMBER, 1024,
	  1 << 24 },
};

/* What is counted where no file says it: what the stock agent's kvm.conf names. */
static const char *const default_events[] = {
	"kvm_exit", "kvm_entry", "kvm_mmio", "kvm_hypercall", "kvm_vcpu_wakeup",
};

struct parser {
	struct config *config;
	struct report *report;
	enum section section;
	unsigned line;
	unsigned warnings;
	bool obsolete; /* a line without effect was met */
};

static void warn(struct parser *parser, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void warn(struct parser *parser, const char *format, ...)
{
	va_list args;

	if (++parser->warnings > WARNINGS_MAX)
		return;
	va_start(args, format);
	report_vadd_at(parser->report, REPORT_WARNING, parser->config->path, parser->line, format,
		       args);
	va_end(args);
}

/* A line that is accepted and does nothing. The first is said. */
static void note_obsolete(struct parser *parser, const char *option)
{
	if (!parser->obsolete)
		report_add(parser->report, REPORT_INFO,
			   "%s:%u: %s has no effect any more: all VMs have histograms",
			   parser->config->path, parser->line, option);
	parser->obsolete = true;
}

int config_init(struct config *ret_config)
{
	struct config config = {
		.path = strdup("-e"),
		.debugfs = strdup("/sys/kernel/debug"),
		.tracefs = strdup("/sys/kernel/tracing"),
		.lockdown = strdup("/sys/kernel/security/lockdown"),
		.pin = strdup("pmdakvm"),
		.vms = CONFIG_VMS,
		.vcpus = CONFIG_VCPUS,
		.counters = CONFIG_COUNTERS,
		.causes = CONFIG_CAUSES,
		.vm_causes = CONFIG_VM_CAUSES,
		.ledger = 1,
		.slow_us = CONFIG_SLOW_US,
		.growth_ns = CONFIG_GROWTH_NS,
		.instances = CONFIG_INSTANCES,
	};

	if (!config.path || !config.debugfs || !config.tracefs || !config.lockdown || !config.pin) {
		config_free(&config);
		return -ENOMEM;
	}
	*ret_config = config;
	return 0;
}

void config_free(struct config *config)
{
	for (size_t i = 0; i < config->nevents; i++)
		free(config->events[i].name);
	free(config->events);
	free(config->path);
	free(config->debugfs);
	free(config->tracefs);
	free(config->lockdown);
	free(config->pin);
	*config = (struct config){ 0 };
}

/* A tracepoint's name is a C identifier; a pattern also contains *, ? or []. */
static int name_check(const char *name, bool *ret_pattern)
{
	size_t special = strcspn(name, "*?[");

	if (!*name || isdigit((unsigned char)*name))
		return -EINVAL;
	for (const char *p = name; *p; p++) {
		bool word = isalnum((unsigned char)*p) || *p == '_';

		if (!word && !strchr("*?[]!^-", *p))
			return -EINVAL;
		if (!word && !name[special])
			return -EINVAL;
	}
	*ret_pattern = name[special] != '\0';
	return 0;
}

int config_add_event(struct config *config, const char *name, unsigned line)
{
	struct config_event *events;
	bool pattern;
	char *copy;

	if (name_check(name, &pattern))
		return -EINVAL;
	for (size_t i = 0; i < config->nevents; i++) {
		if (strcmp(config->events[i].name, name) == 0)
			return -EEXIST;
	}
	events = reallocarray(config->events, config->nevents + 1, sizeof(*events));
	if (!events)
		return -ENOMEM;
	config->events = events;
	copy = strdup(name);
	if (!copy)
		return -ENOMEM;
	events[config->nevents++] = (struct config_event){ copy, pattern, line };
	return 0;
}

/* Strip leading and trailing white space, in place. */
static char *trim(char *text)
{
	size_t len;

	while (isspace((unsigned char)*text))
		text++;
	len = strlen(text);
	while (len && isspace((unsigned char)text[len - 1]))
		text[--len] = '\0';
	return text;
}

/* A comment begins with # or ; at the start of a line or after white space. */
static void cut_comment(char *text)
{
	for (char *p = text; *p; p++) {
		if ((*p == '#' || *p == ';') && (p == text || isspace((unsigned char)p[-1]))) {
			*p = '\0';
			return;
		}
	}
}

static void parse_section(struct parser *parser, char *text)
{
	char *end = strchr(text, ']');

	parser->section = SECTION_UNKNOWN;
	if (!end || end[1]) {
		warn(parser,
		     "malformed section header, expected [name]; the lines below it are ignored");
		return;
	}
	*end = '\0';
	text = trim(text + 1);
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (strcmp(text, sections[i].name) == 0)
			parser->section = sections[i].section;
	}
	if (parser->section == SECTION_UNKNOWN)
		warn(parser,
		     "unknown section [%.*s]; the lines below it are ignored (known: paths, bpf, trace)",
		     SHOWN_BYTES, text);
}

/* Return the option of this name in the current section, or NULL. */
static const struct option *option_find(const struct parser *parser, const char *name)
{
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++) {
		if (options[i].section == parser->section && strcmp(name, options[i].name) == 0)
			return &options[i];
	}
	return NULL;
}

static const char *section_name(enum section section)
{
	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		if (sections[i].section == section)
			return sections[i].name;
	}
	return "";
}

static void warn_option(struct parser *parser, const char *name)
{
	char known[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]) && used < sizeof(known); i++) {
		if (options[i].section == parser->section && options[i].takes != TAKES_NOTHING)
			used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s",
						 used ? ", " : "", options[i].name);
	}
	warn(parser, "unknown option \"%.*s\" in [%s] (known: %s)", SHOWN_BYTES, name,
	     section_name(parser->section), known);
}

/* [bpf] pin is "none", an absolute path, or the name of a directory below the mount. */
static bool is_pin(const char *value)
{
	return *value == '/' || (*value && *value != '.' && !strchr(value, '/'));
}

static int option_set_text(struct parser *parser, const struct option *option, const char *value)
{
	char **where = (char **)((char *)parser->config + option->offset), *copy;

	if (option->takes == TAKES_PATH ? *value != '/' : !is_pin(value)) {
		warn(parser, "%s: expected %s, got \"%.*s\"; keeping %s", option->name,
		     option->takes == TAKES_PATH ? "an absolute path" :
						   "an absolute path, a directory name, or none",
		     SHOWN_BYTES, value, *where);
		return 0;
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*where);
	*where = copy;
	return 0;
}

static void option_set_number(struct parser *parser, const struct option *option, const char *value)
{
	uint32_t *where = (uint32_t *)((char *)parser->config + option->offset);
	bool may_be_off = option->takes == TAKES_LIMIT;
	size_t digits = strspn(value, "0123456789");
	unsigned long long number = strtoull(value, NULL, 10);

	if (may_be_off && strcmp(value, "off") == 0)
		*where = 0;
	else if (!digits || digits > 18 || value[digits] || number < option->least ||
		 number > option->most)
		warn(parser, "%s: expected a number from %u to %u%s, got \"%.*s\"; keeping %u",
		     option->name, option->least, option->most, may_be_off ? " or off" : "",
		     SHOWN_BYTES, value, *where);
	else
		*where = (uint32_t)number;
}

static void option_set_switch(struct parser *parser, const struct option *option, const char *value)
{
	uint32_t *where = (uint32_t *)((char *)parser->config + option->offset);
	bool on = strcmp(value, "on") == 0;

	if (on || strcmp(value, "off") == 0)
		*where = on;
	else
		warn(parser, "%s: expected on or off, got \"%.*s\"; keeping %s", option->name,
		     SHOWN_BYTES, value, *where ? "on" : "off");
}

static int parse_option(struct parser *parser, char *text)
{
	char *value = strchr(text, '=');
	const struct option *option;

	if (!value) {
		warn(parser, "expected NAME = %s in [%s], got \"%.*s\"",
		     parser->section == SECTION_PATHS ? "PATH" : "VALUE",
		     section_name(parser->section), SHOWN_BYTES, text);
		return 0;
	}
	*value = '\0';
	value = trim(value + 1);
	text = trim(text);
	option = option_find(parser, text);
	if (!option) {
		warn_option(parser, text);
		return 0;
	}
	if (option->takes == TAKES_PATH || option->takes == TAKES_PIN)
		return option_set_text(parser, option, value);
	if (option->takes == TAKES_NOTHING)
		note_obsolete(parser, option->name);
	else if (option->takes == TAKES_SWITCH)
		option_set_switch(parser, option, value);
	else
		option_set_number(parser, option, value);
	return 0;
}

static int parse_event(struct parser *parser, char *text)
{
	char *value = strchr(text, '=');
	int err;

	if (value) {
		*value = '\0';
		text = trim(text);
		warn(parser, "event \"%.*s\" takes no value; the value is ignored", SHOWN_BYTES,
		     text);
	}
	err = config_add_event(parser->config, text, parser->line);
	if (err == -EEXIST)
		warn(parser, "duplicate event \"%.*s\"; ignored", SHOWN_BYTES, text);
	else if (err == -EINVAL)
		warn(parser, "invalid event name \"%.*s\"; write one event or pattern per line",
		     SHOWN_BYTES, text);
	return err == -ENOMEM ? err : 0;
}

/* A pattern may start with '[' too, but then text follows its closing ']'. */
static bool is_section(const char *text)
{
	const char *end = strchr(text, ']');

	return *text == '[' && !strchr(text + 1, '[') && (!end || text[strlen(text) - 1] == ']');
}

/* text has len bytes, followed by a NUL; it may contain NULs. */
static int parse_line(struct parser *parser, char *text, size_t len)
{
	if (memchr(text, '\0', len)) {
		warn(parser, "the line contains NUL bytes; ignored");
		return 0;
	}
	if (len > CONFIG_LINE_MAX) {
		warn(parser, "the line has %zu bytes, the limit is %d; ignored", len,
		     CONFIG_LINE_MAX);
		return 0;
	}
	cut_comment(text);
	text = trim(text);
	if (!*text)
		return 0;
	if (is_section(text)) {
		parse_section(parser, text);
		return 0;
	}
	switch (parser->section) {
	case SECTION_NONE:
		warn(parser, "\"%.*s\" is outside any section; ignored", SHOWN_BYTES, text);
		return 0;
	case SECTION_UNKNOWN:
		return 0;
	case SECTION_PATHS:
	case SECTION_BPF:
	case SECTION_INSTANCES:
		return parse_option(parser, text);
	case SECTION_TRACE:
		return parse_event(parser, text);
	}
	return 0;
}

static int parse_file(struct parser *parser, FILE *file)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	int err = 0;

	errno = 0;
	while (!err && (len = getline(&line, &size, file)) >= 0) {
		char *text = line;

		if (parser->line++ == 0 && len >= 3 && memcmp(line, "\xef\xbb\xbf", 3) == 0) {
			text += 3; /* a byte order mark */
			len -= 3;
		}
		if (len && text[len - 1] == '\n')
			text[--len] = '\0';
		err = parse_line(parser, text, (size_t)len);
	}
	if (!err && !feof(file))
		err = errno ? -errno : -EIO;
	free(line);
	if (parser->warnings > WARNINGS_MAX)
		report_add(parser->report, REPORT_WARNING, "%s: %u more warnings not shown",
			   parser->config->path, parser->warnings - WARNINGS_MAX);
	return err;
}

/*
 * The file could not be read, and this is why. Where nothing was read of it the default events
 * are counted. 0 or -ENOMEM.
 */
static int file_failed(struct config *config, struct report *report, int why)
{
	const char *which = "";
	int err = 0;

	if (!config->nevents) {
		which = "default ";
		for (size_t i = 0; !err && i < sizeof(default_events) / sizeof(default_events[0]);
		     i++)
			err = config_add_event(config, default_events[i], 0);
	}
	if (!err)
		report_add(report, REPORT_WARNING, "%s: cannot read: %s; tracing %zu %sevents",
			   config->path, strerror(-why), config->nevents, which);
	return err;
}

int config_load(const char *path, struct report *report, struct config *ret_config)
{
	struct config config;
	struct parser parser = { .config = &config, .report = report };
	FILE *file = NULL;
	char *copy;
	int err;

	err = config_init(&config);
	if (err)
		return err;
	copy = strdup(path);
	if (!copy) {
		config_free(&config);
		return -ENOMEM;
	}
	free(config.path);
	config.path = copy;
	file = fopen(path, "re");
	err = file ? parse_file(&parser, file) : -errno;
	if (file)
		fclose(file);
	if (err && err != -ENOMEM && file_failed(&config, report, err))
		err = -ENOMEM;
	if (err == -ENOMEM) {
		config_free(&config);
		return err;
	}
	if (!err && !config.nevents)
		report_add(report, REPORT_WARNING, "%s: [trace] lists no events; tracing none",
			   path);
	*ret_config = config;
	return err;
}
