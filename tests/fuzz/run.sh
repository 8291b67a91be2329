#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# run.sh BUILD SECONDS [NAME...]: run all fuzzers, or those named, for so many seconds in all, as
# many at a time as there are CPUs. Prints TAP. Each begins with the inputs of tests/data/fuzz/NAME.
# An input that broke something is kept in BUILD/fuzz/found: put it there too, so that every run
# tries it first, and make a unit test of it.
set -euo pipefail

build=$1 seconds=$2
shift 2
here=$(dirname "$0")
names=("$@")
if [ ${#names[@]} = 0 ]; then
	for source in "$here"/fuzz_*.c; do
		names+=("$(basename "${source#*/fuzz_}" .c)")
	done
fi
names=("${names[@]#fuzz_}")
# memory, where there is a file system of it: a fuzzer writes a file for each input
tmp=${TMPDIR:-/tmp}
[ ! -w /dev/shm ] || tmp=/dev/shm
work=$(mktemp -d "$tmp/pmdakvm-fuzz.XXXXXX")
trap 'rm -rf "$work"' EXIT
cpus=$(nproc)
[ "$cpus" -le ${#names[@]} ] || cpus=${#names[@]}
each=$((seconds * cpus / ${#names[@]}))
[ "$each" -gt 0 ] || each=1

# shellcheck disable=SC2317 # xargs calls it
fuzz_one() {
	local name=$1 runs inputs=("$work/$1")
	mkdir -p "$work/$name" "$build/fuzz/found"
	[ ! -d "$here/../data/fuzz/$name" ] || inputs+=("$here/../data/fuzz/$name")
	if TMPDIR=$work "$build/fuzz/fuzz_$name" -max_total_time="$each" -timeout=20 -rss_limit_mb=2048 \
		-max_len=8192 -artifact_prefix="$build/fuzz/found/$name-" -print_final_stats=1 \
		"${inputs[@]}" >"$work/$name.out" 2>&1; then
		runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$work/$name.out")
		if [ "${runs:-0}" -gt 0 ]; then
			echo "ok - fuzz $name"
			echo "# $runs inputs in $each s"
			return
		fi
	fi
	tail -n 60 "$work/$name.out" | sed 's/^/# /'
	echo "not ok - fuzz $name"
}
export -f fuzz_one
export build here each work
printf '%s\0' "${names[@]}" | xargs -r -0 -n 1 -P "$cpus" bash -c 'fuzz_one "$1" >"$work/$1.tap"' fuzz_one
cat "$work"/*.tap
! grep -q '^not ok' "$work"/*.tap
