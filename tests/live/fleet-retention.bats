# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# bats file_tags=idle
#
# What is kept for how long: what docs/fleet.md says of the key server and of Prometheus. That of pmlogger's archives is
# in fleet-docs.bats, as systemd runs what removes them.

load common
load prometheus
load servers

teardown() {
	[ -z "${BATS_TEST_COMPLETED:-}" ] && [ -n "${WORK:-}" ] && tail -n 5 "$WORK"/*.log "$WORK"/*/*log 2>/dev/null
	servers_stop
}

# table TEXT: how long is that kept, as the page's table has it
table() {
	sed -n "/^## What is kept/,/^## /s/^| $1[^|]* | \([^|]*\) |.*/\1/p" "$TOP/docs/fleet.md"
}

keys() {
	"$KEYS_CLIENT" -p "$KEYS" "$@"
}

# kept EXPIRE MAXLEN: a host is logged every tenth of a second by a pmproxy with these; sets KEY, that of the values of
# kvm.nvms
kept() {
	pmseries_setup
	need pmlogger
	echo 'kvm.nvms||3|' >kv1.made
	key_server
	made_pmcd kv1 kv1
	mkdir -p logs/archives/pmlogger/kv1
	echo 'log mandatory on 100 msec { kvm.nvms }' >logs/log.conf
	KEPT=("stream.expire = $1" "stream.maxlen = $2")
	archiver "$WORK/logs" kv1 "$PORT"
	series_proxy "$WORK/logs"
	wait_for 20 series_say kvm.nvms 'kv1 kvm.nvms - => 3'
	KEY=pcp:values:series:$(pmseries -h 127.0.0.1 -p "$KEYS" kvm.nvms)
}

gone() {
	[ "$(keys exists "$KEY")" = 0 ]
}

values_go() {
	[ "$(keys xinfo stream "$KEY" | grep -A1 -x entries-added | tail -n 1)" -gt "$1" ]
}

@test "the key server has the latest values of a series, for as long as is told after the last one" {
	# as the package has it, which the page names
	defaults=$(sed -nE 's/^stream\.(expire|maxlen) = ([0-9]+)$/\1 \2/p' /etc/pcp/pmproxy/pmproxy.conf | sort)
	[ "$defaults" = $'expire 86400\nmaxlen 8640' ]
	[ "$(table 'values of a series')" = "the latest 8,640 or so" ]
	[ "$(table 'all of them')" = "a day" ]
	kept 86400 8640
	# each that comes begins the time anew
	wait_for 20 values_go 5
	[ "$(keys ttl "$KEY")" -gt 86300 ]
	[ "$(keys ttl "$KEY")" -le 86400 ]
	[ "$(keys xlen "$KEY")" -gt 5 ]
}

@test "values that are too many, or of a host that is away for too long, go" {
	kept 3 2
	# the server cuts by blocks of this many
	keys config set stream-node-max-entries 4
	wait_for 20 values_go 12
	[ "$(keys xlen "$KEY")" -le 8 ]
	# pmlogger ends
	kill "${SERVERS[-2]}"
	wait_for 20 gone
}

# point SECOND: a block with a value of then
point() {
	printf '# TYPE kvm_nvms gauge\nkvm_nvms 3 %s\n# EOF\n' "$1" >points
	"$TOOLS/promtool" tsdb create-blocks-from openmetrics points tsdb >>made 2>&1
}

# back DAYS: the value then, if it is still there
back() {
	page "$WEB/api/v1/query?query=kvm_nvms&time=$((now - $1 * 86400))" | jq -r '.data.result[].value[1]'
}

@test "Prometheus has series for 15 days, or for as long as docs/fleet.md tells it" {
	need_prometheus
	new_work
	cd "$WORK"
	[[ "$(table 'series of Prometheus')" == "90 days, by the line above; 15 days without it" ]]
	told=$(grep -o -- '--storage.tsdb.retention.time=[0-9a-z]*' "$TOP/docs/fleet.md" | head -n 1)
	echo '{}' >prometheus.yml
	now=$EPOCHSECONDS
	for days in 100 80 20 10 0; do
		point $((now - days * 86400))
	done
	prometheus_start "$told"
	[ "$(page "$WEB/api/v1/status/runtimeinfo" | jq -r .data.storageRetention)" = 90d ]
	[ "$(back 100)|$(back 80)|$(back 20)|$(back 10)" = "|3|3|3" ]
	server_stop
	prometheus_start
	[ "$(page "$WEB/api/v1/status/runtimeinfo" | jq -r .data.storageRetention)" = 15d ]
	[ "$(back 80)|$(back 20)|$(back 10)" = "||3" ]
}
