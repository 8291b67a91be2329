# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The test guest's own numbers, on each kind of machine, against the kernel's.

load ../live/common
load boot

# accesses MACHINE KERNEL: of each key the guest does as many as it says.
accesses() {
	new_work
	{
		echo "MACHINE=$1"
		cat "$TOP/tests/boot/inside/access.sh"
	} >"$WORK/script"
	boot "$2" "$WORK/script" --machine "$1" --timeout 200
	cat "$WORK/out"
	grep -q '^all equal: ' "$WORK/out"
}

# bats test_tags=long
@test "AMD: each access of the guest is one of the kernel's, by key" {
	accesses amd 6.1
}

# bats test_tags=long
@test "Intel: each access of the guest is one of the kernel's, by key" {
	accesses intel 6.1
}

@test "arm64: each access of the guest is one of the kernel's, by key" {
	accesses arm64 6.12-arm64
}
