# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# What causes the exits of a real VM: QEMU boots SeaBIOS and a boot sector (see qemu-boot.sh), and ours are held against perf's records of
# the same events, and against the file behind its serial port.

load common

setup() {
	need_kvm
	need perf
	need qemu-system-x86_64
	[ "$(uname -m)" = x86_64 ] || skip "not x86: this boots x86's SeaBIOS"
	new_work
}

teardown() {
	exec 9>&-
	jobs -p | xargs -r kill 2>/dev/null || true
	wait
}

# boot_counted: kvmbpf dump counts while QEMU boots, until the VM is paused, and writes
# $WORK/json; then QEMU ends, and $WORK/stream has what perf recorded (see qemu-boot.sh).
boot_counted() {
	"$BUILD/kvmbpf" dump -v --json >"$WORK/json" 2>"$WORK/err" 3>&- &
	local dump=$!
	wait_for 10 grep -q "attached in" "$WORK/err"
	mkfifo "$WORK/hold"
	"$TOP/tests/qemu-boot.sh" "$WORK" <"$WORK/hold" >"$WORK/boot" 2>&1 3>&- &
	local boot=$!
	exec 9>"$WORK/hold"
	wait_for 90 boot_is_over "$boot" || { cat "$WORK/boot" && return 1; }
	[ -e "$WORK/paused" ] || { cat "$WORK/boot" && return 1; }
	VM=boot-$(cat "$WORK/pid")
	kill -INT "$dump"
	wait "$dump"
	exec 9>&-
	wait "$boot" || { cat "$WORK/boot" && return 1; }
}

boot_is_over() {
	[ -e "$WORK/paused" ] || ! kill -0 "$1" 2>/dev/null
}

# accesses: ours of this VM as lines "KEY COUNT", to $WORK/ours; those of keys that perf recorded in
# the same way, to $WORK/theirs
accesses() {
	jq -r --arg vm "$VM::" '.metrics[] | select(.name == "kvm.vm.cause.accesses").values[] |
		select(.instance | startswith($vm)) | "\(.instance | ltrimstr($vm)) \(.value)"' "$WORK/json" |
		LC_ALL=C sort >"$WORK/ours"
	cut -d' ' -f1 "$WORK/stream" | LC_ALL=C sort | uniq -c | awk '{ print $2, $1 }' >"$WORK/theirs"
}

# ours KEY: our count, 0 if there is none
ours() {
	awk -v key="$1" '$1 == key { n = $2 } END { print n + 0 }' "$WORK/ours"
}

@test "a booting QEMU: its accesses by port, address, register and leaf are the kernel's" {
	boot_counted
	accesses
	[ "$(awk '{ n += $2 } END { print n }' "$WORK/theirs")" -gt 10000 ]
	# all together are exact
	[ "$(awk '$1 ~ /^(io|mmio|msr|cpuid):|^other$/ { n += $2 } END { print n + 0 }' "$WORK/ours")" = \
		"$(awk '{ n += $2 } END { print n }' "$WORK/theirs")" ]
	# no key has more than there were, and "other" has all that a key lacks; none is made up
	awk -v other="$(ours other)" '
		NR == FNR { ours[$1] = $2; next }
		{
			known[$1] = 1
			if (ours[$1] > $2 || ours[$1] + other < $2) {
				print $1 ": " ours[$1] + 0 " of ours, " other " in other, " $2 " of the kernel"
				bad = 1
			}
		}
		END {
			for (key in ours)
				if (key ~ /:/ && key !~ /^apic:/ && !known[key]) {
					print key ": not one of the kernel"
					bad = 1
				}
			exit bad
		}' "$WORK/ours" "$WORK/theirs"
	# of what is heavy nearly all has stayed in the table
	sort -k2,2nr "$WORK/theirs" | head -n 10 | while read -r key count; do
		echo "$key: $count, ours $(ours "$key")"
		[ "$(ours "$key")" -ge $((count * 9 / 10)) ]
	done
}

@test "a booting QEMU: writes to the serial port are the bytes of its file, and those of the divisor" {
	boot_counted
	accesses
	# bit 7 of the line control register puts the divisor where the data was
	divisor=$(gawk '$1 == "io:0x3fb:w" { dlab = strtonum($2) >= 128 }
		$1 == "io:0x3f8:w" && dlab { n++ } END { print n + 0 }' "$WORK/stream")
	bytes=$(stat -c %s "$WORK/serial")
	echo "$bytes bytes, $divisor writes of the divisor, ours $(ours io:0x3f8:w)"
	[ "$bytes" -ge 1009 ]
	[ "$divisor" -ge 1 ]
	[ "$(ours io:0x3f8:w)" = $((bytes + divisor)) ]
}
