#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# run.sh TOP BUILD [PART...]: run every test, or those of the parts named: unit,
# valgrind, bpf, fuzz, NAME for tests/live/NAME.bats, boot-NAME for tests/boot/NAME.bats. The
# last line counts them. Fails if a test failed; with CI=true also if one was skipped that
# .ci/allowed-skips does not name, nor, on a machine without /dev/kvm, .ci/allowed-skips-without-kvm.
#
# KERNELS="MACHINE-KERNEL..." chooses among the tests of boot-kernels, those tagged "long" with them; "all"
# takes all of them, and of the other boots those that are tagged "long", too.
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
chosen=${KERNELS:-}
: "${KERNELS:=intel-6.1 amd-5.10 amd-6.1 amd-6.12 amd-newest arm64-6.12}"
cd "$TOP"
work=$(mktemp -d "${TMPDIR:-/tmp}/pmdakvm-tests.XXXXXX")
chmod 755 "$work"
# shellcheck source=tests/leftovers.sh
. tests/leftovers.sh
boots= idle=
trap 'kill_group "$boots"; kill_group "$idle"; leftovers_end; rm -rf "$work"' EXIT
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

# show NAME FILE SECONDS: what a suite printed, in one piece, and its results for the count.
show() {
	{
		flock 9
		printf '\n# %s\n' "$1"
		cat "$2"
		sed -nE "s|^(not )?ok[ 0-9-]*|\1ok $1: |p" "$2" >>"$log"
		echo "$3 $1" >>"$work/times"
	} 9>>"$log"
}

# boot_one FILE NUMBER TEST: one test of many that run at a time.
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
	show "$name" "$out" $((EPOCHSECONDS - start))
}

# boots_run 7>LOCK 8<QUEUE: one boot after the other, until the queue, lines of boot_one's arguments with
# tabs, is empty. Two can share it.
boots_run() {
	local file number test
	while flock 7 && IFS=$'\t' read -r -u 8 file number test; do
		flock -u 7
		boot_one "$file" "$number" "$test" 7>&- 8<&-
	done
}

# kill_group [PID]: end what that process leads.
kill_group() {
	[ -z "$1" ] || kill -- "-$1" 2>/dev/null || true
}

# suite NAME COMMAND...: a suite that ends badly without a failed test (a crash, say) is a failed test
# itself.
suite() {
	local name=$1 out=$work/out.$BASHPID status=0 start=$EPOCHSECONDS
	shift
	"$@" >"$out" 2>&1 </dev/null || status=$?
	# cmocka 1.1.5 calls a skipped test "not ok"
	sed -i 's/^not ok \([0-9]* # SKIP\)/ok \1/' "$out"
	if [ "$status" != 0 ] && ! grep -q '^not ok' "$out"; then
		echo "not ok - $name ended with status $status" >>"$out"
	fi
	show "$name" "$out" $((EPOCHSECONDS - start))
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

# What counts nothing of this host, and needs no time of its own: under valgrind, and the files of live tests
# with the tag "idle".
idle_run() {
	local source test
	for source in tests/unit/*/test_*.c; do
		test=$BUILD/${source%.c}
		# a sanitizer's build does the same job, and does not run there
		if wanted valgrind && [ -z "${SAN:-}" ]; then
			suite valgrind valgrind_one "$test"
		fi
	done
	for source in $idle_files; do
		live_one "$source"
	done
}

# live_one FILE: if it is wanted
live_one() {
	local name
	name=$(basename "$1" .bats)
	if wanted "$name"; then
		suite "$name" bats --tap "$1"
	fi
}

# boots FILE: its tests that are to be run, for boot_one. Those tagged "long" only with all kernels, and with
# those that were chosen.
boots() {
	local test number=0 all=
	if [ "$KERNELS" = all ] || { [ "$1" = tests/boot/kernels.bats ] && [ -n "$chosen" ]; }; then
		all=all
	fi
	while IFS= read -r test; do
		number=$((number + 1))
		if [ "$1" = tests/boot/kernels.bats ] && [ "$KERNELS" != all ] &&
			[[ " $KERNELS " != *" ${test%%:*} "* ]]; then
			continue
		fi
		printf '%s\t%s\t%s\n' "$1" "$number" "$test"
	done < <(awk -v all="$all" '
		/^@test / && (all || previous != "# bats test_tags=long") {
			sub(/^@test "/, "")
			sub(/" \{$/, "")
			print
		}
		{ previous = $0 }' "$1")
}

watched=
if [ -n "${PMDAKVM_TESTS_INSIDE:-}" ] && leftovers_watch "$work/layers"; then
	watched=yes
fi
# Boots under emulation count nothing of this host's: one at a time beside the tests that do not either,
# two when those are done, and none beside the live tests. Those of many kernels first: they take longest.
for file in tests/boot/kernels.bats $(printf '%s\n' tests/boot/*.bats | grep -v kernels.bats); do
	if wanted "boot-$(basename "$file" .bats)"; then
		boots "$file"
	fi
done >"$work/boots"
export -f boot_one boots_run show
export work log
exec 8<"$work/boots"
setsid bash -c boots_run 7>"$work/queue" &
boots=$!
for source in tests/unit/*/test_*.c; do
	test=$BUILD/${source%.c}
	if wanted unit; then
		CMOCKA_MESSAGE_OUTPUT=TAP suite "${test##*/}" "$test"
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
boots_run 7>"$work/queue"
wait $boots || echo "not ok - boots: ended with status $?" >>"$log"
boots=
exec 8<&-
if [ -d /sys/kernel/tracing ] && [ "$(id -u)" = 0 ] && ! mountpoint -q /sys/kernel/tracing; then
	mount -t tracefs tracefs /sys/kernel/tracing 2>/dev/null || true
fi
# the host's own agent, if it has one, keeps its pinned maps to itself
if [ -n "${PMDAKVM_TESTS_INSIDE:-}" ] && mountpoint -q /sys/fs/bpf; then
	umount -R /sys/fs/bpf
fi
# Beside the live tests, only with what time they leave: in a process group of its own, but not in a session,
# which the kernel's autogroups would give as much as all the others.
idle_files=$(grep -ls "^# bats file_tags=idle$" tests/live/*.bats || true)
set -m
{
	chrt -i -p 0 "$BASHPID" 2>/dev/null || true
	idle_run
} &
idle=$!
set +m
for file in tests/live/*.bats; do
	case " ${idle_files//$'\n'/ } " in
	*" $file "*) ;;
	*) live_one "$file" ;;
	esac
done
wait "$idle" || echo "not ok - tests in idle time: ended with status $?" >>"$log"
idle=
suite leftovers leftovers

failed=$(grep -c '^not ok' "$log" || true)
skipped=$(grep -ci '^ok.*# skip' "$log" || true)
passed=$(($(grep -c '^ok' "$log" || true) - skipped))
status=0
[ "$failed" = 0 ] && [ "$passed" -gt 0 ] || status=1
printf '\nThe slowest parts:\n'
awk '{ sum[$2] += $1 } END { for (part in sum) print sum[part] " s", part }' "$work/times" | sort -rn | sed -n 1,20p
echo
grep '^not ok' "$log" | sed 's/^not ok/FAILED/' || true
grep -i '^ok.*# skip' "$log" | sed 's/^ok/SKIPPED/' || true
allowed=.ci/allowed-skips
[ -c /dev/kvm ] || allowed+=" .ci/allowed-skips-without-kvm"
# shellcheck disable=SC2086
if [ "${CI:-}" = true ] &&
	grep -qvF -f <(grep -hv '^#' $allowed) < <(grep -i '^ok.*# skip' "$log"); then
	echo "CI: a skip that ${allowed/ / or } does not name is a failure"
	status=1
fi
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
