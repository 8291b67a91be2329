#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# top-cost.sh BUILD [VMS [PART...]]: what kvmbpf top takes with 1,000 VMs that each do something once in a
# while, as root, with no other VM here. PARTs are
#
#	cost	what a screen takes of a CPU, user and system, and how large the process gets, on terminals of
#		80x24 and 200x60: the CPU time of 21 screens less that of one, by 20, at a screen a second. No agent
#		runs, so it counts itself.
#	first	from its start to the first screen that has rates, which are those of 0.1 s, and to its end, the
#		medians of 9 runs; then the same with an agent, whose maps it reads.
set -euo pipefail
build=$1 vms=${2:-1000}
shift $(($# < 2 ? $# : 2))
parts=" ${*:-cost first} "
top=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=scripts/pmcd.sh
. "$top/scripts/pmcd.sh"
dir=$(mktemp -d "${TMPDIR:-/tmp}/pmdakvm-top.XXXXXX")
guests=
end() {
	tmux -S "$dir/tmux" kill-server 2>/dev/null || true
	pmcd_stop
	# shellcheck disable=SC2086 # a list of words
	[ -z "$guests" ] || kill $guests 2>/dev/null || true
	! mountpoint -q "$dir/bpf" || umount -l "$dir/bpf"
	rm -rf "$dir"
}
trap end EXIT
cat >"$dir/cost.py" <<-'END'
	import resource, subprocess, sys
	subprocess.run(sys.argv[2:], check=True)
	used = resource.getrusage(resource.RUSAGE_CHILDREN)
	print(round(used.ru_utime * 1000), round(used.ru_stime * 1000), used.ru_maxrss, file=open(sys.argv[1], "w"))
END
cat >"$dir/first.py" <<-'END'
	import statistics, subprocess, sys, time
	firsts, ends = [], []
	for _ in range(9):
	    start = time.monotonic()
	    with subprocess.Popen(sys.argv[1:], stdout=subprocess.PIPE) as top:
	        assert top.stdout.read(1)
	        firsts.append(time.monotonic() - start)
	        screen = top.stdout.read()
	    ends.append(time.monotonic() - start)
	    assert top.returncode == 0
	print(f"the first screen after {statistics.median(firsts) * 1000:.0f} ms "
	      f"({min(firsts) * 1000:.0f} to {max(firsts) * 1000:.0f}), its end after {statistics.median(ends) * 1000:.0f} ms, "
	      + screen.decode().splitlines()[1].strip().split("  ")[0])
END
printf '[bpf]\npin = none\n[trace]\nkvm_pio\n' >"$dir/kvm.conf"
for ((left = vms; left > 0; left -= 50)); do
	"$build/tests/guest" --vms $((left < 50 ? left : 50)) --pio 3 --mmio 3 --cpuid 3 --repeat --pause-ms 1500 >/dev/null 2>&1 &
	guests+=" $!"
done
sleep 5

# screens N SIZE: user and system time of so many, ms, and KiB
screens() {
	tmux -S "$dir/tmux" -u -f /dev/null new-session -d -x "${2%x*}" -y "${2#*x}" \
		"TERM=screen-256color python3 $dir/cost.py $dir/cost $build/kvmbpf top -c $dir/kvm.conf -n $1 -d 1; echo >$dir/done"
	while [ ! -e "$dir/done" ]; do sleep 0.1; done
	rm "$dir/done"
	cat "$dir/cost"
}

if [[ $parts == *" cost "* ]]; then
	for size in 80x24 200x60; do
		read -r user0 system0 _ < <(screens 1 $size)
		read -r user system kib < <(screens 21 $size)
		awk -v user=$((user - user0)) -v sys=$((system - system0)) -v kib="$kib" -v vms="$vms" -v size=$size 'BEGIN {
			printf "%d VMs, %s: %.1f ms a screen, user %.1f, system %.1f; %.0f MiB\n", vms, size,
				(user + sys) / 20, user / 20, sys / 20, kib / 1024 }'
	done
fi
if [[ $parts == *" first "* ]]; then
	echo "no agent: $(python3 "$dir/first.py" "$build/kvmbpf" top -c "$dir/kvm.conf" -b -n 1 -d 0.1)"
	mkdir "$dir/bpf"
	mount -t bpf bpf "$dir/bpf"
	printf '[bpf]\npin = %s\n[trace]\nkvm_pio\n' "$dir/bpf/pins" >"$dir/kvm.conf"
	pmcd_env "$dir"
	pmcd_files "$dir" "$top" "$build" daemon -c "$dir/kvm.conf"
	pmcd_start "$dir"
	echo "an agent: $(python3 "$dir/first.py" "$build/kvmbpf" top -c "$dir/kvm.conf" -b -n 1 -d 0.1)"
fi
