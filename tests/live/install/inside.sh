# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Goes in front of scripts that run in tests/sandbox.sh: a host with pcp installed,
# its own pmcd, and our agent in PREFIX. TOP, BUILD and TMPDIR are the tests'.
set -euo pipefail
export PCPQA_SYSTEMD=no SYSTEMD_OFFLINE=1 DEBIAN_FRONTEND=noninteractive
PATH=$PATH:/usr/lib/pcp/bin
PREFIX=/opt/pmdakvm
OURS=$PREFIX/lib/pmdakvm/pmdas/kvm
STOCK=/var/lib/pcp/pmdas/kvm

fail() {
	echo "FAILED: $*"
	echo "--- kvm.log:"
	cat /var/log/pcp/pmcd/kvm.log || true
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
}

make_() {
	make --no-print-directory -C "$TOP" O="$BUILD" PREFIX="$PREFIX" "$@"
}

# In a folder: ./Install or ./Remove
run_in() {
	(cd "$1" && "./$2" </dev/null >/tmp/script.out 2>&1) || {
		cat /tmp/script.out
		fail "$1/$2"
	}
	cat /tmp/script.out
}

# Which agent answers: ours, stock or none
who() {
	if pminfo -f kvm.agent.version 2>/dev/null | grep -q value; then
		echo ours
	elif pminfo -f kvm.trace.count 2>/dev/null | grep -q value; then
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

grep -qs localhost /etc/hosts || echo "127.0.0.1 localhost" >>/etc/hosts
mountpoint -q /sys/kernel/tracing || mount -t tracefs tracefs /sys/kernel/tracing
# a host that has never been locked down, for the stock agent's sake
printf '[paths]\ntracefs=/sys/kernel/tracing\nlockdown=/nowhere\n[trace]\nkvm_exit\nkvm_entry\nkvm_mmio\nkvm_hypercall\nkvm_vcpu_wakeup\nkvm_cpuid\nkvm_msr\nkvm_cr\nkvm_eoi\nkvm_pio\nkvm_ack_irq\nkvm_age_hva\n' \
	>/etc/pcp/kvm/kvm.conf
