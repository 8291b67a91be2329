# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# Helpers of tests that have Prometheus read what is counted.

# every_metric: a snapshot with a row of every metric of the table, event and statistic.
every_metric() {
	echo 'pmdakvm-snapshot	2'
	{
		{ tr '\n' ' ' <"$TOP/src/metrics/metrics.def"; echo; } | sed 's/METRIC(/\n&/g; s/SUBTREE(/\n&/g' |
			sed -nE 's/^METRIC\("[^"]*", [0-9]+, [0-9]+, [US][0-9]+, [A-Z]+, [A-Z]+, [A-Z_]+, "([^"]*)", "([^"]*)"\).*/\1 \2/p'
		sed -nE 's/^TRACE_ITEM\([0-9]+,\s*([a-z_0-9]+),.*/trace \1/p' "$TOP/src/metrics/tracepoint_items.def"
		sed -nE 's/^STAT_ITEM\([0-9]+,\s*([a-z_0-9]+),\s*([A-Z_]+), ([A-Z]+),.*/\1 \2 \3/p' "$TOP/src/metrics/stat_items.def" |
			awk '{ split("stat vm_stat vcpu_stat", tables, " ")
				for (i = 1; i <= 3; i++)
					print tables[i] ($2 ~ /HIST/ ? "_hist" : ""), $1,
						$2 ~ /HIST|CUMULATIVE/ ? "counter" : "instant", $2 ~ /HIST/ ? "COUNT" : $3 }'
	} | sed 's/NSEC$/ns/; s/COUNT$/count/; s/BYTES$/byte/; s/NONE$//' | awk '
		{ columns[$1] = columns[$1] "column\t" $2 ($3 ? "\t" $3 "\t" $4 : "") "\n"; n[$1]++ }
		END { for (table in columns) {
			printf "table\t%s\n%srow\t0\t\tx\t%s", table, columns[table], table ~ /hist$|latency$/ ? "4-7" : "-"
			for (i = 0; i < n[table]; i++) printf "\t7"
			print ""
		} }'
}

# need_prometheus: sets TOOLS, the folder of promtool and prometheus.
need_prometheus() {
	local said
	said=$("$TOP/tests/servers.sh" prometheus 2>&1) || skip "promtool cannot be had: $said"
	TOOLS=${said##*$'\n'}
}
