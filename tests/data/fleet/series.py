#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
series.py: print fifteen minutes of two made hosts as OpenMetrics, for "promtool tsdb create-blocks-from
openmetrics": kv1 as pmproxy names things, kv2 as kvmbpf does. The VM web1 is on kv1 for five minutes and
then on kv2, with another PID. Each counter grows by the same every second. Nothing of it was measured.
"""
START, STEP, END, MOVE = 1767225600, 30, 900, 300
WEB = {"vm": "web1", "uuid": "6f3c1c5e-0b0d-4a3e-9d0c-3b7f0a2c1d11"}
# per second: of each state, of one vCPU
BUSY = {"guest": 0.5, "kvm": 0.125, "poll": 0.0625, "halted": 0, "vmm": 0.25, "ready": 0.0625, "unknown": 0}
IDLE = {"guest": 0.03125, "kvm": 0.03125, "poll": 0, "halted": 0.9375, "vmm": 0, "ready": 0, "unknown": 0}


def name(metric, own, counter=True, ns=False):
    """As the host's source has it"""
    text = metric.replace(".", "_")
    if own and ns:
        text += "_seconds"
    return text + "_total" if own and counter else text


def line(metric, labels, value, second):
    """A sample"""
    inner = ",".join(f'{key}="{text}"' for key, text in labels.items())
    print(f"{metric}{{{inner}}} {value!r} {START + second}")


def vm(host, own, labels, vcpus, states, exits, begin, end):
    """All of a VM, from one second to another"""
    known = labels.get("uuid", f"{host}/{labels['vm']}/{labels['pid']}")
    base = {"instance": host, "job": "kvm-node" if own else "kvm-pcp", "id": known, **labels}
    scale = 1 if own else 1e9
    for second in range(begin, end + 1, STEP):
        since = second - begin
        line("kvm_vm_vcpus", base, vcpus, second)
        line(name("kvm.vm.stat.exits", own), base, exits * since, second)
        for state, share in states.items():
            line(name("kvm.vm.time." + state, own, ns=True), base, share * vcpus * since * scale, second)
        for reason, share in (("io", 0.75), ("hlt", 0.25)):
            line(name("kvm.vm.exit.count", own), {**base, "reason": reason}, exits * share * since, second)
            line(name("kvm.vm.exit.time", own, ns=True), {**base, "reason": reason},
                 (states["kvm"] if reason == "io" else states["halted"]) * vcpus * since * scale, second)
        line(name("kvm.vm.userspace_exit.time", own, ns=True), {**base, "reason": "IO"},
             states["vmm"] * vcpus * since * scale, second)
        for cause, share in (("io:0x3f8:w", 0.75), ("msr:0x6e0:w", 0.25)):
            line(name("kvm.vm.cause.time", own, ns=True), {**base, "cause": cause},
                 (states["kvm"] + states["vmm"]) * share * vcpus * since * scale, second)
        for vcpu in range(vcpus):
            line(name("kvm.vcpu.run_delay", own, ns=True), {**base, "vcpu": str(vcpu)},
                 states["ready"] * since * scale, second)
        if own:
            for le, share in (("0.000001023", 0.5), ("0.000004095", 0.75), ("+Inf", 1)):
                line("kvm_vm_exit_latency_seconds_bucket", {**base, "reason": "io", "le": le}, exits * share * since, second)


def host(instance, own, vms, missed):
    """What is of a host: vms is a function of the second"""
    base = {"instance": instance, "job": "kvm-node" if own else "kvm-pcp"}
    for second in range(0, END + 1, STEP):
        line("up", base, 1, second)
        line("scrape_duration_seconds", base, 0.25 if own else 0.5, second)
        line("scrape_samples_scraped", base, 100, second)
        if not own:
            detail = {**base, "job": "pcp-kvm-detail"}
            line("up", detail, 1, second)
            line("scrape_duration_seconds", detail, 0.125, second)
            line("scrape_samples_scraped", detail, 50, second)
        line("kvm_nvms", base, vms(second)[0], second)
        line("kvm_nvcpus", base, vms(second)[1], second)
        for reason, rate in (("io", 1000), ("hlt", 200)):
            line(name("kvm.exit.count", own), {**base, "reason": reason}, rate * second, second)
            line(name("kvm.exit.time", own, ns=True), {**base, "reason": reason},
                 rate * second * (0.0001 if own else 1e5), second)
        for bucket, rate in (("512-1023", 500), ("2048-4095", 300), ("1048576-2097151", 200)):
            if not own:
                line("kvm_exit_latency", {**base, "reason": "io", "bucket": bucket}, rate * second, second)
        for le, rate in (("0.000001023", 500), ("0.000004095", 800), ("+Inf", 1000)):
            if own:
                line("kvm_exit_latency_seconds_bucket", {**base, "reason": "io", "le": le}, rate * second, second)
        for family in ("exit", "cause"):
            line("kvm_agent_family_attached", {**base, "family": family},
                 0 if family == "cause" and not own else 1, second)
            line(name("kvm.agent.family.missed", own), {**base, "family": family}, missed * second, second)
        line(name("kvm.agent.event.missed", own), {**base, "event": "kvm_exit"}, missed * second, second)
        line("kvm_agent_map_used", {**base, "map": "cause_sums"}, 800, second)
        line("kvm_agent_map_limit", {**base, "map": "cause_sums"}, 1000, second)
        line(name("kvm.agent.map.dropped", own), {**base, "map": "cause_sums"}, missed * second, second)


def main():
    """Both hosts"""
    host("kv1", False, lambda second: (2, 4) if second < MOVE else (1, 2), 0)
    host("kv2", True, lambda second: (1, 1) if second < MOVE else (2, 3), 2)
    vm("kv1", False, {**WEB, "pid": "4711"}, 2, BUSY, 4000, 0, MOVE - STEP)
    vm("kv2", True, {**WEB, "pid": "815"}, 2, BUSY, 4000, MOVE, END)
    vm("kv1", False, {"vm": "db", "pid": "4720"}, 2, IDLE, 100, 0, END)
    vm("kv2", True, {"vm": "db", "pid": "4720"}, 1, IDLE, 50, 0, END)
    for job in ("kvm-pcp", "pcp-kvm-detail"):
        line("up", {"instance": "kv3", "job": job}, 0, 870)
        line("up", {"instance": "kv3", "job": job}, 0, END)
    print("# EOF")


main()
