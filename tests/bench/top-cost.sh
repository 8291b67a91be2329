#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# top-cost.sh BUILD [VMS]: what a screen of kvmbpf top takes of a CPU, user and system, and how large it gets,
# with 1,000 VMs that each do something once in a while, on a terminal of 80x24: the CPU time of 21 screens
# less that of one, by 20, at a screen a second. And when the first is there, with rates
# of 0.1 s and what begins and ends it. No agent runs, so it counts itself. As root, with no other VM here.
set -euo pipefail
build=$1 vms=${2:-1000}
dir=$(mktemp -d "${TMPDIR:-/tmp}/pmdakvm-top.XXXXXX")
guests=
# shellcheck disable=SC2086 # a list of words
trap 'tmux -S "$dir/tmux" kill-server 2>/dev/null || true; [ -z "$guests" ] || kill $guests; rm -rf "$dir"' EXIT
cat >"$dir/time.py" <<-'END'
	import resource, subprocess, sys, time
	start = time.monotonic()
	subprocess.run(sys.argv[2:], check=True)
	used = resource.getrusage(resource.RUSAGE_CHILDREN)
	print(round(used.ru_utime * 1000), round(used.ru_stime * 1000), used.ru_maxrss,
	      round((time.monotonic() - start) * 1000), file=open(sys.argv[1], "w"))
END
printf '[bpf]\npin = none\n' >"$dir/kvm.conf"
for ((left = vms; left > 0; left -= 50)); do
	"$build/tests/guest" --vms $((left < 50 ? left : 50)) --pio 3 --mmio 3 --cpuid 3 --repeat --pause-ms 1500 >/dev/null 2>&1 &
	guests+=" $!"
done
sleep 5

# screens N SIZE: user and system time of so many, ms, KiB, and ms from start to end
screens() {
	tmux -S "$dir/tmux" -u -f /dev/null new-session -d -x "${2%x*}" -y "${2#*x}" \
		"TERM=screen-256color python3 $dir/time.py $dir/time $build/kvmbpf top -c $dir/kvm.conf -n $1 -d 1; echo >$dir/done"
	while [ ! -e "$dir/done" ]; do sleep 0.1; done
	rm "$dir/done"
	cat "$dir/time"
}
for size in 80x24 200x60; do
	read -r user0 system0 _ first < <(screens 1 $size)
	read -r user system kib _ < <(screens 21 $size)
	awk -v first="$first" -v user=$((user - user0)) -v sys=$((system - system0)) -v kib="$kib" -v vms="$vms" -v size=$size 'BEGIN {
		printf "%d VMs, %s: %.1f ms a screen, user %.1f, system %.1f; %.0f MiB; the first after %d ms\n", vms, size,
			(user + sys) / 20, user / 20, sys / 20, kib / 1024, first }'
done
