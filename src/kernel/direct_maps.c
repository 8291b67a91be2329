// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/direct_maps.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/pin.h"

static bool is_direct(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 size = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &size) == 0 && info.type == BPF_MAP_TYPE_ARRAY &&
	       info.max_entries == 1 && info.value_size >= DIRECT_BYTES;
}

/* Replace the addresses of such maps with those of their elements. Returns how many there are. */
static size_t addresses_set(struct bpf_insn *insns, size_t n)
{
	size_t changed = 0;

	for (size_t i = 0; i + 1 < n; i++) {
		if (insns[i].code != (BPF_LD | BPF_IMM | BPF_DW))
			continue;
		if (insns[i].src_reg == BPF_PSEUDO_MAP_FD && is_direct(insns[i].imm)) {
			insns[i].src_reg = BPF_PSEUDO_MAP_VALUE; /* the second half: offset 0 */
			changed++;
		}
		i++;
	}
	return changed;
}

/* libbpf calls it when the descriptors of maps are in the program. Returns 0 or an error. */
static int program_prepare(struct bpf_program *program, struct bpf_prog_load_opts *opts,
			   long cookie)
{
	size_t n = bpf_program__insn_cnt(program);
	struct bpf_insn *insns = malloc(n * sizeof(*insns));
	int err = 0;

	(void)opts;
	(void)cookie;
	if (!insns)
		return -ENOMEM;
	memcpy(insns, bpf_program__insns(program), n * sizeof(*insns));
	if (addresses_set(insns, n))
		err = bpf_program__set_insns(program, insns, n);
	free(insns);
	return err;
}

int direct_maps_init(enum bpf_prog_type tp_type)
{
	const struct {
		const char *section;
		enum bpf_prog_type type;
	} sections[] = {
		{ "raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT },
		{ "tp", tp_type },
	};
	static bool is_done;
	LIBBPF_OPTS(libbpf_prog_handler_opts, opts, .prog_prepare_load_fn = program_prepare);

	for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]) && !is_done; i++) {
		int id = libbpf_register_prog_handler(sections[i].section, sections[i].type, 0,
						      &opts);

		if (id < 0)
			return id;
	}
	is_done = true;
	return 0;
}
