# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests what kvmbpf shows of hosts that were recorded, on any host. tests/data/hosts has two snapshots
# each of Linux 6.12 on AMD and on Intel, emulated, which tests/boot/inside/reports.sh has saved: an
# AMD host's are made anew, and checked as these, by the boot that has it.
# bats file_tags=idle

load common
load snapshots

setup() {
	new_work
	HOSTS=$TOP/tests/data/hosts
}

@test "a recorded AMD host: dump, top, events and vms show what its guests did" {
	snapshots_show "$HOSTS/amd-1.snapshot" "$HOSTS/amd-2.snapshot" io cpuid npf
}

@test "a recorded Intel host: dump, top, events and vms show what its guests did" {
	snapshots_show "$HOSTS/intel-1.snapshot" "$HOSTS/intel-2.snapshot" IO_INSTRUCTION CPUID EPT_MISCONFIG
}
