# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Live tests with guests, in an emulated machine that has this one's root folder, and KVM with kvm_exit. This
# one may have no KVM, or one where kvm_exit never fires.

load ../live/common
load boot

# live FILE: its tests, of which none is skipped that could run there
live() {
	[ "$(uname -m)" = x86_64 ] || skip "the emulated machine runs x86's programs"
	[ -z "${SAN:-}" ] || skip "an emulated machine is too slow for a sanitizer's build: run without SAN=1"
	new_work
	cat >"$WORK/script" <<-END
		export TOP='$TOP' BUILD='$BUILD' PATH='${PATH//$BATS_LIBEXEC:/}' HOME='$HOME' TMPDIR=/run/tests EMULATED=yes
		mkdir -m 755 /run/tests
		umount /sys/fs/bpf # as tests/run.sh does
		cd '$TOP' && bats --tap 'tests/live/$1.bats'
	END
	boot 6.12-host "$WORK/script" --host-root --memory 4096 --timeout 900
	cat "$WORK/out"
	# a test may be of hosts where kvm_exit never fires, or of how long things take
	[ -z "$(grep '^ok.*# skip' "$WORK/out" | grep -vE '# skip (kvm_exit fires on this host|the time of an emulated machine)')" ]
	grep '^ok' "$WORK/out" | grep -qv '# skip'
}

@test "live tests with guests: exit" {
	live exit
}

@test "live tests with guests: cause" {
	live cause
}

@test "live tests with guests: readers" {
	live readers
}

@test "live tests with guests: slow" {
	live slow
}

# bats test_tags=long
@test "live tests with guests: stat" {
	live stat
}

# bats test_tags=long
@test "live tests with guests: stat-totals" {
	live stat-totals
}

# bats test_tags=long
@test "live tests with guests: ledger" {
	live ledger
}

# bats test_tags=long
@test "live tests with guests: restart" {
	live restart
}

# bats test_tags=long
@test "live tests with guests: guest" {
	live guest
}

# bats test_tags=long
@test "live tests with guests: agent" {
	live agent
}

# bats test_tags=long
@test "live tests with guests: dump" {
	live dump
}

# bats test_tags=long
@test "live tests with guests: bad-input" {
	live bad-input
}

# bats test_tags=long
@test "live tests with guests: commands" {
	live commands
}

# bats test_tags=long
@test "live tests with guests: vmm" {
	live vmm
}
