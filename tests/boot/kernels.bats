# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Every machine and kernel: each family's counts are exact, or not for a known reason. A test's name
# begins with MACHINE-KERNEL, by which tests/run.sh chooses. With KERNELS_TABLE=FILE each adds its part
# of docs/kernels.md to that file, as lines "MACHINE-KERNEL VERSION FAMILY VERDICT", with tabs.

load ../live/common
load boot

# The numbers are prime.
NUMBERS="PIO=2003 MMIO=1009 CPUID=503 MSR=307 WRMSR=131 CR=109 HYPERCALL=401 FAULT=211 HLT=101 SLEEPS=3"

# The reasons of this machine's exits, for machine.sh.
reasons() {
	local table
	case $1 in
	amd) table=svm ;;
	intel) table=vmx ;;
	arm64) table=arm64 ;;
	esac
	mkdir "$WORK/reasons"
	cp "src/kvm/reasons/$table.def" "$WORK/reasons/exit"
	cp src/kvm/reasons/userspace.def "$WORK/reasons/user"
}

# result VERSION FAMILY VERDICT: a line for docs/kernels.md.
result() {
	printf '%s\t%s\t%s\t%s\n' "${BATS_TEST_DESCRIPTION%%:*}" "$@" >>"$WORK/result"
}

# skipped WHY: the page says so, too.
skipped() {
	result - - "skipped: $1"
	skip "$1"
}

# A test that fails has one line that says so.
teardown() {
	[ -n "${KERNELS_TABLE:-}" ] || return 0
	[ -n "${WORK:-}" ] || new_work
	if [ -z "${BATS_TEST_COMPLETED:-}" ] && [ -z "${BATS_TEST_SKIPPED:-}" ]; then
		rm -f "$WORK/result"
		result - - failed
	fi
	cat "$WORK/result" >>"$KERNELS_TABLE"
}

# machine_boot MACHINE KERNEL [SETTING=VALUE...] [OPTION...]: what machine.sh says is in $WORK/out.
machine_boot() {
	local machine=$1 kernel=$2 settings="MACHINE=$1 $NUMBERS" status=0
	shift 2
	cd "$TOP" || return 1
	new_work
	reasons "$machine"
	while [[ ${1:-} == [A-Z]*=* ]]; do
		settings+=" ${1%%=*}='${1#*=}'"
		shift
	done
	[ "$machine" != amd ] || set -- --add "$BUILD/tests/nested" "$@"
	{
		echo "$settings"
		cat tests/boot/inside/machine.sh "${MORE_SCRIPTS[@]}"
	} >"$WORK/script"
	boot_status "$kernel" "$WORK/script" --machine "$machine" --timeout 900 \
		--add setpriv:/usr/bin/setpriv.util-linux \
		--add tests/boot/inside/machine.awk:/machine.awk --add "$WORK/reasons:/reasons" "$@" || status=$?
	[ $status != 77 ] || skipped "$(cat "$WORK/err")"
	cat "$WORK/out"
	[ $status = 0 ] || { cat "$WORK/err"; return 1; }
}

# Scripts that follow machine.sh.
MORE_SCRIPTS=()

# arm64_agent: pmcd and the agent are to be tried as well (agents.sh), with the files of $AGENT_FILES; not by
# make check, to save time.
arm64_agent() {
	local status=0 sysroot
	AGENT_FILES=()
	[ -n "${KERNELS_TABLE:-}" ] || return 0
	cd "$TOP" || return 1
	new_work
	sysroot=$(scripts/sysroot-arm64.sh 2>"$WORK/err") || status=$?
	[ $status != 77 ] || skipped "$(cat "$WORK/err")"
	# events and statistics are the machine's
	grep -oE '\bkvm\.[a-z_.]+[a-z]' dashboards/pmrep/kvm.conf |
		grep -vE 'kvm\.conf|^kvm\.(trace|stat|vm\.stat|vcpu\.stat)\.' | sort -u >"$WORK/names"
	[ "$(wc -l <"$WORK/names")" -gt 5 ]
	MORE_SCRIPTS=(tests/boot/inside/agent.sh tests/boot/inside/agents.sh)
	AGENT_FILES=(--add "$BUILD/arm64/pmdakvm" --add "$BUILD/arm64/pmda_kvm.so:/agent/pmda_kvm.so"
		--add pmns:/agent/pmns --add pminfo --add "$sysroot/usr/lib/pcp/bin/pmcd:/usr/lib/pcp/bin/pmcd"
		--add "$sysroot/usr/lib/pcp/bin/pmcpp:/usr/lib/pcp/bin/pmcpp"
		--add "$sysroot/etc/pcp.conf:/etc/pcp.conf" --add "$sysroot/etc/pcp.env:/etc/pcp.env"
		--add "$WORK/names:/names" --add /etc/passwd --add /etc/group)
}

# families [FAMILY BEGINNING|WORDS]...: each family must be exact, but for those that are known not to
# be, for a reason with that beginning; WORDS are for docs/kernels.md. One that is known and is exact is
# a failure, too: then take it from here.
families() {
	local version family verdict reason known
	version=${VERSION:-$(cat "$(cat "$WORK/kernel")/version")}
	[ "$(grep -cE '^(trace|exit|userspace_exit|stat|cause|ledger|overcommit) ' "$WORK/out")" = 7 ]
	[[ $BATS_TEST_DESCRIPTION != amd-* ]] || grep -q '^nested ' "$WORK/out"
	[ ${#MORE_SCRIPTS[@]} = 0 ] || grep -q '^agent ' "$WORK/out"
	[[ $BATS_TEST_DESCRIPTION != intel-skylake:* ]] || grep -q '^dirty ' "$WORK/out"
	while read -r family verdict reason; do
		known=$(known "$family" "$@")
		case $verdict in
		exact*)
			# whether something is missed is a matter of chance there
			[ "$family" != raw ] || reason=
			if [ -n "$known" ]; then
				echo "known failure is gone: $family: $known"
				return 1
			fi
			;;
		not)
			if [ -z "$known" ] || [[ $reason != "${known%%|*}"* ]]; then
				echo "new: $family: $reason"
				return 1
			fi
			verdict="known: ${known#*|}" reason=
			;;
		*)
			echo "machine.sh says: $family $verdict $reason"
			return 1
			;;
		esac
		result "$version" "$family" "$verdict${reason:+ $reason}"
	done <"$WORK/out"
}

# known FAMILY [FAMILY REASON]...: the reason of that family.
known() {
	local family=$1
	shift
	while [ $# -gt 0 ]; do
		[ "$1" != "$family" ] || echo "$2"
		shift 2
	done
}

# From Linux 7.2 on tracepoints can be preempted. A raw tracepoint program does not run while another
# thread is in it on that CPU; kvm.agent.event.missed says so. And a thread may move after we have counted
# its event and before the kernel does. It is a matter of chance: two rounds.
PREEMPTIBLE="RAW=1 MOVES=1 ROUNDS=2"

PAUSES="PAUSE=200003"

# The exit programs of before the engine, which count beside ours.
OLD=(--add "$BUILD/tests/old_exits" --add "$BUILD/tests/bench/old/exit.bpf.o:/old.o")

# A Haswell has exits by PAUSE (PLE).
@test "intel-6.1: every family is exact" {
	machine_boot intel 6.1 "$PAUSES"
	families
}

@test "amd-5.10: every family is exact, and panic_on_warn is no panic" {
	machine_boot amd 5.10 UNSEEN=poll --append panic_on_warn=1
	families
}

@test "amd-6.1: every family is exact" {
	machine_boot amd 6.1 "${OLD[@]}"
	families
	grep -q '^old ' "$WORK/out"
}

@test "amd-6.12: every family is exact" {
	machine_boot amd 6.12 NOJIT=1 "${OLD[@]}"
	families
	[ "$(grep -cE '^(old|nojit) ' "$WORK/out")" = 2 ]
}

@test "amd-newest: every family is exact, with what was missed" {
	# shellcheck disable=SC2086 # a list of settings
	machine_boot amd newest $PREEMPTIBLE
	families
	grep -q '^raw exact' "$WORK/out"
}

@test "arm64-6.12: every family is exact" {
	arm64_agent
	machine_boot arm64 6.12-arm64 "${AGENT_FILES[@]}"
	families
}

# kvm-amd refuses to load there: it wants a constant TSC, which the emulated AMD processors have not.
@test "intel-rt: every family is exact" {
	machine_boot intel rt "$PAUSES"
	families
}

@test "arm64-6.1: every family is exact" {
	arm64_agent
	machine_boot arm64 6.1-arm64 "${AGENT_FILES[@]}"
	families
}

@test "arm64-newest: every family is exact, with what was missed" {
	arm64_agent
	machine_boot arm64 newest-arm64 MOVES=1 ROUNDS=2 "${AGENT_FILES[@]}"
	families
}

@test "intel-6.12: every family is exact" {
	machine_boot intel 6.12 "$PAUSES"
	families
}

# old_alone KERNEL: a boot for those alone, since all of the others take minutes under Bochs.
old_alone() {
	machine_boot intel "$1" "$PAUSES" OLD_ALONE=1 "${OLD[@]}"
	grep -qx 'old exact' "$WORK/out"
	result "$(cat "$(cat "$WORK/kernel")/version")" old exact
}

# bats test_tags=long
@test "intel-6.1: exits are as many as the programs of before the engine have counted" {
	old_alone 6.1
}

# bats test_tags=long
@test "intel-6.12: exits are as many as the programs of before the engine have counted" {
	old_alone 6.12
}

@test "intel-5.10: every family is exact" {
	machine_boot intel 5.10 "$PAUSES" UNSEEN=poll
	families
}

# Bochs is slow: raw tracepoints alone are tried on the other machines.
@test "intel-newest: every family is exact" {
	machine_boot intel newest "$PAUSES" MOVES=1
	families
}

@test "intel-skylake: Linux 6.1 on a processor with PML: every family is exact" {
	machine_boot intel 6.1 DIRTY=1801 --model skylake_x --add "$BUILD/tests/dirty"
	families
}

# Not emulated: KVM of the host that runs the tests, where that is PVM.
@test "host-pvm: this host's kernel, on which KVM runs guests without the processor's help: every family is exact" {
	cd "$TOP" || return 1
	new_work
	[ "$(id -u)" = 0 ] || skipped "not root: counting tracepoints requires root"
	[ -e /sys/module/kvm_pvm ] || skipped "this host's KVM is not PVM"
	# what it does is in the host's counts
	[ -z "$(find /proc/[0-9]*/fd -lname '*kvm-vm*' 2>/dev/null)" ] || skipped "another guest runs on this host"
	reasons amd
	mkdir "$WORK/bin"
	ln -s "$(command -v setpriv)" "$WORK/bin/setpriv.util-linux"
	ln -s "$(command -v busybox)" "$WORK/bin/awk" # as in a boot
	ln -s "$BUILD/kvmbpf" "$BUILD/tests/guest" "$WORK/bin/"
	cp tests/boot/inside/machine.awk "$WORK/"
	mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
	{
		echo "MACHINE=pvm $NUMBERS UNSEEN='guest kvm' HERE=$WORK"
		cat tests/boot/inside/machine.sh
	} >"$WORK/script"
	PATH=$WORK/bin:$PATH bash "$WORK/script" </dev/null >"$WORK/out" 2>"$WORK/err" 3>&- ||
		{ cat "$WORK/out" "$WORK/err"; return 1; }
	cat "$WORK/out"
	VERSION=$(uname -r)
	families
}

# lockdown MODE [SETTING=VALUE...]: the newest kernel in that mode.
lockdown() {
	local mode=$1
	shift
	machine_boot amd newest "LOCKDOWN=$mode" MOVES=1 "$@" \
		--append "lsm=lockdown lockdown=$mode"
	families
}

@test "amd-integrity: the newest kernel under lockdown integrity: every family is exact" {
	lockdown integrity
}

# No tracefs, so raw tracepoints alone, which can be preempted.
@test "amd-confidentiality: the newest kernel under lockdown confidentiality: every family is exact, with what was missed" {
	lockdown confidentiality ROUNDS=2
}
