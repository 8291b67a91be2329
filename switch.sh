# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=sh disable=SC2154,SC2006,SC2003
#
# What Install and Remove have in common; they source it in the agent's folder, after pcp.env.

kvm_dir=`pwd -P`

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
	fi || echo "Warning: the pmloggers could not be restarted; pmlogctl status shows which run"
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
