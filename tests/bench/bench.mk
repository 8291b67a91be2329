# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Builds the programs that tests/bench/run uses.

BENCH := $(O)/tests/bench

BENCH_BPF := $(BENCH)/empty $(BENCH)/pair

# the exit pair of before the engine, whose headers come first
$(BENCH)/old/exit.raw.o: tests/bench/old/exit.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(filter-out -Ibpf,$(BPF_CFLAGS)) -Itests/bench/old -Ibpf -MMD -MP -c $< -o $@

$(BENCH)/old/exit.bpf.o: $(BENCH)/old/exit.raw.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(BENCH_BPF:%=%.raw.o): $(BENCH)/%.raw.o: tests/bench/%.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BENCH_BPF:%=%.bpf.o): %.bpf.o: %.raw.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(BENCH_BPF:%=%.skel.h): $(BENCH)/%.skel.h: $(BENCH)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BENCH)/empty: $(BENCH)/empty.skel.h
$(BENCH)/pair: $(BENCH)/pair.skel.h $(O)/gen/exit.skel.h $(O)/libpmdakvm.a
$(BENCH)/empty $(BENCH)/pair: ALL_CFLAGS += -isystem $(BENCH) -isystem $(O)/gen -Wno-unused-function
$(BENCH)/empty $(BENCH)/pair: BENCH_LIBS := $(BPF_LIBS)
$(BENCH)/pair: BENCH_LIBS := $(O)/libpmdakvm.a $(BPF_LIBS)
$(BENCH)/fetch: BENCH_LIBS := -lpcp

$(BENCH)/empty $(BENCH)/fetch $(BENCH)/pair $(BENCH)/timed: $(BENCH)/%: tests/bench/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@ $(LDFLAGS) $(BENCH_LIBS)

bench-programs: $(BENCH)/old/exit.bpf.o $(BENCH)/empty $(BENCH)/fetch $(BENCH)/pair $(BENCH)/timed
	@:

-include $(wildcard $(BENCH)/*.d $(BENCH)/old/*.d)
