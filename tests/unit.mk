# SPDX-License-Identifier: GPL-2.0-or-later
# Copyright (c) 2026 The pmdakvm authors
#
# The unit tests, one program for each tests/test_MODULE.c; the top Makefile
# includes this. What a test replaces with its own comes by the linker's --wrap,
# or stands in the library's place: a member of an archive whose symbols are there
# already is not taken from it.

UNIT_TESTS := $(patsubst tests/%.c,$(O)/tests/%,$(sort $(wildcard tests/test_*.c)))

# by which tests/support.c lets our own allocations fail
UNIT_ALLOC := malloc calloc reallocarray strdup asprintf vasprintf
unit_wrap = $(patsubst %,-Wl$(comma)--wrap=%,$(1))

$(O)/tests/test_config: UNIT_FLAGS := $(call unit_wrap,fopen)
$(O)/tests/test_cells: UNIT_FLAGS := $(call unit_wrap,bpf_map_lookup_elem bpf_map_update_elem \
	bpf_map_delete_elem bpf_map_get_next_key)
$(O)/tests/test_template: UNIT_FLAGS := $(call unit_wrap,bpf_prog_load)
$(O)/tests/test_trace_event: UNIT_FLAGS := $(call unit_wrap,bpf_obj_get_info_by_fd)
$(O)/tests/test_vm_identity: UNIT_FLAGS := $(call unit_wrap,fopen)
$(O)/tests/test_items_file: UNIT_FLAGS := $(call unit_wrap,fsync fclose)
UNIT_FAKED := $(patsubst %,$(O)/tests/test_%,collector collector_look collector_hooks agent)
$(UNIT_FAKED): UNIT_FLAGS := $(call unit_wrap,cpus_read cpus_update events_find events_stamp \
	pins_open pins_close)
$(O)/tests/test_agent: UNIT_FLAGS += $(call unit_wrap,clock_gettime)
$(UNIT_FAKED): $(O)/tests/fakes.o
$(patsubst %,$(O)/tests/test_stat_%,layout members describe vm): $(O)/tests/types.o
$(O)/tests/test_pins $(O)/tests/test_pins_maps: $(O)/tests/bpffs.o
$(filter $(O)/tests/test_vm_life $(O)/tests/test_vm_vcpus $(O)/tests/test_vm $(O)/tests/test_stat%, \
	$(UNIT_TESTS)): $(O)/tests/stat_fakes.o
$(O)/tests/test_stat_debugfs: UNIT_FLAGS := $(call unit_wrap,openat)
UNIT_MAPS := $(patsubst %,$(O)/tests/test_%,stat_totals stat_keep stat stat_attach)
$(UNIT_MAPS): $(O)/tests/fake_maps.o
$(UNIT_MAPS): UNIT_FLAGS := $(call unit_wrap,bpf_map_lookup_elem bpf_map_update_elem \
	bpf_map_delete_elem bpf_map_get_next_key)
UNIT_STAT := $(O)/tests/test_stat $(O)/tests/test_stat_attach
$(UNIT_STAT): $(O)/tests/stat_kernel.o
$(UNIT_STAT): UNIT_FLAGS += $(call unit_wrap,stat_layout_kvm stat_layout_read stat_layout_describe \
	pins_load pins_generation bpf_object__open_mem bpf_object__close bpf_object__find_map_by_name \
	bpf_object__find_program_by_name bpf_map__set_initial_value bpf_map__set_value_size \
	bpf_map__set_max_entries bpf_map__fd bpf_program__attach_iter bpf_link__destroy \
	bpf_link__fd bpf_iter_create read close clock_gettime)
$(O)/tests/test_privs: UNIT_FLAGS := $(call unit_wrap,capng_get_caps_process capng_have_capability \
	capng_clear capng_update capng_apply capng_change_id prctl geteuid getpwnam)
$(O)/tests/test_metrics: UNIT_FLAGS := -ljansson
$(patsubst %,$(O)/tests/test_%.o,output output_labels views): ALL_CFLAGS += \
	$(shell $(PKG_CONFIG) --cflags smartcols jansson)
$(O)/tests/test_output: UNIT_FLAGS := -lsmartcols -ljansson $(call unit_wrap,scols_new_table \
	scols_table_new_column scols_table_new_line scols_line_set_data)
$(O)/tests/test_output_labels: UNIT_FLAGS := -lsmartcols -ljansson
$(O)/tests/test_output $(O)/tests/test_output_labels: $(O)/src/output.o
$(O)/tests/test_views: UNIT_FLAGS := -lsmartcols $(call unit_wrap,scols_new_table \
	scols_table_new_column scols_table_new_line scols_line_refer_data)
$(O)/tests/test_views: $(patsubst %,$(O)/src/%.o,latency views views_lines)
$(O)/tests/test_latency: $(O)/src/latency.o
$(O)/tests/test_help $(O)/tests/test_items: $(O)/gen/help.o

$(O)/tests/%.o: tests/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c $< -o $@

$(UNIT_TESTS): $(O)/tests/%: $(O)/tests/%.o $(O)/tests/support.o $(O)/libpmdakvm.a
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) $(SAN_FLAGS) $(filter %.o,$^) $(filter %.a,$^) -o $@ $(LDFLAGS) \
		$(call unit_wrap,$(UNIT_ALLOC)) $(UNIT_FLAGS) -lcmocka $(BPF_LIBS)
