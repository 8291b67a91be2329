# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh disable=SC2154 # MACHINE goes in front of the script
#
# What the test guest says that its --access did, against the kernel's trace, and against our causes.
# Prints how they differ, or "all equal: " and how many keys there are.
set -e
tracing=/sys/kernel/tracing
events=$tracing/events/kvm
echo 8192 >$tracing/buffer_size_kb
for event in kvm_pio kvm_mmio kvm_msr kvm_cpuid kvm_hypercall kvm_cr kvm_hvc_arm64 kvm_sys_access; do
	[ ! -d "$events/$event" ] || echo 1 >"$events/$event/enable"
done

# our causes of all that follows
kvmbpf dump -v -m kvm.cause.accesses >/tmp/dump 2>/tmp/dump.err &
dump=$!
until grep -q 'cause: attached' /tmp/dump.err; do
	kill -0 $dump || { cat /tmp/dump.err; exit 1; }
	sleep 0.2
done

case $MACHINE in
arm64)
	guest --vcpus 2 --access mmio:0xd0000000:r=101/103,size=8 --access mmio:0xd0001000:w=107,size=2,value=7 \
		--access mmio:0xe0000000:w=5,span=8,size=4 --access hvc:2214592512=109/113 \
		--access sysreg:s3_0_c0_c4_0:r=127 --access sysreg:s2_0_c1_c0_4:w=131 >/tmp/done
	;;
*)
	guest --vcpus 2 --access io:0x70:r=101/103 --access io:0x71:w=107,size=2 --access io:0x1f0:r=5,size=2,string=256 \
		--access io:0x3f8:w=7,string=31 --access mmio:0xd0000000:r=109/113,size=4 \
		--access mmio:0xfee00000:w=11,size=2,value=7 --access io:0x1f1:r=13,string=32,into=0xa0000 \
		--access msr:0x277:r=127 --access msr:0x2ff:w=131 --access cpuid:0x1=137/139 \
		--access hypercall:19793=149/151 --access io:0x1000:r=3,span=8 >/tmp/done
	;;
esac
kill -INT $dump
wait $dump
for cpu in "$tracing"/per_cpu/cpu*; do
	grep -q '^overrun: 0$' "$cpu/stats"
done


# what the guest says, of all vCPUs; of a span each key
awk '/^access / { split($4, part, "="); n[part[1]] += part[2] } END { for (key in n) print key, n[key] }' \
	/tmp/done >/tmp/sums
{
	grep -v '^io:0x1000:\|^mmio:0xe0000000:' /tmp/sums
	for i in 0 1 2 3 4 5 6 7; do
		awk -v i=$i '/^io:0x1000:/ { print "io:0x100" i ":r", $2 / 8 }
			/^mmio:0xe0000000:/ { print "mmio:0xe000" i "000:w", $2 / 8 }
			i == 0 && /^io:0x1f1:/ { print "mmio:0xa0000:w", $2 }' /tmp/sums
	done
} | sort >/tmp/said

# the kernel's; of arm64 without the write that ends the programme
awk '
	function hex(text) { sub(/^0x0*/, "", text); return "0x" (text == "" ? 0 : text) }
	/^#/ { next }
	{
		for (at = 1; at < NF && $at !~ /^kvm_[a-z0-9_]+:$/; at++)
			;
		text = $(at + 1)
	}
	$at == "kvm_pio:" { print "io:" $(at + 3) (text == "pio_read" ? ":r" : ":w") }
	$at == "kvm_mmio:" && / mmio (read|write) / { print "mmio:" hex($(at + 6)) (/ mmio read / ? ":r" : ":w") }
	$at == "kvm_msr:" { print "msr:0x" $(at + 2) (text == "msr_read" ? ":r" : ":w") }
	$at == "kvm_cpuid:" { print "cpuid:0x" $(at + 2) }
	$at == "kvm_hypercall:" { print "hypercall:" hex($(at + 2)) }
	$at == "kvm_hvc_arm64:" { print "hvc:" hex($(at + 5)) }
	$at == "kvm_sys_access:" && match($0, /\([0-9,]+\)/) {
		split(substr($0, RSTART + 1, RLENGTH - 2), op, ",")
		print "sysreg:s" op[1] "_" op[2] "_c" op[3] "_c" op[4] "_" op[5] (/ read$/ ? ":r" : ":w")
	}' $tracing/trace | sed 's/,$//' | sort | uniq -c | while read -r n key; do
	case $key in
	hvc:* | hypercall:*) echo "${key%%:*}:$((${key#*:})) $n" ;;
	mmio:0x8[01]000:w) ;;
	*) echo "$key $n" ;;
	esac
done | sort >/tmp/kernel
cat /tmp/done
diff /tmp/said /tmp/kernel
# ours without that write, and without what is in other, which is nothing
sed -n 's/^kvm\.cause\.accesses *\([a-z]*:[^ ]*\) *\([0-9]*\) count$/\1 \2/p' /tmp/dump |
	grep -v '^mmio:0x8[01]000:w ' | sort >/tmp/ours
diff /tmp/said /tmp/ours || { cat /tmp/dump /tmp/dump.err; exit 1; }
echo "all equal: $(wc -l </tmp/said)"
