# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# A kernel that warns, or is tainted, while a script runs fails the boot. That Linux 5.10 does not warn of
# our programs is amd-5.10 of kernels.bats, with panic_on_warn.

load ../live/common
load boot

# unwell COMMAND: the boot whose script that is ends with 126; what was shown is in $WORK/err.
unwell() {
	new_work
	echo "$1" >"$WORK/script"
	status=0
	boot_status 5.10 "$WORK/script" || status=$?
	cat "$WORK/out" "$WORK/err"
	[ "$status" = 126 ]
}

@test "a taint that the script brings is a failure" {
	unwell 'echo 64 >/proc/sys/kernel/tainted'
	grep -q "tainted anew: 64$" "$WORK/err"
}

@test "a warning of the kernel's is a failure" {
	unwell 'echo "<4>WARNING: CPU: 0 PID: 1 at made-up.c:1" >/dev/kmsg'
	grep -q "WARNING: CPU: 0 PID: 1 at made-up.c:1$" "$WORK/err"
	grep -q "tainted" "$WORK/err" && return 1
	[ ! -s "$WORK/out" ]
}

# bats test_tags=long
@test "a script that does not end is ended" {
	new_work
	echo 'echo begun; while :; do :; done' >"$WORK/script"
	status=0
	boot_status 5.10 "$WORK/script" --timeout 20 || status=$?
	cat "$WORK/out" "$WORK/err"
	[ "$status" = 124 ]
	[ "$(cat "$WORK/out")" = begun ]
	grep -q "the time was up after 20 s" "$WORK/err"
}
