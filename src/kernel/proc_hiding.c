// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/proc_hiding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Take the file system's options. Since Linux 5.8 hidepid is shown as a word. */
static void options_take(char *options, struct proc_hiding *hiding)
{
	*hiding = (struct proc_hiding){ 0 };
	for (char *option; (option = strsep(&options, ","));) {
		if (!strncmp(option, "gid=", 4))
			hiding->group = (gid_t)strtoul(option + 4, NULL, 10);
		if (strncmp(option, "hidepid=", 8) != 0)
			continue;
		option += 8;
		hiding->hides = strcmp(option, "0") != 0 && strcmp(option, "off") != 0;
		hiding->from_all = !strcmp(option, "4") || !strcmp(option, "ptraceable");
		snprintf(hiding->hidepid, sizeof(hiding->hidepid), "%s", option);
	}
}

/* ID PARENT DEVICE ROOT POINT OPTIONS [FIELD...] - TYPE SOURCE OPTIONS */
static void line_take(char *line, struct proc_hiding *hiding)
{
	char *rest = strstr(line, " - "), *point = NULL, *options = NULL;

	if (!rest)
		return;
	*rest = '\0';
	rest += 3;
	for (int i = 0; i < 5 && line; i++)
		point = strsep(&line, " ");
	for (int i = 0; i < 3 && rest; i++)
		options = strsep(&rest, " ");
	if (line && point && !strcmp(point, "/proc") && options)
		options_take(options, hiding);
}

void proc_hiding_read(const char *mountinfo, struct proc_hiding *ret_hiding)
{
	FILE *file = fopen(mountinfo, "re");
	char *line = NULL;
	size_t size = 0;

	*ret_hiding = (struct proc_hiding){ 0 };
	if (!file)
		return;
	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		line_take(line, ret_hiding); /* a later mount is on top of an earlier one */
	}
	free(line);
	fclose(file);
}
