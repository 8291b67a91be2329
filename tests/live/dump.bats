# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests kvmbpf dump with real guests on this host.

load common

setup() {
	new_work
}

# dump ARGUMENT...: start kvmbpf dump in the background, and return when it counts.
dump() {
	"$BUILD/kvmbpf" dump -v "$@" >"$WORK/out" 2>"$WORK/err" 3>&- &
	DUMP_PID=$!
	wait_for 10 grep -q "attached in" "$WORK/err"
}

# of NAME INSTANCE: this value in the JSON
of() {
	jq ".metrics[] | select(.name == \"$1\").values[] | select(.instance == \"$2\").value" "$WORK/out"
}

@test "kvmbpf links no PCP library" {
	run readelf -d "$BUILD/kvmbpf"
	[ "$status" = 0 ]
	[[ $output == *NEEDED*libbpf* && $output != *pcp* ]]
}

@test "--json counts a guest exactly on each CPU, until interrupted" {
	need_kvm
	need_two_cpus
	dump --json
	perf_counts kvm:kvm_pio,kvm:kvm_mmio,kvm:kvm_cpuid \
		"$BUILD/tests/guest" --pio $PIO --mmio $MMIO --cpuid $CPUID --vcpus 2 --cpus 0,1
	kill -INT "$DUMP_PID"
	wait "$DUMP_PID"
	for cpu in 0 1; do
		[ "$(of kvm.trace.kvm_pio cpu$cpu)" = $PIO ]
		[ "$(of kvm.trace.kvm_mmio cpu$cpu)" = $((2 * MMIO)) ]
		[ "$(of kvm.trace.kvm_cpuid cpu$cpu)" = $CPUID ]
		[ "$(perf_count kvm_pio $cpu)" = $PIO ]
	done
	# the documented schema, with integers only
	jq -e '.schema == 1 and (keys == ["metrics", "schema"])' "$WORK/out"
	jq -e '[.metrics[] | keys == ["name", "semantics", "units", "values"]] | all' "$WORK/out"
	jq -e '[.metrics[].values[] | keys == ["instance", "labels", "value"]] | all' "$WORK/out"
	jq -e '[.metrics[].values[].value | type == "number" and . == floor] | all' "$WORK/out"
	jq -e '[.metrics[].name | startswith("kvm.")] | all' "$WORK/out"
	jq -e '.metrics[] | select(.name == "kvm.trace.kvm_pio")
		| .semantics == "counter" and .units == "count" and .values[1].labels == {"cpu": 1}' "$WORK/out"
}

@test "the table shows the same values, without those of 0" {
	need_kvm
	dump -d 2 -e kvm_pio -e 'kvm_cpuid'
	"$BUILD/tests/guest" --pio $PIO --cpus 0
	wait "$DUMP_PID"
	cat "$WORK/out"
	[[ $(grep -c '^METRIC ' "$WORK/out") = 1 ]]
	[[ $(grep '^METRIC ' "$WORK/out") =~ ^METRIC\ +INSTANCE\ +VALUE\ UNITS$ ]]
	[[ $(grep '^kvm.trace' "$WORK/out") =~ ^kvm.trace.kvm_pio\ +cpu0\ +$PIO\ count$ ]]
	grep -q 'values not shown.*--all' "$WORK/err"
}

@test "-d sets the duration" {
	need_root
	run timeout 5 "$BUILD/kvmbpf" dump -d 0.2
	[ "$status" = 0 ]
}

@test "--load shows what --save wrote, as any user" {
	need_kvm
	dump --json --save "$WORK/saved"
	"$BUILD/tests/guest" --pio $PIO
	kill -INT "$DUMP_PID"
	wait "$DUMP_PID"
	chmod 644 "$WORK/saved"
	run setpriv --reuid nobody --clear-groups "$BUILD/kvmbpf" dump --load "$WORK/saved" --json
	[ "$status" = 0 ]
	[ "$output" = "$(cat "$WORK/out")" ]
	run "$BUILD/kvmbpf" dump --load "$WORK/saved"
	[[ $output == *kvm.trace.kvm_pio* ]]
	echo 'row	what' >>"$WORK/saved"
	run "$BUILD/kvmbpf" dump --load "$WORK/saved"
	[ "$status" = 1 ]
	[ "$output" = "kvmbpf: $WORK/saved:$(wc -l <"$WORK/saved"): invalid line: the file is damaged, or of a later version" ]
	run "$BUILD/kvmbpf" dump --load "$WORK/none"
	[ "$status" = 1 ]
	[ "$output" = "kvmbpf: $WORK/none: No such file or directory" ]
}

@test "exits are shown by reason, VM and vCPU, before the other counters" {
	dump_loaded() {
		"$BUILD/kvmbpf" dump --load "$TOP/tests/data/exits.snapshot" "$@" 2>"$WORK/err"
	}
	dump_loaded | diff "$TOP/tests/data/exits.txt" -
	dump_loaded --no-halt | diff "$TOP/tests/data/exits-no-halt.txt" -
	grep -qx 'kvmbpf: 1 values not shown .*' "$WORK/err"
	# --all: the same tables of exits, then all counters
	dump_loaded --all >"$WORK/all"
	diff <(sed '/^METRIC/,$d' "$TOP/tests/data/exits.txt") <(sed '/^METRIC/,$d' "$WORK/all")
	grep -q '^kvm.trace.kvm_hypercall *cpu0 *0 count$' "$WORK/all"
	[ ! -s "$WORK/err" ]
	run "$BUILD/kvmbpf" dump --load "$TOP/tests/data/exits.snapshot" --json
	jq -e '.metrics | length > 0' <<<"$output"
}

@test "names in UTF-8 are printed as they are, whatever the locale" {
	name=büro-€-虎-1
	printf '%s\n' 'pmdakvm-snapshot	2' 'table	vm' 'column	name' 'column	vcpus' \
		"row	1	$name		-	'$name	2" >"$WORK/saved"
	for locale in C POSIX en_US.UTF-8 nonsense; do
		run env LC_ALL=$locale "$BUILD/kvmbpf" dump --load "$WORK/saved" --all
		[ "$status" = 0 ]
		[[ $output == *" $name "* ]]
	done
	[[ $output != *'\x'* ]]
}

@test "--metric prints all values of the matching metrics, and nothing else" {
	snapshot=$TOP/tests/data/exits.snapshot
	run "$BUILD/kvmbpf" dump --load "$snapshot" -m kvm.trace.kvm_hypercall --metric 'kvm.*.kvm_en*'
	[ "$status" = 0 ]
	diff - <(echo "$output") <<-END
		METRIC                  INSTANCE VALUE UNITS
		kvm.trace.kvm_entry     cpu0      7193 count
		kvm.trace.kvm_entry     cpu1      5399 count
		kvm.trace.kvm_hypercall cpu0         0 count
		kvm.trace.kvm_hypercall cpu1        13 count
	END
	run "$BUILD/kvmbpf" dump --load "$snapshot" --json -m 'kvm.trace.kvm_h*'
	[ "$status" = 0 ]
	jq -e '[.metrics[] | .name, .values[].value] == ["kvm.trace.kvm_hypercall", 0, 13]' <<<"$output"
	run "$BUILD/kvmbpf" dump --load "$snapshot" -m kvm.trace -m kvm.trace.kvm_entry
	[ "$status" = 1 ]
	[[ $output == *'kvm.trace.kvm_entry cpu1      5399 count'* ]]
	[[ $output == *'kvmbpf: no metric matches "kvm.trace"'* ]]
}

@test "bad options are reported, with exit status 2" {
	bad() {
		local words=$1
		shift
		run "$BUILD/kvmbpf" "$@"
		[ "$status" = 2 ] && [[ $output == *"$words"* ]] || { echo "$* gave $status: $output"; return 1; }
	}
	bad "Usage: kvmbpf"
	bad 'unknown command "dmup"' dmup
	bad '-d: invalid number of seconds "x"' dump -d x
	bad '-d: invalid number of seconds "-1"' dump -d -1
	bad '-d: invalid number of seconds "nan"' dump -d nan
	bad '-d: invalid number of seconds ""' dump -d ''
	bad '-e: invalid event name or pattern "kvm exit"' dump -e 'kvm exit'
	bad '-e: invalid event name or pattern ""' dump -e ''
	bad "-c and -e exclude each other" dump -e kvm_exit -c /dev/null
	bad 'unexpected argument "more"' dump more
	bad 'tables of exits, which --json does not print' dump --no-halt --json
	bad 'tables of exits, which --metric does not print' dump --no-halt -m 'kvm.*'
	bad 'requires an argument' dump --metric
	bad 'nonsense' dump --nonsense
}

@test "a full disk is reported, with exit status 1" {
	need_root
	run sh -c "$BUILD/kvmbpf dump -d 0 --all >/dev/full"
	[ "$status" = 1 ]
	[[ $output == *"cannot write the output: No space left on device"* ]]
	run sh -c "$BUILD/kvmbpf dump -d 0 --json >/dev/full"
	[ "$status" = 1 ]
	run "$BUILD/kvmbpf" dump -d 0 --save /nowhere/file
	[ "$status" = 1 ]
	[[ $output == *"/nowhere/file: No such file or directory"* ]]
}

@test "--help and --version" {
	run "$BUILD/kvmbpf" --help
	[ "$status" = 0 ]
	[[ $output == *"dump "* ]]
	run "$BUILD/kvmbpf" dump --help
	[ "$status" = 0 ]
	for option in --all --config --duration --event --json --from --metric --no-halt --save --verbose --help; do
		[[ $output == *"$option"* ]]
	done
	run "$BUILD/kvmbpf" --version
	[[ $output =~ ^kvmbpf\ [0-9]+\.[0-9]+\.[0-9]+$ ]]
}
