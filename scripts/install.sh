#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# install.sh check|install|uninstall: what make install and make uninstall do. In the
# environment: PREFIX, DESTDIR (empty: this host) and BUILD, where the programs are. The
# variables may hold any character that their own use allows; check says which do not.
#
# Without DESTDIR everything is put beside PCP's own agent and over no file of another
# package; ./Install in the agent's folder switches pmcd. With DESTDIR it makes the tree of
# a package, which may be installed beside pcp: its postinst runs Upgrade in the agent's
# folder, and its prerm runs Remove there when it is removed.
set -euo pipefail
cd "$(dirname "$0")/.."

etc=/etc/pcp
var=/var/lib/pcp
# of Install's work, by the names of switch.sh
hook=$var/pmdas/pmdakvm
rules=$var/config/pmlogrewrite/pmdakvm.conf
# where pcp(1) looks for its subcommands
subcommand=/usr/lib/pcp/bin/pcp-kvm

refuse() {
	printf 'make install: %s\n' "$@" >&2
	exit 1
}

# PREFIX and DESTDIR as absolute paths without a slash at the end, and what follows of them.
set_paths() {
	[[ ${PREFIX:=/usr/local} == /* ]] ||
		refuse "PREFIX is $PREFIX, and has to be an absolute path"
	PREFIX=$(realpath -ms -- "$PREFIX")
	DESTDIR=${DESTDIR:+$(realpath -ms -- "$DESTDIR")}
	PREFIX=${PREFIX%/} DESTDIR=${DESTDIR%/}
	# PCP's scripts and pmcd.conf do not quote
	[[ $PREFIX != *[^A-Za-z0-9/._+@=-]* ]] || refuse \
		"PREFIX is $PREFIX, and pmcd.conf and PCP's own scripts" \
		"can name no program in such a folder; take one of letters, digits and / . _ + @ = -"
	[ "$DESTDIR|$PREFIX" != "|/usr" ] || refuse \
		"/usr belongs to Debian's packages; take another PREFIX" \
		"(default /usr/local), or set DESTDIR to make a package"
	agent=$PREFIX/lib/pmdakvm/pmdas/kvm
	share=$PREFIX/share/pmdakvm
	man=$PREFIX/share/man
	completions=$PREFIX/share/bash-completion/completions
	units=$PREFIX/lib/systemd/system
	page=pmdakvm.1
	# where the stock agent has its page
	[ "$PREFIX" != /usr ] || page=pmdakvm-bpf.1
}

# put MODE TO FILE...: into a folder, which is made
put() {
	local mode=$1 to=$DESTDIR$2
	shift 2
	mkdir -p -- "$to"
	install -m "$mode" -- "$@" "$to"
}

# put_as MODE TO FILE: the same, by another name
put_as() {
	mkdir -p -- "$DESTDIR${2%/*}"
	install -m "$1" -- "$3" "$DESTDIR$2"
}

# dashboards: a line for each file of dashboards/: the file, where its tool looks for it, our copy of it,
# and the link that PCP has to each such file of its own, or "-". No name is one that PCP might use.
dashboards() {
	local file tool name to copy link
	for file in dashboards/{derived,pmchart,pmieconf,pmlogconf,pmrep}/*; do
		tool=${file#*/} name=${file##*/}
		tool=${tool%/*} link=-
		copy=$share/$tool/$name to=$etc/$tool/pmdakvm/$name
		case $tool in
		pmrep | derived) copy=$share/$tool.conf to=$etc/$tool/pmdakvm.conf ;;
		pmchart) to=$etc/$tool/$name ;;
		esac
		[ "$tool" = pmrep ] || link=$var/config/${to#"$etc"/}
		echo "$file $to $copy $link"
	done
}

# is_ours TO COPY: is the installed file as we installed it, or not there?
is_ours() {
	[ ! -e "$DESTDIR$1" ] || cmp -s -- "$DESTDIR$1" "$DESTDIR$2"
}

install_dashboards() {
	local file to copy link ours
	while read -r file to copy link; do
		ours=yes
		is_ours "$to" "$copy" || cmp -s -- "$DESTDIR$to" "$file" || ours=
		put_as 644 "$copy" "$file"
		if [ -n "$ours" ]; then
			put_as 644 "$to" "$file"
		else
			echo "$DESTDIR$to was edited and stays; this version's is $copy"
		fi
		if [ "$link" != - ]; then
			mkdir -p -- "$DESTDIR${link%/*}"
			ln -sfn -- "$to" "$DESTDIR$link"
		fi
	done < <(dashboards)
}

# "pcp kvm", unless somebody else's is there.
install_subcommand() {
	put 755 "$PREFIX/lib/pmdakvm" dashboards/pcp/pcp-kvm
	if subcommand_is_ours; then
		mkdir -p -- "$DESTDIR${subcommand%/*}"
		ln -sfn -- "$PREFIX/lib/pmdakvm/pcp-kvm" "$DESTDIR$subcommand"
	else
		echo "$DESTDIR$subcommand is not ours and stays; ours is $PREFIX/lib/pmdakvm/pcp-kvm"
	fi
}

subcommand_is_ours() {
	local path=$DESTDIR$subcommand
	[ ! -e "$path" ] && [ ! -L "$path" ] || [[ $(readlink -- "$path") == */lib/pmdakvm/pcp-kvm ]]
}

# What is edited stays, with its link; our own folders go if they are empty then.
uninstall_dashboards() {
	local file to copy link dir
	while read -r file to copy link; do
		if is_ours "$to" "$copy"; then
			rm -f -- "$DESTDIR$to"
			[ "$link" = - ] || rm -f -- "$DESTDIR$link"
		else
			echo "$DESTDIR$to was edited and stays"
		fi
	done < <(dashboards)
	# of a package's tree remove_folders takes all
	[ -n "$DESTDIR" ] || for dir in "$etc" "$var/config"; do
		rmdir --ignore-fail-on-non-empty -- "$dir"/{pmlogconf,pmieconf}/pmdakvm 2>/dev/null || true
	done
}

# What other hosts than this take, rules and dashboards for Prometheus and Grafana; and the service for
# hosts without PCP, which systemd finds, and which is not enabled.
install_fleet() {
	local folder
	put 644 "$share/fleet" fleet/names fleet/names-detail
	for folder in fleet/*/; do
		folder=${folder%/}
		[ "$folder" = fleet/systemd ] || put 644 "$share/$folder" "$folder"/*
	done
	mkdir -p -- "$DESTDIR$units"
	sed -e "s|@PREFIX@|$PREFIX|" -e "s|@METRICS@|$(sed -n 's/^kvm/-m &/p' fleet/names fleet/names-detail | paste -sd' ') -m kvm.vm.exit.latency|" \
		fleet/systemd/kvmbpf-textfile.service >"$DESTDIR$units/kvmbpf-textfile.service"
	chmod 644 "$DESTDIR$units/kvmbpf-textfile.service"
}

install_all() {
	put 755 "$agent" Install Remove Upgrade "$BUILD/pmdakvm" "$BUILD/pmda_kvm.so"
	put 644 "$agent" switch.sh domain.h root pmns help
	put 755 "$PREFIX/sbin" "$BUILD/kvmbpf"
	put 644 "$share" kvm.conf "$BUILD/pmlogrewrite.conf"
	put_as 644 "$man/man1/$page" man/pmdakvm.1
	put 644 "$man/man5" man/kvm.conf.5
	put 644 "$man/man8" man/kvmbpf.8
	install_dashboards
	install_subcommand
	install_fleet
	put 644 "$completions" completions/kvmbpf
	if [ -n "$DESTDIR" ]; then
		echo "Installed below $DESTDIR."
	else
		echo "Installed. To switch pmcd to this agent: cd $agent && ./Install"
	fi
}

# Take the agent out of pmcd; where PCP or the agent's folder is gone, what Install changed.
leave_pmcd() {
	[ -z "$DESTDIR" ] || return 0
	if [ -x "$agent/Remove" ] && [ -f /etc/pcp.env ]; then
		(cd "$agent" && ./Remove) || refuse "$agent/Remove failed; nothing has been removed"
	elif [ ! -e "$hook" ] || grep -qsxF "# Made by $agent/Install" "$hook/Install"; then
		rm -rf -- "$hook"
		rm -f -- $rules
		[ ! -x "$BUILD/pmdakvm" ] || "$BUILD/pmdakvm" --unpin || true
		! grep -q "stock_kvm$" <<<"$(LC_ALL=C dpkg-divert --list $var/pmns/root_kvm 2>/dev/null)" ||
			dpkg-divert --quiet --local --rename --remove $var/pmns/root_kvm
	fi
}

# Folders that are empty now, up to what was there before: DESTDIR, or the folders that
# every host has.
remove_folders() {
	local dir folders up=$DESTDIR$PREFIX parents=-p
	[ "$DESTDIR$PREFIX" != /usr/local ] || parents=
	for dir in share/man/man{1,5,8} share/bash-completion{/completions,} lib/systemd{/system,} ${parents:+lib sbin}; do
		# shellcheck disable=SC2086
		(cd -- "$up" 2>/dev/null && rmdir $parents --ignore-fail-on-non-empty -- "$dir" 2>/dev/null) || true
	done
	if [ -n "$DESTDIR" ]; then
		folders=$(dashboards | awk '{ for (i = 2; i <= 4; i += 2) if (sub("/[^/]*$", "", $i)) print "." $i }' | sort -ru)
		# shellcheck disable=SC2086 # words without spaces
		(cd -- "$DESTDIR/" 2>/dev/null && rmdir -p --ignore-fail-on-non-empty -- ".$PREFIX" ".${subcommand%/*}" $folders 2>/dev/null) || true
	elif [ -n "$parents" ]; then
		rmdir --ignore-fail-on-non-empty -- "$up" 2>/dev/null || true
	fi
}

uninstall_all() {
	leave_pmcd
	uninstall_dashboards
	! subcommand_is_ours || rm -f -- "$DESTDIR$subcommand"
	rm -rf -- "$DESTDIR$PREFIX/lib/pmdakvm" "$DESTDIR$share" "$DESTDIR$var/pmdakvm"
	rm -f -- "$DESTDIR$PREFIX/sbin/kvmbpf" "$DESTDIR$units/kvmbpf-textfile.service" "$DESTDIR$man/man1/$page" \
		"$DESTDIR$man/man5/kvm.conf.5" "$DESTDIR$man/man8/kvmbpf.8" \
		"$DESTDIR$completions/kvmbpf"
	remove_folders
}

set_paths
case ${1:-} in
check) ;;
install) install_all ;;
uninstall) uninstall_all ;;
*) refuse "install.sh takes check, install or uninstall" ;;
esac
