# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Goes in front of scripts that run in tests/sandbox.sh: a host with pcp installed,
# its own pmcd, and our agent in PREFIX. TOP, BUILD and TMPDIR are the tests'.
set -euo pipefail
export PCPQA_SYSTEMD=no SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive
PATH=$PATH:/usr/lib/pcp/bin
export LC_ALL=C
PREFIX=/opt/pmdakvm
OURS=$PREFIX/lib/pmdakvm/pmdas/kvm
STOCK=/var/lib/pcp/pmdas/kvm

fail() {
	echo "FAILED: $*"
	echo "--- kvm.log:"
	cat /var/log/pcp/pmcd/kvm.log || true
	tail -n 20 /var/log/pcp/pmlogger/*/pmlogger.log 2>/dev/null || true
	exit 1
}

# expect WHAT IS SHOULD
expect() {
	[ "$2" = "$3" ] || fail "$1: is \"$2\", should be \"$3\""
	echo "$1: $2"
}

pmcd_() {
	/etc/init.d/pmcd "$1" >/tmp/init.out 2>&1 || {
		cat /tmp/init.out
		fail "pmcd $1"
	}
	# it does not wait for our agent, which may still load
	while grep -q "Try again" <<<"$(pminfo -f kvm.agent.version 2>&1)"; do sleep 0.2; done
}

# await FAILURE COMMAND...: for 20 seconds
await() {
	local what=$1
	shift
	for _ in $(seq 100); do
		! "$@" || return 0
		sleep 0.2
	done
	fail "$what"
}

# The primary pmlogger of PCP's control files: its process, and does it run.
primary() { readlink /var/lib/pcp/tmp/pmlogger/primary | sed 's|.*/||'; }
logger_runs() {
	local pid
	pid=$(primary)
	[ -n "$pid" ] && [ -d "/proc/$pid" ]
}

# A host with pmcd, the stock agent, and a primary pmlogger that logs what changes between the
# stock agent and ours.
logs=
logged='log mandatory on 200 msec { kvm.largepages kvm.mmu_unsync kvm.exits }'
start_host() {
	pmcd_ start
	run_in $STOCK Install >/dev/null
	expect "agent, after the stock Install" "$(who)" stock
	echo "$logged" >/var/lib/pcp/config/pmlogger/config.kvm
	sed -i 's/-c config\.default/-c config.kvm/' /etc/pcp/pmlogger/control.d/local
	start_loggers
	logs=yes
}

start_loggers() {
	/etc/init.d/pmlogger start >/dev/null
	await "the primary pmlogger does not start" logger_runs
}

# for the stock agent's Install, which restarts no logger and ends those that log kvm metrics of ours
restart_loggers() {
	/etc/init.d/pmlogger stop >/dev/null
	while pgrep -f 'pmlogger .*-m pmlogger_check' >/dev/null; do sleep 0.1; done
	start_loggers
}

make_() {
	make --no-print-directory -C "$TOP" O="$BUILD" PREFIX="$PREFIX" "$@"
}

# host_paths: what differs between this copy of the host and the host, but for what PCP itself keeps
# where an agent comes and goes
host_paths() {
	(cd /run/changes && find etc opt usr var \( -path var/log -o -path var/cache -o -path "${TOP#/}" -o -path "${TMPDIR#/}" \
		-o -path var/lib/dpkg -o -path var/lib/apt -o -path var/lib/pcp/tmp \) -prune -o -print 2>/dev/null || true) |
		# PCP 6.3's scripts enable their services when they start
		{ grep -vE '^(etc/systemd/system|var/lib/systemd/deb-systemd-helper-enabled)(/multi-user\.target\.wants(/pm[a-z]+\.service)?|/pm[a-z]+\.service\.dsh-also)?$' || true; } |
		{ grep -vE '^(var/lib/pcp/(pmns/(root|root\.prev|stdpmid|kvm|\.NeedRebuild)|config/pmda/.*)|etc/pcp/pmcd/pmcd\.conf|.*/__pycache__(/.*)?|.*/pmdas/kvm/help\.(dir|pag))$' || true; } |
		sort
}

# host_describe ROOT: of these paths there the kind, where a link leads, and the sums of PCP's
# configuration; a file that was deleted has no line
host_describe() (
	cd "$1"
	xargs -d '\n' -r sh -c '
		find "$@" -maxdepth 0 ! -type c -printf "%y /%p %l\n" 2>/dev/null
		for file; do
			case $file in
			etc/pcp/pmcd/* | var/lib/pcp/config/pmlogger/*) ;;
			etc/pcp/* | var/lib/pcp/config/*) [ ! -f "$file" ] || [ -L "$file" ] || md5sum "$file" ;;
			esac
		done' sh | sort
)

# host_save [FILE]: what is on the host now
host_save() {
	host_paths >"${1:-/tmp/before}.paths"
	host_describe /run/changes <"${1:-/tmp/before}.paths" >"${1:-/tmp/before}"
}

# host_since FILE: writes to /tmp/after what is on the host now, of what was changed in this copy,
# and to /tmp/until what was there at host_save FILE
host_since() {
	host_paths >/tmp/paths
	host_describe /run/changes </tmp/paths >/tmp/after
	comm -13 "$1.paths" /tmp/paths | host_describe /run/host | sort - "$1" >/tmp/until
}

# host_new FILE: paths of what has come since host_save FILE, but for the agent's numbers of
# events and instances, which only make uninstall removes
host_new() {
	host_since "$1"
	comm -13 /tmp/until /tmp/after | sed -nE 's|^[a-z] (/[^ ]*) .*|\1|p' | but_numbers | sort
}
but_numbers() { grep -vE '/var/lib/pcp/pmdakvm(/items|/instances)?( |$)' || true; }

# nothing_left WHAT [FILE [FILTER]]: after that the host is as it was at host_save FILE.
nothing_left() {
	local filter=${3:-cat}
	[ -z "$logs" ] || await "the primary pmlogger does not run after $1" logger_runs
	host_since "${2:-/tmp/before}"
	expect "what $1 leaves on the host" "$(comm -13 /tmp/until /tmp/after | "$filter")" ""
	expect "what $1 takes from the host" "$(comm -23 /tmp/until /tmp/after | "$filter")" ""
	expect "diversions of the stock agent's names" "$(dpkg-divert --list '*kvm*' | wc -l)" 0
	expect "processes of ours" "$(pgrep -cf "$OURS/pmdakvm" || true)" 0
	expect "pins" "$(ls -A /sys/fs/bpf/pmdakvm 2>/dev/null || true)" ""
}

# In a folder: ./Install or ./Remove
run_in() {
	(cd "$1" && "./$2" </dev/null >/tmp/script.out 2>&1) || {
		cat /tmp/script.out
		fail "$1/$2"
	}
	cat /tmp/script.out
}

# The same, where it has to fail, and to say this.
fails_in() {
	if (cd "$1" && "./$2" </dev/null >/tmp/script.out 2>&1); then
		cat /tmp/script.out
		fail "$1/$2 succeeds"
	fi
	cat /tmp/script.out
	grep -q "$3" /tmp/script.out || fail "$1/$2 does not say \"$3\""
}

# Which agent answers: ours, stock or none
who() {
	if grep -q value <<<"$(pminfo -f kvm.agent.version 2>/dev/null)"; then
		echo ours
	elif grep -q value <<<"$(pminfo -f kvm.trace.count 2>/dev/null)"; then
		echo stock
	else
		echo none
	fi
}

sum() {
	# while the agent is restarted there is no answer
	{ pminfo -f "$1" 2>/dev/null || true; } | awk '/value/ { n += $NF } END { print n + 0 }'
}

# A guest writes to a port so often, and kvm.trace.kvm_pio has to grow by that
pio_counts() {
	local before after
	before=$(sum kvm.trace.kvm_pio)
	"$BUILD/tests/guest" --pio "$PIO" >/dev/null
	after=$(sum kvm.trace.kvm_pio)
	expect "$1" $((after - before)) "$PIO"
}

# what tests on this host have left is not to be met
rm -rf /var/lib/pcp/pmdakvm
grep -qs localhost /etc/hosts || echo "127.0.0.1 localhost" >>/etc/hosts
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
# a host that has never been locked down, for the stock agent's sake
printf '[paths]\ntracefs=/sys/kernel/tracing\nlockdown=/nowhere\n[trace]\nkvm_exit\nkvm_entry\nkvm_mmio\nkvm_hypercall\nkvm_vcpu_wakeup\nkvm_cpuid\nkvm_msr\nkvm_cr\nkvm_eoi\nkvm_pio\nkvm_ack_irq\nkvm_age_hva\n' \
	>/etc/pcp/kvm/kvm.conf
