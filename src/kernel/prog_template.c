// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#define _GNU_SOURCE
#include "kernel/prog_template.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int template_init(const struct bpf_insn *insns, size_t ninsns, int32_t mark,
		  struct template *ret_template)
{
	struct template template = { .ninsns = ninsns,
				     .mark = ninsns,
				     .type = BPF_PROG_TYPE_RAW_TRACEPOINT };

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

int template_load(const struct template *template, int32_t number, const char *event)
{
	char name[BPF_OBJ_NAME_LEN];

	snprintf(name, sizeof(name), "%s", event);
	template->insns[template->mark].imm = number;
	return bpf_prog_load(template->type, name, "GPL", template->insns, template->ninsns, NULL);
}

void template_free(struct template *template)
{
	free(template->insns);
	*template = (struct template){ 0 };
}
