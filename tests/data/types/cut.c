/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Copyright (c) 2026 The pmdakvm authors */
/*
 * cut OUT VMLINUX [MODULE...]: write to OUT, as one file of type information (BTF), what we read of
 * that of a kernel and its modules: some of KVM's tracepoints and structs. Offsets, sizes and the
 * order of bytes stay; of structs only what is listed here, of all others nothing but name and
 * size.
 */
#include <bpf/btf.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALL ((const char *const[]){ "*", NULL })

static const char *const events[] = {
	"btf_trace_kvm_entry", "btf_trace_kvm_exit",	      "btf_trace_kvm_userspace_exit",
	"btf_trace_kvm_fpu",   "btf_trace_kvm_nested_vmexit", "btf_trace_kvm_nested_vmexit_inject"
};

/* Structs and unions that are wanted wherever they are, and the members that are kept. */
static const struct kept {
	const char *name;
	bool root;
	const char *const *members;
} keep[] = {
	{ "kvm", true, (const char *const[]){ "stat", "userspace_pid", "debugfs_dentry", NULL } },
	{ "kvm_vcpu", true, (const char *const[]){ "stat", "kvm", "vcpu_id", "pid", NULL } },
	{ "vcpu_svm", true, (const char *const[]){ "vcpu", "vmcb", NULL } },
	{ "vcpu_vmx", true, (const char *const[]){ "vcpu", "exit_reason", "vt", NULL } },
	{ "kvm_vm_stat", false, ALL },
	{ "kvm_vm_stat_generic", false, ALL },
	{ "kvm_vcpu_stat", false, ALL },
	{ "kvm_vcpu_stat_generic", false, ALL },
	{ "vmcb", false, (const char *const[]){ "control", NULL } },
	{ "vmcb_control_area", false, (const char *const[]){ "exit_code", NULL } },
	{ "vcpu_vt", false, (const char *const[]){ "exit_reason", NULL } },
	{ "vmx_exit_reason", false, (const char *const[]){ "full", NULL } },
};

#define N(array) (sizeof(array) / sizeof((array)[0]))

static struct btf *out;
static int *done; /* [n] id in out, by id of the file that is being read */

static void need(bool ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "cut: %s: %s\n", what, strerror(errno));
	exit(1);
}

static const struct kept *kept_of(const char *name)
{
	for (size_t i = 0; i < N(keep); i++)
		if (*name && strcmp(keep[i].name, name) == 0)
			return &keep[i];
	return NULL;
}

/* Structs without a name are small, and wrap a number. */
static bool is_kept(const struct kept *kept, const char *composite, const char *member)
{
	if (!*composite)
		return true;
	for (size_t i = 0; kept && kept->members[i]; i++)
		if (strcmp(kept->members[i], "*") == 0 || strcmp(kept->members[i], member) == 0)
			return true;
	return false;
}

static int copy(const struct btf *btf, __u32 id);

/* Its members' types come first: libbpf adds a struct's members right behind it. */
static int copy_composite(const struct btf *btf, const struct btf_type *type, const char *name)
{
	const struct btf_member *members = btf_members(type);
	int ids[1024], n = btf_vlen(type), id;
	const struct kept *kept = kept_of(name);

	id = *name ? btf__find_by_name_kind(out, name, btf_kind(type)) : -ENOENT;
	if (id > 0)
		return id;
	need(n <= (int)N(ids), "a struct has too many members");
	for (int i = 0; i < n; i++)
		ids[i] = is_kept(kept, name, btf__name_by_offset(btf, members[i].name_off)) ?
				 copy(btf, members[i].type) :
				 -1;
	/* a member's type can have been one that points back here */
	id = *name ? btf__find_by_name_kind(out, name, btf_kind(type)) : -ENOENT;
	if (id > 0)
		return id;
	id = btf_is_union(type) ? btf__add_union(out, name, type->size) :
				  btf__add_struct(out, name, type->size);
	need(id > 0, "a struct");
	for (int i = 0; i < n; i++) {
		if (ids[i] >= 0)
			need(btf__add_field(out, btf__name_by_offset(btf, members[i].name_off),
					    ids[i], btf_member_bit_offset(type, i),
					    btf_member_bitfield_size(type, i)) == 0,
			     "a member");
	}
	return id;
}

static int copy_proto(const struct btf *btf, const struct btf_type *type)
{
	const struct btf_param *params = btf_params(type);
	int ids[32], ret = copy(btf, type->type), id;

	need(btf_vlen(type) <= N(ids), "a function has too many arguments");
	for (int i = 0; i < btf_vlen(type); i++)
		ids[i] = copy(btf, params[i].type);
	id = btf__add_func_proto(out, ret);
	need(id > 0, "a function");
	for (int i = 0; i < btf_vlen(type); i++)
		need(btf__add_func_param(out, btf__name_by_offset(btf, params[i].name_off),
					 ids[i]) == 0,
		     "an argument");
	return id;
}

/* Pointers lead to functions, to structs that are kept, and to the mere names of others. */
static int copy_pointer(const struct btf *btf, const struct btf_type *type)
{
	int to = btf__resolve_type(btf, type->type);
	const struct btf_type *target = to > 0 ? btf__type_by_id(btf, (__u32)to) : NULL;
	const char *name = target ? btf__name_by_offset(btf, target->name_off) : "";

	if (target && btf_is_func_proto(target))
		return btf__add_ptr(out, copy(btf, (__u32)to));
	if (target && btf_is_struct(target) && kept_of(name))
		return btf__add_ptr(out, copy(btf, (__u32)to));
	if (target && (btf_is_struct(target) || btf_is_fwd(target))) {
		int id = btf__find_by_name_kind(out, name, BTF_KIND_FWD);

		return btf__add_ptr(out, id > 0 ? id : btf__add_fwd(out, name, BTF_FWD_STRUCT));
	}
	return btf__add_ptr(out, 0);
}

static int copy_new(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);
	const char *name = btf__name_by_offset(btf, type->name_off);
	int to;

	switch (btf_kind(type)) {
	case BTF_KIND_INT:
		to = btf__find_by_name_kind(out, name, BTF_KIND_INT);
		return to > 0 ? to : btf__add_int(out, name, type->size, btf_int_encoding(type));
	case BTF_KIND_ENUM:
	case BTF_KIND_ENUM64:
		return btf__add_enum(out, name, type->size);
	case BTF_KIND_PTR:
		return copy_pointer(btf, type);
	case BTF_KIND_ARRAY:
		return btf__add_array(out, copy(btf, btf_array(type)->index_type),
				      copy(btf, btf_array(type)->type), btf_array(type)->nelems);
	case BTF_KIND_STRUCT:
	case BTF_KIND_UNION:
		return copy_composite(btf, type, name);
	case BTF_KIND_FWD:
		return btf__add_fwd(out, name, btf_kflag(type) ? BTF_FWD_UNION : BTF_FWD_STRUCT);
	case BTF_KIND_TYPEDEF:
		to = btf__find_by_name_kind(out, name, BTF_KIND_TYPEDEF);
		return to > 0 ? to : btf__add_typedef(out, name, copy(btf, type->type));
	case BTF_KIND_FUNC_PROTO:
		return copy_proto(btf, type);
	case BTF_KIND_CONST:
		return btf__add_const(out, copy(btf, type->type));
	case BTF_KIND_VOLATILE:
		return btf__add_volatile(out, copy(btf, type->type));
	default:
		return copy(btf, type->type); /* a modifier that changes no layout */
	}
}

static int copy(const struct btf *btf, __u32 id)
{
	if (id && !done[id]) {
		int to = copy_new(btf, id);

		need(to > 0, "a type");
		done[id] = to;
	}
	return id ? done[id] : 0;
}

/* Is this one of the types that are wanted, and the whole of it? */
static bool is_root(const struct btf *btf, __u32 id)
{
	const struct btf_type *type = btf__type_by_id(btf, id);
	const char *name = btf__name_by_offset(btf, type->name_off);
	const struct kept *kept = kept_of(name);

	if (btf_is_struct(type))
		return kept && kept->root && btf_vlen(type);
	for (size_t i = 0; btf_is_typedef(type) && i < N(events); i++)
		if (strcmp(name, events[i]) == 0)
			return true;
	return false;
}

static void take(const struct btf *btf, __u32 first)
{
	free(done);
	done = calloc(btf__type_cnt(btf), sizeof(*done));
	need(done, "memory");
	for (__u32 id = first; id < btf__type_cnt(btf); id++)
		if (is_root(btf, id))
			copy(btf, id);
}

int main(int argc, char **argv)
{
	const void *bytes;
	struct btf *base;
	__u32 size;
	FILE *file;

	if (argc < 3) {
		fputs("usage: cut OUT VMLINUX [MODULE...]\n", stderr);
		return 2;
	}
	base = btf__parse(argv[2], NULL);
	need(base, argv[2]);
	out = btf__new_empty();
	need(out && btf__set_endianness(out, btf__endianness(base)) == 0, "a new BTF");
	take(base, 1);
	for (int i = 3; i < argc; i++) {
		struct btf *module = btf__parse_split(argv[i], base);

		need(module, argv[i]);
		take(module, btf__type_cnt(base));
	}
	bytes = btf__raw_data(out, &size);
	file = fopen(argv[1], "wb");
	need(bytes && file && fwrite(bytes, size, 1, file) == 1 && fclose(file) == 0, argv[1]);
	return 0;
}
