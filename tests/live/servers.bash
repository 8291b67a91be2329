# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Helpers of tests of fleets: servers of Debian's, each with a folder in WORK and a free port of the
# loopback, all stopped by servers_stop. Load common and prometheus first.

SERVERS=()

free_port() {
	/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# server LOG COMMAND...: run it in the background
server() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null 3>&- &
	SERVERS+=($!)
}

# server_stop: the latest one
server_stop() {
	kill "${SERVERS[-1]}"
	wait "${SERVERS[-1]}" || true
	unset 'SERVERS[-1]'
}

servers_stop() {
	local pid
	for pid in "${SERVERS[@]}"; do
		kill "$pid" 2>/dev/null || true
	done
	wait "${SERVERS[@]}" 2>/dev/null || true
	SERVERS=()
}

# pmcd_root TOP: a PMNS of our metrics and pmcd's own, which pmproxy needs
pmcd_root() {
	printf '#define KVM 95\nroot {\n\tkvm\n\tpmcd\n}\n'
	sed '/^root/,/^}/d' /var/lib/pcp/pmns/root_pmcd
	cat "$1/pmns"
}

# made_pmcd NAME: a pmcd whose agent has the values of $WORK/NAME.made; sets PORT
made_pmcd() {
	local dir=$WORK/$1.pmcd name=$1
	mkdir -p "$dir"
	(
		pmcd_env "$dir"
		pmcd_root "$TOP" >"$dir/root"
		{
			echo "kvm 95 pipe binary $PCP_PYTHON_PROG $(plain_path "$TOP" "$WORK/top")/tests/data/fleet/agent.py $WORK/$name.made"
			echo "pmcd 2 dso pmcd_init /var/lib/pcp/pmdas/pmcd/pmda_pmcd.so"
		} >"$dir/pmcd.conf"
	)
	PORT=$(free_port)
	pmcd_run "$dir" "$PORT"
	wait_for 20 made_answers
}

made_answers() {
	PCP_PYTHON_PROG=/usr/bin/python3 pminfo -h "127.0.0.1:$PORT" -f kvm.nvms 2>/dev/null | grep -q value
}

# pmcd_run DIR PORT
pmcd_run() {
	local dir=$1 port=$2
	server "$dir/out" env PMNS_DEFAULT="$dir/root" PMCD_ROOT_AGENT=0 PCP_RUN_DIR="$dir/run" PCP_LOG_DIR="$dir/log" \
		PCP_VAR_DIR="$dir/var" PCP_TMP_DIR="$dir/tmp" HOME="$dir/home" PYTHONDONTWRITEBYTECODE=1 \
		/usr/lib/pcp/bin/pmcd -f -A -q 30 -t 30 -i 127.0.0.1 -p "$port" -U root -c "$dir/pmcd.conf" -n "$dir/root" \
		-s "$dir/pmcd.socket" -l "$dir/pmcd.log"
}

# proxy: pmproxy without a key server; sets PROXY, its port
proxy() {
	PROXY=$(free_port)
	mkdir -p "$WORK/proxy"
	{
		printf '[pmproxy]\npcp.enabled = true\nhttp.enabled = true\nredis.enabled = false\nsecure.enabled = false\n'
		printf '[%s]\nenabled = false\n' redis discover pmsearch pmseries
	} >"$WORK/proxy/pmproxy.conf"
	server "$WORK/proxy/out" env PCP_RUN_DIR="$WORK/proxy" PCP_LOG_DIR="$WORK/proxy" PCP_TMP_DIR="$WORK/proxy" \
		/usr/lib/pcp/bin/pmproxy -f -A -U root -i 127.0.0.1 -p "$PROXY" -s "$WORK/proxy/socket" \
		-c "$WORK/proxy/pmproxy.conf" -l "$WORK/proxy/log"
	wait_for 20 listens "$PROXY"
}

# listens PORT: does somebody
listens() {
	(: >"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# page URL: what it answers
page() {
	/usr/bin/python3 - "$1" <<-'END'
		import sys, urllib.error, urllib.request
		try:
		    sys.stdout.buffer.write(urllib.request.urlopen(sys.argv[1], timeout=20).read())
		except urllib.error.HTTPError as error:
		    sys.stdout.buffer.write(error.read())
		    sys.exit(1)
		except OSError as error:
		    sys.exit(str(error))
	END
}

# scrape_names: the list to scrape, as in prometheus.yml
scrape_names() {
	grep -v '^#' "$TOP/fleet/names" | paste -sd,
}

# prometheus_config: ours, with rules and targets of this test, in $WORK/prometheus.yml. The targets of
# the job $1 are on stdin, one a line, as JSON.
prometheus_config() {
	local job=$1
	sed -e "s|/usr/local/share/pmdakvm|$TOP|; s|/etc/prometheus|$WORK|; s|scrape_interval: 30s|scrape_interval: 3s|; s|evaluation_interval: 30s|evaluation_interval: 1s|" \
		-e "s|scrape_timeout: 10s|scrape_timeout: 3s|" \
		"$TOP/fleet/prometheus/prometheus.yml" >"$WORK/prometheus.yml"
	[ -e "$WORK/kvm-pcp.yml" ] || echo '[]' >"$WORK/kvm-pcp.yml"
	[ -e "$WORK/kvm-node.yml" ] || echo '[]' >"$WORK/kvm-node.yml"
	cat >"$WORK/$job.yml"
	# found at once, where files are looked at after 5 s
	sed -i "s|file_sd_configs: .*$job.yml.*|static_configs: [ $(paste -sd, "$WORK/$job.yml") ]|" "$WORK/prometheus.yml"
}

# prometheus_start: sets WEB, its address
prometheus_start() {
	WEB=http://127.0.0.1:$(free_port)
	server "$WORK/prometheus.log" "$TOOLS/prometheus" --config.file="$WORK/prometheus.yml" \
		--storage.tsdb.path="$WORK/tsdb" --web.listen-address="${WEB#http://}" "$@"
	wait_for 20 listens "${WEB##*:}"
}

# ask QUERY: lines "LABELS => VALUE" of its answer, sorted
ask() {
	/usr/bin/python3 - "$WEB" "$1" <<-'END'
		import json, sys, urllib.parse, urllib.request
		url = sys.argv[1] + "/api/v1/query?" + urllib.parse.urlencode({"query": sys.argv[2]})
		lines = []
		for row in json.load(urllib.request.urlopen(url, timeout=10))["data"]["result"]:
		    labels = ", ".join(f'{k}="{v}"' for k, v in sorted(row["metric"].items()) if k != "__name__")
		    lines.append("%s{%s} => %s" % (row["metric"].get("__name__", ""), labels, row["value"][1]))
		print("\n".join(sorted(lines)))
	END
}

# says QUERY TEXT: is this its answer?
says() {
	[ "$(ask "$1")" = "$2" ]
}
