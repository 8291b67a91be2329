# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The tests of the BPF programs: one program for each tests/bpf/test_NAME.c, linked with the other
# C files there. A function __wrap_NAME in any of them takes NAME's place. The objects of
# tests/bpf/*.bpf.c are the families' programs with a clock that a test sets, and what tests need
# beside them. The top Makefile includes this.

BPF_TESTS := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/bpf/test_*.c)))
BPF_TEST_SUPPORT := $(patsubst %.c,$(O)/%.o,$(filter-out $(wildcard tests/bpf/test_*.c \
	tests/bpf/*.bpf.c),$(sort $(wildcard tests/bpf/*.c))))
BPF_TEST_OBJ := $(BPF_TESTS:=.o) $(BPF_TEST_SUPPORT)
BPF_TEST_NAMES := $(patsubst tests/bpf/%.bpf.c,%,$(wildcard tests/bpf/*.bpf.c))
BPF_TEST_SKELETONS := $(BPF_TEST_NAMES:%=$(O)/gen/tests/%.skel.h)

$(O)/tests/bpf/%.raw.o: tests/bpf/%.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

$(O)/tests/bpf/%.bpf.o: $(O)/tests/bpf/%.raw.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(O)/gen/tests/%.skel.h: $(O)/tests/bpf/%.bpf.o
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(BPF_TEST_OBJ): ALL_CFLAGS += -Itests
# the headers of before the engine include some of today's
$(O)/tests/bpf/old_exit.o: ALL_CFLAGS += -iquote bpf
$(BPF_TEST_OBJ): $(O)/%.o: %.c | $(SKELETONS) $(BPF_TEST_SKELETONS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$(BPF_TESTS): %: %.o $(BPF_TEST_SUPPORT) $(O)/libpmdakvm.a
	$(call say,LD,$@)
	$(Q)wraps=$$(nm $(filter %.o,$^) | sed -n 's/.* T __wrap_/-Wl,--wrap=/p'); \
	$(CC) $(CFLAGS) $(SAN_FLAGS) $^ -o $@ $(LDFLAGS) $$wraps -lcmocka $(BPF_LIBS)

.PHONY: bpf-tests
bpf-tests: $(BPF_TESTS)
