# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests Grafana's dashboards, without Grafana, which is not in Debian: what is in the files, and what a
# Prometheus with known numbers (tests/data/fleet/series.py) answers each query.
#
# bats file_tags=idle

load common
load prometheus
load servers

setup() {
	new_work
	cd "$WORK" || return 1
}

teardown() {
	servers_stop
}

panels() {
	/usr/bin/python3 "$TOP/tests/panels.py" "$@"
}

# rules_of LEVEL: those of what is scraped; of these; of those in turn
rules_of() {
	/usr/bin/python3 - "$1" "$TOP/fleet/prometheus/kvm-records.yml" <<-'END'
		import re, sys
		rules = re.findall(r"(?m)^  - record: .*\n(?:    .*\n)+", open(sys.argv[2]).read())
		made = {}
		for rule in rules:
		    made.setdefault(rule.split()[2], set()).update(re.findall(r"\bkvm_\w+:[\w:]+", rule.split("\n", 1)[1]))
		def level(name):
		    return 1 + max(map(level, made[name]), default=0)
		wanted = [rule for rule in rules if level(rule.split()[2]) == int(sys.argv[1])]
		print("groups:\n- name: made\n  rules:\n" + "".join(wanted) if wanted else "")
	END
}

@test "the dashboards are what fleet/panels makes, and use only keys that Grafana knows" {
	mkdir made
	/usr/bin/python3 "$TOP/tools/dashboards.py" made
	diff -r made "$TOP/fleet/grafana"
	# a misspelt key is just ignored by Grafana: each that is new is to be looked up and added there, with the type
	# that has it ("make check-grafana" finds most)
	panels --keys | diff <(cut -f1 "$TOP/tests/data/fleet/panel-keys") -
	run grep -nvE $'^[^\t]+\t[A-Za-z, ]+$' "$TOP/tests/data/fleet/panel-keys"
	[ "$status" = 1 ]
}

@test "each query of the dashboards names recorded series, and has the answer that known numbers give" {
	need_prometheus
	/usr/bin/python3 "$TOP/tests/data/fleet/series.py" >series
	"$TOOLS/promtool" tsdb create-blocks-from openmetrics series tsdb >made 2>&1
	echo '{}' >prometheus.yml
	start=1767225600
	end=$((start + 900))
	# nothing says here that a series ended, as scrapes do: none is looked back for beyond the next
	options=(--storage.tsdb.retention.time=100y --query.lookback-delta=45s)
	# series that are made of recorded ones need a pass each
	for level in 1 2 3 4 5; do
		rules_of $level >rules.yml
		[ -s rules.yml ]
		prometheus_start "${options[@]}"
		"$TOOLS/promtool" tsdb create-blocks-from rules --start $start --end $end --eval-interval 30s --url "$WEB" \
			--output-dir tsdb rules.yml >>made 2>&1
		server_stop
	done
	[ -z "$(rules_of 6)" ]
	prometheus_start "${options[@]}"
	panels "$WEB" $end id=6f3c1c5e-0b0d-4a3e-9d0c-3b7f0a2c1d11 instance=kv2 | diff "$TOP/tests/data/fleet/panels.expected" -
	# the VM that moved is one line all the time
	[ "$(ask 'max_over_time(count(sum by (id) (kvm_vm:overhead:rate{vm="web1"}))[10m:30s] @ '$end')')" = '{} => 1' ]
}
