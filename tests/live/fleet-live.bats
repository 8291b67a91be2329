# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# What a real guest did is what Prometheus and pmseries answer: by way of pmcd, pmproxy and pmlogger, and by
# that of kvmbpf and node_exporter.

load common
load stat
load numbers
load prometheus
load servers

setup() {
	need_kvm
	need_prometheus
	new_work
	open_hold
	export LC_ALL=C.UTF-8 PCP_PYTHON_PROG=/usr/bin/python3
}

teardown() {
	[ -z "${BATS_TEST_COMPLETED:-}" ] && tail -n 5 "$WORK"/*.log "$WORK"/*/*log 2>/dev/null
	jobs -p | xargs -r kill 2>/dev/null || true
	servers_stop
	umount -l "$WORK/bpf" 2>/dev/null || true
}

# web1: a guest of this name that makes PIO and MMIO accesses and then stays halted; sets GUEST
web1() {
	cp "$BUILD/tests/guest" "$WORK/web1"
	"$WORK/web1" --pio $PIO --mmio $MMIO --irqchip --sleep <&9 >"$WORK/done" 3>&- &
	GUEST=$!
}

# exits NAME: the query, without labels that differ by the way
exits() {
	echo "sum by (vm, pid, reason) ($1{vm=\"web1\", reason=~\"IO|MMIO\"})"
}

did() {
	echo "{pid=\"$GUEST\", reason=\"IO\", vm=\"web1\"} => $PIO"
	echo "{pid=\"$GUEST\", reason=\"MMIO\", vm=\"web1\"} => $MMIO"
}

# one_vcpu: it is known as one, whose time is all accounted for
one_vcpu() {
	wait_for 20 says 'sum by (id) (kvm_vm:vcpus)' "{id=\"a/web1/$GUEST\"} => 1"
	wait_for 20 says 'round(sum by (vm) (kvm_vm_state:time:rate{vm="web1"} / on (id) group_left () sum by (id) (kvm_vm_state:time:rate)))' '{vm="web1"} => 1'
}

# scrape_often: each second, where that is time enough
scrape_often() {
	local every=1s
	[ -z "${EMULATED:-}" ] || every=8s
	sed -i "s|\(scrape_[a-z]*\): 3s|\1: $every|" "$WORK/prometheus.yml"
}

@test "by pmproxy and pmlogger, over an agent's restart, until the VM ends" {
	[ -x /usr/lib/pcp/bin/pmproxy ] || skip "pmproxy is not installed: make deps installs it"
	mkdir -p "$WORK/bpf" "$WORK/logs/archives/pmlogger/a"
	mount -t bpf bpf "$WORK/bpf" || skip "no BPF file system can be mounted"
	conf '[bpf]' "pin = $WORK/bpf/pins"
	(
		pmcd_env "$WORK"
		pmcd_files "$WORK" "$TOP" "$BUILD" daemon -c "$WORK/kvm.conf"
	)
	pmcd_root "$TOP" >"$WORK/root"
	echo "pmcd 2 dso pmcd_init /var/lib/pcp/pmdas/pmcd/pmda_pmcd.so" >>"$WORK/pmcd.conf"
	PORT=$(free_port)
	pmcd_run "$WORK" "$PORT" kv1
	PMCD_PID=${SERVERS[-1]}
	export PMCD_HOST=127.0.0.1:$PORT
	wait_for 20 made_answers
	key_server
	echo 'log mandatory on 1 sec { kvm.nvms
		kvm.vm.userspace_exit.count }' >"$WORK/logs/log.conf"
	web1
	archiver "$WORK/logs" a "$PORT"
	series_proxy "$WORK/logs"
	printf '{"targets": ["127.0.0.1:%s"], "labels": {"instance": "a", "__hostspec": "127.0.0.1:%s"}}\n' "$PROXY" "$PORT" |
		prometheus_config kvm-pcp
	sed -i "/kvm\.agent/s|names: \['|&kvm.vm.userspace_exit.count,|" "$WORK/prometheus.yml"
	scrape_often
	prometheus_start
	wait_for 20 says "$(exits kvm_vm_userspace_exit_count)" "$(did)"
	wait_for 20 series_has "web1-$GUEST::IO => $PIO"
	series_has "web1-$GUEST::MMIO => $MMIO"
	one_vcpu
	old=$(agent)
	kill -KILL "$old"
	wait_for 20 another "$old"
	# what was counted before is in pinned memory
	wait_for 20 says "count(timestamp(kvm_nvms) > $EPOCHSECONDS)" '{} => 1'
	wait_for 20 says "$(exits kvm_vm_userspace_exit_count)" "$(did)"
	let_go "$GUEST"
	wait_for 20 says 'sum(kvm_nvms)' '{} => 0'
	wait_for 20 says 'count(kvm_vm_vcpus) or vector(0)' '{} => 0'
	# what it did is there to look back at, and once
	[ "$(ask "sum(max_over_time(kvm_vm_userspace_exit_count{vm=\"web1\",reason=\"IO\"}[5m]))")" = "{} => $PIO" ]
	pmseries -h 127.0.0.1 -p "$KEYS" 'kvm.vm.userspace_exit.count[count:600]' | grep -q " $PIO "
}

# series_has TEXT: do PCP's series have an instance and value so
series_has() {
	series 'kvm.vm.userspace_exit.count{hostname=="kv1"}' | grep -qF -- "$1"
}

@test "without PCP: by the service's command and node_exporter's textfile collector" {
	said=$("$TOP/tests/servers.sh" node-exporter 2>&1) || skip "prometheus-node-exporter cannot be had: $said"
	mkdir "$WORK/textfile" "$WORK/dest"
	env -u MAKEFLAGS make -C "$TOP" O="$BUILD" DESTDIR="$WORK/dest" install >"$WORK/make.log" 2>&1
	unit=$WORK/dest/usr/local/lib/systemd/system/kvmbpf-textfile.service
	[[ $(sed -n 's/^ExecStart=//p' "$unit") == "/usr/local/sbin/kvmbpf dump -d 15 -c /dev/null --prometheus --textfile /var/lib/prometheus/node-exporter/kvm.prom -m kvm."* ]]
	command=$(sed -n 's/^ExecStart=//p' "$unit" | sed "s|/usr/local/sbin|$WORK/dest&|; s|/var/lib/prometheus/node-exporter|$WORK/textfile|; s|-d 15|-d 0.5|")
	# shellcheck disable=SC2086
	server "$WORK/kvmbpf.log" $command -m kvm.vm.userspace_exit.count
	kvmbpf=${SERVERS[-1]}
	port=$(free_port)
	server "$WORK/exporter.log" "${said##*$'\n'}/prometheus-node-exporter" --collector.disable-defaults --collector.textfile \
		--collector.textfile.directory="$WORK/textfile" --web.listen-address="127.0.0.1:$port"
	printf '{"targets": ["127.0.0.1:%s"], "labels": {"instance": "a"}}\n' "$port" | prometheus_config kvm-node
	scrape_often
	prometheus_start
	wait_for 20 test -s "$WORK/textfile/kvm.prom"
	web1
	wait_for 20 says "$(exits kvm_vm_userspace_exit_count_total)" "$(did)"
	one_vcpu
	# the file's age is known, and no event of the group that costs guests was counted
	says 'count(node_textfile_mtime_seconds)' '{} => 1'
	[ "$(grep -c kvm_trace "$WORK/textfile/kvm.prom")" = 0 ]
	let_go "$GUEST"
	wait_for 20 says 'count(kvm_vm_vcpus) or vector(0)' '{} => 0'
	[ "$(ask "sum(max_over_time(kvm_vm_userspace_exit_count_total{vm=\"web1\",reason=\"IO\"}[5m]))")" = "{} => $PIO" ]
	kill "$kvmbpf"
	wait "$kvmbpf"
}

@test "the service's unit is as systemd reads it" {
	need systemd-analyze
	mkdir "$WORK/dest"
	env -u MAKEFLAGS make -C "$TOP" O="$BUILD" DESTDIR="$WORK/dest" install >"$WORK/make.log" 2>&1
	unit=$WORK/dest/usr/local/lib/systemd/system/kvmbpf-textfile.service
	# of programs that are not installed it complains
	sed "s|=/usr/local/|=$WORK/dest/usr/local/|" "$unit" >"$WORK/kvmbpf-textfile.service"
	SYSTEMD_UNIT_PATH=$WORK: run systemd-analyze verify --man=no "$WORK/kvmbpf-textfile.service"
	echo "$output"
	[ "$status" = 0 ]
	[[ $output != *kvmbpf-textfile* ]]
	# it does complain of what it does not know
	sed 's/^Restart=always/Restart=often\nRestartSecond=3/' "$WORK/kvmbpf-textfile.service" >"$WORK/wrong.service"
	SYSTEMD_UNIT_PATH=$WORK: run systemd-analyze verify --man=no "$WORK/wrong.service"
	[ "$(grep -c '/wrong.service:[0-9]*:' <<<"$output")" = 2 ]
}
