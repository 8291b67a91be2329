# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# ARCH=arm64: the compiler and the packages to build with. The top Makefile includes this.

ifneq ($(ARCH),arm64)
$(error ARCH=$(ARCH): there is arm64, and nothing for what this machine is)
endif

SYSROOT ?= $(shell scripts/sysroot-arm64.sh)
ifeq ($(SYSROOT),)
$(error ARCH=$(ARCH) needs arm64's packages)
endif

CC := aarch64-linux-gnu-gcc --sysroot=$(SYSROOT)
PKG_CONFIG := PKG_CONFIG_SYSROOT_DIR=$(SYSROOT) \
	PKG_CONFIG_LIBDIR=$(SYSROOT)/usr/lib/aarch64-linux-gnu/pkgconfig:$(SYSROOT)/usr/share/pkgconfig \
	$(PKG_CONFIG)
