// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int template_init(const struct bpf_insn *insns, size_t ninsns, int32_t mark,
		  struct template *ret_template)
{
	struct template template = { .ninsns = ninsns, .mark = ninsns };

	for (size_t i = 0; i < ninsns; i++) {
		if (insns[i].code != (BPF_ALU64 | BPF_MOV | BPF_K) || insns[i].imm != mark)
			continue;
		if (template.mark != ninsns)
			return -EINVAL;
		template.mark = i;
	}
	if (template.mark == ninsns)
		return -EINVAL;
	template.insns = malloc(ninsns * sizeof(*insns));
	if (!template.insns)
		return -ENOMEM;
	memcpy(template.insns, insns, ninsns * sizeof(*insns));
	*ret_template = template;
	return 0;
}

int template_attach(const struct template *template, int32_t number, const char *event,
		    int *ret_prog_fd, int *ret_link_fd)
{
	char name[BPF_OBJ_NAME_LEN];
	int prog_fd, link_fd;

	snprintf(name, sizeof(name), "%s", event);
	template->insns[template->mark].imm = number;
	prog_fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, name, "GPL", template->insns,
				template->ninsns, NULL);
	if (prog_fd < 0)
		return prog_fd;
	link_fd = bpf_raw_tracepoint_open(event, prog_fd);
	if (link_fd < 0) {
		close(prog_fd);
		return link_fd;
	}
	*ret_prog_fd = prog_fd;
	*ret_link_fd = link_fd;
	return 0;
}

void template_free(struct template *template)
{
	free(template->insns);
	*template = (struct template){ 0 };
}
