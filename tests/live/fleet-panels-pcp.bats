# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# bats file_tags=idle
#
# Tests Grafana's dashboards for the data sources of grafana-pcp, without Grafana, which is not in Debian: what a
# pmproxy with known numbers (tests/data/fleet/logged.py) answers each query.

load common
load prometheus
load servers

setup() {
	pmseries_setup
}

teardown() {
	servers_stop
}

made() {
	/usr/bin/python3 "$TOP/tests/data/fleet/logged.py" "$@"
}

panels_pcp() {
	/usr/bin/python3 "$TOP/tests/panels_pcp.py" "$@"
}

# shows_rates: does each panel for PCP Vector have the rates expected, as far as seconds are seconds
shows_rates() {
	panels_pcp --vector "http://127.0.0.1:$PROXY" "127.0.0.1:$PORT" 5 vm=web1 reason=io >said || return 1
	diff <(sed 's/[^|]*$//' "$TOP/tests/data/fleet/panels-vector.expected") <(sed 's/[^|]*$//' said) || return 1
	paste -d'|' "$TOP/tests/data/fleet/panels-vector.expected" said |
		awk -F'|' '{ if ($8 < 0.9 * $4 || $8 > 1.1 * $4) { print; bad = 1 } } END { exit bad }'
}

@test "each query for PCP Redis and Valkey has the answer that known numbers give" {
	key_server
	for host in kv1 kv2; do
		made $host | /usr/bin/python3 "$TOP/tests/data/archive.py" $host $host
		pmseries -h 127.0.0.1 -p "$KEYS" --load "{source.path: \"$WORK/$host\"}" >>loaded
	done
	series_proxy "$WORK/proxy"
	panels_pcp "http://127.0.0.1:$PROXY" $((1767225600 + 900)) host=kv2 vm=web1 reason=io >said
	diff "$TOP/tests/data/fleet/panels-pcp.expected" said
	# they differ in nothing but the data source
	for file in "$TOP"/fleet/grafana/kvm-redis-*; do
		sed 's/redis/valkey/g; s/Redis/Valkey/g' "$file" | diff - "${file/redis/valkey}"
	done
}

@test "each panel for PCP Vector shows the rates that the agent's counters have, and is drawn" {
	server made.log /usr/bin/python3 "$TOP/tests/data/fleet/logged.py" --agent a.made
	wait_for 20 test -e a.made
	made_pmcd a
	proxy
	# on a machine that halts for a moment, once more
	shows_rates || shows_rates || shows_rates
	panels_pcp --vector-page page.html "http://127.0.0.1:$PROXY" "127.0.0.1:$PORT" "${VECTOR_SECONDS:-5}" vm=web1 reason=io
	[ "$(grep -o '<b>' page.html | wc -l)" = "$(jq -s 'map(.panels[]) | length' "$TOP"/fleet/grafana/kvm-vector-*.json)" ]
	[ "$(grep -c nothing page.html || true)" = 0 ]
	[ -z "${VECTOR_PAGE:-}" ] || cp page.html "$VECTOR_PAGE"
}

@test "the heat map of one VM's exits: its group of pmlogconf is off until the page's commands are followed" {
	need pmlogconf
	mkdir -p groups/pmdakvm
	cp "$TOP"/dashboards/pmlogconf/* groups/pmdakvm/
	echo 'kvm.nvms||1|
kvm.agent.version||1|
kvm.vm.exit.latency|web1-4711::io::512-1023|18|' >a.made
	made_pmcd a
	pmlogconf -c -q -d groups -h "127.0.0.1:$PORT" config.kv1 >said 2>&1
	grep -q '^#+ pmdakvm/reports:y:' config.kv1
	grep -q '^#+ pmdakvm/vm-latency:n:' config.kv1
	[ "$(grep -c kvm.vm.exit.latency config.kv1 || true)" = 0 ]
	awk '/^## / { inside = /heat map of one VM/ } inside' "$TOP/docs/fleet.md" | sed -n 's/^    //p' | sed '/pmlogger_check/d' |
		sed "s|/var/lib/pcp/config/pmlogger/||g; s|pmlogconf |&-d groups |; s|-h kv1|-h 127.0.0.1:$PORT|" >commands
	[ "$(wc -l <commands)" = 2 ]
	bash -e commands >>said 2>&1
	grep -q '^#+ pmdakvm/vm-latency:y:' config.kv1
	grep -q '^#+ pmdakvm/reports:y:' config.kv1
	pmlogger -h "127.0.0.1:$PORT" -c config.kv1 -s 2 -t 0.2 -l logger.log logged 3>&-
	[[ $(pmdumplog logged kvm.vm.exit.latency) == *'"web1-4711::io::512-1023"] value 18'* ]]
}

@test "each metric of these dashboards is one that a group logs, or of the table" {
	/usr/bin/python3 "$TOP/tests/data/archive.py" --names | cut -d' ' -f1 | sort >known
	sed -n 's/^query .* | \(kvm[a-z_.]*\).*/\1/p' "$TOP/fleet/panels-pcp" | sort -u >used
	[ "$(wc -l <used)" -gt 15 ]
	[ -z "$(comm -23 used known)" ]
	sed -nE 's/^\s(kvm[a-z_.]+)$/\1/p' "$TOP"/dashboards/pmlogconf/* | sort >logged
	[ -z "$(sed '/^source vector/,$d' "$TOP/fleet/panels-pcp" | sed -n 's/^query .* | \(kvm[a-z_.]*\).*/\1/p' | sort -u | comm -23 - logged)" ]
}
