# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Builds the programs that the live tests run. The top Makefile includes this.

TEST_PROGRAMS := $(patsubst tests/programs/%.c,$(O)/tests/%,\
	$(filter-out tests/programs/before_indom.c,$(wildcard tests/programs/*.c))) \
	$(O)/tests/guest $(O)/tests/before_indom.so

$(O)/tests/guest: $(wildcard tests/programs/guest/*.c tests/programs/guest/*.h) src/kvm/cause_key.c src/kvm/cause_key.h \
		bpf/cause.h
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 $(WARNINGS) -Isrc -I. -static -pthread $(filter %.c,$^) -o $@

$(O)/tests/%: tests/programs/%.c $(wildcard tests/programs/*.h)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 $(WARNINGS) $< -o $@

$(O)/tests/load_dso: tests/programs/load_dso.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@ $(PCP_LIBS) -lbpf

$(O)/tests/before_indom.so: tests/programs/before_indom.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 -O2 $(WARNINGS) -fPIC -shared $< -o $@

$(O)/tests/fetch_indom: tests/programs/fetch_indom.c
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@ $(PCP_LIBS)
