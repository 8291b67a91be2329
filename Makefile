# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# make          build all (needs neither root nor network, on any kernel)
# make check    install missing packages, build, run all tests (root)
# make check-kernels  boot every machine and kernel of tests/boot/kernels.bats, write docs/kernels.md
#               (KERNELS="amd-6.1 ..." boots those alone, and writes nothing)
# make fuzz     feed made-up input to all parsers (SECONDS= in all, NAMES="config numbers" some)
# make demo     show a guest's counters through a private pmcd (root)
# make pictures make those of docs/pictures anew, of real guests (root); then look at them
# make bench    measure the cost of counting for a guest (root)
# make deps     install missing packages (root, Debian); deps-build: only those of the build
# make tables   regenerate pmns and the metric list of pmdakvm(1) from src/metrics/metrics.def
# make fleet    regenerate the rules of Prometheus and pmie from fleet/alerts and fleet/records
# make check-grafana MODULES=DIR  hold the dashboards against the types of @grafana/schema (HACKING.md)
# make format   run clang-format on all C files
# make install  install next to the stock agent (PREFIX=, DESTDIR=); undo with uninstall
# make clean    remove the build directory
#
# O=DIR sets the build directory; V=1 shows commands; SAN=1 builds with sanitizers.
# ARCH=arm64 cross-builds into build/arm64, with Debian's cross compiler and packages that
# scripts/sysroot-arm64.sh unpacks into a cache.
# TESTS="unit agent" runs only those parts of the tests (see tests/run.sh).

VERSION := 0.1.0

SAN ?=
ARCH ?=
O ?= build$(if $(SAN),/san)$(ARCH:%=/%)
# rules cannot quote: by way of a link if need be
quote = '$(subst ','\'',$(1))'
ifneq ($(origin O),file)
override O := $(shell scripts/build-folder.sh $(call quote,$(O)))
$(if $(O),,$(error the folder O= cannot be built in))
endif
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

CC ?= gcc
CLANG ?= clang
BPFTOOL ?= $(firstword $(wildcard /usr/sbin/bpftool /usr/local/sbin/bpftool) bpftool)
PKG_CONFIG ?= pkg-config
ifneq ($(ARCH),)
include scripts/cross.mk
endif
CLANG_FORMAT ?= clang-format

WARNINGS := -Wall -Wextra -Werror -Wmissing-prototypes -Wshadow
CFLAGS ?= -O2 -g
comma := ,
SAN_FLAGS := $(if $(SAN),-fsanitize=address$(comma)undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
ALL_CFLAGS = -std=gnu11 $(CFLAGS) $(WARNINGS) $(SAN_FLAGS) -fPIC -fvisibility=hidden -MMD -MP \
	-Isrc -I. -I$(O)/gen -DPMDAKVM_VERSION='"$(VERSION)"'
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 $(WARNINGS) -Ivmlinux -Ibpf

.DELETE_ON_ERROR:
.SUFFIXES:
.SECONDARY:
.PHONY: all install install-check uninstall check check-programs check-arm64 check-kernels check-grafana demo pictures bench bench-programs fuzz fuzz-programs deps deps-build tables fleet format clean
all: $(O)/pmdakvm $(O)/pmda_kvm.so $(O)/kvmbpf

# --- BPF side: one object and one skeleton per family ---
OBJECTS := $(patsubst bpf/%.bpf.c,%,$(wildcard bpf/*.bpf.c))
SKELETONS := $(OBJECTS:%=$(O)/gen/%.skel.h)
# a family is a folder; objects without one belong to other parts
FAMILIES := $(sort $(notdir $(patsubst %/,%,$(wildcard src/families/*/))))

$(O)/bpf/%.raw.o: bpf/%.bpf.c
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c $< -o $@

# drops DWARF, keeps BTF
$(O)/bpf/%.bpf.o: $(O)/bpf/%.raw.o
	$(Q)$(BPFTOOL) gen object $@ $<

$(O)/gen/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	@mkdir -p $(@D)
	$(Q)$(BPFTOOL) gen skeleton $< name $*_bpf > $@

$(O)/gen/families.c: Makefile $(FAMILIES:%=bpf/%.bpf.c)
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q){ echo '#include "families/family.h"'; \
	  for f in $(FAMILIES); do \
	    echo "#include \"bpf/$$f.h\""; echo "#include \"$$f.skel.h\""; echo "extern const struct family_ops $${f}_family;"; done; \
	  echo 'const struct family families[] = {'; \
	  for f in $(FAMILIES); do echo "	{ \"$$f\", &$${f}_family, $${f}_bpf__elf_bytes },"; done; \
	  echo '};'; \
	  echo 'const size_t families_count = sizeof(families) / sizeof(families[0]);'; } > $@

$(O)/gen/families.o: $(O)/gen/families.c $(FAMILIES:%=$(O)/gen/%.skel.h)
	$(call say,CC,$<)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

# the kernel types that programs name, sorted
$(O)/gen/core_type_names.h: vmlinux/vmlinux.h
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q){ echo bpf_func_id; sed -nE 's/^struct ([a-z_0-9]+) \{$$/\1/p' $<; } | \
		LC_ALL=C sort | sed 's/.*/"&",/' > $@

$(O)/gen/help.c: help tools/help.awk
	$(call say,GEN,$@)
	@mkdir -p $(@D)
	$(Q)awk -f tools/help.awk help > $@

$(O)/gen/help.o: $(O)/gen/help.c
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

# --- user side: sources are found by directory; tests/live/consistency.bats checks the layers ---
objects = $(patsubst %.c,$(O)/%.o,$(foreach dir,$(1),$(sort $(wildcard src/$(dir)/*.c))))

# the library depends neither on PCP nor on the command line
LIB_OBJ := $(call objects,base kernel metrics kvm vms engine families families/* collector) \
	$(O)/gen/families.o $(O)/gen/help.o
PMDA_MAIN := $(O)/src/pmda/main.o $(O)/src/pmda/loading.o
PMDA_DSO := $(O)/src/pmda/dso.o
PMDA_OBJ := $(filter-out $(PMDA_MAIN) $(PMDA_DSO),$(call objects,pmda))
COMMAND_MAIN := $(O)/src/command/kvmbpf.o
COMMAND_OBJ := $(filter-out $(COMMAND_MAIN),$(call objects,command))

$(COMMAND_OBJ): ALL_CFLAGS += $(shell $(PKG_CONFIG) --cflags smartcols jansson ncursesw)

BPF_LIBS := -lbpf -lelf -lz -lcap-ng -ljansson
PCP_LIBS := -lpcp_pmda -lpcp

$(O)/src/kernel/core_types.o: $(O)/gen/core_type_names.h
$(O)/src/%.o: src/%.c | $(SKELETONS)
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$(O)/libpmdakvm.a: $(LIB_OBJ)
$(O)/libcommand.a: $(COMMAND_OBJ)
$(O)/libpmda.a: $(PMDA_OBJ)
$(O)/libpmdakvm.a $(O)/libcommand.a $(O)/libpmda.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && ar rcs $@ $^

$(O)/pmdakvm: $(PMDA_MAIN) $(PMDA_OBJ) $(O)/libpmdakvm.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN_FLAGS) -pthread $^ -o $@ $(LDFLAGS) $(PCP_LIBS) $(BPF_LIBS)

$(O)/pmda_kvm.so: $(PMDA_DSO) $(PMDA_OBJ) $(O)/libpmdakvm.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN_FLAGS) -shared $(if $(SAN),,-Wl$(comma)-z$(comma)defs) $^ -o $@ $(LDFLAGS) $(PCP_LIBS) $(BPF_LIBS)

$(O)/kvmbpf: $(COMMAND_MAIN) $(O)/libcommand.a $(O)/libpmdakvm.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN_FLAGS) $^ -o $@ $(LDFLAGS) -lsmartcols -ljansson -lncursesw -ltinfo $(BPF_LIBS)

# --- tools ---
TOOLS := $(patsubst tools/%.c,$(O)/tools/%,$(wildcard tools/*.c))

$(TOOLS): $(O)/tools/%: tools/%.c $(O)/libpmdakvm.a
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $< $(filter %.o %.a,$^) -o $@ $(BPF_LIBS)

# what is made from THE table and checked in, so that people can read it there
tables: $(TOOLS)
	$(Q)$(O)/tools/pmns >$(O)/pmns && cp $(O)/pmns pmns
	$(Q)$(O)/tools/man man/pmdakvm.1 >$(O)/pmdakvm.1 && cp $(O)/pmdakvm.1 man/pmdakvm.1

# what is made from fleet/ and checked in
fleet:
	$(Q)tools/fleet.py pmie dashboards/pmieconf
	$(Q)for what in names names-detail; do tools/fleet.py $$what >fleet/$$what || exit 1; done
	$(Q)tools/fleet.py scrape >fleet/prometheus/prometheus.yml
	$(Q)tools/dashboards.py fleet/grafana
	$(Q)for what in records alerts; do tools/fleet.py $$what >fleet/prometheus/kvm-$$what.yml || exit 1; done

# --- tests, demo, bench: each installs the packages it needs, then runs make again ---
include tests/unit/unit.mk
include tests/bpf/bpf.mk
include tests/programs/programs.mk
include tests/bench/bench.mk
include tests/fuzz/fuzz.mk

deps:
	$(Q)scripts/deps.sh build demo check

deps-build:
	$(Q)scripts/deps.sh build

check:
	$(Q)scripts/deps.sh build demo check
	$(Q)+$(MAKE) --no-print-directory all check-programs check-arm64
	$(Q)SAN=$(SAN) tests/run.sh "$$PWD" "$$(realpath -ms $(O))" $(TESTS)

# arm64 too, where its packages can be had: the tests that need it skip else
check-arm64:
	$(Q)+$(if $(ARCH),,if sysroot=$$(scripts/sysroot-arm64.sh); then \
	  $(MAKE) --no-print-directory ARCH=arm64 SAN= O=$(O)/arm64 SYSROOT="$$sysroot" all $(O)/arm64/tests/guest; \
	  else test $$? = 77; fi)

# a node_modules folder with @grafana/schema and typescript, which Debian has not
MODULES ?=
check-grafana:
	$(if $(MODULES),,$(error MODULES= is a node_modules folder with @grafana/schema and typescript))
	$(Q)node tests/grafana-types.js $(call quote,$(MODULES))

# KERNELS= a choice: their rows of docs/kernels.md are written; without it all of the page
KERNELS ?=
check-kernels:
	$(Q)scripts/deps.sh build demo check
	$(Q)+$(MAKE) --no-print-directory all check-programs check-arm64
	$(Q)KERNELS="$(or $(KERNELS),all)" KERNELS_TABLE="$$(realpath -ms $(O))/kernels.tsv" tests/kernels.sh \
	  "$$PWD" "$$(realpath -ms $(O))" docs/kernels.md

check-programs: $(UNIT_TESTS) $(BPF_TESTS) $(TEST_PROGRAMS) $(TOOLS) $(if $(SAN),,$(FUZZERS))

demo:
	$(Q)scripts/deps.sh build demo
	$(Q)+$(MAKE) --no-print-directory all $(O)/tests/guest
	$(Q)scripts/demo.sh "$$PWD" "$$(realpath -ms $(O))"

pictures:
	$(Q)scripts/deps.sh build demo check
	$(Q)+$(MAKE) --no-print-directory all $(O)/tests/guest
	$(Q)scripts/pictures.sh "$$PWD" "$$(realpath -ms $(O))"

bench:
	$(Q)scripts/deps.sh build demo check
	$(Q)+$(MAKE) --no-print-directory all $(O)/tests/guest $(O)/tests/idle_vms bench-programs
	$(Q)tests/bench/run "$$PWD" "$$(realpath -ms $(O))"

# --- install: next to PCP's own agent, never over it; ./Install there switches pmcd ---
# scripts/install.sh reads its environment, where nothing needs to be quoted.
PREFIX ?= /usr/local
DESTDIR ?=
install uninstall install-check: export PREFIX := $(value PREFIX)
install uninstall install-check: export DESTDIR := $(value DESTDIR)
install uninstall install-check: export BUILD := $(O)

# Rules for archives of the stock agent, one per event name: its item numbers are line numbers
# of kvm.conf. Install leaves out the rules that PCP has itself.
$(O)/pmlogrewrite.conf: src/metrics/tracepoint_items.def Makefile
	@mkdir -p $(@D)
	$(Q){ echo '# SPDX-License-Identifier: GPL-2.0-or-later'; \
	  echo '# Copyright (c) 2026 The pmdakvm authors'; \
	  echo '#'; \
	  echo '# In archives of the stock KVM agent kvm.trace.<event> is 64, instant, without units,'; \
	  echo '# and its item number is a line of kvm.conf. It calls gauges counters.'; \
	  echo '# Made from src/metrics/tracepoint_items.def; Install writes it to PCP'"'"'s folder.'; \
	  echo 'metric kvm.largepages { sem -> instant }'; \
	  echo 'metric kvm.mmu_unsync { sem -> instant }'; \
	  sed -nE 's/^TRACE_ITEM\(([0-9]+),[[:space:]]*([a-z_0-9]+),.*/metric kvm.trace.\2 { pmid -> 95.1.\1 type IF 64 -> U64 sem -> counter units -> 0,0,1,0,0,ONE }/p' \
	    src/metrics/tracepoint_items.def; } > $@

install-check:
	$(Q)scripts/install.sh check

install: install-check all $(O)/pmlogrewrite.conf
	$(Q)scripts/install.sh install

# Removes the agent from pmcd first.
uninstall:
	$(Q)scripts/install.sh uninstall

format:
	$(Q)$(CLANG_FORMAT) -i $$(git ls-files '*.c' '*.h')

clean:
	$(Q)rm -rf "$$(realpath -m $(O))" $(O)

-include $(patsubst %.o,%.d,$(LIB_OBJ) $(PMDA_MAIN) $(PMDA_OBJ) $(COMMAND_MAIN) $(COMMAND_OBJ) \
	$(UNIT_OBJ) $(BPF_TEST_OBJ)) $(OBJECTS:%=$(O)/bpf/%.raw.d) \
	$(BPF_TEST_NAMES:%=$(O)/tests/bpf/%.raw.d) $(TEST_PROGRAMS:=.d) $(TOOLS:=.d)
