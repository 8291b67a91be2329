# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# The commands of docs/fleet.md, TMPDIR/commands, in their order. All hosts are this machine. Programs of
# packages are those of SERVERS, and apt-get and systemctl are functions: the latter starts what a unit would.
PREFIX=/usr/local
OURS=$PREFIX/lib/pmdakvm/pmdas/kvm
for name in kv1 kv2 kv3 monitor; do
	grep -q "$name" /etc/hosts || echo "127.0.0.1 $name" >>/etc/hosts
done
for folder in $SERVERS; do
	PATH=$PATH:$folder
done

apt-get() {
	local package
	[ "$1 $2" = "install -y" ] || fail "apt-get $*"
	for package in "${@:3}"; do
		command -v "$package" >/dev/null || fail "no program of the package $package"
	done
}

# it installs what a build needs, which is here
make() {
	case $1 in
	deps-build) grep -q "^$1:" "$TOP/Makefile" || fail "no target $1" ;;
	install) command make --no-print-directory -C "$TOP" O="$BUILD" install >/dev/null ;;
	*) fail "make $*" ;;
	esac
}

started=
background() {
	local log=$1
	shift
	"$@" >"$log" 2>&1 </dev/null &
	started="$started $!"
}

# start UNIT: as its unit does; Debian's of Prometheus has these options
start() {
	case $1 in
	pmcd) pmcd_ start ;;
	pmproxy) /etc/init.d/pmproxy start >/dev/null ;;
	prometheus) background /tmp/prometheus.log prometheus --config.file=/etc/prometheus/prometheus.yml \
		--storage.tsdb.path=/tmp/tsdb ;;
	prometheus-node-exporter) background /tmp/exporter.log prometheus-node-exporter \
		--collector.textfile.directory=/var/lib/prometheus/node-exporter ;;
	kvmbpf-textfile)
		# shellcheck disable=SC2046 # words
		background /tmp/kvmbpf.log $(sed -n 's/^ExecStart=//p' "$PREFIX/lib/systemd/system/$1.service" | sed 's/-d 15/-d 1/')
		;;
	*) fail "no unit $1 is known" ;;
	esac
}

systemctl() {
	case "$1 $2" in
	"enable --now") shift ;;
	"restart prometheus") # what would take minutes takes seconds
		sed -i 's/: 30s/: 1s/; s/: 10s/: 1s/' /etc/prometheus/prometheus.yml
		;;
	*) fail "systemctl $*" ;;
	esac
	shift
	for unit; do start "$unit"; done
}

ask() {
	promtool query instant http://localhost:9090 "$1" 2>/dev/null
}

is_up() { [ "$(ask 'sum(up{job=~"kvm.*"})' | grep -c '=> 3 ')" = 1 ]; }
costs() { ask 'count(kvm_vm:overhead:rate{vm="web1"})' | grep -q '=> 3 '; }
answers() { curl -s -m 2 "$1" >/tmp/page && grep -q "$2" /tmp/page; }

mkdir -p /etc/prometheus /var/lib/prometheus/node-exporter
# a host with the agent, as README says
start pmcd
rm -f /etc/pcp/kvm/kvm.conf
make install
run_in $OURS Install
cp "$BUILD/tests/guest" /tmp/web1
GUEST=
# guest: a VM that works and then is halted, in place of the one before
guest() {
	[ -z "$GUEST" ] || kill "$GUEST"
	background /tmp/guest.log /tmp/web1 --pio "$PIO" --mmio "$MMIO" --irqchip --sleep
	GUEST=$!
}
guest
did() { pminfo -f kvm.vm.userspace_exit.count | grep -q "IO\".* value $PIO\$"; }
await "the guest does nothing" did

# the tree is where make is run
cd "$TOP"
n=0
while read -r command <&3; do
	echo "# $command"
	# what takes time to be there
	case $command in
	curl*44322*) await "pmproxy does not answer" answers 'http://localhost:44322/metrics?hostspec=localhost&names=kvm.nvms' '^kvm_nvms' ;;
	curl*9100*) await "node_exporter does not show it" answers http://localhost:9100/metrics '^kvm_nvms' ;;
	*up*==*) await "not all targets are up" is_up ;;
	*topk*) await "no VM has a cost" costs ;;
	esac
	eval "$command" >/tmp/said 2>&1 || {
		cat /tmp/said
		fail "$command"
	}
	n=$((n + 1))
	case $command in
	*kvmbpf-textfile*)
		await "kvmbpf writes nothing" test -s /var/lib/prometheus/node-exporter/kvm.prom
		guest
		;;
	curl*44322*) grep -q '^kvm_nvms{.*} 1$' /tmp/said || fail "$(cat /tmp/said)" ;;
	curl*9100*) grep -qx 'kvm_nvms 1' /tmp/said || fail "$(cat /tmp/said)" ;;
	*"up{"*==*) expect "targets that do not answer" "$(cat /tmp/said)" "" ;;
	*topk*) grep "vm=\"web1\"" /tmp/said || fail "$(cat /tmp/said)" ;;
	esac
done 3<"$TMPDIR/commands"
expect "hosts" "$(ask 'sum by (instance) (kvm_host:vms)' | grep -o 'instance="[^"]*"' | sort | tr '\n' ' ')" 'instance="kv1" instance="kv2" instance="kv3" '
# as the first table of the dashboard to begin with asks: cost and reason of each VM
reasons() { ask 'count(kvm_top_vm_reason:userspace_time:rate{vm="web1"})' | grep -q '=> 3 '; }
await "the dashboard has no reasons" reasons
/usr/bin/python3 "$TOP/tests/panels.py" http://localhost:9090 "$(date +%s)" >/tmp/panels
grep -F 'kvm-fleet | VMs that cost most, and why | In the VMM for, vCPUs' /tmp/panels | grep -E 'reason="(IO|MMIO)", vm="web1"' ||
	fail "the dashboard does not say why"
expect "commands that were run" "$n" "$(wc -l <"$TMPDIR/commands")"
echo "all commands were run"
# shellcheck disable=SC2086
kill $started
