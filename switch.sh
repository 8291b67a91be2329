# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh disable=SC2154,SC2006,SC2003
#
# What Install, Remove and Upgrade have in common; they source it in the agent's folder,
# after pcp.env. Everything that Install changes besides what PCP's own procedures do has
# a function here that undoes it.

kvm_dir=`pwd -P`
kvm_share=$kvm_dir/../../../../share/pmdakvm
kvm_names=$PCP_VAR_DIR/pmns
# the stock agent's names, under the name that PCP looks for, and under another
kvm_stock=$kvm_names/root_kvm
kvm_stock_aside=$kvm_names/stock_kvm
# where each start of pmcd finds our Upgrade
kvm_hook=$PCP_PMDAS_DIR/pmdakvm
kvm_rules=$PCP_VAR_DIR/config/pmlogrewrite/pmdakvm.conf

# One of Install, Remove and Upgrade at a time: pmcd's start runs Upgrade in the background.
# What is started meanwhile must not keep the lock: 9>&-
kvm_lock()
{
    exec 9<"$kvm_dir"
    ! command -v flock >/dev/null || flock 9
}

# The program that pmcd.conf starts as agent kvm; nothing if there is none.
kvm_agent()
{
    awk '$1 == "kvm" { for (i = 4; i <= NF; i++) if ($i ~ "^/") { print $i; exit } }' \
	"$PCP_PMCDCONF_PATH" 2>/dev/null
}

# Does pmcd.conf start the agent of this folder?
kvm_is_ours()
{
    [ "`kvm_agent`" = "$kvm_dir/pmdakvm" ]
}

# An upgrade of the pcp package rebuilds the name space from the files root_*, and takes
# the stock agent's names from root_kvm for ours. So that file goes by another name.
kvm_divert()
{
    command -v dpkg-divert >/dev/null || return 0
    [ -e "$kvm_stock" ] || return 0
    dpkg-divert --quiet --local --rename --divert "$kvm_stock_aside" --add "$kvm_stock" ||
	echo "Warning: $kvm_stock is still there; run ./Install again after each upgrade of pcp"
}

# Only the diversion that kvm_divert made: one to another name is somebody else's.
kvm_undivert()
{
    command -v dpkg-divert >/dev/null || return 0
    LC_ALL=C dpkg-divert --list "$kvm_stock" | grep -q " to $kvm_stock_aside\$" || return 0
    dpkg-divert --quiet --local --rename --remove "$kvm_stock"
}

# Rules for pmlogrewrite, but for metrics that another file has a rule for: pmlogrewrite
# ends if there are two, and newer versions of PCP have rules that older ones lack.
kvm_write_rules()
{
    [ -d "${kvm_rules%/*}" ] || return 0
    for kvm_file in "${kvm_rules%/*}"/*
    do
	[ "$kvm_file" = "$kvm_rules" ] || cat "$kvm_file" 2>/dev/null
    done | awk '
	{ name = $2; sub(/[{].*/, "", name) }
	!ours { if ($1 == "metric") there[name] = 1; next }
	!($1 == "metric" && name in there) { print }
	' ours=0 - ours=1 "$kvm_share/pmlogrewrite.conf" >"$kvm_rules.new" &&
	mv -f "$kvm_rules.new" "$kvm_rules"
}

# pmcd's start runs Upgrade, and Install where .NeedInstall asks for it, in each folder
# of $PCP_PMDAS_DIR; ours is not one of them, so a folder there leads to it.
kvm_write_hook()
{
    mkdir -p "$kvm_hook" || return
    for kvm_script in Install Upgrade
    do
	printf '#!/bin/sh\n# Made by %s/Install\ncd "%s" && KVM_HOOK=true exec ./%s "$@"\n' \
	    "$kvm_dir" "$kvm_dir" "$kvm_script" >"$kvm_hook/$kvm_script" &&
	    chmod 755 "$kvm_hook/$kvm_script"
    done
}

# Another installation of this agent, with another PREFIX, that Install switched pmcd to;
# nothing if there is none. Then what Install changed is that one's.
kvm_other()
{
    kvm_maker=`sed -n -e 's|^# Made by \(.*\)/Install$|\1|p' "$kvm_hook/Install" 2>/dev/null`
    [ "$kvm_maker" = "$kvm_dir" ] || echo "$kvm_maker"
}

# Undo kvm_divert, kvm_write_rules and kvm_write_hook.
kvm_undo()
{
    [ -z "`kvm_other`" ] || return 0
    kvm_undivert
    rm -f "$kvm_rules"
    kvm_remove_hook
}

kvm_remove_hook()
{
    [ -d "$kvm_hook" ] || return 0
    rm -f "$kvm_hook/Install" "$kvm_hook/Upgrade" "$kvm_hook"/.NeedInstall*
    rmdir "$kvm_hook"
}

# Is the name space to be built, by the rules of PCP's own start script?
kvm_names_are_stale()
{
    [ ! -f "$kvm_names/root" ] || [ -f "$kvm_names/.NeedRebuild" ] ||
	[ -n "`find "$kvm_names" -newer "$kvm_names/root" -name 'root_*' 2>/dev/null`" ]
}

# Built as PCP's start script does it, so that this does not do it again, and put the
# stock agent's names in the place of ours.
kvm_build_names()
{
    kvm_names_are_stale || return 0
    echo "Building the Performance Metrics Name Space, as each start of pmcd does ..."
    (cd "$kvm_names" && ./Rebuild -us && rm -f .NeedRebuild && touch root)
}

# The pmloggers that log kvm metrics now, one a line: PID WHO ARCHIVE. WHO is primary or
# farm where PCP's control files started it, else hand.
kvm_loggers()
{
    kvm_primary=`readlink "$PCP_TMP_DIR/pmlogger/primary" 2>/dev/null`
    for kvm_file in "$PCP_TMP_DIR"/pmlogger/[0-9]*
    do
	kvm_pid=${kvm_file##*/}
	[ -f "$kvm_file" ] || continue
	echo "query kvm" | pmlc "$kvm_pid" 2>/dev/null | grep -q '^ *\(mand\|adv\) *on ' || continue
	case "`sed -n 4p "$kvm_file"`"
	in
	    pmlogger_check|pmlogger_daily|reexec)
		kvm_who=farm
		[ "${kvm_primary##*/}" != "$kvm_pid" ] || kvm_who=primary ;;
	    *)	kvm_who=hand ;;
	esac
	echo "$kvm_pid $kvm_who `sed -n 3p "$kvm_file"`"
    done
}

# kvm_loggers_ended FILE: has one of those ended meanwhile?
kvm_loggers_ended()
{
    while read -r kvm_pid kvm_who kvm_archive
    do
	[ -d "/proc/$kvm_pid" ] || return 0
    done <"$1"
    return 1
}

kvm_with_systemd()
{
    [ -d /run/systemd/system ] && [ "$PCPQA_SYSTEMD" != no ] &&
	[ -f "$PCP_SYSTEMDUNIT_DIR/pmlogger.service" ]
}

# PCP's start script ends loggers without waiting for them, so that its restart finds
# those that are about to end, and starts none.
kvm_restart_by_script()
{
    "$PCP_RC_DIR/pmlogger" stop >/dev/null
    while read -r kvm_pid kvm_who kvm_archive
    do
	[ "$kvm_who" != hand ] || continue
	kvm_try=0
	while [ -d "/proc/$kvm_pid" ] && [ "$kvm_try" -lt 100 ]
	do
	    "$PCP_BINADM_DIR/pmsleep" 0.1
	    kvm_try=`expr "$kvm_try" + 1`
	done
    done <"$1"
    "$PCP_RC_DIR/pmlogger" start >/dev/null
}

# kvm_restart_loggers FILE: those that kvm_loggers wrote there. A logger ends when a metric
# that it logs changes its meaning, as some do between the stock agent and ours.
kvm_restart_loggers()
{
    if grep -q '^[0-9]* \(primary\|farm\) ' "$1"
    then
	echo "Restarting the pmloggers that log kvm metrics ..."
	if kvm_with_systemd
	then
	    ! grep -q '^[0-9]* primary ' "$1" || systemctl restart pmlogger.service
	    ! grep -q '^[0-9]* farm ' "$1" || systemctl restart pmlogger_farm.service
	else
	    kvm_restart_by_script "$1"
	fi 9>&- || echo "Warning: the pmloggers could not be restarted; pmlogctl status shows which run"
    fi
    while read -r kvm_pid kvm_who kvm_archive
    do
	[ "$kvm_who" != hand ] ||
	    echo "pmlogger $kvm_pid, which writes $kvm_archive, was not started by PCP's control files: end it and start it again, for it logs kvm metrics"
    done <"$1"
}

# kvm_say_stock FILE: what brings the stock agent back, for those loggers, too.
kvm_say_stock()
{
    if [ -x "$PCP_PMDAS_DIR/kvm/Install" ]
    then
	echo "pmcd has no kvm agent now. The stock agent comes back with: cd $PCP_PMDAS_DIR/kvm && ./Install"
    else
	echo "pmcd has no kvm agent now."
    fi
    [ ! -s "$1" ] ||
	echo "Once there is a kvm agent again restart the pmloggers: they log what they find when they start"
}
