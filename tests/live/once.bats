# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# What the daemon's program does once and then ends: --tryload and --unpin.

load common

setup() {
	need_root
	new_work
	mkdir "$WORK/bpf"
	mount -t bpf bpf "$WORK/bpf" || skip "no BPF file system can be mounted"
	PINS=$WORK/bpf/pins
	conf '[bpf]' "pin = $PINS" '[trace]' kvm_exit kvm_entry
}

teardown() {
	if mountpoint -q "$WORK/bpf"; then
		umount -l "$WORK/bpf"
	fi
}

# once [PREFIX-COMMAND...] -- OPTION: run it; standard error comes last, after "stderr:"
once() {
	local prefix=()
	while [ "$1" != -- ]; do
		prefix+=("$1")
		shift
	done
	shift
	run sh -c '"$@" 2>"$0"; status=$?; echo stderr:; cat "$0"; exit $status' "$WORK/stderr" \
		timeout 30 "${prefix[@]}" "$BUILD/pmdakvm" -c "$WORK/kvm.conf" "$@"
	echo "$output"
}

# An agent pins its maps and ends.
pin() {
	ask 'fetch 95.2.0'
	wait_for 10 flock -n "$PINS" true
}

families() {
	basename -a "$TOP/src/families"/*/
}

@test "--tryload says of each family whether it counts, pins nothing, and ends" {
	need_kvm
	once -- --tryload
	[ "$status" = 0 ]
	[ "$(sed -nE 's/^([a-z_]+): (counts \(attached in [0-9.]+ ms\)|does not count: .).*/\1/p' <<<"$output" | sort)" = \
		"$(families | sort)" ]
	counting=$(grep -c ': counts' <<<"$output")
	[ "$counting" -gt 0 ]
	[[ $output == *"$counting of $(families | wc -l) families count"* ]]
	[ ! -e "$PINS" ]
	# as many as a daemon attaches
	ask 'fetch 95.2.1'
	[ "$(grep -cE ' value 1( |$)' <<<"$output")" = "$counting" ]
}

@test "--tryload where nothing can be loaded says why, and its status is 1" {
	once "$BUILD/tests/deny_bpf" 1 -- --tryload
	[ "$status" = 1 ]
	[ "$(grep -c ': does not count: .*not permitted' <<<"$output")" = "$(families | wc -l)" ]
	[[ $output == *"0 of $(families | wc -l) families count"* ]]
}

@test "--tryload beside an agent, which it does not disturb; --unpin, which waits for none" {
	need_kvm
	pin
	pinned=$(ls "$PINS")
	[ -n "$pinned" ]
	once flock -o "$PINS" -- --tryload
	[ "$status" = 0 ]
	[[ $output != *"in use"* ]]
	once flock -o "$PINS" -- --unpin
	[ "$status" = 1 ]
	[[ $output == *"stderr:"*"$PINS: in use by another agent: nothing removed"* ]]
	[ "$(ls "$PINS")" = "$pinned" ]
	once -- --unpin
	[ "$status" = 0 ]
	[[ $output == *"$PINS: removed $(wc -l <<<"$pinned") pinned maps"* ]]
	[ ! -e "$PINS" ]
	once -- --unpin
	[ "$status" = 0 ]
	[[ $output == *"no pinned maps ([bpf] pin = $PINS)"* ]]
}

@test "--unpin keeps what is no map of ours, and says so" {
	need bpftool
	need_kvm
	pin
	bpftool map create "$PINS/exit_others" type array key 4 value 8 entries 1 name others
	once -- --unpin
	[ "$status" = 0 ]
	[ "$(ls "$PINS")" = exit_others ]
	[[ $output == *"$PINS/exit_others: not a map of this version; not removed"* ]]
	conf '[bpf]' "pin = $WORK/mine"
	mkdir -m 700 "$WORK/mine"
	touch "$WORK/mine/trace_rows"
	once -- --unpin
	[ "$status" = 1 ]
	[[ $output == *"$WORK/mine: not on a BPF file system: nothing removed"* ]]
	[ -e "$WORK/mine/trace_rows" ]
}
