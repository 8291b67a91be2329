# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Helpers of the live tests. tests/run.sh sets TOP and BUILD.

: "${TOP:?run the tests with make check}" "${BUILD:?}"
# shellcheck source=scripts/pmcd.sh
. "$TOP/scripts/pmcd.sh"

# A sanitizer's build needs its runtime preloaded for DSOs, and options for its leak check.
SAN_PRELOAD=
if [ -n "${SAN:-}" ]; then
	SAN_PRELOAD=$(gcc -print-file-name=libasan.so)
	export LSAN_OPTIONS=suppressions=$TOP/tests/unit/lsan.supp:print_suppressions=0
fi

# Prime numbers of operations for guests.
PIO=10007 MMIO=1009 CPUID=503

need_root() {
	[ "$(id -u)" = 0 ] || skip "not root: counting tracepoints requires root"
}

need_kvm() {
	need_root
	[ -c /dev/kvm ] || skip "no /dev/kvm: a guest needs a host with KVM"
}

need() {
	command -v "$1" >/dev/null || skip "$1 is not installed: make deps installs it"
}

# need_even_time: of how long things take is asked, and an emulated machine's time halts and leaps
need_even_time() {
	[ -z "${EMULATED:-}" ] || skip "the time of an emulated machine is not even"
}

need_two_cpus() {
	[ "$(nproc)" -ge 2 ] || skip "one CPU: this needs two"
}

# new_work: create a folder for this test, which user pcp may read; sets WORK.
new_work() {
	WORK=$(mktemp -d "$TMPDIR/work.XXXXXX")
	chmod 755 "$WORK"
}

# wait_for SECONDS COMMAND...: wait until the command succeeds; fails after SECONDS.
wait_for() {
	local tries=$(($1 * 20))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# make_namespace: write $WORK/ns, the PMNS with our domain number, for dbpmda and local contexts.
make_namespace() {
	{
		echo 'root { kvm }'
		sed -e 's/KVM:/95:/' -e '/^\/\*/d' "$TOP/pmns"
	} >"$WORK/ns"
}

# ask [PREFIX-COMMAND... --] DBPMDA-COMMAND...: start the daemon under dbpmda with
# $WORK/kvm.conf and run the commands. Its log is $WORK/kvm.log; said prints its warnings.
ask() {
	local prefix=() agent=$BUILD/pmdakvm
	if [[ " $* " == *" -- "* ]]; then
		while [ "$1" != -- ]; do
			prefix+=("$1")
			shift
		done
		shift
		# another user may not have access to the build
		agent=$WORK/pmdakvm
		install -m 755 "$BUILD/pmdakvm" "$agent"
	fi
	[ -f "$WORK/ns" ] || make_namespace
	mkdir -p "$WORK/var" "$WORK/tmp"
	{
		echo "open pipe $agent -d 95 -c ${CONF:-$WORK/kvm.conf} -l $WORK/kvm.log"
		printf '%s\n' "$@" quit
	} >"$WORK/commands"
	# on a busy machine it may say that it has not loaded yet
	for _ in 1 2 3 4 5; do
		rm -f "$WORK/kvm.log"
		run env PCP_VAR_DIR="$WORK/var" PCP_TMP_DIR="$WORK/tmp" "${prefix[@]}" \
			dbpmda -n "$WORK/ns" -q 10 <"$WORK/commands"
		[[ $output == *"Try again"* ]] || break
	done
	head -n 60 <<<"$output" # bats shows it if the test fails
}

# said: the daemon's warnings and errors, without the time
said() {
	grep -E 'Warning|Error|Critical' "$WORK/kvm.log" | sed -E 's/^\[[^]]*\] pmdakvm\([0-9]+\) //'
}

# conf LINE...: write $WORK/kvm.conf
conf() {
	printf '%s\n' "$@" >"$WORK/kvm.conf"
}

# values METRIC: its values from the private pmcd, as lines "INSTANCE VALUE"
values() {
	pminfo -h "$PMCD_HOST" -f "$1" | sed -nE \
		-e 's/^ +inst \[[0-9]+ or "(.*)"\] value (.*)/\1 \2/p' -e 's/^ +value (.*)/\1/p'
}

# value METRIC INSTANCE: one of these values
value() {
	values "$1" | awk -v i="$2" '$1 == i { print $2 }'
}

# perf_counts EVENTS COMMAND...: run the command under perf stat, which writes the counts of the
# events by CPU to $WORK/perf; perf_count EVENT CPU prints one.
perf_counts() {
	local events=$1
	shift
	perf stat -a -A -x, -o "$WORK/perf" -e "$events" -- "$@"
}

perf_count() {
	awk -F, -v cpu="CPU$2" -v event="kvm:$1" '$1 == cpu && $4 == event { print $2 }' "$WORK/perf"
}
