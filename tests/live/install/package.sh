# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
# shellcheck shell=bash
#
# A Debian package made with make install DESTDIR= is installed beside pcp, upgraded with
# edited files, removed and purged.
OURS=/usr/lib/pmdakvm/pmdas/kvm
pkg=/tmp/pkg
report=/etc/pcp/pmrep/pmdakvm.conf

# build VERSION: /tmp/VERSION.deb
build() {
	make_ install PREFIX=/usr DESTDIR="$pkg" >/dev/null
	# as Debian's packages have them
	find $pkg/usr/share/man -type f -exec gzip -9nf {} +
	mkdir -p $pkg/DEBIAN
	printf '%s\n' "Package: pmdakvm-test" "Version: $1" "Architecture: $(dpkg --print-architecture)" \
		"Maintainer: tests <tests@example.org>" "Depends: pcp" "Description: made by the tests" >$pkg/DEBIAN/control
	(cd $pkg && find etc -type f | sed 's|^|/|') >$pkg/DEBIAN/conffiles
	printf '#!/bin/sh\ncd %s && ./Upgrade\n' $OURS >$pkg/DEBIAN/postinst
	printf '#!/bin/sh\n[ "$1" != remove ] || { cd %s && ./Remove; }\n' $OURS >$pkg/DEBIAN/prerm
	printf '#!/bin/sh\n[ "$1" != purge ] || rm -rf /var/lib/pcp/pmdakvm\n' >$pkg/DEBIAN/postrm
	chmod 755 $pkg/DEBIAN/p*
	dpkg-deb --root-owner-group --build $pkg "/tmp/$1.deb" >/dev/null
}

dpkg_() {
	dpkg --force-confold "$@" >/tmp/dpkg.out 2>&1 || {
		cat /tmp/dpkg.out
		fail "dpkg $*"
	}
}

# the whole of pcp is on this host, but for what dpkg was told to leave out
start_host
echo '# mine' >>/etc/pcp/kvm/kvm.conf
host_save
build 1
expect "files of pcp in the package" "$(dpkg-deb -c /tmp/1.deb | sed -n 's|.* \./\(.*[^/]\)$|/\1|p' |
	sort | comm -12 - <(dpkg -L pcp | sort))" ""
dpkg_ -i /tmp/1.deb
expect "agent, with the package" "$(who)" stock
expect "kvm.conf, with the package" "$(tail -n 1 /etc/pcp/kvm/kvm.conf)" "# mine"
run_in $OURS Install
expect "agent, after Install" "$(who)" ours
expect "kvm.conf, after Install" "$(tail -n 1 /etc/pcp/kvm/kvm.conf)" "# mine"
expect "reports of pmrep" "$(sed -n 's/^\[\(kvm.*\)\]$/\1/p' /etc/pcp/pmrep/*.conf | tr '\n' ' ')" \
	"kvm kvm-exits kvm-vm kvm-vcpu kvm-userspace kvm-cause kvm-time kvm-latency kvm-halt kvm-trace "
expect "rules of pmie" "$(pmieconf -f /tmp/pmie.conf list pmdakvm 2>&1 | grep -c '^  rule: pmdakvm')" 9
expect "groups of pmlogconf" "$(pmlogconf -c -q /tmp/pmlogger.conf >/dev/null 2>&1; grep -c '^#+ pmdakvm/[a-z]*:y:' /tmp/pmlogger.conf)" 4
expect "a subcommand of pcp" "$(PCP_PYTHON_PROG=/usr/bin/python3 pcp kvm --help 2>&1 | grep -c -- --html)" 1
expect "derived metrics" "$(pminfo kvm_vcpu.ready)" kvm_vcpu.ready

echo '# mine' >>$report
build 2
dpkg_ -i /tmp/2.deb
pmcd_ restart
expect "agent, after an upgrade of the package" "$(who)" ours
pio_counts "port writes, after an upgrade of the package"
expect "the report file, after an upgrade of the package" "$(tail -n 1 $report)" "# mine"
dpkg_ -r pmdakvm-test
expect "agent, after the package was removed" "$(who)" none
[ -L /var/lib/pcp/pmns/root_kvm ] || fail "the stock agent's names are not put back"
run_in $STOCK Install >/dev/null
dpkg_ -P pmdakvm-test
nothing_left "the package"

# make install itself: an edited report file stays, an untouched one is renewed
OURS=$PREFIX/lib/pmdakvm/pmdas/kvm
make_ install >/dev/null
echo '# old' | tee -a $report >>$PREFIX/share/pmdakvm/pmrep.conf
make_ install >/tmp/make.out
expect "the report file of another version, after make install" "$(grep -c '^# old' $report || true)" 0
echo '# mine' >>$report
make_ install >/tmp/make.out
grep -q "$report was edited and stays" /tmp/make.out || fail "make install says nothing of an edited report file"
expect "the report file, after make install" "$(tail -n 1 $report)" "# mine"
make_ uninstall >/tmp/make.out
grep -q "$report was edited and stays" /tmp/make.out || fail "make uninstall says nothing of an edited report file"
expect "the report file, after make uninstall" "$(tail -n 1 $report)" "# mine"
rm $report
nothing_left "make uninstall"
