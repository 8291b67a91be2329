# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests what kvmbpf prints of tests/data/vms.snapshot, a made-up host with four VMs of which two share
# a process and one has a name in UTF-8: without privilege, on any host.

load common
load prometheus

SNAPSHOT=$TOP/tests/data/vms.snapshot

setup() {
	new_work
	export TZ=UTC
}

# any_user COMMAND...: run it as a user without privilege, if we are root.
any_user() {
	if [ "$(id -u)" = 0 ]; then
		setpriv --reuid nobody --clear-groups --bounding-set -all "$@"
	else
		"$@"
	fi
}

# kvmbpf ARGUMENT...: the command, as any user.
kvmbpf() {
	any_user "$BUILD/kvmbpf" "$@"
}

# same NAME: standard input equals the file tests/data/formats/NAME. After an intended change,
# GOLDEN=write make check TESTS=formats rewrites the files.
same() {
	local file=$TOP/tests/data/formats/$1
	if [ "${GOLDEN:-}" = write ]; then
		cat >"$file"
	else
		diff "$file" -
	fi
}

# bad STATUS WORDS ARGUMENT...: it fails with this status, and says these words on stderr only.
bad() {
	local status_wanted=$1 words=$2 status=0
	shift 2
	kvmbpf "$@" >"$WORK/bad.out" 2>"$WORK/bad.err" || status=$?
	[ "$status" = "$status_wanted" ] && grep -qF -- "$words" "$WORK/bad.err" && [ ! -s "$WORK/bad.out" ] ||
		{ echo "$* gave $status: $(cat "$WORK/bad.err")"; return 1; }
}

@test "tables, CSV, JSON and what Prometheus reads are as they were" {
	kvmbpf dump --from "$SNAPSHOT" 2>/dev/null | same dump.txt
	kvmbpf dump --from "$SNAPSHOT" --json | same dump.json
	kvmbpf dump --from "$SNAPSHOT" --csv | same dump.csv
	kvmbpf dump --from "$SNAPSHOT" --openmetrics | same dump.openmetrics
	kvmbpf dump --from "$SNAPSHOT" --prometheus | same dump.prom
	kvmbpf vms --from "$SNAPSHOT" | same vms.txt
	kvmbpf vms --from "$SNAPSHOT" --json | same vms.json
	kvmbpf events --from "$SNAPSHOT" | same events.txt
	kvmbpf dump --from "$SNAPSHOT" --slow | same slow.txt
	kvmbpf dump --from "$SNAPSHOT" --slow --json | same slow.json
	kvmbpf events --from "$SNAPSHOT" --json | same events.json
}

@test "JSON follows the documented schema" {
	python3 -c 'import jsonschema' 2>/dev/null || skip "python3-jsonschema is not installed: make deps installs it"
	validate() {
		python3 -W ignore -m jsonschema -i "$1" "$TOP/docs/kvmbpf.schema.json"
	}
	for list in dump vms events; do
		validate "$TOP/tests/data/formats/$list.json"
		kvmbpf "$list" --from "$SNAPSHOT" --json >"$WORK/$list.json"
		validate "$WORK/$list.json"
	done
	validate "$TOP/tests/data/formats/slow.json"
	# the schema refuses what it should
	sed 's/"value": 10007/"value": -1/' "$WORK/dump.json" >"$WORK/wrong.json"
	run validate "$WORK/wrong.json"
	[ "$status" != 0 ]
}

@test "CSV can be read back, whatever the names are" {
	kvmbpf events --from "$SNAPSHOT" --csv >"$WORK/events.csv"
	kvmbpf dump --from "$SNAPSHOT" --csv -o metric,vm,pid,reason,value >"$WORK/dump.csv"
	python3 - "$WORK" <<-'END'
		import csv, sys
		events = list(csv.DictReader(open(sys.argv[1] + "/events.csv", encoding="utf-8")))
		assert [e["event"] for e in events] == ["kvm_entry", "kvm_exit", "kvm_pio", "kvm_none"]
		assert events[3]["status"] == 'no such event, "kvm_none", in this kernel'
		assert events[3]["count"] == "" and events[1]["count"] == "12597" and events[1]["missed"] == "3"
		rows = list(csv.DictReader(open(sys.argv[1] + "/dump.csv", encoding="utf-8")))
		found = [r for r in rows if r["metric"] == "kvm.vm.exit.count" and r["vm"] == "büro €" and r["reason"] == "io"]
		assert [(r["pid"], r["value"]) for r in found] == [("4720", "507")]
	END
}

@test "promtool has no complaint about any metric, event or statistic" {
	need_prometheus
	"$TOOLS/promtool" check metrics <"$TOP/tests/data/formats/dump.prom"
	every_metric >"$WORK/every"
	# every metric of the table that is a number is in it
	kvmbpf dump --from "$WORK/every" --prometheus >"$WORK/every.prom"
	[ "$(grep -c '^# TYPE' "$WORK/every.prom")" -gt 1000 ]
	"$TOOLS/promtool" check metrics <"$WORK/every.prom"
	# it does complain: of two metrics of one name, and of a name that is another type's
	run "$TOOLS/promtool" check metrics <<<$'# HELP a_count b\n# TYPE a_count gauge\na_count 1'
	[ "$status" != 0 ]
}

@test "Prometheus scrapes it as application/openmetrics-text" {
	need_prometheus
	need python3
	cat >"$WORK/server.py" <<-'END'
		import http.server, sys
		class Handler(http.server.BaseHTTPRequestHandler):
		    def do_GET(self):
		        text = open(sys.argv[1], "rb").read()
		        self.send_response(200)
		        self.send_header("Content-Type", "application/openmetrics-text; version=1.0.0; charset=utf-8")
		        self.end_headers()
		        self.wfile.write(text)
		    def log_message(self, *args):
		        pass
		server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
		print(server.server_port, flush=True)
		server.serve_forever()
	END
	kvmbpf dump --from "$SNAPSHOT" --openmetrics >"$WORK/metrics"
	python3 "$WORK/server.py" "$WORK/metrics" >"$WORK/port" 3>&- &
	server=$!
	wait_for 10 test -s "$WORK/port"
	printf 'global: { scrape_interval: 1s }\nscrape_configs:\n- job_name: kvm\n  static_configs: [ { targets: ["127.0.0.1:%s"] } ]\n' \
		"$(cat "$WORK/port")" >"$WORK/prometheus.yml"
	web=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	"$TOOLS/prometheus" --config.file="$WORK/prometheus.yml" --storage.tsdb.path="$WORK/tsdb" \
		--web.listen-address="127.0.0.1:$web" >"$WORK/prometheus.log" 2>&1 3>&- &
	prometheus=$!
	# ask QUERY: the value of the one series that it gives
	ask() {
		"$TOOLS/promtool" query instant "http://127.0.0.1:$web" "$1" 2>/dev/null | sed -nE 's/.*=> ([^ ]+) .*/\1/p'
	}
	scraped() {
		[ "$(ask 'up{job="kvm"}')" = 1 ]
	}
	wait_for 30 scraped || { kill "$server" "$prometheus"; cat "$WORK/prometheus.log"; return 1; }
	count=$(ask 'kvm_vm_exit_count_total{vm="büro €",reason="io"}')
	seconds=$(ask 'kvm_exit_time_seconds_total{reason="npf"}')
	buckets=$(ask 'kvm_exit_latency_seconds_bucket{reason="io",le="0.000004095"}')
	infinite=$(ask 'kvm_exit_latency_seconds_bucket{reason="io",le="+Inf"}')
	kill "$server" "$prometheus"
	wait "$server" "$prometheus" || true
	[ "$count" = 507 ]
	[ "$seconds" = 0.0002734 ]
	[ "$buckets" = 2007 ]
	[ "$infinite" = 10025 ]
}

@test "slow exits: chosen, sorted, and nothing else with them" {
	kvmbpf dump --from "$SNAPSHOT" --slow --csv -o vm,vcpu,time >"$WORK/out"
	[ "$(cat "$WORK/out")" = $'vm,vcpu,time\nweb1-4711,0,50123456\nweb1-4711,1,912000000\nbüro €-4720,0,11000000\nweb1-4711,0,12000000' ]
	kvmbpf dump --from "$SNAPSHOT" --slow --reason NPF --csv -o reason,kvm >"$WORK/out"
	[ "$(cat "$WORK/out")" = $'reason,kvm\nnpf,11000000' ]
	kvmbpf dump --from "$SNAPSHOT" --slow --cause 'io:*' --csv -o cause,device >"$WORK/out"
	[ "$(cat "$WORK/out")" = $'cause,device\nio:0x3f8:w,serial' ]
	kvmbpf dump --from "$SNAPSHOT" --slow --vm büro* --vcpu 0 --csv -o reason,vmm >"$WORK/out"
	[ "$(cat "$WORK/out")" = $'reason,vmm\n0x7c,' ]
	# to the microsecond, and what is as long is there
	kvmbpf dump --from "$SNAPSHOT" --slow --slower-than 12000 --csv -o time -k time >"$WORK/out"
	[ "$(cat "$WORK/out")" = $'time\n912000000\n50123456\n12000000' ]
	# a host without any: an empty list for machines, nothing for people
	kvmbpf dump --from "$TOP/tests/data/exits.snapshot" --slow >"$WORK/out"
	[ ! -s "$WORK/out" ]
	kvmbpf dump --from "$TOP/tests/data/exits.snapshot" --slow --json >"$WORK/out"
	jq -e '.slow == []' "$WORK/out"
	for option in --openmetrics --prometheus "-m x" "--since x" "--delta 1" --no-halt "-e kvm_exit" "-f x"; do
		bad 2 "--slow lists the last slow exits" dump --from "$SNAPSHOT" --slow $option
	done
	bad 2 'there is no column "samples"' dump --from "$SNAPSHOT" --slow -o samples
	bad 1 'no VM matches "nobody"' dump --from "$SNAPSHOT" --slow --vm nobody
}

@test "what is selected is shown, and nothing of anything else" {
	kvmbpf dump --from "$SNAPSHOT" --vm web1 --json >"$WORK/out"
	jq -e '[.metrics[].values[].labels.vm == "web1"] | all and length > 20' "$WORK/out"
	kvmbpf dump --from "$SNAPSHOT" --vm 'db-4730.2' --json >"$WORK/out"
	jq -e '[.metrics[].values[].instance | startswith("db-4730.2")] | all and length > 3' "$WORK/out"
	kvmbpf dump --from "$SNAPSHOT" -p 4730 -m kvm.vm.vcpus --csv -o instance >"$WORK/out"
	[ "$(cat "$WORK/out")" = $'instance\ndb-4730\ndb-4730.2' ]
	kvmbpf dump --from "$SNAPSHOT" --reason IO --json >"$WORK/out"
	# the reason of a slow exit is a value
	jq -e '[.metrics[] | select(.name | startswith("kvm.vcpu.slow.") | not) | .values[].labels.reason |
		ascii_downcase == "io"] | all and length > 10' "$WORK/out"
	jq -e '.metrics[] | select(.name == "kvm.vcpu.slow.duration") | .values | length == 1' "$WORK/out"
	kvmbpf dump --from "$SNAPSHOT" --cause 'mmio:*' --vm 'b*' -m kvm.vm.cause.time --csv -o cause,value >"$WORK/out"
	[ "$(cat "$WORK/out")" = $'cause,value\nmmio:0xfebf0000:r,310000' ]
	kvmbpf dump --from "$SNAPSHOT" --vcpu 1 -o vcpu,vm-exit,samples >"$WORK/out" 2>"$WORK/err"
	grep -qx 'web1-4711::vcpu1 hlt         500' "$WORK/out"
	run grep vcpu0 "$WORK/out"
	[ "$status" = 1 ]
	kvmbpf dump --from "$SNAPSHOT" -e kvm:kvm_exit,kvm:kvm_pio --csv -o metric,instance,value >"$WORK/out"
	[ "$(grep -c '^kvm.trace.kvm_\(exit\|pio\),' "$WORK/out")" = 4 ]
	[ "$(grep -c entry "$WORK/out")" = 0 ]
	kvmbpf dump --from "$SNAPSHOT" -f halt_wait_ns --csv -o vm,value >"$WORK/out"
	[ "$(cat "$WORK/out")" = $'vm,value\nweb1,4800000000\nbüro €,5000000001' ]
}

@test "a reason that is known but has not occurred is no error" {
	run kvmbpf dump --from "$SNAPSHOT" --reason cpuid --json
	[ "$status" = 0 ]
	jq -e '.metrics == []' <<<"$output"
}

@test "--slower-than shows what is in buckets at or above it" {
	kvmbpf dump --from "$SNAPSHOT" --slower-than 65.6 >"$WORK/out"
	head -1 "$WORK/out" | grep -q '131.072us or more'
	grep -qE '^io +10 +100.00% +- ' "$WORK/out"
	kvmbpf dump --from "$SNAPSHOT" --slower-than 65.536 >"$WORK/out"
	grep -qE '^npf +3 +23.08% +- .* 88.12us +-$' "$WORK/out"
	grep -qE '^web1-4711 +13 +100.00%' "$WORK/out"
	grep -q '^IO *10 ' "$WORK/out"
	run grep -E 'hlt|MMIO|METRIC' "$WORK/out"
	[ "$status" = 1 ]
}

@test "columns are chosen and sorted by names that perf and people use" {
	kvmbpf dump --from "$SNAPSHOT" -o vm,vm-exit,avg_time -k sample:asc 2>/dev/null >"$WORK/out"
	[ "$(sed -n '/VM exits by VM and reason/,/Exits to userspace/p' "$WORK/out" | sed -n '3,5p' | tr -s ' ')" = \
		$'VM VM-EXIT Avg time\ndb-4730.2 msr -\ndb-4730 io 10.00us' ]
	kvmbpf vms --from "$SNAPSHOT" -o PID,vm --sort vcpus >"$WORK/out"
	grep -qE '^ *PID VM$' "$WORK/out"
	[[ $(sed -n 2p "$WORK/out") =~ ^\ *4711\ web1-4711$ ]]
	kvmbpf vms --from "$SNAPSHOT" --sort vm:desc --csv -o vm >"$WORK/out"
	[ "$(sed -n 2p "$WORK/out")" = web1-4711 ]
}

@test "--since shows what was added between two snapshots" {
	sed -E 's/^(row\t1\tcpu1\t\t-\t)5399\t5402/\15500\t5403/; s/(\tio\t-\t)9500\t49400000/\19613\t49400977/' \
		"$SNAPSHOT" >"$WORK/later"
	kvmbpf dump --from "$WORK/later" --since "$SNAPSHOT" --json >"$WORK/out"
	value() {
		jq ".metrics[] | select(.name == \"$1\").values[] | select(.instance == \"$2\").value" "$WORK/out"
	}
	[ "$(value kvm.trace.kvm_entry cpu1)" = 101 ]
	[ "$(value kvm.trace.kvm_exit cpu1)" = 1 ]
	[ "$(value kvm.trace.kvm_exit cpu0)" = 0 ]
	[ "$(value kvm.vm.exit.count web1-4711::io)" = 113 ]
	[ "$(value kvm.vm.exit.time web1-4711::io)" = 977 ]
	[ "$(value kvm.vm.vcpus web1-4711)" = 2 ]
	# a counter that fell is of something else
	kvmbpf dump --from "$SNAPSHOT" --since "$WORK/later" --json >"$WORK/out"
	[ -z "$(value kvm.trace.kvm_entry cpu1)" ]
	[ "$(value kvm.trace.kvm_entry cpu0)" = 0 ]
}

@test "bad input is reported, with exit status 1 or 2" {
	bad 1 'no VM matches "web2"; kvmbpf vms lists them' dump --from "$SNAPSHOT" --vm web2
	bad 1 'no process of a VM matches "4712"' dump --from "$SNAPSHOT" -p 4712
	bad 1 'no vCPU matches "7-9"' dump --from "$SNAPSHOT" --vcpu 7-9
	bad 1 'no exit reason matches "sleepy"' dump --from "$SNAPSHOT" --reason sleepy
	bad 1 'no cause matches "io:0x1:r"' dump --from "$SNAPSHOT" --cause io:0x1:r
	bad 1 'no event matches "kvm_nothing"' dump --from "$SNAPSHOT" -e kvm_nothing
	bad 2 'there is no column "colour"; columns are METRIC, ' dump --from "$SNAPSHOT" -o metric,colour
	bad 2 'there is no column ""' dump --from "$SNAPSHOT" -o metric,
	bad 2 'there is no column "nothing"' dump --from "$SNAPSHOT" --sort nothing
	bad 2 'unknown order ":up"' dump --from "$SNAPSHOT" --sort value:up
	bad 2 'columns are VM, PID, VCPUS, NAME, UUID, MACHINE, POD, CGROUP' vms --from "$SNAPSHOT" -o samples
	for command in dump save vms events top stat doctor; do
		bad 2 "kvmbpf $command: unrecognized option" $command --xml
		bad 2 "kvmbpf $command: see kvmbpf $command --help" $command --xml
	done
	bad 2 '--json and --csv exclude each other' dump --from "$SNAPSHOT" --json --csv
	bad 2 '--json and --csv exclude each other' vms --from "$SNAPSHOT" --json --csv
	bad 2 '-o and --sort concern tables and --csv, not --openmetrics' dump --openmetrics -o vm
	bad 2 '--slower-than: invalid number of microseconds "0"' dump --slower-than 0
	bad 2 '--slower-than concerns tables of exits, which --json does not print' dump --slower-than 5 --json
	bad 2 '--vcpu: "0-" is no list of numbers' dump --vcpu 0-
	bad 2 '-p: "me" is no list of numbers' dump -p me
	bad 2 '--vm: "" is no pattern' dump --vm ''
	bad 2 'leave out -e' dump -e kvm_exit --vm web1
	bad 2 'invalid event name or pattern "sched:sched_switch"' dump -e sched:sched_switch
	bad 2 '-d and --delta exclude each other' dump -d 1 --delta 1
	bad 2 '--since needs --from' dump --since "$SNAPSHOT"
	bad 2 '--from counts nothing' dump --from "$SNAPSHOT" -d 1
	bad 2 '--prometheus has counters since they began' dump --delta 1 --prometheus
	bad 2 'the name of the file is missing' save
	bad 2 'unexpected argument "b"' save a b
	bad 2 'unexpected argument "more"' vms more
	bad 2 '-d: this list counts nothing' vms -d 1
}

@test "a file that is cut off, damaged or foreign is refused" {
	lines=$(wc -l <"$SNAPSHOT")
	bad 1 "$WORK/none: No such file or directory" dump --from "$WORK/none"
	for list in dump vms events; do
		head -c 1000 "$SNAPSHOT" >"$WORK/cut"
		bad 1 "$WORK/cut:$(($(wc -l <"$WORK/cut") + 1)): the file was cut off here: copy or save it again" $list --from "$WORK/cut"
		head -n 40 "$SNAPSHOT" >"$WORK/cut"
		bad 1 "$WORK/cut:40: the file was cut off here" $list --from "$WORK/cut"
		sed 30d "$SNAPSHOT" >"$WORK/lost"
		bad 1 "$WORK/lost:" $list --from "$WORK/lost"
		bad 1 "$BUILD/kvmbpf:1: not a snapshot written by kvmbpf save" $list --from "$BUILD/kvmbpf"
		bad 1 "/etc/passwd:1: not a snapshot written by kvmbpf save" $list --from /etc/passwd
		: >"$WORK/empty"
		bad 1 "$WORK/empty: empty, not a snapshot written by kvmbpf save" $list --from "$WORK/empty"
		sed 's/snapshot\t3/snapshot\t9/' "$SNAPSHOT" >"$WORK/later"
		bad 1 "$WORK/later:1: not a snapshot" $list --from "$WORK/later"
	done
	{
		cat "$SNAPSHOT"
		echo 'table	more'
	} >"$WORK/more"
	bad 1 "$WORK/more:$((lines + 1)): invalid line" dump --from "$WORK/more"
}

@test "a full disk is reported, in every format" {
	for options in "dump" "dump --json" "dump --csv" "dump --openmetrics" "dump --prometheus" vms "vms --json" "events --csv"; do
		status=0
		# shellcheck disable=SC2086
		kvmbpf $options --from "$SNAPSHOT" >/dev/full 2>"$WORK/err" || status=$?
		[ "$status" = 1 ]
		grep -q 'cannot write the output: No space left on device' "$WORK/err"
	done
	for options in --help --version "top --help"; do
		status=0
		# shellcheck disable=SC2086
		kvmbpf $options >/dev/full 2>"$WORK/err" || status=$?
		[ "$status" = 1 ]
		grep -q 'cannot write the output: No space left on device' "$WORK/err"
	done
}

@test "a closed pipe ends it quietly" {
	python3 - "$BUILD/kvmbpf" "$SNAPSHOT" <<-'END'
		import os, signal, subprocess, sys
		for action, status in ((signal.SIG_DFL, -signal.SIGPIPE), (signal.SIG_IGN, 1)):
		    for options in ("dump", "dump --json", "dump --csv", "dump --openmetrics", "vms", "vms --json", "events"):
		        reader, writer = os.pipe()
		        os.close(reader)
		        ended = subprocess.run([sys.argv[1], *options.split(), "--from", sys.argv[2]], stdout=writer,
		                               stderr=subprocess.PIPE, restore_signals=False,
		                               preexec_fn=lambda: signal.signal(signal.SIGPIPE, action))
		        os.close(writer)
		        said = b"".join(l for l in ended.stderr.splitlines() if b"values not shown" not in l)
		        assert (ended.returncode, said) == (status, b""), (options, action, ended)
	END
}

@test "which VM exits most, why, what in it, and what it costs: one line of the man page" {
	sed -n '/^# which VM exits most/,/^\.fi/p' "$TOP/man/kvmbpf.8" | sed '1d; $d' |
		sed 's/\\-/-/g; s/\\\\/\\/g; s/^kvmbpf dump --delta 5/kvmbpf dump --from "$SNAPSHOT"/' >"$WORK/line"
	grep -q '^kvmbpf dump --from' "$WORK/line"
	# shellcheck source=/dev/null
	[ "$(. "$WORK/line")" = "web1-4711: 10201 exits, 9500 io, io:0x3f8:w (serial): 49400000 ns" ]
}

@test "--from and --save take - for standard input and output" {
	kvmbpf vms --from - <"$SNAPSHOT" | diff "$TOP/tests/data/formats/vms.txt" -
}
