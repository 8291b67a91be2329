# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# Builds the programs that tests/bench/run uses.

BENCH := $(O)/tests/bench

BENCH_BPF := $(BENCH)/empty $(BENCH)/least $(BENCH)/pair
# the exit family's programs with hints that miss
BENCH_EXIT := $(BENCH)/miss
$(BENCH)/miss.raw.o: BPF_CFLAGS += -DHINTS=2

$(BENCH_EXIT:%=%.raw.o): bpf/exit_typed.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

# the exit pair of before the engine, whose headers come first
$(BENCH)/old/exit.raw.o: tests/bench/old/exit.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(filter-out -Ibpf,$(BPF_CFLAGS)) -Itests/bench/old -Ibpf -MMD -MP -c $< -o $@

# a test runs it beside today's: the pair of before the engine, and its object
TEST_PROGRAMS += $(O)/tests/old_exits $(BENCH)/old/exit.bpf.o

$(O)/tests/old_exits: tests/bench/old_exits.c $(O)/libpmdakvm.a
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $^ -o $@ $(LDFLAGS) $(BPF_LIBS)

$(BENCH)/old/exit.bpf.o: $(BENCH)/old/exit.raw.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(BENCH_BPF:%=%.raw.o): $(BENCH)/%.raw.o: tests/bench/%.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(BENCH_BPF:%=%.bpf.o) $(BENCH_EXIT:%=%.bpf.o): %.bpf.o: %.raw.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(BENCH)/empty.skel.h: $(BENCH)/%.skel.h: $(BENCH)/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BENCH)/empty: $(BENCH)/empty.skel.h
$(BENCH)/empty: ALL_CFLAGS += -isystem $(BENCH) -Wno-unused-function
$(BENCH)/empty: BENCH_LIBS := $(BPF_LIBS)
$(BENCH)/fetch: BENCH_LIBS := -lpcp
$(BENCH)/constant: BENCH_LIBS := -lpcp_pmda -lpcp
$(BENCH)/pair $(BENCH)/read: $(O)/libpmdakvm.a
$(BENCH)/pair: BENCH_LIBS := $(O)/libpmdakvm.a $(BPF_LIBS)

$(BENCH)/constant $(BENCH)/empty $(BENCH)/fetch $(BENCH)/timed: $(BENCH)/%: tests/bench/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< -o $@ $(LDFLAGS) $(BENCH_LIBS)

$(BENCH)/read: BENCH_LIBS := $(BPF_LIBS)
$(BENCH)/read: tests/bench/read.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) $< $(O)/libpmdakvm.a -o $@ $(LDFLAGS) $(BENCH_LIBS)

$(BENCH)/pair: tests/bench/pair.c tests/bench/variants.c tests/bench/vcpus.c tests/bench/variants.h tests/bench/vcpus.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(filter-out -MMD -MP,$(ALL_CFLAGS)) -pthread $(filter %.c %.a,$^) -o $@ $(LDFLAGS) $(BENCH_LIBS)

bench-programs: $(BENCH)/old/exit.bpf.o $(BENCH)/least.bpf.o $(BENCH)/pair.bpf.o $(BENCH_EXIT:%=%.bpf.o) $(BENCH)/constant $(BENCH)/empty $(BENCH)/fetch $(BENCH)/pair \
	$(BENCH)/read $(BENCH)/timed
	@:

-include $(wildcard $(BENCH)/*.d $(BENCH)/old/*.d)
