# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests bad input: each error adds one clear line to the log, and the agent serves the rest.

load common

setup() {
	new_work
	need_root
}

# The agent answered: "the rest" always includes its version.
serves() {
	[[ $output == *"value \"$("$BUILD/kvmbpf" --version | cut -d' ' -f2)\""* ]]
}

# every TEXT: a warning with this text for each family.
every() {
	for family in "$TOP/src/families"/*/; do
		echo "Warning: $(basename "$family"): $1"
	done
}

# said_only LINES: the log has exactly these warnings, in any order: families are opened by need.
said_only() {
	[ "$(said | sort)" = "$(sort <<<"$1")" ] || { said; return 1; }
}

# The events of this kernel.
kernel_events() {
	"$BUILD/kvmbpf" dump -d 0 --json --all |
		jq -r '.metrics[] | select(.name == "kvm.agent.event.attached").values[].instance'
}

VERSION="fetch 95.2.0"

@test "an event that does not exist" {
	conf '[trace]' kvm_pio kvm_pioo kvm_mmio
	ask "$VERSION" 'children kvm.trace' 'fetch 95.1.0' 'fetch 95.2.6' 'fetch 95.1.3'
	serves
	said_only "Warning: $WORK/kvm.conf:3: there is no event \"kvm_pioo\" in this kernel's kvm group"
	[[ $output == *"leaf kvm_mmio"* && $output != *"leaf kvm_pioo"* ]]
	[[ $output == *'"no such event in this kernel"'* ]]
	[[ $output == *"inst [0 or ???] value 0"* ]]
}

@test "a tracepoint that is not KVM's" {
	conf '[trace]' kvm_pio sched_switch
	ask "$VERSION"
	serves
	said_only "Warning: $WORK/kvm.conf:3: there is no event \"sched_switch\" in this kernel's kvm group"
}

@test "an event named twice" {
	conf '[trace]' kvm_pio kvm_mmio kvm_pio
	ask "$VERSION" 'fetch 95.1.0'
	serves
	said_only "Warning: $WORK/kvm.conf:4: duplicate event \"kvm_pio\"; ignored"
	[[ $output == *"value 2"* ]]
}

@test "an event that several lines match counts once" {
	conf '[trace]' kvm_pio 'kvm_pi*' 'kvm_p[i]o'
	ask "$VERSION" 'fetch 95.1.0'
	serves
	[ -z "$(said)" ]
	[[ $output == *"value $(kernel_events | grep -c '^kvm_pi')"* ]]
}

@test "a pattern that matches nothing" {
	conf '[trace]' kvm_pio 'kvm_none*'
	ask "$VERSION" 'fetch 95.1.0'
	serves
	[[ $(said) == "Warning: $WORK/kvm.conf:3: pattern \"kvm_none*\" matches none of this kernel's "*" events" ]]
	[[ $output == *"value 1"* ]]
}

@test "200 events, of which about 110 exist" {
	kernel_events >"$WORK/events"
	exist=$(wc -l <"$WORK/events")
	[ "$exist" -gt 20 ]
	{
		echo '[trace]'
		cat "$WORK/events"
		seq -f kvm_made_up_%g $((200 - exist))
	} >"$WORK/kvm.conf"
	ask "$VERSION" 'fetch 95.1.0' 'fetch 95.2.5'
	serves
	[[ $output == *"value 200"* ]]
	[ "$(grep -c 'inst.*value 1 ' <<<"$output")" = "$exist" ]
	[ "$(said | grep -c "there is no event \"kvm_made_up_")" = $((200 - exist)) ]
	[ "$(said | wc -l)" = $((200 - exist)) ]
}

@test "the number of log lines a minute is limited" {
	{
		echo '[trace]'
		seq -f kvm_made_up_%g 700
		echo kvm_pio
	} >"$WORK/kvm.conf"
	ask "$VERSION" 'fetch 95.1.0'
	serves
	[[ $output == *"value 701"* ]]
	[ "$(grep -cE 'pmdakvm\([0-9]+\) ' "$WORK/kvm.log")" -le $((512 + $(every attached | wc -l))) ]
	[ "$(said | wc -l)" -ge 500 ]
}

@test "an empty [trace]" {
	conf '[trace]' '# nothing here'
	ask "$VERSION" 'fetch 95.1.0' 'children kvm.trace'
	serves
	said_only "Warning: $WORK/kvm.conf: [trace] lists no events; tracing none"
	[[ $output == *"value 0"* && $output == *"leaf count"* ]]
}

@test "an empty file" {
	: >"$WORK/kvm.conf"
	ask "$VERSION"
	serves
	said_only "Warning: $WORK/kvm.conf: [trace] lists no events; tracing none"
}

@test "no kvm.conf: the stock agent's five events" {
	ask "$VERSION" 'children kvm.trace'
	serves
	said_only "Warning: $WORK/kvm.conf: cannot read: No such file or directory; tracing 5 default events"
	[ "$(sed -n 's/.* leaf \(kvm_.*\)/\1/p' <<<"$output" | tr -d ' ' | sort | tr '\n' ' ')" = \
		"kvm_entry kvm_exit kvm_hypercall kvm_mmio kvm_vcpu_wakeup " ]
}

@test "a kvm.conf that cannot be read" {
	mkdir "$WORK/kvm.conf"
	ask "$VERSION"
	serves
	said_only "Warning: $WORK/kvm.conf: cannot read: Is a directory; tracing 5 default events"
	rmdir "$WORK/kvm.conf"
	chown -R nobody "$WORK" # with what the first agent, which was root, has made
	conf '[trace]' kvm_pio
	chmod 600 "$WORK/kvm.conf"
	ask setpriv --reuid nobody --clear-groups -- "$VERSION"
	serves
	said_only "Warning: $WORK/kvm.conf: cannot read: Permission denied; tracing 5 default events
$(every "bpf() failed (Operation not permitted): CAP_BPF and CAP_PERFMON are missing; run as root or grant the capabilities")"
}

@test "a line of 5,000 bytes" {
	conf '[trace]' "$(printf 'k%.0s' $(seq 5000))" kvm_pio
	ask "$VERSION" 'fetch 95.1.0'
	serves
	said_only "Warning: $WORK/kvm.conf:2: the line has 5000 bytes, the limit is 4095; ignored"
	[[ $output == *"value 1"* ]]
}

@test "NUL bytes" {
	printf '[trace]\nkvm_\0pio\nkvm_mmio\n' >"$WORK/kvm.conf"
	ask "$VERSION" 'fetch 95.1.0'
	serves
	said_only "Warning: $WORK/kvm.conf:2: the line contains NUL bytes; ignored"
	[[ $output == *"value 1"* ]]
}

@test "an unknown section, an unknown option" {
	conf '[paths]' 'bugfs = /x' '[what]' 'x = y' z '[trace]' kvm_pio
	ask "$VERSION" 'fetch 95.1.0'
	serves
	[ "$(said)" = "Warning: $WORK/kvm.conf:2: unknown option \"bugfs\" in [paths] (known: debugfs, tracefs, lockdown)
Warning: $WORK/kvm.conf:3: unknown section [what]; the lines below it are ignored (known: paths, bpf, trace)" ]
	[[ $output == *"value 1"* ]]
}

@test "no BTF: named events count, patterns match tracefs' events or are reported" {
	need_kvm
	conf '[trace]' kvm_pio 'kvm_m*'
	hide() { unshare -m sh -c "mount -t tmpfs none /sys/kernel/btf; $1"; }
	run hide "$BUILD/kvmbpf dump -d 0 -c $WORK/kvm.conf --all"
	[[ $output == *kvm.trace.kvm_mmio* && $output == *kvm.trace.kvm_pio* ]]
	run hide "umount /sys/kernel/tracing; $BUILD/kvmbpf dump -d 0 -c $WORK/kvm.conf --all"
	[[ $output == *kvm.trace.kvm_pio* && $output != *kvm.trace.kvm_mmio* ]]
	[[ $output == *"$WORK/kvm.conf:3: pattern \"kvm_m*\" matches nothing: no kvm event is listed in "* ]]
	[[ $output == *"kvm.agent.event.attached"*"kvm_pio"*" 1"* ]]
}

FILTER="a seccomp filter of this process refuses it; let the container's or the service's filter allow bpf()"

@test "no bpf()" {
	conf '[trace]' kvm_pio
	ask "$BUILD/tests/deny_bpf" 38 -- "$VERSION" 'fetch 95.1.3' 'fetch 95.2.1' 'fetch 95.2.7'
	serves
	said_only "$(every "bpf() failed (Function not implemented): $FILTER")"
	[[ $output != *"inst [0 or ???] value 1"* ]]
	ask "$BUILD/tests/deny_bpf" 1 -- "$VERSION"
	serves
	said_only "$(every "bpf() failed (Operation not permitted): $FILTER")"
	run "$BUILD/tests/deny_bpf" 38 "$BUILD/kvmbpf" dump -d 0
	[ "$status" = 3 ]
	# families of which the same is wrong share a line
	grep -E '^kvmbpf: ([a-z_]+, )*trace(, [a-z_]+)*: ' <<<"$output" |
		grep -qF ": bpf() failed (Function not implemented): $FILTER"
	run "$BUILD/tests/deny_bpf" 38 "$BUILD/kvmbpf" dump -d 0 -e kvm_pio
	[ "$status" = 3 ]
	[[ $output == "kvmbpf: trace: bpf() failed (Function not implemented): $FILTER"* ]]
}

# it refuses to load programs, and answers all else, as a security module may
@test "a bpf() that loads no program, though no capability is missing" {
	run "$BUILD/tests/deny_bpf" 1:5 "$BUILD/kvmbpf" dump -d 0 -e kvm_pio
	[ "$status" = 3 ]
	[[ $output == "kvmbpf: trace: bpf() failed (Operation not permitted) although no capability is missing; "* ]]
	[[ $output == *" can have refused it: see the audit log"* ||
		$output == *"check container and security module policy"* ]]
	[[ $output != *seccomp* ]]
}

@test "an event that cannot be read has no value, not 0" {
	conf '[trace]' kvm_pio
	ask "$BUILD/tests/deny_bpf" 38 -- 'children kvm.trace' 'desc 95.1.141' "fetch 95.1.$(
		sed -nE 's/^TRACE_ITEM\(([0-9]+),\s*kvm_pio,.*/\1/p' "$TOP/src/metrics/tracepoint_items.def"
	)"
	[[ $output == *"leaf kvm_pio"* ]]
	[[ $output == *"No values returned!"* ]]
}

@test "a user who is not root" {
	conf '[trace]' kvm_pio
	mkdir -p "$WORK/var" "$WORK/tmp"
	chown -R nobody "$WORK"
	ask setpriv --reuid nobody --clear-groups -- "$VERSION"
	serves
	said_only "$(every "bpf() failed (Operation not permitted): CAP_BPF and CAP_PERFMON are missing; run as root or grant the capabilities")"
	run setpriv --reuid nobody --clear-groups "$BUILD/kvmbpf" dump -d 0
	[ "$status" = 3 ]
	[[ $output == *"CAP_BPF and CAP_PERFMON are missing; run as root or grant the capabilities"* ]]
	run setpriv --reuid nobody --clear-groups --inh-caps +bpf --ambient-caps +bpf \
		"$BUILD/kvmbpf" dump -d 0
	[ "$status" = 3 ]
	[[ $output == *"CAP_PERFMON is missing; run as root or grant the capabilities"* ]]
}

@test "two capabilities are enough" {
	need_kvm
	run setpriv --reuid nobody --clear-groups --inh-caps +bpf,+perfmon --ambient-caps +bpf,+perfmon \
		"$BUILD/kvmbpf" dump -d 0 -e kvm_pio --all
	[ "$status" = 0 ]
	[[ $output == *"kvm.trace.kvm_pio"* ]]
	run setpriv --reuid nobody --clear-groups --inh-caps +bpf,+perfmon --ambient-caps +bpf,+perfmon \
		"$BUILD/kvmbpf" dump -d 0 --all
	[ "$status" = 0 ]
	for family in $(every '' | sed -E 's/Warning: (.*): /\1/'); do
		grep -qE "^kvm.agent.family.attached +$family +1 *$" <<<"$output"
	done
}

@test "bad lines in the file of item numbers are reported and skipped" {
	mkdir -p "$WORK/var/pmdakvm"
	printf 'trace 769 kvm_other\nnonsense\ntrace 5 kvm_low\n' >"$WORK/var/pmdakvm/items"
	conf '[trace]' kvm_pio
	ask "$VERSION"
	serves
	[ "$(said)" = "Warning: $WORK/var/pmdakvm/items:2: expected \"trace NUMBER NAME\" or \"stat NUMBER NAME\"; line ignored
Warning: $WORK/var/pmdakvm/items:3: expected \"trace NUMBER NAME\" or \"stat NUMBER NAME\"; line ignored" ]
}
