# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# What the live tests share. TOP and BUILD come from tests/run.sh.

: "${TOP:?run the tests with make check}" "${BUILD:?}"
# shellcheck source=scripts/pmcd.sh
. "$TOP/scripts/pmcd.sh"

# DSOs and leak checks of a sanitizer's build need help.
SAN_PRELOAD=
if [ -n "${SAN:-}" ]; then
	SAN_PRELOAD=$(gcc -print-file-name=libasan.so)
	export LSAN_OPTIONS=suppressions=$TOP/tests/unit/lsan.supp:print_suppressions=0
fi

# Prime numbers of things for guests to do.
PIO=10007 MMIO=1009 CPUID=503

need_root() {
	[ "$(id -u)" = 0 ] || skip "not root: counting tracepoints takes root"
}

need_kvm() {
	need_root
	[ -c /dev/kvm ] || skip "no /dev/kvm: a guest needs a host with KVM"
}

need() {
	command -v "$1" >/dev/null || skip "$1 is not installed: make deps installs it"
}

need_two_cpus() {
	[ "$(nproc)" -ge 2 ] || skip "one CPU: this needs two"
}

# new_work: a folder for this test in WORK, that user pcp may look into.
new_work() {
	WORK=$(mktemp -d "$TMPDIR/work.XXXXXX")
	chmod 755 "$WORK"
}

# wait_for SECONDS COMMAND...: until the command succeeds; fails after that time.
wait_for() {
	local tries=$(($1 * 20))
	shift
	while ! "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

# The PMNS with our domain's number, for dbpmda and local contexts.
make_namespace() {
	{
		echo 'root { kvm }'
		sed -e 's/KVM:/95:/' -e '/^\/\*/d' "$TOP/pmns"
	} >"$WORK/ns"
}

# ask [PREFIX-COMMAND... --] DBPMDA-COMMAND...: start the daemon under dbpmda with
# $WORK/kvm.conf and ask it. Its log is $WORK/kvm.log; `said` shows its warnings.
ask() {
	local prefix=() agent=$BUILD/pmdakvm
	if [[ " $* " == *" -- "* ]]; then
		while [ "$1" != -- ]; do
			prefix+=("$1")
			shift
		done
		shift
		# another user may not reach the build
		agent=$WORK/pmdakvm
		install -m 755 "$BUILD/pmdakvm" "$agent"
	fi
	[ -f "$WORK/ns" ] || make_namespace
	mkdir -p "$WORK/var" "$WORK/tmp"
	rm -f "$WORK/kvm.log"
	{
		echo "open pipe $agent -d 95 -c ${CONF:-$WORK/kvm.conf} -l $WORK/kvm.log"
		printf '%s\n' "$@" quit
	} >"$WORK/commands"
	run env PCP_VAR_DIR="$WORK/var" PCP_TMP_DIR="$WORK/tmp" "${prefix[@]}" \
		dbpmda -n "$WORK/ns" -q 10 <"$WORK/commands"
	head -n 60 <<<"$output" # shown where the test fails
}

# The daemon's warnings and errors, without the time.
said() {
	grep -E 'Warning|Error|Critical' "$WORK/kvm.log" | sed -E 's/^\[[^]]*\] pmdakvm\([0-9]+\) //'
}

# conf LINE...: write $WORK/kvm.conf.
conf() {
	printf '%s\n' "$@" >"$WORK/kvm.conf"
}

# values METRIC: its values through the private pmcd, "INSTANCE VALUE" a line.
values() {
	pminfo -h "$PMCD_HOST" -f "$1" | sed -nE \
		-e 's/^ +inst \[[0-9]+ or "(.*)"\] value (.*)/\1 \2/p' -e 's/^ +value (.*)/\1/p'
}

# value METRIC INSTANCE
value() {
	values "$1" | awk -v i="$2" '$1 == i { print $2 }'
}

# perf_counts EVENTS COMMAND...: run it, with the kernel's own count of those events
# per CPU in $WORK/perf; perf_count EVENT CPU gives one.
perf_counts() {
	local events=$1
	shift
	perf stat -a -A -x, -o "$WORK/perf" -e "$events" -- "$@"
}

perf_count() {
	awk -F, -v cpu="CPU$2" -v event="kvm:$1" '$1 == cpu && $4 == event { print $2 }' "$WORK/perf"
}
