# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# A bare Debian with nothing but pcp, on which the lines of README's Install are run as they are.
PREFIX=/usr/local
OURS=$PREFIX/lib/pmdakvm/pmdas/kvm
# an unoptimized build is as good here
export CFLAGS=-O0 MAKEFLAGS=-j$(nproc)

! command -v cc >/dev/null || fail "the host has more than pcp"
# readme FIRST LAST: those lines, in the checkout
readme() {
	(cd "$TMPDIR/checkout" && sh -e <(sed -n "/$1/,/$2/p" "$TMPDIR/readme")) >/tmp/readme.out 2>&1 </dev/null || {
		tail -n 30 /tmp/readme.out
		fail "README's lines from $1 to $2"
	}
	cat /tmp/readme.out
}

start_host
readme apt-get deps-build
expect "programs that only the tests need" "$(command -v bats valgrind qemu-system-x86_64 || true)" ""
make -C "$TMPDIR/checkout" --no-print-directory build/tests/guest
BUILD=$TMPDIR/checkout/build
host_save
readme 'make install' 'Install$'
expect "agent, after README's Install" "$(who)" ours
expect "events" "$(pminfo -f kvm.trace.count | sed -n 's/ *value //p')" 12
pio_counts "port writes"
run_in $OURS Install >/dev/null
expect "agent, after Install over itself" "$(who)" ours
(cd /var/lib/pcp/pmns && touch .NeedRebuild && ./Rebuild -u >/dev/null)
pmcd_ restart
expect "agent, after Rebuild -u and a restart" "$(who)" ours
pio_counts "port writes, after Rebuild -u and a restart"
run_in $OURS Remove >/dev/null
expect "agent, after Remove" "$(who)" none
run_in $STOCK Install >/dev/null
expect "agent, after the stock Install" "$(who)" stock
make -C "$TMPDIR/checkout" --no-print-directory uninstall
expect "agent, after make uninstall" "$(who)" stock
nothing_left "make uninstall"
