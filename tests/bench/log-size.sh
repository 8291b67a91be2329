#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# log-size.sh TOP BUILD TENS: what a day of our groups of pmlogconf takes on disk, with ten times so many
# guests of two vCPUs each that do 12 kinds of things. Each group is logged every half second by a pmlogger of its
# own, and the size of a record multiplied by how many the group has in a day, at pmlogger's default
# of a minute where the group names no interval. As root, with no other VM here.
set -euo pipefail
top=$1 build=$2 tens=$3
# shellcheck source=scripts/pmcd.sh
. "$top/scripts/pmcd.sh"
dir=$(mktemp -d "${TMPDIR:-/tmp}/pmdakvm-logsize.XXXXXX")
guests=
# shellcheck disable=SC2086 # a list of words
trap 'pmcd_stop; [ -z "$guests" ] || kill $guests; rm -rf "$dir"' EXIT
pmcd_env "$dir"
{
	cat "$top/kvm.conf"
	printf '[bpf]\npin = none\n'
} >"$dir/kvm.conf"
pmcd_files "$dir" "$top" "$build" daemon -c "$dir/kvm.conf"
pmcd_start "$dir"
accesses=
for port in 60 61 64 70 71 80 3f8 3fd cf8; do
	accesses+=" --access io:0x$port:w=3"
done
for _ in $(seq "$tens"); do
	# shellcheck disable=SC2086 # a list of words
	"$build/tests/guest" --vms 10 --vcpus 2 --repeat --pause-ms 500 --pio 7 --mmio 3 --cpuid 3 $accesses >"$dir/guest.log" 2>&1 &
	guests+=" $!"
done
sleep 5
total=0
# log NAME RECORDS: what so many records a day of the metrics of standard input take
log() {
	local name=$1 records=$2 bytes
	{
		echo "log mandatory on 500 msec {"
		cat
		echo "}"
	} >"$dir/conf"
	pmlogger -h "$PMCD_HOST" -c "$dir/conf" -l "$dir/$name.log" -s 6 "$dir/$name"
	# without the label
	bytes=$((($(stat -c %s "$dir/$name.0") - 132) / 6))
	total=$((total + bytes * records))
	echo "$name: $bytes bytes a record, $((bytes * records / 1000)) kB a day, metadata $(stat -c %s "$dir/$name.meta")"
}
for group in "$top"/dashboards/pmlogconf/*; do
	# off by default
	! grep -q '? available' "$group" || continue
	case $(awk '$1 == "delta" { print $2, $3 }' "$group") in
	"10 minutes") records=144 ;;
	"5 minutes") records=288 ;;
	*) records=1440 ;;
	esac
	# each vCPU of a host with too few CPUs has slow exits all the time: they are apart
	log "${group##*/}" $records < <(grep -P '^\tkvm' "$group" | grep -v slow)
	[ "${group##*/}" != causes ] || slow=$records
done
without=$total
log slow-exits "$slow" < <(grep -hP '^\tkvm.*slow' "$top"/dashboards/pmlogconf/*)
echo "$(pminfo -h "$PMCD_HOST" -f kvm.nvms | sed -n "s/^ *value //p") VMs, $(pminfo -h "$PMCD_HOST" -f kvm.nvcpus | sed -n "s/^ *value //p") vCPUs: $((without / 1000000)) MB a day, with slow exits $((total / 1000000)) MB; $(pminfo -h "$PMCD_HOST" -f kvm.vm.cause.accesses | grep -c inst) causes, $(pminfo -h "$PMCD_HOST" -f kvm.vm.userspace_exit.count | grep -c inst) reasons of VMs, $(pminfo -h "$PMCD_HOST" -f kvm.vcpu.slow.when | grep -c inst) slow exits"
