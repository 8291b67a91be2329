// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "kernel/prog_prepare.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/kernel_words.h"
#include "kernel/direct_maps.h"

/* The kernel's numbers of functions; 0 or less: it has none. */
static struct {
	__s32 cast, file_iterator;
} functions;

#define HANDLERS 3

/* What libbpf calls them by; 0: they are not registered. */
static int handlers[HANDLERS];

/* Returns how many calls there are. */
static size_t casts_set(struct bpf_insn *insns, size_t n)
{
	size_t changed = 0;

	for (size_t i = 0; i < n && functions.cast > 0; i++) {
		struct bpf_insn *insn = &insns[i];

		if (insn->code != (BPF_JMP | BPF_CALL) || insn->src_reg ||
		    insn->imm != KERNEL_CAST_CALL)
			continue;
		insn->src_reg = BPF_PSEUDO_KFUNC_CALL;
		insn->imm = functions.cast;
		changed++;
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
	if (direct_maps_set(insns, n) + casts_set(insns, n))
		err = bpf_program__set_insns(program, insns, n);
	free(insns);
	return err;
}

/*
 * An iterator is a tracing program. Of an object that has one libbpf reads all types of the kernel,
 * before it loads any program: so until now it is no such program.
 */
static int iterator_prepare(struct bpf_program *program, struct bpf_prog_load_opts *opts,
			    long cookie)
{
	int err = program_prepare(program, opts, cookie);

	if (err)
		return err;
	if (functions.file_iterator <= 0)
		return -ENOENT;
	opts->expected_attach_type = BPF_TRACE_ITER;
	opts->attach_btf_id = (__u32)functions.file_iterator;
	return bpf_program__set_type(program, BPF_PROG_TYPE_TRACING);
}

int prog_prepare_init(enum bpf_prog_type tp_type)
{
	const struct {
		const char *section;
		enum bpf_prog_type type;
		libbpf_prog_prepare_load_fn_t prepare;
	} sections[HANDLERS] = {
		{ "raw_tp", BPF_PROG_TYPE_RAW_TRACEPOINT, program_prepare },
		{ "tp", tp_type, program_prepare },
		{ "iter/task_file", BPF_PROG_TYPE_RAW_TRACEPOINT, iterator_prepare },
	};

	for (size_t i = 0; i < HANDLERS && !handlers[i]; i++) {
		LIBBPF_OPTS(libbpf_prog_handler_opts, opts,
			    .prog_prepare_load_fn = sections[i].prepare);
		int id = libbpf_register_prog_handler(sections[i].section, sections[i].type, 0,
						      &opts);

		if (id < 0) {
			prog_prepare_end();
			return id;
		}
		handlers[i] = id;
	}
	return 0;
}

/*
 * libbpf before 1.3 goes on with memory that it has freed once its last handler has gone, so one
 * that calls nothing stays there. Returns 0 or an error.
 */
static int one_stays(void)
{
	int id = 0;

	if (libbpf_major_version() == 1 && libbpf_minor_version() < 3)
		id = libbpf_register_prog_handler("pmdakvm/none", BPF_PROG_TYPE_UNSPEC, 0, NULL);
	return id < 0 ? id : 0;
}

void prog_prepare_end(void)
{
	if (!handlers[0] || one_stays())
		return;
	for (size_t i = 0; i < HANDLERS && handlers[i]; i++) {
		libbpf_unregister_prog_handler(handlers[i]);
		handlers[i] = 0;
	}
}

void prog_prepare_types(const struct btf *kernel)
{
	functions.cast = btf__find_by_name_kind(kernel, "bpf_rdonly_cast", BTF_KIND_FUNC);
	functions.file_iterator = btf__find_by_name_kind(kernel, "bpf_iter_task_file",
							 BTF_KIND_FUNC);
}
