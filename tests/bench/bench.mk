# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The programs of tests/bench/run, which make bench runs.

BENCH := $(O)/tests/bench

$(BENCH)/empty.raw.o: tests/bench/empty.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BENCH)/empty.bpf.o: $(BENCH)/empty.raw.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(BENCH)/empty.skel.h: $(BENCH)/empty.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name empty_bpf > $@

$(BENCH)/empty: $(BENCH)/empty.skel.h
$(BENCH)/empty: ALL_CFLAGS += -isystem $(BENCH) -Wno-unused-function
$(BENCH)/empty: BENCH_LIBS := $(BPF_LIBS)
$(BENCH)/fetch: BENCH_LIBS := -lpcp

$(BENCH)/empty $(BENCH)/fetch $(BENCH)/timed: $(BENCH)/%: tests/bench/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@ $(LDFLAGS) $(BENCH_LIBS)

bench-programs: $(BENCH)/empty $(BENCH)/fetch $(BENCH)/timed
	@:

-include $(wildcard $(BENCH)/*.d)
