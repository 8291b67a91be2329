# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# bats file_tags=idle
#
# The BPF programs as a newer clang than this Debian's makes them: each has its own way to order what the
# kernel's verifier must follow. Nothing is attached.

load common

# the one of Debian 13
VERSION=19

@test "the BPF programs of a newer clang load, and count the same" {
	need_root
	new_work
	[ "$(clang -dumpversion | cut -d . -f 1)" -lt $VERSION ] ||
		skip "clang is $VERSION or newer: the other tests have its programs"
	run "$TOP/tests/clang.sh" $VERSION
	[ "$status" != 77 ] || skip "$output"
	[ "$status" = 0 ]
	make --no-print-directory -C "$TOP" -j2 O="$WORK/o" CLANG="$output" bpf-tests
	grep -qa "clang version $VERSION" "$WORK/o/bpf/cause.raw.o"
	for test in "$WORK"/o/tests/bpf/test_*; do
		case $test in
		*.[od]) ;;
		*) "$test" >"$WORK/log" 2>&1 || {
			tail -n 40 "$WORK/log"
			echo "${test##*/} failed"
			false
		} ;;
		esac
	done
}
