# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Booting Debian's kernels, for the live tests.

# boot VERSION SCRIPT OPTION...: what the script printed is in $WORK/out.
boot() {
	local version=$1 script=$2 status=0
	shift 2
	"$TOP/tests/kernel/fetch.sh" "$version" >"$WORK/kernel" 2>"$WORK/err" || status=$?
	[ $status != 77 ] || skip "$(cat "$WORK/err")"
	[ $status = 0 ] || { cat "$WORK/err"; return 1; }
	for _ in 1 2 3; do
		status=0
		"$TOP/tests/kernel/boot.sh" --kernel "$(cat "$WORK/kernel")" --script "$script" \
			--add "$BUILD/kvmbpf" --add "$BUILD/tests/guest" "$@" \
			>"$WORK/out" 2>"$WORK/err" || status=$?
		# QEMU's multi-threaded emulation is now and then late in seeing code that
		# the kernel patches; that is no fault of the kernel's or of ours
		grep -q 'Oops: int3' "$WORK/err" || break
	done
	[ $status != 77 ] || skip "$(cat "$WORK/err")"
	[ $status = 0 ] || { cat "$WORK/out" "$WORK/err"; return 1; }
}
