#define _GNU_SOURCE
#include "stat_layout.h"
#include <bpf/btf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "items.h"
static const struct btf_type *skip(const struct btf *btf, __u32 id)
{
	const struct btf_type *t = btf__type_by_id(btf, id);
	while (t && (btf_is_mod(t) || btf_is_typedef(t)))
		t = btf__type_by_id(btf, t->type);
	return t;
}
static const struct btf_member *member(const struct btf *btf, const struct btf_type *t,
				       const char *name)
{
	const struct btf_member *m = btf_members(t);
	for (int i = 0; i < btf_vlen(t); i++, m++) {
		if (!strcmp(btf__name_by_offset(btf, m->name_off), name))
			return m;
	}
	return NULL;
}
static int add(struct stat_list *l, const char *name, uint32_t off, uint32_t size, uint32_t buckets)
{
	for (size_t i = 0; i < l->n; i++) {
		struct statistic *s = &l->list[i];
		if (off < s->offset + s->size * s->buckets)
			return 0;
	}
	l->list = realloc(l->list, (l->n + 1) * sizeof(*l->list));
	struct statistic *s = &l->list[l->n++];
	memset(s, 0, sizeof *s);
	strcpy(s->name, name);
	s->offset = off;
	s->size = size;
	s->buckets = buckets;
	s->scale = 1;
	s->first = l->nvalues;
	l->nvalues += buckets;
	const struct item *it = items_find(ITEMS_STAT, name);
	s->kind = buckets > 1 ? STAT_LOG_HIST : it ? it->kind : STAT_INSTANT;
	s->units = it ? it->units : METRIC_COUNT;
	return 0;
}
static void walk(const struct btf *btf, const struct btf_type *t, uint32_t base,
		 struct stat_list *l)
{
	const struct btf_member *m = btf_members(t);
	for (int i = 0; i < btf_vlen(t); i++, m++) {
		const struct btf_type *mt = skip(btf, m->type);
		uint32_t off = base + btf_member_bit_offset(t, i) / 8;
		const char *n = btf__name_by_offset(btf, m->name_off);
		if (btf_is_int(mt))
			add(l, n, off, mt->size, 1);
		else if (btf_is_array(mt)) {
			const struct btf_type *e = skip(btf, btf_array(mt)->type);
			if (btf_is_int(e))
				add(l, n, off, e->size, btf_array(mt)->nelems);
			else
				add(l, n, off, 8, btf_array(mt)->nelems);
		} else if (btf_is_composite(mt)) {
			if (btf_vlen(mt) == 1 &&
			    !strcmp(btf__name_by_offset(btf, btf_members(mt)->name_off), "counter"))
				add(l, n, off, mt->size, 1);
			else
				walk(btf, mt, off, l);
		}
	}
}
static const struct btf_type *find(const struct btf *btf, const char *n)
{
	int id = btf__find_by_name_kind(btf, n, BTF_KIND_STRUCT);
	return id < 0 ? NULL : btf__type_by_id(btf, id);
}
int stat_layout_read(const char *dir, struct stat_layout *ret)
{
	char p[256];
	snprintf(p, 256, "%s/vmlinux", dir);
	struct btf *b = btf__parse(p, NULL), *m;
	snprintf(p, 256, "%s/kvm", dir);
	m = b ? btf__parse_split(p, b) : NULL;
	const struct btf *x = m ? m : b;
	struct stat_layout L = { 0 };
	if (!b)
		return -ENOENT;
	const struct btf_type *k = find(x, "kvm"), *v = find(x, "kvm_vcpu");
	if (!k || !v)
		return -ENOENT;
#define OFF(t, n) (member(x, t, n) ? member(x, t, n)->offset / 8 : UINT32_MAX)
	L.vm_stat = OFF(k, "stat");
	L.vm_userspace_pid = OFF(k, "userspace_pid");
	L.vm_debugfs_dentry = OFF(k, "debugfs_dentry");
	L.vcpu_stat = OFF(v, "stat");
	L.vcpu_kvm = OFF(v, "kvm");
	L.vcpu_id = OFF(v, "vcpu_id");
	L.vcpu_pid = OFF(v, "pid");
	const struct btf_type *ks = find(x, "kvm_vm_stat"), *vs = find(x, "kvm_vcpu_stat");
	L.vm.bytes = ks->size;
	L.vcpu.bytes = vs->size;
	walk(x, ks, 0, &L.vm);
	walk(x, vs, 0, &L.vcpu);
	btf__free(m);
	btf__free(b);
	*ret = L;
	return 0;
}
void stat_layout_free(struct stat_layout *l)
{
	free(l->vm.list);
	free(l->vcpu.list);
	memset(l, 0, sizeof *l);
}
int stat_layout_describe(const char *p, struct stat_layout *l)
{
	(void)p;
	(void)l;
	return -ENOTTY;
}
bool stat_layout_equal(const struct stat_layout *a, const struct stat_layout *b)
{
	return a->vm.nvalues == b->vm.nvalues && a->vcpu.nvalues == b->vcpu.nvalues &&
	       a->vm_stat == b->vm_stat && a->vcpu_stat == b->vcpu_stat;
}
const struct statistic *stat_list_find(const struct stat_list *l, const char *n)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->list[i].name, n))
			return &l->list[i];
	return NULL;
}
void stat_decode(const struct stat_list *l, const void *m, uint64_t *r)
{
	for (size_t i = 0; i < l->n; i++) {
		const struct statistic *s = &l->list[i];
		for (uint32_t j = 0; j < s->buckets; j++) {
			uint64_t v = 0;
			memcpy(&v, (const char *)m + s->offset + j * s->size, s->size);
			r[s->first + j] = v * s->scale;
		}
	}
}
void stat_bucket_name(const struct statistic *s, uint32_t b, char *n, size_t z)
{
	if (b < 2)
		snprintf(n, z, "%u", b);
	else if (b == s->buckets - 1)
		snprintf(n, z, "%llu+", 1ULL << (b - 1));
	else
		snprintf(n, z, "%llu-%llu", 1ULL << (b - 1), (1ULL << b) - 1);
}
