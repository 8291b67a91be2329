# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests kvmbpf top on terminals: keys are typed in tmux, and the screen is read back. What is shown
# is recorded, so neither root nor KVM is needed.

load common

setup() {
	new_work
	A=$TOP/tests/data/top-1.snapshot B=$TOP/tests/data/top-2.snapshot
}

teardown() {
	tmux -S "$WORK/tmux" kill-server 2>/dev/null || true
}

# start COLUMNS LINES [ARGUMENT...]: kvmbpf top in a terminal of that size
start() {
	need tmux
	local size=(-x "$1" -y "$2")
	shift 2
	ln -sf "$A" "$WORK/a"
	ln -sf "$B" "$WORK/b"
	tmux -S "$WORK/tmux" -u -f /dev/null new-session -d "${size[@]}" \
		"cd $WORK; ${PREFIX:-} $BUILD/kvmbpf top --from a --from b -d 2 $*; echo status \$?; cat"
}

type() {
	tmux -S "$WORK/tmux" send-keys "$@"
}

screen() {
	tmux -S "$WORK/tmux" capture-pane -p
}

# sees TEXT: does the screen have it soon?
sees() {
	wait_for 5 has "$1" || {
		screen
		return 1
	}
}

has() {
	screen | grep -qF -- "$1"
}

lacks() {
	if has "$1"; then
		return 1
	fi
}

@test "80x24: the VMs, into one and back, and the keys" {
	start 80 24
	sees 'web1-29941        1   11.2k   -   -   -   -   -   - io          io:0xe9:w debug!'
	sees 'größe-7           4     0.0'
	[ "$(screen | wc -l)" = 24 ]
	type Down Enter
	sees 'kvmbpf top > cache1-29942  1 vCPU'
	type Escape
	sees 'cache1-29942      1   1.10k' # the second reading has rates, and sorts by them
	type Up Enter
	sees 'io:0xe9:w           debugcon       9000     9000      120    15.6    20.00'
	sees 'vmm:IO            9000    13.3       -     80.0     120'
	sees 'io             io:0x3f8:w serial           0    50.12 vmm'
	sees 'npf            -                           0      912 ready'
	type Right
	sees 'sort:avg us'
	type Tab
	sees 'sort:VMM ms/s'
	type Tab s
	sees 'sort:SLOW EXIT'
	type Escape / d b Enter
	wait_for 5 lacks web1
	sees db1-29933
	type c x
	sees 11211
	type s
	sees sort:GST
	type d 0 Enter
	sees 'the delay is to be a number of seconds from 0.1 to 3600'
	type h
	sees 'Keys of kvmbpf top'
	type q
	sees 'Enter VM'
	type q
	sees 'status 0'
}

@test "200x60 and 20x5, and from one to the other" {
	start 200 60
	sees 'io:0xe9:w debugcon'
	sees mmio:0xfebf0000:r
	tmux -S "$WORK/tmux" resize-window -x 20 -y 5
	sees 'kvmbpf top  vm  fro!'
	sees 'Enter VM  s sort  /!'
	type Enter
	sees 'kvmbpf top > web1-2!'
	tmux -S "$WORK/tmux" resize-window -x 80 -y 24
	sees 'Esc back  Tab section'
	type C-c
	sees 'status 0'
}

# What a terminal shows in bold or reversed is seen without colour, too.
@test "without colours, on a dumb terminal, and of a type that is not known" {
	PREFIX="NO_COLOR=1" start 80 24
	sees 'web1-29941'
	tmux -S "$WORK/tmux" capture-pane -p -e >"$WORK/escapes"
	grep -q $'\e\\[1m' "$WORK/escapes"
	run grep -cE $'\e\\[(3[0-7]|[0-9;]*;3[0-7])m' "$WORK/escapes"
	[ "$output" = 0 ]
	type q
	sees 'status 0'
	tmux -S "$WORK/tmux" kill-server
	for type in dumb no-such-terminal; do
		PREFIX="TERM=$type" start 80 24
		sees 'web1-29941'
		sees 'status 0'
		tmux -S "$WORK/tmux" kill-server
	done
}

@test "a pipe and -b print whole screens, without escapes" {
	"$BUILD/kvmbpf" top --from "$A" --from "$B" -d 2 >"$WORK/out"
	grep -q '^web1-29941  ' "$WORK/out"
	LC_ALL=C run grep -c $'\e' "$WORK/out"
	[ "$output" = 0 ]
	COLUMNS=120 "$BUILD/kvmbpf" top -b --from "$A" --from "$B" -d 2 --vm db1 -x >"$WORK/out"
	grep -q '^mmio:0xfebf0000:r  *-  *300  *300  *6.00' "$WORK/out"
	"$BUILD/kvmbpf" top -b --from "$A" --from "$B" -s 'top reason' -f '*1-*' >"$WORK/out"
	[ "$(awk '/^[a-z]+[0-9]-[0-9]+ / { print $1 }' "$WORK/out" | tr '\n' ' ')" = "cache1-29942 web1-29941 db1-29933 " ]
}

# bad STATUS MESSAGE ARGUMENT...
bad() {
	local wanted=$1 message=$2
	shift 2
	run "$BUILD/kvmbpf" top "$@"
	echo "$output"
	[ "$status" = "$wanted" ]
	[[ $output == *"$message"* ]]
}

@test "bad input is refused with a message" {
	bad 2 '-d: not a number of seconds' -d 0
	bad 2 '-d: not a number of seconds' -d nan
	bad 2 '-n: not a number of screens' -n -1
	bad 2 'there is no column "nothing"' -b --from "$A" -s nothing
	bad 2 'unexpected argument "web"' web
	bad 2 '-f: longer than' -f "$(printf '%064d' 0)"
	bad 2 '--from: more than 2 files' --from "$A" --from "$B" --from "$A"
	bad 1 'no VM "nobody" runs' --from "$A" --vm nobody
	bad 1 'No such file' --from "$WORK/none"
	head -c 300 "$A" >"$WORK/cut"
	bad 1 "$WORK/cut" --from "$WORK/cut"
	run bash -c "'$BUILD/kvmbpf' top -b --from '$A' >/dev/full"
	[ "$status" = 1 ]
	[[ $output == *"No space left"* ]]
}
