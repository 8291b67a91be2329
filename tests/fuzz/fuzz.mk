# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The fuzzers: one program for each tests/fuzz/fuzz_NAME.c. The top Makefile includes this. They
# are built by clang, for libFuzzer, and so is what they call, in a folder of its own.

FUZZERS := $(patsubst tests/fuzz/%.c,$(O)/fuzz/%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_LIB := $(patsubst src/%.c,$(O)/fuzz/src/%.o,$(foreach dir,base kernel metrics kvm vms,$(wildcard src/$(dir)/*.c)))
FUZZ_OBJ := $(FUZZERS:$(O)/fuzz/%=$(O)/fuzz/tests/%.o) $(O)/fuzz/tests/common.o
FUZZ_CC = $(CLANG) $(ALL_CFLAGS) -Itests -O1 -fsanitize=fuzzer-no-link,address,undefined \
	-fno-sanitize-recover=all -fno-omit-frame-pointer

$(O)/fuzz/src/%.o: src/%.c | $(SKELETONS)
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -c $< -o $@

$(O)/fuzz/tests/%.o: tests/fuzz/%.c
	$(call say,FUZZ,$<)
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -c $< -o $@

# an archive: of it only what a fuzzer calls is linked
$(O)/fuzz/lib.a: $(FUZZ_LIB)
	$(Q)rm -f $@ && ar rcs $@ $^

$(FUZZERS): $(O)/fuzz/%: $(O)/fuzz/tests/%.o $(O)/fuzz/tests/common.o $(O)/fuzz/lib.a
	$(call say,LD,$@)
	$(Q)$(CLANG) -fsanitize=fuzzer,address,undefined $^ -o $@ $(LDFLAGS) $(BPF_LIBS)

fuzz-programs: $(FUZZERS)

# SECONDS= how long in all; NAMES="config numbers" those fuzzers alone
SECONDS ?= 600
NAMES ?=
fuzz:
	$(Q)scripts/deps.sh build demo check
	$(Q)+$(MAKE) --no-print-directory fuzz-programs
	$(Q)tests/fuzz/run.sh $(O) $(SECONDS) $(NAMES)

-include $(FUZZ_OBJ:.o=.d) $(FUZZ_LIB:.o=.d)
