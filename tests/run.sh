#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# run.sh TOP BUILD [PART...]: run every test, or those of the parts named: unit,
# valgrind, bpf, fuzz, NAME for tests/live/NAME.bats, boot-NAME for tests/boot/NAME.bats. The
# last line counts them. Fails if a test failed; with CI=true also if one was skipped that
# .ci/allowed-skips does not name.
#
# KERNELS="MACHINE-KERNEL..." chooses among the tests of boot-kernels; "all" takes all of them.
#
# The tests run in a mount namespace of their own, so what they mount is gone
# afterwards. At the end they must have left nothing in PCP's folders.
set -euo pipefail

if [ -z "${PMDAKVM_TESTS_INSIDE:-}" ] && unshare -m --propagation private true 2>/dev/null; then
	export PMDAKVM_TESTS_INSIDE=1
	exec unshare -m --propagation private "$0" "$@"
fi

# the tests call make themselves
unset MAKEFLAGS MAKELEVEL MFLAGS
TOP=$1 BUILD=$2
shift 2
parts=("$@")
: "${KERNELS:=intel-6.1 amd-5.10 amd-6.1 amd-6.12 amd-newest arm64-6.12}"
cd "$TOP"
work=$(mktemp -d "${TMPDIR:-/tmp}/pmdakvm-tests.XXXXXX")
chmod 755 "$work"
# shellcheck source=tests/leftovers.sh
. tests/leftovers.sh
trap 'leftovers_end; rm -rf "$work"' EXIT
# shellcheck source=scripts/pmcd.sh
. scripts/pmcd.sh
TOP=$(plain_path "$TOP" "$work/top") BUILD=$(plain_path "$BUILD" "$work/build")
export TOP BUILD TMPDIR=$work
cd "$TOP"
log=$work/tap
: >"$log"
: >"$work/times"

# Is this part to be run?
wanted() {
	local part
	[ ${#parts[@]} -gt 0 ] || return 0
	for part in "${parts[@]}"; do
		[ "$part" != "$1" ] || return 0
	done
	return 1
}

# shellcheck disable=SC2317 # xargs calls it
# boot_one FILE NUMBER TEST: one test of many that run at a time: what it prints is shown at once.
boot_one() {
	local name out status=0 pattern start=$EPOCHSECONDS
	name=boot-$(basename "$1" .bats)
	out=$work/$name.$2
	# shellcheck disable=SC2016 # $ is sed's
	pattern=$(sed 's/[][\.*^$+?(){}|]/\\&/g' <<<"$3")
	bats --tap --filter "^$pattern\$" "$1" >"$out" 2>&1 </dev/null || status=$?
	if [ "$status" != 0 ] && ! grep -q '^not ok' "$out"; then
		echo "not ok - $name ended with status $status" >>"$out"
	fi
	grep -qE '^(not )?ok' "$out" || echo "not ok - $name: no test is called: $3" >>"$out"
	{
		flock 9
		printf '\n# %s\n' "$name"
		cat "$out"
		echo "$((EPOCHSECONDS - start)) s $name: $3" >>"$work/times"
		sed -nE "s/^(not )?ok[ 0-9-]*/\1ok $name: /p" "$out" >>"$log"
	} 9>>"$log"
}

# Show what a suite prints, and keep its results for the count. A suite that ends
# badly without a failed test (a crash, say) is a failed test itself.
suite() {
	local name=$1 status=0 start=$EPOCHSECONDS
	shift
	printf '\n# %s\n' "$name"
	"$@" >"$work/out" 2>&1 </dev/null || status=$?
	# cmocka 1.1.5 calls a skipped test "not ok"
	sed -i 's/^not ok \([0-9]* # SKIP\)/ok \1/' "$work/out"
	cat "$work/out"
	if [ "$status" != 0 ] && ! grep -q '^not ok' "$work/out"; then
		echo "not ok - $name ended with status $status" | tee -a "$work/out"
	fi
	grep -E '^(not )?ok' "$work/out" | sed "s|^\(not ok\|ok\)[ 0-9-]*|\1 $name: |" >>"$log" || true
	echo "$((EPOCHSECONDS - start)) s $name" >>"$work/times"
}

# What is left on the host is a failed test.
leftovers() {
	local left
	if [ -z "$watched" ]; then
		echo "ok - nothing is left on the host # skip not root, or no overlay file system"
		return
	fi
	left=$(leftovers_list)
	if [ -z "$left" ]; then
		echo "ok - nothing is left on the host"
	else
		echo "not ok - nothing is left on the host"
		sed 's/^/# /' <<<"$left"
	fi
}

valgrind_one() {
	local test=$1
	if ! command -v valgrind >/dev/null; then
		echo "ok - ${test##*/} under valgrind # skip valgrind is not installed"
	elif CMOCKA_MESSAGE_OUTPUT=TAP valgrind -q --leak-check=full --error-exitcode=99 \
		"$test" >"$work/valgrind" 2>&1; then
		echo "ok - ${test##*/} under valgrind"
	else
		sed 's/^/# /' "$work/valgrind"
		echo "not ok - ${test##*/} under valgrind"
	fi
}

# boots FILE: its tests that are to be run, for boot_one.
boots() {
	local test number=0
	while IFS= read -r test; do
		number=$((number + 1))
		if [ "$1" = tests/boot/kernels.bats ] && [ "$KERNELS" != all ] &&
			[[ " $KERNELS " != *" ${test%%:*} "* ]]; then
			continue
		fi
		printf '%s\0' "$1" "$number" "$test"
	done < <(sed -nE 's/^@test "(.*)" \{$/\1/p' "$1")
}

watched=
if [ -n "${PMDAKVM_TESTS_INSIDE:-}" ] && leftovers_watch "$work/layers"; then
	watched=yes
fi
for source in tests/unit/*/test_*.c; do
	test=$BUILD/${source%.c}
	if wanted unit; then
		CMOCKA_MESSAGE_OUTPUT=TAP suite "${test##*/}" "$test"
	fi
	# a sanitizer's build does the same job, and does not run there
	if wanted valgrind && [ -z "${SAN:-}" ]; then
		suite valgrind valgrind_one "$test"
	fi
done
for source in tests/bpf/test_*.c; do
	test=$BUILD/${source%.c}
	if wanted bpf; then
		CMOCKA_MESSAGE_OUTPUT=TAP suite "bpf/${test##*/}" "$test"
	fi
done
# a minute of it; a sanitizer's build has the same fuzzers
if wanted fuzz && [ -z "${SAN:-}" ]; then
	suite fuzz tests/fuzz/run.sh "$BUILD" 60
fi
if [ -d /sys/kernel/tracing ] && [ "$(id -u)" = 0 ] && ! mountpoint -q /sys/kernel/tracing; then
	mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
fi
# the host's own agent, if it has one, keeps its pinned maps to itself
if [ -n "${PMDAKVM_TESTS_INSIDE:-}" ] && mountpoint -q /sys/fs/bpf; then
	umount -R /sys/fs/bpf
fi
for file in tests/live/*.bats; do
	name=$(basename "$file" .bats)
	if wanted "$name"; then
		suite "$name" bats --tap "$file"
	fi
done
# Boots under emulation count nothing of this host's: two at a time. Each test is one, those of many
# kernels first, since they take longest.
for file in tests/boot/kernels.bats $(printf '%s\n' tests/boot/*.bats | grep -v kernels.bats); do
	if wanted "boot-$(basename "$file" .bats)"; then
		boots "$file"
	fi
done >"$work/boots"
export -f boot_one
export work log
xargs -r -0 -n 3 -P 2 bash -c 'boot_one "$@"' boot_one <"$work/boots" || echo "not ok - boots: xargs ended badly" >>"$log"
suite leftovers leftovers

failed=$(grep -c '^not ok' "$log" || true)
skipped=$(grep -ci '^ok.*# skip' "$log" || true)
passed=$(($(grep -c '^ok' "$log" || true) - skipped))
status=0
[ "$failed" = 0 ] && [ "$passed" -gt 0 ] || status=1
printf '\nThe slowest parts:\n'
awk '{ part = $3; for (i = 4; i <= NF; i++) part = part " " $i; sum[part] += $1 }
	END { for (part in sum) print sum[part], "s", part }' "$work/times" | sort -rn | head -20
echo
grep '^not ok' "$log" | sed 's/^not ok/FAILED/' || true
grep -i '^ok.*# skip' "$log" | sed 's/^ok/SKIPPED/' || true
if [ "${CI:-}" = true ] &&
	grep -i '^ok.*# skip' "$log" | grep -qvF -f <(grep -v '^#' .ci/allowed-skips); then
	echo "CI: a skip that .ci/allowed-skips does not name is a failure"
	status=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
