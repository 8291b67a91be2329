#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
fleet.py pmie FOLDER | records | alerts | names | names-detail | scrape: write what is made of fleet/alerts and
fleet/records: the rules of pmie into a folder, or to stdout Prometheus's recording or alerting rules, the names of
the metrics that they need, by scrape, or an example of prometheus.yml. Metrics, types and units are those of
src/metrics/metrics.def.
"""
import os
import re
import sys

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
# Of the rates: the interval of PCP's pmie. Two scrapes have to be in it.
RANGE = "2m"
RANGE_SECONDS = 120
HEAD = """# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
"""
OWNERS = {"host": ["instance"], "vm": ["instance", "id", "vm", "uuid"],
          "vcpu": ["instance", "id", "vm", "uuid", "vcpu"]}
# Bounds of histograms are 2 to the power of these, less 1, in ns
BUCKET_POWERS = range(10, 31)
# So many VMs and vCPUs the dashboard of the fleet shows
TOP_VMS = 20
# of fleet/records, which are no labels
WORDS = ["nonzero", "detail"]
STATES = ["guest", "kvm", "poll", "halted", "vmm", "ready", "unknown"]
# those that have intervals that no event has ended yet
OPEN = ["guest", "kvm", "halted", "vmm", "unknown"]
# those of which some may turn out to have been ready
LENT = ["halted", "vmm", "unknown"]


def read(*path):
    """The text of a file of the tree"""
    with open(os.path.join(TOP, *path), encoding="utf-8") as file:
        return file.read()


def table():
    """(semantics, units) of each metric"""
    rows = re.findall(r'^METRIC\("([^"]+)", \d+, \d+, \w+, (\w+), (\w+),', read("src/metrics/metrics.def"), re.M)
    metrics = {name: (semantics, units) for name, semantics, units in rows}
    stats = re.findall(r"^STAT_ITEM\(\d+,\s*(\w+),\s*(\w+), (\w+),", read("src/metrics/stat_items.def"), re.M)
    for name, semantics, units in stats:
        metrics["kvm.vm.stat." + name] = ("COUNTER" if semantics == "CUMULATIVE" else semantics, units)
    return metrics


METRICS = table()


def names(metric):
    """What pmproxy and "kvmbpf dump --prometheus" call a metric"""
    semantics, units = METRICS[metric]
    pcp = metric.replace(".", "_")
    own = pcp
    if units == "NSEC":
        own = re.sub("_ns$", "", own) + "_seconds"
    if semantics == "COUNTER":
        own = re.sub("_total$", "", own) + "_total"
    return pcp, own


def of_both(metric, labels, change=None):
    """PromQL: the sums by labels, of whichever source has them; times in seconds"""
    semantics, units = METRICS[metric]
    if change is None:
        change = "rate" if semantics == "COUNTER" else None
    parts = []
    pcp, own = names(metric)
    for name, scale in ((own, ""), (pcp, " / 1e9" if units == "NSEC" else "")):
        expr = f"{change}({name}[{RANGE}])" if change else name
        part = f"sum by ({', '.join(labels)}) ({expr}){scale}"
        if part not in parts:
            parts.append(part)
    return " or ".join(parts)


def records():
    """(name, expression, labels to set) of each recorded series, and {metric: name}"""
    series, by_metric = [], {}
    for line in read("fleet/records").splitlines():
        if not line or line.startswith("#"):
            continue
        name, metrics, owner, *labels = line.split()
        metric, *others = metrics.split("|")
        by = OWNERS[owner] + [label for label in labels if label not in WORDS]
        expr = of_both(metric, by)
        for other in others:
            expr = f"({expr}) or on ({', '.join(OWNERS[owner])}) ({of_both(other, by)})"
            by_metric[other] = name
        series.append((name, f"({expr}) > 0" if "nonzero" in labels else expr, {}))
        by_metric[metric] = name
    series += latency("kvm_host_reason:latency_bucket:rate", "kvm.exit.latency", OWNERS["host"] + ["reason"])
    series += latency("kvm_vm:latency_bucket:rate", "kvm.vm.exit.latency", OWNERS["vm"])
    return series + ledger() + fleet(), by_metric


def latency(name, metric, labels):
    """
    A histogram's rates with cumulative buckets, as kvmbpf has them. pmproxy has an instance for each bucket
    with a count, FIRST-LAST in ns: each bound is the sum of those up to it.
    """
    pcp = metric.replace(".", "_")
    own, of_one = f"{pcp}_seconds_bucket", name.replace("bucket", "of_bucket")
    by = ", ".join(labels)
    series = [(name, f"sum by ({by}, le) (rate({own}[{RANGE}]))", {}),
              (of_one, f"sum by ({by}, bucket) (rate({pcp}[{RANGE}]))", {})]
    bounds = [2 ** power - 1 for power in BUCKET_POWERS]
    for bound in bounds + [None]:
        lasts = "|".join(str(2 ** power - 1) for power in range(1, BUCKET_POWERS[-1] + 1) if bound and 2 ** power - 1 <= bound)
        which_ones = f'{{bucket=~".*-({lasts})"}}' if bound else ""
        le = f"{bound // 10 ** 9}.{bound % 10 ** 9:09d}".rstrip("0") if bound else "+Inf"
        series.append((name, f"sum by ({by}) ({of_one}{which_ones})", {"le": le}))
    return series


def ledger():
    """
    Where vCPUs' time goes, in seconds a second. No state is below 0: what an interval turns out to have
    been waiting for a CPU is not ready a second time, as in dashboards/derived.
    """
    name, raw, series = "kvm_vm_state:time:rate", "kvm_vm_state:raw:rate", []
    labels = ", ".join(OWNERS["vm"])
    for state in [*LENT, *(state for state in STATES if state not in LENT)]:
        parts = []
        for way, scale in ((1, ""), (0, " / 1e9")):
            expr = f"rate({names('kvm.vm.time.' + state)[way]}[{RANGE}])"
            if state in OPEN:
                # the time since the last event is another series of the sum
                more = f"delta({names('kvm.vm.open.' + state)[way]}[{RANGE}]) / {RANGE_SECONDS}"
                expr += f' or label_replace({more}, "part", "open", "", "")'
            parts.append(f"sum by ({labels}) ({expr}){scale}")
        expr = " or ".join(parts)
        if state in LENT:
            series.append((raw, expr, {"state": state}))
            expr = f'{raw}{{state="{state}"}}'
        if state in OPEN:
            expr = f"clamp_min({expr}, 0)"
        if state == "ready":
            expr = f"({expr}) + sum without (state) (clamp_max({raw}, 0))"
        series.append((name, expr, {"state": state}))
    series.append(("kvm_vm:overhead:rate", f'sum without (state) ({name}{{state=~"kvm|poll|vmm"}})', {}))
    return series


def fleet():
    """
    What the dashboard of the fleet shows, so that it need not ask for each VM: sums by host, and of the VMs that
    cost most what they cost, where they are (a VM that moves is on the host that had it last) and why. Of the
    cause and the reason, the one that takes most.
    """
    top = "and on (id) kvm_top_vm:overhead:rate"

    def most(name, label, none):
        of_top = f'{name}{{{label}!="{none}"}} {top}'
        return f"topk by (id, vm) (1, sum by (id, vm, {label}) ({of_top}))"
    expressions = {
        "kvm_host:overhead:rate": "sum by (instance) (kvm_vm:overhead:rate)",
        "kvm_host:exits_of_vms:rate": "sum by (instance) (kvm_vm:exits:rate)",
        "kvm_top_vm:overhead:rate": f"topk({TOP_VMS}, sum by (id, vm) (kvm_vm:overhead:rate))",
        "kvm_top_vm:here": "0 * topk by (id, vm) (1, max by (id, vm, instance) "
                           f"(timestamp(kvm_vm:vcpus) {top})) + 1",
        "kvm_top_vm:exits:rate": f"sum by (id, vm) (kvm_vm:exits:rate {top})",
        "kvm_top_vm:run_delay:rate": f"max by (id, vm) (kvm_vcpu:run_delay:rate {top})",
        "kvm_top_vm_cause:time:rate": most("kvm_vm_cause:time:rate", "cause", "none"),
        "kvm_top_vm_reason:userspace_time:rate": most("kvm_vm_reason:userspace_time:rate", "reason", "HLT"),
        "kvm_top_vcpu:run_delay:rate": f"topk({TOP_VMS}, kvm_vcpu:run_delay:rate > 0.05)",
        "kvm_top_map:fill": f"topk({TOP_VMS}, kvm_agent:map_used / kvm_agent:map_limit)",
    }
    return [(name, expr, {}) for name, expr in expressions.items()]


def group(name):
    """Of a recorded series: groups are reckoned side by side, and each in its order"""
    if "latency" in name:
        return "kvm-latency"
    if name == "kvm_vm:overhead:rate":
        return "kvm-vm-state"
    if re.match("kvm_top_|kvm_host:(overhead|exits)", name):
        return "kvm-fleet"
    return name.split(":")[0].replace("_", "-")


def alerts():
    """The blocks of fleet/alerts: dicts, texts without their indent"""
    blocks = []
    for line in read("fleet/alerts").splitlines():
        if line.startswith("#"):
            continue
        key, _, rest = line.partition(" ")
        if line.startswith("\t") or not line:
            if blocks and text:
                blocks[-1][text] += line[1:] + "\n"
            continue
        text = key if not rest else None
        if key == "alert":
            name, prometheus = rest.split()
            blocks.append({"name": name, "prometheus": prometheus})
        elif text:
            blocks[-1][key] = ""
        elif key == "threshold":
            blocks[-1]["type"], blocks[-1]["threshold"] = rest.split()
        else:
            blocks[-1][key] = rest
    for block in blocks:
        for key in ("help", "threshold-help"):
            if key in block:
                block[key] = block[key].strip("\n")
    return blocks


def pmie_predicate(block):
    """In PCP's language, where a counter is its rate"""
    if "lost" in block:
        metric = block["lost"]
        return (f"    some_inst ( {metric} $hosts$ == 0 )\n    && some_inst ( {metric} $hosts$ == 1 )\n"
                f"    && count_inst ( {metric} $hosts$ == 0 ) > $threshold$")
    expr = block["of"] + " $hosts$"
    if "per" in block:
        expr += f" / {block['per']} $hosts$"
    if "factor" in block:
        expr = f"( {block['factor']} * {expr} )"
    if "except" in block:
        expr = f'nomatch_inst \\"::{block["except"].split()[1]}\\" ' + expr
    return f"    some_inst (\n\t{expr} > $threshold$\n    )"


def pmie_quoted(text):
    """In double quotes"""
    return '"' + text.replace('"', '\\"') + '"'


def pmie(block):
    """A rule file of pmieconf"""
    mail = f"host: %h {block['mail']}"
    rows = ["#pmieconf-rules 1", HEAD + "#\n# Change what can be set with pmieconf(1), not here: "
            '"make install" puts this file in PCP\'s folder.\n',
            f"rule\tpmdakvm.{block['name']}\n\tsummary\t= \"$rule$\"\n\tenumerate = hosts\n\tpredicate =\n"
            f'"some_host (\n{pmie_predicate(block)}\n)"\n\tenabled\t= yes\n\tversion\t= 1\n'
            f"\thelp\t=\n{pmie_quoted(block['help'])};\n",
            f"string\trule\n\tdefault\t= \"{block['title']}\"\n\tmodify\t= no\n\tdisplay\t= no;\n"]
    if "type" in block:
        rows.append(f"{block['type']}\tthreshold\n\tdefault\t= {block['threshold']}\n"
                    f"\thelp\t=\n{pmie_quoted(block['threshold-help'])};\n")
    rows.append(f"string\taction_expand\n\tdefault\t= \"{block.get('value', '')}[%i]@%h\"\n\tdisplay\t= no\n"
                f"\tmodify\t= no;\n")
    rows.append(f"string\temail_expand\n\tdefault\t= \"{mail}\"\n\tdisplay\t= no\n\tmodify\t= no;")
    return "\n".join(rows) + "\n"


def promql(block, by_metric):
    """What is compared, and with what"""
    if "promql" in block:
        return block["promql"]
    if "lost" in block:
        name = by_metric[block["lost"]]
        return f"{name} == 0 and on (instance) {name} == 1 and on (instance) count by (instance) ({name} == 0) > {block['threshold']}"
    expr = by_metric[block["of"]]
    if "except" in block:
        label, value = block["except"].split()
        expr += f'{{{label}!="{value}"}}'
    if "per" in block:
        expr += f" / {by_metric[block['per']]}"
    if "factor" in block:
        expr = f"{block['factor']} * {expr}"
    return f"{expr} > {block['threshold']}"


def which(block):
    """The labels that say where: {{ $labels... }}"""
    if "promql" in block:
        return "{{ $labels.instance }}"
    metric = block.get("of") or block["lost"]
    row = next(line.split() for line in read("fleet/records").splitlines() if f" {metric} " in line)
    own = {"vm": ["vm"], "vcpu": ["vm", "vcpu"], "host": []}[row[2]] + [word for word in row[3:] if word not in WORDS]
    return " ".join(("vcpu" if label == "vcpu" else "") + "{{ $labels." + label + " }}" for label in own) + \
        " on {{ $labels.instance }}"


def yaml_quoted(text):
    """In single quotes"""
    return "'" + text.replace("'", "''") + "'"


def alert_rule(block, by_metric):
    """One rule of Prometheus"""
    value = block.get("value", "").replace("%v", '{{ printf "%.4g" $value }}')
    if "lost" in block:
        value = ""
    summary = f"{block['title']}: {which(block)}" + (f": {value}" if value else "")
    rows = [f"  - alert: {block['prometheus']}", f"    expr: {yaml_quoted(promql(block, by_metric))}"]
    if "for" in block:
        rows.append(f"    for: {block['for']}")
    rows += ["    labels:", f"      severity: {block.get('severity', 'warning')}", "    annotations:",
             f"      summary: {yaml_quoted(summary)}", "      description: |-"]
    rows += [("        " + line).rstrip() for line in block["help"].split("\n")]
    return "\n".join(rows)


def rules(what):
    """A file of Prometheus's"""
    series, by_metric = records()
    print(HEAD + f'#\n# Made of fleet/alerts and fleet/records by "make fleet". Rates are over {RANGE}, in which two'
          "\n# scrapes have to be. docs/fleet.md says how to use it.\ngroups:")
    if what == "alerts":
        print("- name: kvm-alerts\n  rules:")
        print("\n".join(alert_rule(block, by_metric) for block in alerts()))
        return
    groups = {}
    for one in series:
        groups.setdefault(group(one[0]), []).append(one)
    for heading, rows in groups.items():
        print(f"- name: {heading}\n  rules:")
        for name, expr, labels in rows:
            print(f"  - record: {name}\n    expr: {yaml_quoted(expr)}")
            for label, value in labels.items():
                print(f"    labels:\n      {label}: {yaml_quoted(value)}")


def detail():
    """The metrics of the second scrape: those of records that say so, and what stands in for another"""
    found = set()
    for line in read("fleet/records").splitlines():
        if line and not line.startswith("#"):
            _, metrics, _, *words = line.split()
            metric, *others = metrics.split("|")
            found.update(others, [metric] if "detail" in words else [])
    return sorted(found)


def needed():
    """The metrics of the first scrape: all others that the recorded series are made of"""
    _, by_metric = records()
    return sorted((set(by_metric) | {"kvm.exit.latency"} | {"kvm.vm.time." + state for state in STATES}
                   | {"kvm.vm.open." + state for state in OPEN}) - set(detail()))


SCRAPE = """#
# An example of prometheus.yml for KVM hosts, made by "make fleet"; docs/fleet.md says how to use it.
global:
  scrape_interval: 30s
  evaluation_interval: 30s
rule_files:
- /usr/local/share/pmdakvm/fleet/prometheus/kvm-records.yml
- /usr/local/share/pmdakvm/fleet/prometheus/kvm-alerts.yml
scrape_configs:

{pcp}

{detail}

# Hosts without PCP: node_exporter, which reads what kvmbpf-textfile.service writes. Targets are HOST:9100.
- job_name: kvm-node
  scrape_timeout: 10s
  file_sd_configs: [ {{ files: [/etc/prometheus/kvm-node.yml] }} ]
  relabel_configs:
  - {{ source_labels: [instance, __address__], regex: ';(.*):[0-9]+', target_label: instance }}
  metric_relabel_configs:
  - {{ action: keep, source_labels: [__name__], regex: '(kvm|node_textfile)_.*' }}
{ids}
"""


PCP_JOB = """# {about}
- job_name: {job}
  scrape_timeout: 10s
  metrics_path: /metrics
  params:
    hostspec: [localhost]
    # see fleet/{file}
    names: ['{names}']
  file_sd_configs: [ {{ files: [/etc/prometheus/kvm-pcp.yml] }} ]
  relabel_configs:
  # a host's name without the port, unless the target has a label instance
  - {{ source_labels: [instance, __address__], regex: ';(.*):[0-9]+', target_label: instance }}
  # a target can name another host for its pmproxy to ask
  - {{ source_labels: [__hostspec], regex: '(.+)', target_label: __param_hostspec }}
  metric_relabel_configs:
  # what says nothing that instance does not
  - {{ action: labeldrop, regex: 'agent|domainname|groupid|hostname|instid|machineid|userid' }}
{ids}"""
ABOUT = "Hosts with PCP: pmproxy asks the pmcd of its own host. Targets are HOST:44322."
ABOUT_DETAIL = """The same hosts a second time, for what one VM's dashboard shows by reason, and causes where exits have no
# times, so that neither scrape of a thousand VMs takes long. Its name is no "kvm.*": a host is counted once."""


IDS = """  # the rules know a VM by its id, which is its UUID, or else HOST/NAME/PID
  - { source_labels: [instance, vm, pid], separator: /, regex: '(.+/.+/.+)', target_label: id }
  - { source_labels: [uuid], regex: '(.+)', target_label: id }"""


def main():
    """The first argument says what"""
    what = sys.argv[1]
    if what == "pmie":
        for block in alerts():
            if "promql" not in block:
                with open(os.path.join(sys.argv[2], block["name"]), "w", encoding="utf-8") as file:
                    file.write(pmie(block))
    elif what == "scrape":
        pcp = PCP_JOB.format(about=ABOUT, job="kvm-pcp", file="names", names=",".join(needed()), ids=IDS)
        more = PCP_JOB.format(about=ABOUT_DETAIL, job="pcp-kvm-detail", file="names-detail", names=",".join(detail()), ids=IDS)
        print(HEAD + SCRAPE.format(pcp=pcp, detail=more, ids=IDS), end="")
    elif what in ("names", "names-detail"):
        which_one = "" if what == "names" else " by a scrape of its own"
        print(HEAD + f'#\n# What Prometheus is to scrape from pmproxy{which_one}: made of fleet/records by "make fleet".')
        print("\n".join(needed() if what == "names" else detail()))
    else:
        rules(what)


main()
