// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/preemptible.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <linux/types.h>
#include <string.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* A load of 1, 2, 4 or 8 bytes; 0: no such load. */
static __u8 load_of(__u32 size)
{
	switch (size) {
	case 1:
		return BPF_LDX | BPF_MEM | BPF_B;
	case 2:
		return BPF_LDX | BPF_MEM | BPF_H;
	case 4:
		return BPF_LDX | BPF_MEM | BPF_W;
	case 8:
		return BPF_LDX | BPF_MEM | BPF_DW;
	default:
		return 0;
	}
}

/* Find task_struct.migration_disabled. Returns the code of its load, or 0: there is none. */
static __u8 field_find(struct kernel_types *types, __s16 *ret_offset)
{
	const struct btf_member *member;
	const struct btf_type *task;
	const struct btf *btf;
	__s64 size;
	__s32 id;

	if (kernel_types_vmlinux(types, &btf))
		return 0;
	id = btf__find_by_name_kind(btf, "task_struct", BTF_KIND_STRUCT);
	if (id < 0)
		return 0;
	task = btf__type_by_id(btf, (__u32)id);
	member = btf_members(task);
	for (__u16 i = 0; i < btf_vlen(task); i++, member++) {
		__u32 bit = btf_member_bit_offset(task, i);

		if (strcmp(btf__name_by_offset(btf, member->name_off), "migration_disabled") != 0)
			continue;
		size = btf__resolve_size(btf, member->type);
		if (bit % 8 || bit / 8 > INT16_MAX || size <= 0)
			return 0;
		*ret_offset = (__s16)(bit / 8);
		return load_of((__u32)size);
	}
	return 0;
}

/* Load the program, which sets the map's value once it runs in a thread that is held on its CPU. */
static int program_load(int map_fd, __u8 load, __s16 offset)
{
	const struct bpf_insn insns[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_get_current_task_btf },
		{ .code = load, .dst_reg = BPF_REG_6, .src_reg = BPF_REG_0, .off = offset },
		{ .code = BPF_LD | BPF_IMM | BPF_DW,
		  .dst_reg = BPF_REG_1,
		  .src_reg = BPF_PSEUDO_MAP_VALUE,
		  .imm = map_fd },
		{ 0 },
		{ .code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = BPF_REG_6, .off = 1 },
		{ .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_1, .imm = 1 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};

	return bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "preemptible", "GPL", insns,
			     sizeof(insns) / sizeof(insns[0]), NULL);
}

bool tracepoints_preemptible(struct kernel_types *types)
{
	int map_fd, prog_fd = -1, link_fd = -1;
	__u32 first = 0, held = 0;
	__s16 offset = 0;
	__u8 load = field_find(types, &offset);

	if (!load)
		return false;
	map_fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "preemptible", sizeof(first), sizeof(held), 1,
				NULL);
	if (map_fd >= 0)
		prog_fd = program_load(map_fd, load, offset);
	if (prog_fd >= 0)
		link_fd = bpf_raw_tracepoint_open("sched_process_wait", prog_fd);
	if (link_fd >= 0) {
		waitpid(getpid(), NULL, WNOHANG); /* fails: we are no child of our own */
		if (bpf_map_lookup_elem(map_fd, &first, &held))
			held = 0;
		close(link_fd);
	}
	if (prog_fd >= 0)
		close(prog_fd);
	if (map_fd >= 0)
		close(map_fd);
	return held != 0;
}
