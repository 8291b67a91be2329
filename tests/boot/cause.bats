# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Causes of exits in booted Debian kernels, where kvm_exit is real.

load ../live/common
load boot

# bats test_tags=long
@test "Linux 6.1: accesses are exact by cause and VM; all causes are all exits and all of their time" {
	agent_boot 6.1 cause.sh "" --timeout 200
	grep -q "^missed: 0" "$WORK/out"
}

@test "Linux 6.12: accesses are exact by cause and VM; all causes are all exits and all of their time" {
	agent_boot 6.12 cause.sh "" --timeout 200
	grep -q "^missed: 0" "$WORK/out"
}

@test "Linux 6.1 on Intel: accesses, exits and times are exact by cause" {
	new_work
	boot 6.1 "$TOP/tests/boot/inside/cause-dump.sh" --machine intel --add jq --timeout 600
	cat "$WORK/out"
	grep -q "^the host's times: " "$WORK/out"
}

# bats test_tags=long
@test "Linux 6.12 on Intel: accesses, exits and times are exact by cause" {
	new_work
	boot 6.12 "$TOP/tests/boot/inside/cause-dump.sh" --machine intel --add jq --timeout 600
	cat "$WORK/out"
	grep -q "^the host's times: " "$WORK/out"
}
