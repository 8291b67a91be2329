// SPDX-License-Identifier: GPL-2.0-or-later
/* Copyright (c) 2026 The pmdakvm authors */
#include "fakes/support.h"

#include <stdlib.h>
#include <string.h>

#include "vms/vm_identity.h"

#define FFFD "\xef\xbf\xbd"

static void assert_text(const char *found, const char *expected)
{
	if (expected) {
		assert_non_null(found);
		assert_string_equal(found, expected);
	} else {
		assert_null(found);
	}
}

/* The cgroup read from a file with this text. */
static void assert_file(const char *text, const char *cgroup, const char *machine, const char *pod)
{
	struct vm_identity identity;

	make_folders("proc/4711");
	write_text("proc/4711/cgroup", text);
	assert_int_equal(vm_identity_read("proc", 4711, "comm", &identity), 0);
	assert_string_equal(identity.name, identity.cgroup.vm ? identity.cgroup.vm : "comm");
	assert_text(identity.cgroup.path, cgroup);
	assert_text(identity.cgroup.machine, machine);
	assert_text(identity.cgroup.pod, pod);
	vm_identity_free(&identity);
}

/* The machine and pod in this path. */
static void assert_path(const char *path, const char *machine, const char *pod)
{
	char text[512];

	snprintf(text, sizeof(text), "0::%s\n", path);
	assert_file(text, path, machine, pod);
}

static void test_version_2(void **state)
{
	(void)state;
	assert_file("0::/system.slice/vm.service\n", "/system.slice/vm.service", NULL, NULL);
	assert_file("0::/a", "/a", NULL, NULL);
	assert_file("0::/a:b: c/\xc3\xbc\n", "/a:b: c/\xc3\xbc", NULL, NULL);
	assert_file("0::/a\\012b\n", "/a\\012b", NULL, NULL); /* the machine's real name */
	assert_file("0::/a\xff\n", "/a" FFFD, NULL, NULL);
	assert_file("0::/../a\n", "/../a", NULL, NULL);
	assert_file("0::/\n", NULL, NULL, NULL);
	assert_file("0::\n", NULL, NULL, NULL);
	assert_file("", NULL, NULL, NULL);
}

/* The unified hierarchy, else systemd's, else the first in use. */
static void test_version_1(void **state)
{
	(void)state;
	assert_file("2:cpu,cpuacct:/c\n1:name=systemd:/s\n0::/u\n", "/u", NULL, NULL);
	assert_file("0::/u\n2:cpu:/c\n1:name=systemd:/s\n", "/u", NULL, NULL);
	assert_file("3:pids:/p\n2:cpu:/c\n1:name=systemd:/s\n0::/\n", "/s", NULL, NULL);
	assert_file("4:name=other:/o\n2:cpu:/c\n1:name=systemd:/\n0::/\n", "/o", NULL, NULL);
	assert_file("3:pids:/\n2:cpu:/c\n1:memory:/m\n", "/c", NULL, NULL);
	assert_file("0:cpu:/c\n1:name=systemd:/s\n", "/s", NULL, NULL);
	assert_file("10::/ten\n9:cpu:/c\n1:name=systemd:/s\n", "/s", NULL, NULL);
	assert_file("3:pids:/\n2:cpu:/\n1:name=systemd:/\n", NULL, NULL, NULL);
}

static void test_lines_without_sense(void **state)
{
	(void)state;
	assert_file("\n:\n::\n0:/a\nx\n0::bc\n1:cpu:bc\n", NULL, NULL, NULL);
	assert_file("\n\n0:/a\n0::/b", "/b", NULL, NULL);
}

/* The kernel appends " (deleted)" to a removed cgroup's path. */
static void test_deleted(void **state)
{
	(void)state;
	assert_file("0::/machine.slice/machine-a.scope (deleted)\n",
		    "/machine.slice/machine-a.scope", "a", NULL);
	assert_file("0::/a (deleted) (deleted)\n", "/a (deleted)", NULL, NULL);
	assert_file("0::/a (deleted)b\n", "/a (deleted)b", NULL, NULL);
	assert_file("0::/a(deleted)\n", "/a(deleted)", NULL, NULL);
	assert_file("1:name=a: (deleted)\n", NULL, NULL, NULL);
	assert_file("0::/ (deleted)\n", NULL, NULL, NULL);
}

static void test_machine(void **state)
{
	(void)state;
	assert_path("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope", "qemu-1-web", NULL);
	assert_path("/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt/emulator",
		    "qemu-1-web", NULL);
	assert_path("/machine.slice/machine-production.slice/machine-web.scope", "web", NULL);
	assert_path("/user.slice/user@1.service/machine.slice/machine-web.scope", "web", NULL);
	assert_path("/machine.slice/systemd-nspawn@c\\x2d1.service/payload", "c-1", NULL);
	assert_path("/machine.slice/systemd-nspawn@out.service/payload/machine.slice/"
		    "machine-in.scope",
		    "out", NULL);
	assert_path("/machine.slice/machine-a-b.scope", "a-b", NULL);
	assert_path("//machine-a.scope//", "a", NULL);
}

static void test_no_machine(void **state)
{
	(void)state;
	assert_path("/machine.slice", NULL, NULL);
	assert_path("/machine.slice/machine-.scope", NULL, NULL);
	assert_path("/machine.slice/machine-a.service", NULL, NULL);
	assert_path("/machine.slice/xmachine-a.scope", NULL, NULL);
	assert_path("/machine.slice/machine-a.scopes", NULL, NULL);
	assert_path("/machine.slice/machine-a/b.scope", NULL, NULL);
	assert_path("/machine.slice/machine-a", NULL, NULL);
	assert_path("/machine.slice/systemd-nspawn@.service", NULL, NULL);
	assert_path("/machine.slice/systemd-nspawn@a.scope", NULL, NULL);
}

static void test_escapes(void **state)
{
	(void)state;
	assert_path("/machine-\\x41\\x7a\\x5C.scope", "Az\\", NULL);
	assert_path("/machine-\\xc3\\xbc.scope", "\xc3\xbc", NULL);
	assert_path("/machine-a\\xffb.scope", "a" FFFD "b", NULL);
	assert_path("/machine-a\\x00b.scope", "a\\x00b", NULL);
	assert_path("/machine-a\\x5cx2d.scope", "a\\x2d", NULL); /* unescaped once */
	assert_path("/machine-\\x2.scope", "\\x2", NULL);
	assert_path("/machine-\\x.scope", "\\x", NULL);
	assert_path("/machine-\\x 2.scope", "\\x 2", NULL);
	assert_path("/machine-\\x-2.scope", "\\x-2", NULL);
	assert_path("/machine-\\x2g.scope", "\\x2g", NULL);
	assert_path("/machine-\\xg2.scope", "\\xg2", NULL);
	assert_path("/machine-\\y2d.scope", "\\y2d", NULL);
}

static void test_pod_by_systemd(void **state)
{
	(void)state;
	assert_path("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-poda1_b2.slice/"
		    "cri-containerd-0.scope",
		    NULL, "a1-b2");
	assert_path("/kubepods.slice/kubepods-poda1_b2.slice", NULL, "a1-b2");
	assert_path("/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod0f.slice/x",
		    NULL, "0f");
	assert_path("/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-poda_1.slice", NULL,
		    "a-1");
	assert_path("/system.slice/kubepods-burstable-poda_1.slice:cri-containerd:0", NULL, "a-1");
}

static void test_pod_by_the_kubelet(void **state)
{
	(void)state;
	assert_path("/kubepods/burstable/poda1-b2/0", NULL, "a1-b2");
	assert_path("/kubepods/poda1-b2", NULL, "a1-b2");
	assert_path("/kubelet/kubepods/besteffort/pod0f/0", NULL, "0f");
	assert_path("/kubepods/poda/kubepods/podb", NULL, "a");
}

static void test_no_pod(void **state)
{
	(void)state;
	assert_path("/kubepods.slice/kubepods-burstable.slice", NULL, NULL);
	assert_path("/kubepods.slice/kubepods-pod.slice", NULL, NULL);
	assert_path("/kubepods.slice/kubepods-besteffort-xpod0.slice", NULL, NULL);
	assert_path("/kubepods.slice/kubepods-pod0.scope", NULL, NULL);
	assert_path("/other.slice/other-pod0.slice", NULL, NULL);
	assert_path("/other.slice/other-pod0.slice.kubepods", NULL, NULL);
	assert_path("/kubepods/pod", NULL, NULL);
	assert_path("/kubepods/burstable/xpod0", NULL, NULL);
	assert_path("/kubepods2/pod0", NULL, NULL);
	assert_path("/xkubepods/pod0", NULL, NULL);
	assert_path("/cubepods/pod0", NULL, NULL);
	assert_path("/pod0/kubepods", NULL, NULL);
	assert_path("/machine.slice/libpod-0.scope", NULL, NULL);
}

/* A machine can be a node with pods; a machine inside a pod is not this host's. */
static void test_machine_and_pod(void **state)
{
	(void)state;
	assert_path("/machine.slice/systemd-nspawn@node.service/kubepods/pod0/x", "node", "0");
	assert_path("/kubepods/pod0/machine.slice/machine-a.scope", NULL, "0");
	assert_file("0::/kubepods/pod\xff/x", "/kubepods/pod" FFFD "/x", NULL, FFFD);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		work_test(test_version_2),
		work_test(test_version_1),
		work_test(test_lines_without_sense),
		work_test(test_deleted),
		work_test(test_machine),
		work_test(test_no_machine),
		work_test(test_escapes),
		work_test(test_pod_by_systemd),
		work_test(test_pod_by_the_kubelet),
		work_test(test_no_pod),
		work_test(test_machine_and_pod),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
