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
		# a test may have stopped it
		kill -CONT "$pid" 2>/dev/null || true
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

# made_pmcd NAME [HOST]: a pmcd whose agent has the values of $WORK/NAME.made; sets PORT. HOST is what its
# machine is called.
made_pmcd() {
	local dir=$WORK/$1.pmcd name=$1 host=${2:-}
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
	pmcd_run "$dir" "$PORT" "$host"
	wait_for 20 made_answers
}

made_answers() {
	grep -q value <<<"$(PCP_PYTHON_PROG=/usr/bin/python3 pminfo -h "127.0.0.1:$PORT" -f kvm.nvms 2>/dev/null)"
}

# pmcd_run DIR PORT [HOST]
pmcd_run() {
	local dir=$1 port=$2 named=()
	[ -z "${3:-}" ] || named=(unshare -u sh -c 'hostname "$0" && exec "$@"' "$3")
	server "$dir/out" "${named[@]}" env PMNS_DEFAULT="$dir/root" PMCD_ROOT_AGENT=0 PCP_RUN_DIR="$dir/run" PCP_LOG_DIR="$dir/log" \
		PCP_VAR_DIR="$dir/var" PCP_TMP_DIR="$dir/tmp" HOME="$dir/home" PYTHONDONTWRITEBYTECODE=1 \
		/usr/lib/pcp/bin/pmcd -f -A ${PMCD_OPTIONS:-} -q 30 -t 30 -i 127.0.0.1 -p "$port" -U root -c "$dir/pmcd.conf" -n "$dir/root" \
		-s "$dir/pmcd.socket" -l "$dir/pmcd.log"
}

# proxy: pmproxy without a key server; sets PROXY, its port
proxy() {
	proxy_run "$WORK/proxy" false
}

# series_proxy DIR [LINE...]: pmproxy with the key server at KEYS, and these lines about it, which finds the
# archives of DIR/archives/pmlogger; sets PROXY. KEPT are lines about how long they are kept.
series_proxy() {
	local dir=$1
	shift
	mkdir -p "$dir/archives/pmlogger"
	proxy_run "$dir" true "servers = 127.0.0.1:$KEYS" "$@"
}

proxy_run() {
	local dir=$1 series=$2 section
	shift 2
	PROXY=$(free_port)
	mkdir -p "$dir"
	{
		printf '[pmproxy]\npcp.enabled = true\nhttp.enabled = true\nredis.enabled = false\nresp.enabled = false\n'
		printf 'secure.enabled = false\n[pmsearch]\nenabled = false\n'
		printf "[%s]\nenabled = $series\n" discover pmseries
		[ -z "${KEPT:-}" ] || printf '%s\n' "${KEPT[@]}"
		# as PCP calls it until 6.1, and since
		for section in redis keys; do
			printf '%s\n' "[$section]" "enabled = $series" "$@"
		done
	} >"$dir/pmproxy.conf"
	server "$dir/out" env PCP_RUN_DIR="$dir" PCP_LOG_DIR="$dir/archives" PCP_ARCHIVE_DIR="$dir/archives/pmlogger" \
		PCP_TMP_DIR="$dir" /usr/lib/pcp/bin/pmproxy -f -A -U root -i 127.0.0.1 -p "$PROXY" -s "$dir/socket" \
		-c "$dir/pmproxy.conf" -l "$dir/log"
	wait_for 20 listens "$PROXY"
}

# key_server [OPTION...]: redis, or valkey; sets KEYS, its port, and KEYS_CLIENT
key_server() {
	local said program
	said=$("$TOP/tests/servers.sh" redis 2>&1) || skip "redis-server cannot be had: $said"
	program=$(ls -d "${said##*$'\n'}"/*-server | sed -n 1p)
	KEYS_CLIENT=${program%-server}-cli
	KEYS=$(free_port)
	server "$WORK/keys.log" "$program" --bind 127.0.0.1 --port "$KEYS" --save '' --dir "$WORK" "$@"
	wait_for 20 listens "$KEYS"
}

# archiver DIR NAME PORT [ARCHIVE]: a pmlogger of that pmcd, by DIR/log.conf, whose archive series_proxy DIR
# finds, if the folder DIR/archives/pmlogger/NAME was there when it began
archiver() {
	local dir=$1 archive=$1/archives/pmlogger/$2/${4:-a}
	server "$dir/$2.out" env PCP_TMP_DIR="$dir" PCP_RUN_DIR="$dir" pmlogger -h "127.0.0.1:$3" -c "$dir/log.conf" -L \
		-l "$dir/$2.log" "$archive"
	wait_for 20 test -s "$archive.0"
}

# series [OPTION...] QUERY: what PROXY answers, as tests/series.py prints it
series() {
	/usr/bin/python3 "$TOP/tests/series.py" "http://127.0.0.1:$PROXY" "$@"
}

# series_say QUERY TEXT: is this the answer?
series_say() {
	[ "$(series "$1")" = "$2" ]
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

# scrape_names [LIST...]: to scrape, as in prometheus.yml; lists are names, names-detail
scrape_names() {
	(cd "$TOP/fleet" && grep -hv '^#' "${@:-names}") | paste -sd,
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

# pmseries_setup: a folder for pmproxy and pmseries, or skip
pmseries_setup() {
	need_root
	need pmseries
	[ -x /usr/lib/pcp/bin/pmproxy ] || skip "pmproxy is not installed: make deps installs it"
	new_work
	export LC_ALL=C.UTF-8 PCP_PYTHON_PROG=/usr/bin/python3 PYTHONDONTWRITEBYTECODE=1
	cd "$WORK" || return 1
}
