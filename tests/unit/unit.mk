# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The unit tests: one program for each tests/unit/FOLDER/test_MODULE.c. The top Makefile includes
# this. A test is linked with the fakes whose headers it includes. A function __wrap_NAME in any
# of them takes NAME's place, by the linker's --wrap. A fake may also stand in the library's
# place: a member of an archive whose symbols are defined already is not taken from it. Tests of
# src/pmda are linked with it, and with libpcp_pmda.

UNIT_TESTS := $(patsubst %.c,$(O)/%,$(sort $(wildcard tests/unit/*/test_*.c)))
UNIT_FAKES := $(patsubst %.c,$(O)/%.o,$(sort $(wildcard tests/fakes/*.c)))
UNIT_OBJ := $(UNIT_TESTS:=.o) $(UNIT_FAKES)

$(UNIT_OBJ): ALL_CFLAGS += -Itests $(shell $(PKG_CONFIG) --cflags smartcols jansson)
$(UNIT_OBJ): $(O)/%.o: %.c | $(SKELETONS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

UNIT_PMDA := $(filter $(O)/tests/unit/pmda/%,$(UNIT_TESTS))
$(UNIT_PMDA): $(O)/libpmda.a
$(UNIT_PMDA): UNIT_LIBS := $(PCP_LIBS)

$(UNIT_TESTS): %: %.o $(UNIT_FAKES) $(O)/libcommand.a $(O)/libpmdakvm.a
	$(call say,LD,$@)
	$(Q)fakes=$$(sed -nE 's|^tests/(fakes/[a-z_0-9]+)\.h:$$|$(O)/tests/\1.o|p' $@.d); \
	wraps=$$(nm $< $$fakes | sed -n 's/.* T __wrap_/-Wl,--wrap=/p'); \
	$(CC) $(CFLAGS) $(SAN_FLAGS) $< $$fakes -Wl,--start-group $(filter-out $< $(UNIT_FAKES),$^) \
		-Wl,--end-group -o $@ $(LDFLAGS) $$wraps -lcmocka $(UNIT_LIBS) -lsmartcols -lncursesw -ltinfo $(BPF_LIBS)
