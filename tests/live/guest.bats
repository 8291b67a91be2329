# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The test guest's own numbers, against the kernel's: perf counts the events of its threads alone,
# so other guests may run meanwhile.

load common

setup() {
	need_kvm
	need perf
	new_work
}

# filter KEY: sets EVENT and FILTER, which select the accesses of a key
filter() {
	local kind number direction
	IFS=: read -r kind number direction <<<"$1"
	case $kind in
	io) EVENT=kvm_pio FILTER="port == $number && rw == $([ "$direction" = r ] && echo 0 || echo 1)" ;;
	mmio) EVENT=kvm_mmio FILTER="gpa == $number && type == $([ "$direction" = r ] && echo 1 || echo 2)" ;;
	msr) EVENT=kvm_msr FILTER="ecx == $number && write == $([ "$direction" = r ] && echo 0 || echo 1)" ;;
	cpuid) EVENT=kvm_cpuid FILTER="function == $number" ;;
	*) return 1 ;;
	esac
}

# counted KEY... -- OPTION...: run the guest with these options, while perf counts the accesses of
# each key, to $WORK/perf as "KEY COUNT". What the guest prints goes to $WORK/done.
counted() {
	local keys=() events=() key
	while [ "$1" != -- ]; do
		keys+=("$1")
		filter "$1"
		events+=(-e "kvm:$EVENT" --filter "$FILTER")
		shift
	done
	perf stat -x, -o "$WORK/stat" "${events[@]}" "$@" >"$WORK/done"
	paste -d' ' <(printf '%s\n' "${keys[@]}") <(grep ',kvm:' "$WORK/stat" | cut -d, -f1) >"$WORK/perf"
	cat "$WORK/perf" "$WORK/done"
}

# said: what the guest says that it did, by key, of all vCPUs
said_by_key() {
	sed -nE 's/^access [0-9]+ [0-9]+ ([^=]+)=([0-9]+) .*/\1 \2/p' "$WORK/done" |
		awk '{ n[$1] += $2 } END { for (key in n) print key, n[key] }' | sort
}

need_x86() {
	[ "$(uname -m)" = x86_64 ] || skip "not x86: these are x86's ports and registers"
}

@test "each access of the guest is one of the kernel's, by port, direction, address, register and leaf" {
	need_x86
	keys=(io:0x70:r io:0x70:w io:0x71:w io:0x1f0:r io:0x3f8:w mmio:0xd0000000:w mmio:0xd0000000:r
		mmio:0xfed000f0:r msr:0x10:r msr:0x277:r msr:0x2ff:w cpuid:0x1 cpuid:0x40000000)
	counted "${keys[@]}" -- "$BUILD/tests/guest" --vcpus 3 --pio 101 --mmio 11 --cpuid 13 --msr 17 \
		--access io:0x70:r=1009/503/211 --access io:0x70:w=13/17 --access io:0x71:w=19,size=2 \
		--access io:0x1f0:r=23,size=2,string=256 --access io:0x3f8:w=5,string=31 \
		--access mmio:0xd0000000:w=29,size=4,value=0x12345678 --access mmio:0xd0000000:r=31/37 \
		--access mmio:0xfed000f0:r=41,size=4 --access msr:0x10:r=43 --access msr:0x277:r=47/53 \
		--access msr:0x2ff:w=59 --access cpuid:0x1=61/67 --access cpuid:0x40000000=71
	said_by_key >"$WORK/said"
	[ "$(wc -l <"$WORK/said")" = ${#keys[@]} ]
	diff "$WORK/said" <(sort "$WORK/perf")
	grep -q '^io:0x70:r 1723$' "$WORK/said"
	grep -q '^io:0x3f8:w 465$' "$WORK/said"
	# vCPUs have different numbers
	[ "$(sed -nE 's/^access 0 ([0-9]) io:0x70:r=([0-9]+) exits=([0-9]+) .*/\1 \2 \3/p' "$WORK/done" | tr '\n' ' ')" = \
		"0 1009 1009 1 503 503 2 211 211 " ]
	# what the guest does besides is as exact as ever
	grep -q '^done pio=303 mmio=33 cpuid=39 msr=51 hypercall=0 fault=0 hlt=0 spin=0 pause=0 vcpus=3 rounds=3 ' "$WORK/done"
}

@test "an access of several keys in a row does as many of each" {
	need_x86
	counted io:0x1000:r io:0x1001:r io:0x10fe:r io:0x10ff:r io:0x1100:r mmio:0xe0000000:w \
		mmio:0xe000f000:w mmio:0xe0010000:w cpuid:0x0 cpuid:0x7 cpuid:0x8 -- "$BUILD/tests/guest" \
		--access io:0x1000:r=7,span=256 --access mmio:0xe0000000:w=11,span=16 --access cpuid:0x0=13,span=8
	[ "$(cut -d' ' -f2 "$WORK/perf" | tr '\n' ' ')" = "7 7 7 7 0 11 11 0 13 13 0 " ]
	grep -q '^access 0 0 io:0x1000:r=1792 exits=1792 ' "$WORK/done"
}

@test "a string that is read into MMIO is one access of the port and one of MMIO, and four exits of 8 bytes" {
	need_x86
	counted io:0x1f1:r mmio:0xa0000:w mmio:0xa0008:w -- "$BUILD/tests/guest" \
		--access io:0x1f1:r=17,string=32,into=0xa0000
	[ "$(cut -d' ' -f2 "$WORK/perf" | tr '\n' ' ')" = "17 17 0 " ]
	grep -q '^access 0 0 io:0x1f1:r=17 exits=17 into=68 ' "$WORK/done"
}

@test "what KVM answers itself is done as often, and does not come out to user space" {
	need_x86
	counted io:0x20:r msr:0x808:w mmio:0xfec00000:w -- "$BUILD/tests/guest" --irqchip --hlt 3 \
		--access io:0x20:r=11 --access msr:0x808:w=13 --access mmio:0xfec00000:w=17,size=4
	diff <(said_by_key) <(sort "$WORK/perf")
	[ "$(grep -c '^access .* exits=0 ' "$WORK/done")" = 3 ]
	counted mmio:0xfee00080:w mmio:0xfee00030:r -- "$BUILD/tests/guest" --irqchip --xapic \
		--access mmio:0xfee00080:w=19,size=4 --access mmio:0xfee00030:r=23,size=4
	diff <(said_by_key) <(sort "$WORK/perf")
	[ "$(grep -c '^access .* exits=0 ' "$WORK/done")" = 2 ]
}

@test "a delay keeps the guest waiting at its own accesses, and tells for how long" {
	need_x86
	"$BUILD/tests/guest" --pio 11 --access io:0x70:r=7,delay-us=2000 --access io:0x71:r=13 >"$WORK/done"
	cat "$WORK/done"
	[ "$(sed -nE 's/.* io:0x70:r=7 .*delay-ns=//p' "$WORK/done")" -ge 14000000 ]
	[ "$(sed -nE 's/.* io:0x71:r=13 .*delay-ns=//p' "$WORK/done")" = 0 ]
	awk '/^done/ { sub(".*seconds=", ""); exit $0 < 0.014 }' "$WORK/done"
}

# refused STATUS MESSAGE OPTION...: the guest refuses these options, and says why
refused() {
	run "$BUILD/tests/guest" "${@:3}"
	echo "$output"
	[ "$status" = "$1" ]
	[[ $output == *"$2"* ]]
}

@test "an access that cannot be done is refused, and says why" {
	refused 2 "begins with a key" --access io:0x70=1
	refused 2 "begins with a key" --access io:0x070:r=1
	refused 2 "begins with a key" --access none=1
	refused 2 "each 1 or more" --access io:0x70:r=0
	refused 2 "each 1 or more" --access io:0x70:r=1/
	refused 2 "only span=" --access io:0x70:r=1,colour=2
	refused 2 "writes of cr" --access io:0x70:w=1,toggle=1
	refused 2 "power of two" --access io:0x70:r=1,span=3
	refused 2 "size= takes" --access io:0x70:r=1,size=8
	refused 2 "string= is for io" --access io:0x70:r=1,size=4,string=193
	refused 2 "into= is for reads" --access io:0x70:w=1,string=2,into=0xa0000
	refused 2 "same key" --access io:0x70:r=1 --access io:0x60:r=1,span=32
	need_x86
	refused 2 "with --irqchip" --xapic
	refused 77 "memory is there" --access mmio:0x10000:r=1
	refused 77 "below 4 GiB" --access mmio:0x100000000:r=1
	refused 77 "65536 ports" --access io:0xffff:r=1,span=2
	refused 77 "x86 guests do" --access hvc:1=1
}
