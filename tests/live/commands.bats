# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests kvmbpf's commands with real guests on this host: what each guest did is found again, exactly,
# by VM, in files and in every format. Other guests may run meanwhile, but for the counts of events.

load common
load stat

setup() {
	need_kvm
	new_work
	open_hold
	GUESTS=()
}

teardown() {
	[ ${#GUESTS[@]} = 0 ] || let_go "${GUESTS[@]}"
}

# guest NAME OPTION...: run a guest of that name until teardown, and return when it is done; sets VM
# to its instance and adds its PID to GUESTS.
guest() {
	local name=$1
	shift
	# the name is that of its program
	cp "$BUILD/tests/guest" "$WORK/$name"
	"$WORK/$name" "$@" --hold <&9 >"$WORK/done.$name" 3>&- &
	GUESTS+=("$!")
	VM=$name-$!
	wait_for 20 grep -q done "$WORK/done.$name"
}

# start ARGUMENT...: start kvmbpf in the background; returns when it counts, or has read what was.
start() {
	local word=counting
	[[ " $* " != *" --delta "* ]] || word="counting what is added"
	"$BUILD/kvmbpf" "$@" -v >"$WORK/out" 2>"$WORK/err" 3>&- &
	KVMBPF=$!
	wait_for 20 grep -q "$word" "$WORK/err"
}

# end: let it end, by the signal of ^C.
end() {
	kill -INT "$KVMBPF"
	wait "$KVMBPF"
}

# replay ARGUMENT...: print the saved file, without privilege.
replay() {
	setpriv --reuid nobody --clear-groups "$BUILD/kvmbpf" dump --from "$WORK/saved" "$@"
}

@test "what two guests did is saved, and found again by VM, reason and cause in every format" {
	umask 022
	start save "$WORK/saved"
	guest weiß --pio 503
	weiss=$VM
	guest other --pio 1009 --mmio 307
	other=$VM
	end
	[ ! -s "$WORK/out" ]
	exits() {
		replay --vm "$1" -m kvm.vm.userspace_exit.count --csv -o reason,value "${@:2}" | grep -E '^(IO|MMIO),' | xargs
	}
	[ "$(exits "$weiss")" = "IO,503" ]
	[ "$(exits weiß)" = "IO,503" ]
	[ "$(exits "$other")" = "IO,1009 MMIO,307" ]
	[ "$(exits "$other" --reason mmio)" = "MMIO,307" ]
	[ "$(replay -p "${GUESTS[1]}" --cause 'io:*' -m kvm.vm.cause.accesses --csv -o value | xargs)" = "value 1009" ]
	replay --openmetrics >"$WORK/open"
	grep -qE "^kvm_vm_userspace_exit_count_total\{vm=\"other\",pid=\"${GUESTS[1]}\",[^}]*reason=\"IO\"\} 1009$" "$WORK/open"
	grep -qE "^kvm_vm_userspace_exit_latency_seconds_count\{vm=\"weiß\",[^}]*reason=\"IO\"\} 503$" "$WORK/open"
	[ "$(tail -1 "$WORK/open")" = "# EOF" ]
	replay --json --vm "$other" >"$WORK/json"
	[ "$(jq '[.metrics[] | select(.name == "kvm.vm.userspace_exit.latency").values[] |
		select(.labels.reason == "MMIO").value] | add' "$WORK/json")" = 307 ]
	# the tables: how many of these were slower than nothing
	replay --vm "$other" --slower-than 0.001 | grep -qE '^other-[0-9]+ +MMIO +307 '
	replay -v -m kvm.nvms 2>&1 | grep -qF "saved on $(uname -n) (Linux $(uname -r), $(uname -m))"
	python3 -W ignore -m jsonschema -i "$WORK/json" "$TOP/docs/kvmbpf.schema.json"
	# a real one passes promtool, too
	tools=$("$TOP/tests/servers.sh" prometheus 2>/dev/null) || skip "all but promtool, which cannot be had"
	replay --prometheus | "$tools/promtool" check metrics
}

# recipe FILE: the program of jq in it
recipe() {
	sed -n "/^kvmbpf dump .*| jq/,/'\$/p" "$TOP/$1" | sed "1d; s/'\$//"
}

@test "--delta shows what is added, not what was before" {
	guest before --pio 2003
	before=$VM
	exits=$("$BUILD/kvmbpf" dump -d 0 --vm "$before" -m kvm.vm.stat.exits --csv -o value | tail -1)
	[ "$exits" -gt 0 ]
	start dump --delta 100 --json
	guest after --pio 503
	end
	value() {
		jq "[.metrics[] | select(.name == \"$1\").values[] | select(.instance | test(\"$2\")).value] | add" "$WORK/out"
	}
	[ "$(value kvm.vm.stat.exits "^$before$")" = 0 ]
	[ "$(value kvm.vm.stat.exits "^$VM$")" -gt 0 ]
	[ "$(value kvm.vm.userspace_exit.count "^$VM::IO$")" = 503 ]
	[ "$(value kvm.trace.kvm_pio .)" = 503 ]
	[ "$(value kvm.vm.vcpus "^$before$")" = 1 ]
	# the line of kvmbpf(8) and README: the VM that exits most, for what, and what it costs
	for recipe in "$(recipe man/kvmbpf.8 | sed 's/\\-/-/g; s/\\\\/\\/g')" "$(recipe README.md)"; do
		run jq -r "$recipe" "$WORK/out"
		echo "$output"
		[[ $output =~ ^$VM:\ [0-9]+\ exits,\ [0-9]+\ [A-Za-z]+,\ io:0xe9:w\ \(debugcon\):\ [0-9]+\ ns$ ]]
	done
}

@test "vms lists the VMs that run" {
	guest einer --pio 3
	first=$VM
	guest zweiter --vcpus 2
	"$BUILD/kvmbpf" vms --json >"$WORK/out"
	for vm in "$first 1" "$VM 2"; do
		jq -e --arg vm "${vm% *}" --argjson n "${vm#* }" \
			'.vms | map(select(.vm == $vm)) | length == 1 and .[0].vcpus == $n and
			.[0].pid == ($vm | sub(".*-"; "") | tonumber) and .[0].name == ($vm | sub("-[0-9]*$"; ""))' "$WORK/out"
	done
	let_go "${GUESTS[@]}"
	GUESTS=()
	"$BUILD/kvmbpf" vms >"$WORK/out"
	run grep -E "einer|zweiter" "$WORK/out"
	[ "$status" = 1 ]
}

@test "-t shows the vCPU that a thread runs, and no other" {
	need_two_cpus
	# it sleeps, so that its threads stay
	"$BUILD/tests/guest" --pio 3 --vcpus 2 --cpus 0,1 --irqchip --sleep >/dev/null 3>&- &
	GUESTS+=("$!")
	VM=guest-$!
	threads() {
		replay --vm "$VM" -m kvm.vcpu.tid --csv -o vcpu,value "$@" 2>/dev/null | tail -n +2
	}
	both() {
		"$BUILD/kvmbpf" save -d 0 "$WORK/saved" && [ "$(threads | wc -l)" = 2 ]
	}
	wait_for 20 both
	threads >"$WORK/threads"
	cat "$WORK/threads"
	[ "$(cut -d, -f1 "$WORK/threads" | xargs)" = "0 1" ]
	# each vCPU's thread has a CPU of its own, of the same number
	while IFS=, read -r vcpu tid; do
		grep -qx "Cpus_allowed_list:[[:space:]]*$vcpu" "/proc/${GUESTS[0]}/task/$tid/status"
		[ "$(threads -t "$tid")" = "$vcpu,$tid" ]
		replay -t "$tid" --json >"$WORK/json"
		jq -e --arg vcpu "$VM::vcpu$vcpu" '[.metrics[].values[].instance | . == $vcpu or startswith($vcpu + "::")] |
			all and length > 3' "$WORK/json"
	done <"$WORK/threads"
	[ "$(threads --tid "$(cut -d, -f2 "$WORK/threads" | paste -sd,)" | wc -l)" = 2 ]
	run replay -t 1
	[ "$status" = 1 ]
	[[ $output == *'no thread of a vCPU matches "1"; kvmbpf dump -m kvm.vcpu.tid lists them'* ]]
	run replay -t x
	[ "$status" = 2 ]
	[[ $output == *'-t: "x" is no list of numbers'* ]]
}

@test "events lists the kernel's own, and how often they came" {
	[ -d /sys/kernel/tracing/events/kvm ] || skip "tracefs cannot be read, and lists the events"
	"$BUILD/kvmbpf" events --csv -o event,attached >"$WORK/out"
	find /sys/kernel/tracing/events/kvm /sys/kernel/tracing/events/kvmmmu -mindepth 1 -maxdepth 1 -type d \
		-printf '%f\n' 2>/dev/null | sort >"$WORK/kernel"
	[ -s "$WORK/kernel" ]
	sed 1d "$WORK/out" | cut -d, -f1 | sort | diff "$WORK/kernel" -
	# each is attached, or says why not
	"$BUILD/kvmbpf" events --json | jq -e '[.events[] | .attached == 1 or (.status | length > 10)] | all'
	start events -d 100 --json
	guest one --pio 1009
	end
	[ "$(jq '.events[] | select(.event == "kvm_pio") | .count + .missed' "$WORK/out")" = 1009 ]
}
