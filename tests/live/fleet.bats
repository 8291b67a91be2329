# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Tests the rules of Prometheus in fleet/, which with those of pmie are made of one source.
#
# bats file_tags=idle

load common
load prometheus

setup() {
	new_work
	cd "$WORK" || return 1
}

fleet() {
	/usr/bin/python3 "$TOP/tools/fleet.py" "$@"
}

@test "the rules of Prometheus and pmie, and the names to scrape, are what the source makes" {
	mkdir "$WORK/pmie"
	fleet pmie "$WORK/pmie"
	diff -r "$WORK/pmie" "$TOP/dashboards/pmieconf"
	fleet records | diff - "$TOP/fleet/prometheus/kvm-records.yml"
	fleet alerts | diff - "$TOP/fleet/prometheus/kvm-alerts.yml"
	fleet scrape | diff - "$TOP/fleet/prometheus/prometheus.yml"
	fleet names | diff - "$TOP/fleet/names"
	fleet names-detail | diff - "$TOP/fleet/names-detail"
}

@test "promtool has no complaint about the rules; series below and above each threshold do what they should" {
	need_prometheus
	cp "$TOP"/fleet/prometheus/kvm-*.yml "$TOP/tests/data/fleet/rules.test.yml" .
	"$TOOLS/promtool" check rules kvm-records.yml kvm-alerts.yml
	"$TOOLS/promtool" test rules rules.test.yml
	# it does fail where one is wrong
	sed -i 's/ > 5$/ > 6/; s/ > 5'\''$/ > 6'\''/' kvm-alerts.yml
	run "$TOOLS/promtool" test rules rules.test.yml
	[ "$status" != 0 ]
	# no alert is without a test of both sources, but those of Prometheus's own series
	sed -nE 's/^  - alert: //p' "$TOP/fleet/prometheus/kvm-alerts.yml" >alerts
	[ "$(wc -l <alerts)" -ge 12 ]
	while read -r alert; do
		n=$(grep -c "alertname=\"$alert\",alertstate=\"firing\"" rules.test.yml)
		case $alert in
		KvmHostDown | KvmScrapeSlow | KvmTextfileOld) [ "$n" -ge 1 ] ;;
		*) [ "$n" -ge 2 ] || { echo "$alert: $n"; return 1; } ;;
		esac
	done <alerts
}

# job NAME: its part of prometheus.yml without what differs by intent
job() {
	awk -v name="- job_name: $1" '/^- job_name/ { inside = $0 == name } /^$/ { inside = 0 } inside' \
		"$TOP/fleet/prometheus/prometheus.yml" | grep -v -e job_name -e 'see fleet' -e 'names:'
}

@test "both scrapes of a host with PCP differ in their names alone, of which none is in both; the first has all that alerts need" {
	job kvm-pcp >first
	job pcp-kvm-detail >second
	[ "$(wc -l <first)" -gt 10 ]
	diff first second
	grep -hv '^#' "$TOP/fleet/names" "$TOP/fleet/names-detail" | sort | uniq -d | tee twice
	[ ! -s twice ]
	grep -v '^#' "$TOP/fleet/names-detail" >detail
	[ -s detail ]
	sed -nE 's/^(of|per|lost) (kvm\..*)/\2/p' "$TOP/fleet/alerts" | sort -u >watched
	[ "$(wc -l <watched)" -ge 8 ]
	grep -vxFf <(grep -v '^#' "$TOP/fleet/names") watched | tee missing
	[ ! -s missing ]
	# a summary names only labels that records have
	grep summary: "$TOP/fleet/prometheus/kvm-alerts.yml" | grep -oE '\$labels\.[a-z]+' | sed 's/.*\.//' | sort -u >named
	[ "$(wc -l <named)" -ge 5 ]
	grep -oE 'by \([a-z, ]+\)' "$TOP/fleet/prometheus/kvm-records.yml" | grep -oE '[a-z]+' | sort -u >known
	# what Prometheus's own series have
	echo file >>known
	grep -vxFf known named | tee unknown
	[ ! -s unknown ]
}

@test "the rules name only series that pmproxy or kvmbpf have, and both of each" {
	every_metric >every
	"$BUILD/kvmbpf" dump --from every --prometheus | sed -nE 's/^(kvm_[a-z0-9_]+)[{ ].*/\1/p' | sort -u >own
	sed -nE 's/^METRIC\("([^"]*)".*/\1/p' "$TOP/src/metrics/metrics.def" | tr . _ >pcp
	sed -nE 's/^STAT_ITEM\([0-9]+,\s*([a-z_0-9]+),.*/kvm_vm_stat_\1/p' "$TOP/src/metrics/stat_items.def" >>pcp
	sort -o pcp pcp
	grep -v '^#' "$TOP/fleet/prometheus/kvm-records.yml" | grep -oE '\bkvm_[a-z_]+\b[^:a-z_]' | sed 's/.$//' | sort -u >used
	comm -23 used <(sort -u own pcp) | tee unknown
	[ ! -s unknown ]
	comm -12 used own >used.own
	comm -12 used pcp >used.pcp
	[ "$(wc -l <used.own)" -gt 25 ]
	[ "$(wc -l <used.pcp)" = "$(wc -l <used.own)" ]
	# what is scraped is what the rules need; histograms by VM are left out
	grep -hv '^#' "$TOP/fleet/names" "$TOP/fleet/names-detail" | tr . _ | sort | diff - <(grep -v kvm_vm_exit_latency used.pcp)
}
