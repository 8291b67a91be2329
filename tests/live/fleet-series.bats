# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# bats file_tags=idle
#
# PCP's own series: pmlogger's archives of two made hosts, which pmproxy loads into a key server, queried by
# metric, instance, host and label. And what is answered where credentials are wrong.

load common
load prometheus
load servers

setup() {
	need pmlogger
	pmseries_setup
}

teardown() {
	[ -z "${BATS_TEST_COMPLETED:-}" ] && tail -n 5 "$WORK"/*/*log 2>/dev/null
	servers_stop
}

id=6f3c1c5e-0b0d-4a3e-9d0c-3b7f0a2c1d11

# made HOST <LINES: what its agent has from now on
made() {
	cat >"$WORK/$1.new"
	mv "$WORK/$1.new" "$WORK/$1.made"
}

# vm NAME-PID IO MMIO: lines of a VM with so many exits
vm() {
	local name=${1%-*} uuid=
	[ "$name" != web1 ] || uuid=",\"uuid\":\"$id\""
	echo "kvm.vm.vcpus|$1|2|{\"vm\":\"$name\",\"pid\":${1##*-}$uuid}"
	echo "kvm.vm.userspace_exit.count|$1::IO|$2|{\"vm\":\"$name\",\"pid\":${1##*-},\"reason\":\"IO\"$uuid}"
	echo "kvm.vm.userspace_exit.count|$1::MMIO|$3|{\"vm\":\"$name\",\"pid\":${1##*-},\"reason\":\"MMIO\"$uuid}"
}

# fleet: two hosts, logged once a second, and pmproxy
fleet() {
	local host
	mkdir -p logs/archives/pmlogger/kv{1,2}
	echo 'log mandatory on 1 sec { kvm.nvms
		kvm.vm.vcpus
		kvm.vm.userspace_exit.count }' >logs/log.conf
	key_server
	for host in kv1 kv2; do
		made_pmcd $host $host
		archiver "$WORK/logs" $host "$PORT"
	done
	series_proxy "$WORK/logs"
}

exits=kvm.vm.userspace_exit.count

@test "series by metric, instance, host and label say what the agents did, while VMs come, move and go" {
	{ echo 'kvm.nvms||2|'; vm web1-4711 10007 1009; vm db-12 503 7; } | made kv1
	{ echo 'kvm.nvms||1|'; vm mail-815 77 5; } | made kv2
	fleet
	wait_for 20 series_say kvm.nvms 'kv1 kvm.nvms - => 2
kv2 kvm.nvms - => 1'
	wait_for 20 series_say "$exits{hostname==\"kv1\"}" "kv1 $exits db-12::IO => 503
kv1 $exits db-12::MMIO => 7
kv1 $exits web1-4711::IO => 10007
kv1 $exits web1-4711::MMIO => 1009"
	# an instance's name finds the hosts that have it, with all that they have
	wait_for 20 series_say "$exits{instance.name==\"mail-815::MMIO\"}" "kv2 $exits mail-815::IO => 77
kv2 $exits mail-815::MMIO => 5"
	[ "$(series "$exits{instance.name==\"mail-815::MMIO\" && hostname==\"kv1\"}")" = "" ]
	[ "$(series 'kvm.vm.userspace_exit.*{hostname=="kv2"}' | wc -l)" = 2 ]
	# so do labels of those that were there when the archive began
	wait_for 20 series_say "kvm.vm.vcpus{uuid==\"$id\"}" "kv1 kvm.vm.vcpus db-12 => 2
kv1 kvm.vm.vcpus web1-4711 => 2"
	# web1 moves: the same name and UUID, another PID
	{ echo 'kvm.nvms||1|'; vm db-12 1503 7; } | made kv1
	{ echo 'kvm.nvms||2|'; vm mail-815 77 5; vm web1-99 31 2; } | made kv2
	# pmproxy 6.0 goes on with the last values of what has ended
	but_of_web1() {
		[ "$(series "$exits{hostname==\"kv1\"}" | grep -vE 'web1-4711::(IO => 10007|MMIO => 1009)$')" = "$1" ]
	}
	wait_for 20 but_of_web1 "kv1 $exits db-12::IO => 1503
kv1 $exits db-12::MMIO => 7"
	wait_for 20 series_say "$exits{instance.name~~\"web1-99::*\"}" "kv2 $exits mail-815::IO => 77
kv2 $exits mail-815::MMIO => 5
kv2 $exits web1-99::IO => 31
kv2 $exits web1-99::MMIO => 2"
	# what it did on its first host is there to look back at, by pmseries itself, too
	by_pmseries "$exits{hostname==\"kv1\"}[count:600]" ' 503 '
	by_pmseries "$exits{hostname==\"kv1\"}[count:600]" ' 10007 '
	hosts() { [ "$(pmseries -h 127.0.0.1 -p "$KEYS" -v hostname | tr -d ',"' | tr ' ' '\n' | sort | paste -sd' ')" = "$1" ]; }
	wait_for 20 hosts 'hostname: kv1 kv2'
}

@test "a host that goes away has no newer values, and has them again when it is back" {
	{ echo 'kvm.nvms||1|'; vm web1-4711 10007 1009; } | made kv1
	{ echo 'kvm.nvms||1|'; vm mail-815 77 5; } | made kv2
	fleet
	wait_for 20 series_say kvm.nvms 'kv1 kvm.nvms - => 1
kv2 kvm.nvms - => 1'
	# pmcd and its pmlogger end
	kill "${SERVERS[@]: -3:2}"
	wait "${SERVERS[@]: -3:2}" || true
	{ echo 'kvm.nvms||3|'; vm web1-4711 10009 1009; } | made kv1
	{ echo 'kvm.nvms||3|'; vm mail-815 78 5; } | made kv2
	wait_for 20 series_say kvm.nvms 'kv1 kvm.nvms - => 3
kv2 kvm.nvms - => 1'
	made_pmcd kv2 kv2
	archiver "$WORK/logs" kv2 "$PORT" b
	wait_for 20 series_say kvm.nvms 'kv1 kvm.nvms - => 3
kv2 kvm.nvms - => 3'
	series_say "$exits{hostname==\"kv2\"}" "kv2 $exits mail-815::IO => 78
kv2 $exits mail-815::MMIO => 5"
}

@test "names with quotes, backslashes and letters of any alphabet are found, and hide no other VM" {
	{
		echo 'kvm.nvms||3|'
		vm web1-4711 10007 1009
		echo 'kvm.vm.vcpus|we"b-12|3|{"vm":"we\"b","pid":12}'
	} | made kv1
	# with a backslash, or letters beyond ASCII, pmproxy's answer is no JSON (PCP 6.0): only pmseries is asked
	{
		echo 'kvm.nvms||2|'
		printf '%s\n' 'kvm.vm.vcpus|we\b-14|7|{"vm":"we\\b","pid":14}'
		echo 'kvm.vm.vcpus|büro €-13|5|{"vm":"büro €","pid":13}'
	} | made kv2
	fleet
	wait_for 20 series_say 'kvm.vm.vcpus{hostname=="kv1"}' 'kv1 kvm.vm.vcpus we"b-12 => 3
kv1 kvm.vm.vcpus web1-4711 => 2'
	wait_for 20 by_pmseries 'kvm.vm.vcpus{instance.name=="büro €-13"}[count:1]' ' 5 '
	by_pmseries 'kvm.vm.vcpus{hostname=="kv2"}[count:1]' ' 7 '
	pmseries -h 127.0.0.1 -p "$KEYS" -i "$(pmseries -h 127.0.0.1 -p "$KEYS" 'kvm.vm.vcpus{hostname=="kv2"}')" | grep -F 'we\b-14'
}

# by_pmseries QUERY TEXT: does pmseries itself say this
by_pmseries() {
	pmseries -h 127.0.0.1 -p "$KEYS" "$1" | grep -qF -- "$2"
}

# log_says DIR TEXT: does the log of pmproxy there
log_says() {
	grep -q "$2" "$1/log"
}

@test "a key server that asks for a password: pmproxy's log says which is missing or wrong, and /metrics goes on" {
	{ echo 'kvm.nvms||3|'; vm web1-4711 10007 1009; } | made kv1
	made_pmcd kv1 kv1
	key_server --requirepass secret
	for try in "none||NOAUTH Authentication required" "wrong|password = wrong|WRONGPASS invalid"; do
		IFS='|' read -r name line text <<<"$try"
		series_proxy "$WORK/$name" "$line"
		wait_for 20 log_says "$WORK/$name" "$text"
		page "http://127.0.0.1:$PROXY/metrics?hostspec=127.0.0.1:$PORT&names=kvm.nvms" | grep -q '^kvm_nvms{.*} 3$'
	done
	series_proxy "$WORK/right" "password = secret"
	wait_for 20 series_say kvm.nvms ""
	[ "$(grep -cE 'NOAUTH|WRONGPASS' "$WORK/right/log")" = 0 ]
}

@test "a pmcd that asks for credentials: Prometheus sees no host without them or with wrong ones" {
	need_prometheus
	[ -n "$(find /usr/lib -path '*/sasl2/libplain.so*' -print -quit)" ] || skip "libsasl2-modules is not installed: make deps installs it"
	echo 'kvm.nvms||3|' | made kv1
	mkdir sasl
	printf '%s\n' 'mech_list: plain' 'pwcheck_method: auxprop' 'auxprop_plugin: sasldb' "sasldb_path: $WORK/sasl/passwd.db" \
		>sasl/pmcd.conf
	export SASL_CONF_PATH=$WORK/sasl
	# as saslpasswd2 does
	/usr/bin/python3 - <<-'END' || skip "libsasl2-modules-db is not installed: make deps installs it"
		import ctypes, sys
		sasl, conn = ctypes.CDLL("libsasl2.so.2"), ctypes.c_void_p()
		sys.exit(sasl.sasl_server_init(None, b"pmcd") or
		         sasl.sasl_server_new(b"pmcd", None, None, None, None, None, 0, ctypes.byref(conn)) or
		         sasl.sasl_setpass(conn, b"root", b"secret", 6, None, 0, 1))
	END
	PMCD_OPTIONS=-S
	made_answers() {
		pminfo -h "pcp://127.0.0.1:$PORT?method=plain&user=root&pass=secret" -f kvm.nvms 2>&1 | grep -q value
	}
	made_pmcd kv1
	proxy
	true | prometheus_config kvm-pcp
	{
		sed '/^scrape_configs:/q' prometheus.yml
		while read -r name password; do
			echo "- job_name: $name"
			echo "  params: { hostspec: ['127.0.0.1:$PORT'], names: [kvm.nvms] }"
			echo "  static_configs: [ { targets: ['127.0.0.1:$PROXY'] } ]"
			[ -z "$password" ] || echo "  basic_auth: { username: root, password: $password }"
		done <<-END
			none
			wrong nonsense
			right secret
		END
	} >with
	mv with prometheus.yml
	prometheus_start
	wait_for 20 says 'count(kvm_nvms{job="right"} == 3)' '{} => 1'
	wait_for 20 says 'count(up) == 3' '{} => 3'
	[ "$(ask 'sum by (job) (up)')" = '{job="none"} => 0
{job="right"} => 1
{job="wrong"} => 0' ]
	page "$WEB/api/v1/targets" | jq -e '[.data.activeTargets[] | select(.labels.job != "right").lastError | test("HTTP status 400")] | all and length == 2'
}
