/* SPDX-License-Identifier: MIT */
/*
 * The layout of the public structures that Mullion reads or writes: sizes and offsets in bytes on
 * x86-64, written down as facts. abi_test.c compares them with what the installed headers compile
 * to, so that a changed header or a wrong compiler flag is seen before a guest sees it.
 */
#ifndef ABI_LAYOUT_H
#define ABI_LAYOUT_H
/* clang-format off */

/* start of day */
#define LAYOUT_START_OF_DAY(SIZE, AT) \
    SIZE(start_info_t, 1168) AT(start_info_t, magic, 0) AT(start_info_t, nr_pages, 32) \
        AT(start_info_t, shared_info, 40) AT(start_info_t, flags, 48) AT(start_info_t, \
        store_mfn, 56) AT(start_info_t, store_evtchn, 64) AT(start_info_t, console.domU.mfn, \
        72) AT(start_info_t, console.domU.evtchn, 80) AT(start_info_t, \
        console.dom0.info_off, 72) AT(start_info_t, console.dom0.info_size, 76) \
        AT(start_info_t, pt_base, 88) AT(start_info_t, nr_pt_frames, 96) AT(start_info_t, \
        mfn_list, 104) AT(start_info_t, mod_start, 112) AT(start_info_t, mod_len, 120) \
        AT(start_info_t, cmd_line, 128) AT(start_info_t, first_p2m_pfn, 1152) \
        AT(start_info_t, nr_p2m_frames, 1160) \
    SIZE(shared_info_t, 3136) AT(shared_info_t, vcpu_info, 0) AT(shared_info_t, \
        evtchn_pending, 2048) AT(shared_info_t, evtchn_mask, 2560) AT(shared_info_t, \
        wc_version, 3072) AT(shared_info_t, wc_sec, 3076) AT(shared_info_t, wc_nsec, 3080) \
        AT(shared_info_t, wc_sec_hi, 3084) AT(shared_info_t, arch, 3088) AT(shared_info_t, \
        arch.max_pfn, 3088) AT(shared_info_t, arch.pfn_to_mfn_frame_list_list, 3096) \
        AT(shared_info_t, arch.nmi_reason, 3104) AT(shared_info_t, arch.p2m_cr3, 3112) \
        AT(shared_info_t, arch.p2m_vaddr, 3120) AT(shared_info_t, arch.p2m_generation, 3128) \
    SIZE(struct vcpu_info, 64) AT(struct vcpu_info, evtchn_upcall_pending, 0) AT(struct \
        vcpu_info, evtchn_upcall_mask, 1) AT(struct vcpu_info, evtchn_pending_sel, 8) \
        AT(struct vcpu_info, arch, 16) AT(struct vcpu_info, arch.cr2, 16) AT(struct \
        vcpu_info, time, 32) \
    SIZE(struct vcpu_time_info, 32) AT(struct vcpu_time_info, version, 0) AT(struct \
        vcpu_time_info, tsc_timestamp, 8) AT(struct vcpu_time_info, system_time, 16) \
        AT(struct vcpu_time_info, tsc_to_system_mul, 24) AT(struct vcpu_time_info, \
        tsc_shift, 28) AT(struct vcpu_time_info, flags, 29) \
    SIZE(struct dom0_vga_console_info, 40) AT(struct dom0_vga_console_info, video_type, 0) \
    SIZE(struct xen_multiboot_mod_list, 16) AT(struct xen_multiboot_mod_list, mod_start, 0) \
        AT(struct xen_multiboot_mod_list, mod_end, 4) AT(struct xen_multiboot_mod_list, \
        cmdline, 8) \
    SIZE(struct multicall_entry, 64) AT(struct multicall_entry, op, 0) AT(struct \
        multicall_entry, result, 8) AT(struct multicall_entry, args, 16) \
    SIZE(struct mmu_update, 16) AT(struct mmu_update, ptr, 0) AT(struct mmu_update, val, 8) \
    SIZE(struct mmuext_op, 24) AT(struct mmuext_op, cmd, 0) AT(struct mmuext_op, arg1, 8) \
        AT(struct mmuext_op, arg2, 16) \
    SIZE(struct trap_info, 16) AT(struct trap_info, vector, 0) AT(struct trap_info, flags, \
        1) AT(struct trap_info, cs, 2) AT(struct trap_info, address, 8) \
    SIZE(struct cpu_user_regs, 200) AT(struct cpu_user_regs, r15, 0) AT(struct \
        cpu_user_regs, rbp, 32) AT(struct cpu_user_regs, rbx, 40) AT(struct cpu_user_regs, \
        rax, 80) AT(struct cpu_user_regs, rcx, 88) AT(struct cpu_user_regs, rdx, 96) \
        AT(struct cpu_user_regs, rsi, 104) AT(struct cpu_user_regs, rdi, 112) AT(struct \
        cpu_user_regs, error_code, 120) AT(struct cpu_user_regs, entry_vector, 124) \
        AT(struct cpu_user_regs, rip, 128) AT(struct cpu_user_regs, cs, 136) AT(struct \
        cpu_user_regs, saved_upcall_mask, 140) AT(struct cpu_user_regs, rflags, 144) \
        AT(struct cpu_user_regs, rsp, 152) AT(struct cpu_user_regs, ss, 160) AT(struct \
        cpu_user_regs, es, 168) AT(struct cpu_user_regs, ds, 176) AT(struct cpu_user_regs, \
        fs, 184) AT(struct cpu_user_regs, gs, 192) \
    SIZE(struct vcpu_guest_context, 5168) AT(struct vcpu_guest_context, fpu_ctxt, 0) \
        AT(struct vcpu_guest_context, flags, 512) AT(struct vcpu_guest_context, user_regs, \
        520) AT(struct vcpu_guest_context, trap_ctxt, 720) AT(struct vcpu_guest_context, \
        ldt_base, 4816) AT(struct vcpu_guest_context, ldt_ents, 4824) AT(struct \
        vcpu_guest_context, gdt_frames, 4832) AT(struct vcpu_guest_context, gdt_ents, 4960) \
        AT(struct vcpu_guest_context, kernel_ss, 4968) AT(struct vcpu_guest_context, \
        kernel_sp, 4976) AT(struct vcpu_guest_context, ctrlreg, 4984) AT(struct \
        vcpu_guest_context, debugreg, 5048) AT(struct vcpu_guest_context, \
        event_callback_eip, 5112) AT(struct vcpu_guest_context, failsafe_callback_eip, 5120) \
        AT(struct vcpu_guest_context, syscall_callback_eip, 5128) AT(struct \
        vcpu_guest_context, vm_assist, 5136) AT(struct vcpu_guest_context, fs_base, 5144) \
        AT(struct vcpu_guest_context, gs_base_kernel, 5152) AT(struct vcpu_guest_context, \
        gs_base_user, 5160) \
    SIZE(struct iret_context, 72) AT(struct iret_context, rax, 0) AT(struct iret_context, \
        r11, 8) AT(struct iret_context, rcx, 16) AT(struct iret_context, flags, 24) \
        AT(struct iret_context, rip, 32) AT(struct iret_context, cs, 40) AT(struct \
        iret_context, rflags, 48) AT(struct iret_context, rsp, 56) AT(struct iret_context, \
        ss, 64) \
    SIZE(xen_domain_handle_t, 16) \
    SIZE(struct xenctl_bitmap, 16) AT(struct xenctl_bitmap, bitmap, 0) AT(struct \
        xenctl_bitmap, nr_bits, 8)

/* callbacks and scheduling */
#define LAYOUT_CALLBACKS_AND_SCHEDULING(SIZE, AT) \
    SIZE(struct callback_register, 16) AT(struct callback_register, type, 0) AT(struct \
        callback_register, flags, 2) AT(struct callback_register, address, 8) \
    SIZE(struct callback_unregister, 4) AT(struct callback_unregister, type, 0) \
    SIZE(struct sched_shutdown, 4) AT(struct sched_shutdown, reason, 0) \
    SIZE(struct sched_poll, 24) AT(struct sched_poll, ports, 0) AT(struct sched_poll, \
        nr_ports, 8) AT(struct sched_poll, timeout, 16) \
    SIZE(struct sched_remote_shutdown, 8) AT(struct sched_remote_shutdown, domain_id, 0) \
        AT(struct sched_remote_shutdown, reason, 4) \
    SIZE(struct sched_watchdog, 8) AT(struct sched_watchdog, id, 0) AT(struct \
        sched_watchdog, timeout, 4) \
    SIZE(struct sched_pin_override, 4) AT(struct sched_pin_override, pcpu, 0)

/* vcpu_op */
#define LAYOUT_VCPU_OP(SIZE, AT) \
    SIZE(struct vcpu_runstate_info, 48) AT(struct vcpu_runstate_info, state, 0) AT(struct \
        vcpu_runstate_info, state_entry_time, 8) AT(struct vcpu_runstate_info, time, 16) \
    SIZE(struct vcpu_register_runstate_memory_area, 8) AT(struct \
        vcpu_register_runstate_memory_area, addr, 0) \
    SIZE(struct vcpu_set_periodic_timer, 8) AT(struct vcpu_set_periodic_timer, period_ns, 0) \
    SIZE(struct vcpu_set_singleshot_timer, 16) AT(struct vcpu_set_singleshot_timer, \
        timeout_abs_ns, 0) AT(struct vcpu_set_singleshot_timer, flags, 8) \
    SIZE(struct vcpu_register_vcpu_info, 16) AT(struct vcpu_register_vcpu_info, mfn, 0) \
        AT(struct vcpu_register_vcpu_info, offset, 8) \
    SIZE(struct vcpu_get_physid, 8) AT(struct vcpu_get_physid, phys_id, 0) \
    SIZE(struct vcpu_register_time_memory_area, 8) AT(struct vcpu_register_time_memory_area, \
        addr, 0)

/* event channels */
#define LAYOUT_EVENT_CHANNELS(SIZE, AT) \
    SIZE(struct evtchn_alloc_unbound, 8) AT(struct evtchn_alloc_unbound, dom, 0) AT(struct \
        evtchn_alloc_unbound, remote_dom, 2) AT(struct evtchn_alloc_unbound, port, 4) \
    SIZE(struct evtchn_bind_interdomain, 12) AT(struct evtchn_bind_interdomain, remote_dom, \
        0) AT(struct evtchn_bind_interdomain, remote_port, 4) AT(struct \
        evtchn_bind_interdomain, local_port, 8) \
    SIZE(struct evtchn_bind_virq, 12) AT(struct evtchn_bind_virq, virq, 0) AT(struct \
        evtchn_bind_virq, vcpu, 4) AT(struct evtchn_bind_virq, port, 8) \
    SIZE(struct evtchn_bind_pirq, 12) AT(struct evtchn_bind_pirq, pirq, 0) AT(struct \
        evtchn_bind_pirq, flags, 4) AT(struct evtchn_bind_pirq, port, 8) \
    SIZE(struct evtchn_bind_ipi, 8) AT(struct evtchn_bind_ipi, vcpu, 0) AT(struct \
        evtchn_bind_ipi, port, 4) \
    SIZE(struct evtchn_close, 4) AT(struct evtchn_close, port, 0) \
    SIZE(struct evtchn_send, 4) AT(struct evtchn_send, port, 0) \
    SIZE(struct evtchn_status, 24) AT(struct evtchn_status, dom, 0) AT(struct evtchn_status, \
        port, 4) AT(struct evtchn_status, status, 8) AT(struct evtchn_status, vcpu, 12) \
        AT(struct evtchn_status, u, 16) \
    SIZE(struct evtchn_bind_vcpu, 8) AT(struct evtchn_bind_vcpu, port, 0) AT(struct \
        evtchn_bind_vcpu, vcpu, 4) \
    SIZE(struct evtchn_unmask, 4) AT(struct evtchn_unmask, port, 0) \
    SIZE(struct evtchn_reset, 2) AT(struct evtchn_reset, dom, 0) \
    SIZE(struct evtchn_init_control, 24) AT(struct evtchn_init_control, control_gfn, 0) \
        AT(struct evtchn_init_control, offset, 8) AT(struct evtchn_init_control, vcpu, 12) \
        AT(struct evtchn_init_control, link_bits, 16) \
    SIZE(struct evtchn_expand_array, 8) AT(struct evtchn_expand_array, array_gfn, 0) \
    SIZE(struct evtchn_set_priority, 8) AT(struct evtchn_set_priority, port, 0) AT(struct \
        evtchn_set_priority, priority, 4) \
    SIZE(struct evtchn_fifo_control_block, 72) AT(struct evtchn_fifo_control_block, ready, \
        0) AT(struct evtchn_fifo_control_block, head, 8)

/* grant tables */
#define LAYOUT_GRANT_TABLES(SIZE, AT) \
    SIZE(struct grant_entry_v1, 8) AT(struct grant_entry_v1, flags, 0) AT(struct \
        grant_entry_v1, domid, 2) AT(struct grant_entry_v1, frame, 4) \
    SIZE(struct gnttab_map_grant_ref, 32) AT(struct gnttab_map_grant_ref, host_addr, 0) \
        AT(struct gnttab_map_grant_ref, flags, 8) AT(struct gnttab_map_grant_ref, ref, 12) \
        AT(struct gnttab_map_grant_ref, dom, 16) AT(struct gnttab_map_grant_ref, status, 18) \
        AT(struct gnttab_map_grant_ref, handle, 20) AT(struct gnttab_map_grant_ref, \
        dev_bus_addr, 24) \
    SIZE(struct gnttab_unmap_grant_ref, 24) AT(struct gnttab_unmap_grant_ref, host_addr, 0) \
        AT(struct gnttab_unmap_grant_ref, dev_bus_addr, 8) AT(struct gnttab_unmap_grant_ref, \
        handle, 16) AT(struct gnttab_unmap_grant_ref, status, 20) \
    SIZE(struct gnttab_setup_table, 24) AT(struct gnttab_setup_table, dom, 0) AT(struct \
        gnttab_setup_table, nr_frames, 4) AT(struct gnttab_setup_table, status, 8) AT(struct \
        gnttab_setup_table, frame_list, 16) \
    SIZE(struct gnttab_copy, 40) AT(struct gnttab_copy, source.u, 0) AT(struct gnttab_copy, \
        source.domid, 8) AT(struct gnttab_copy, source.offset, 10) AT(struct gnttab_copy, \
        dest.u, 16) AT(struct gnttab_copy, dest.domid, 24) AT(struct gnttab_copy, \
        dest.offset, 26) AT(struct gnttab_copy, len, 32) AT(struct gnttab_copy, flags, 34) \
        AT(struct gnttab_copy, status, 36) \
    SIZE(struct gnttab_query_size, 16) AT(struct gnttab_query_size, dom, 0) AT(struct \
        gnttab_query_size, nr_frames, 4) AT(struct gnttab_query_size, max_nr_frames, 8) \
        AT(struct gnttab_query_size, status, 12) \
    SIZE(struct gnttab_unmap_and_replace, 24) AT(struct gnttab_unmap_and_replace, host_addr, \
        0) AT(struct gnttab_unmap_and_replace, new_addr, 8) AT(struct \
        gnttab_unmap_and_replace, handle, 16) AT(struct gnttab_unmap_and_replace, status, \
        20) \
    SIZE(struct gnttab_set_version, 4) AT(struct gnttab_set_version, version, 0) \
    SIZE(struct gnttab_get_version, 8) AT(struct gnttab_get_version, dom, 0) AT(struct \
        gnttab_get_version, version, 4) \
    SIZE(struct gnttab_swap_grant_ref, 12) AT(struct gnttab_swap_grant_ref, ref_a, 0) \
        AT(struct gnttab_swap_grant_ref, ref_b, 4) AT(struct gnttab_swap_grant_ref, status, \
        8) \
    SIZE(struct gnttab_cache_flush, 16) AT(struct gnttab_cache_flush, a, 0) AT(struct \
        gnttab_cache_flush, offset, 8) AT(struct gnttab_cache_flush, length, 10) AT(struct \
        gnttab_cache_flush, op, 12)

/* memory_op */
#define LAYOUT_MEMORY_OP(SIZE, AT) \
    SIZE(struct xen_memory_reservation, 32) AT(struct xen_memory_reservation, extent_start, \
        0) AT(struct xen_memory_reservation, nr_extents, 8) AT(struct \
        xen_memory_reservation, extent_order, 16) AT(struct xen_memory_reservation, \
        mem_flags, 20) AT(struct xen_memory_reservation, domid, 24) \
    SIZE(struct xen_memory_exchange, 72) AT(struct xen_memory_exchange, in, 0) AT(struct \
        xen_memory_exchange, out, 32) AT(struct xen_memory_exchange, nr_exchanged, 64) \
    SIZE(struct xen_machphys_mfn_list, 24) AT(struct xen_machphys_mfn_list, max_extents, 0) \
        AT(struct xen_machphys_mfn_list, extent_start, 8) AT(struct xen_machphys_mfn_list, \
        nr_extents, 16) \
    SIZE(struct xen_machphys_mapping, 24) AT(struct xen_machphys_mapping, v_start, 0) \
        AT(struct xen_machphys_mapping, v_end, 8) AT(struct xen_machphys_mapping, max_mfn, \
        16) \
    SIZE(struct xen_add_to_physmap, 24) AT(struct xen_add_to_physmap, domid, 0) AT(struct \
        xen_add_to_physmap, size, 2) AT(struct xen_add_to_physmap, space, 4) AT(struct \
        xen_add_to_physmap, idx, 8) AT(struct xen_add_to_physmap, gpfn, 16) \
    SIZE(struct xen_remove_from_physmap, 16) AT(struct xen_remove_from_physmap, domid, 0) \
        AT(struct xen_remove_from_physmap, gpfn, 8) \
    SIZE(struct xen_memory_map, 16) AT(struct xen_memory_map, nr_entries, 0) AT(struct \
        xen_memory_map, buffer, 8) \
    SIZE(struct xen_foreign_memory_map, 24) AT(struct xen_foreign_memory_map, domid, 0) \
        AT(struct xen_foreign_memory_map, map, 8) \
    SIZE(struct xen_mem_acquire_resource, 32) AT(struct xen_mem_acquire_resource, domid, 0) \
        AT(struct xen_mem_acquire_resource, type, 2) AT(struct xen_mem_acquire_resource, id, \
        4) AT(struct xen_mem_acquire_resource, nr_frames, 8) AT(struct \
        xen_mem_acquire_resource, frame, 16) AT(struct xen_mem_acquire_resource, frame_list, \
        24) \
    SIZE(struct xen_vnuma_topology_info, 40) AT(struct xen_vnuma_topology_info, domid, 0) \
        AT(struct xen_vnuma_topology_info, pad, 2) AT(struct xen_vnuma_topology_info, \
        nr_vnodes, 4) AT(struct xen_vnuma_topology_info, nr_vcpus, 8) AT(struct \
        xen_vnuma_topology_info, nr_vmemranges, 12)

/* xen_version */
#define LAYOUT_XEN_VERSION(SIZE, AT) \
    SIZE(xen_extraversion_t, 16) \
    SIZE(struct xen_compile_info, 144) AT(struct xen_compile_info, compiler, 0) AT(struct \
        xen_compile_info, compile_by, 64) AT(struct xen_compile_info, compile_domain, 80) \
        AT(struct xen_compile_info, compile_date, 112) \
    SIZE(xen_capabilities_info_t, 1024) \
    SIZE(xen_changeset_info_t, 64) \
    SIZE(xen_commandline_t, 1024) \
    SIZE(struct xen_platform_parameters, 8) AT(struct xen_platform_parameters, virt_start, \
        0) \
    SIZE(struct xen_feature_info, 8) AT(struct xen_feature_info, submap_idx, 0) AT(struct \
        xen_feature_info, submap, 4) \
    SIZE(xen_build_id_t, 4) AT(xen_build_id_t, len, 0) AT(xen_build_id_t, buf, 4)

/* physdev_op */
#define LAYOUT_PHYSDEV_OP(SIZE, AT) \
    SIZE(struct physdev_eoi, 4) AT(struct physdev_eoi, irq, 0) \
    SIZE(struct physdev_pirq_eoi_gmfn, 8) AT(struct physdev_pirq_eoi_gmfn, gmfn, 0) \
    SIZE(struct physdev_irq_status_query, 8) AT(struct physdev_irq_status_query, irq, 0) \
        AT(struct physdev_irq_status_query, flags, 4) \
    SIZE(struct physdev_set_iopl, 4) AT(struct physdev_set_iopl, iopl, 0) \
    SIZE(struct physdev_set_iobitmap, 16) AT(struct physdev_set_iobitmap, bitmap, 0) \
        AT(struct physdev_set_iobitmap, nr_ports, 8) \
    SIZE(struct physdev_apic, 16) AT(struct physdev_apic, apic_physbase, 0) AT(struct \
        physdev_apic, reg, 8) AT(struct physdev_apic, value, 12) \
    SIZE(struct physdev_irq, 8) AT(struct physdev_irq, irq, 0) AT(struct physdev_irq, \
        vector, 4) \
    SIZE(struct physdev_map_pirq, 40) AT(struct physdev_map_pirq, domid, 0) AT(struct \
        physdev_map_pirq, type, 4) AT(struct physdev_map_pirq, index, 8) AT(struct \
        physdev_map_pirq, pirq, 12) AT(struct physdev_map_pirq, bus, 16) AT(struct \
        physdev_map_pirq, devfn, 20) AT(struct physdev_map_pirq, entry_nr, 24) AT(struct \
        physdev_map_pirq, table_base, 32) \
    SIZE(struct physdev_unmap_pirq, 8) AT(struct physdev_unmap_pirq, domid, 0) AT(struct \
        physdev_unmap_pirq, pirq, 4) \
    SIZE(struct physdev_manage_pci, 2) AT(struct physdev_manage_pci, bus, 0) AT(struct \
        physdev_manage_pci, devfn, 1) \
    SIZE(struct physdev_manage_pci_ext, 16) AT(struct physdev_manage_pci_ext, bus, 0) \
        AT(struct physdev_manage_pci_ext, devfn, 1) AT(struct physdev_manage_pci_ext, \
        is_extfn, 4) AT(struct physdev_manage_pci_ext, is_virtfn, 8) AT(struct \
        physdev_manage_pci_ext, physfn, 12) \
    SIZE(struct physdev_setup_gsi, 8) AT(struct physdev_setup_gsi, gsi, 0) AT(struct \
        physdev_setup_gsi, triggering, 4) AT(struct physdev_setup_gsi, polarity, 5) \
    SIZE(struct physdev_get_free_pirq, 8) AT(struct physdev_get_free_pirq, type, 0) \
        AT(struct physdev_get_free_pirq, pirq, 4) \
    SIZE(struct physdev_pci_mmcfg_reserved, 16) AT(struct physdev_pci_mmcfg_reserved, \
        address, 0) AT(struct physdev_pci_mmcfg_reserved, segment, 8) AT(struct \
        physdev_pci_mmcfg_reserved, start_bus, 10) AT(struct physdev_pci_mmcfg_reserved, \
        end_bus, 11) AT(struct physdev_pci_mmcfg_reserved, flags, 12) \
    SIZE(struct physdev_pci_device_add, 12) AT(struct physdev_pci_device_add, seg, 0) \
        AT(struct physdev_pci_device_add, bus, 2) AT(struct physdev_pci_device_add, devfn, \
        3) AT(struct physdev_pci_device_add, flags, 4) AT(struct physdev_pci_device_add, \
        physfn, 8) AT(struct physdev_pci_device_add, optarr, 12) \
    SIZE(struct physdev_pci_device, 4) AT(struct physdev_pci_device, seg, 0) AT(struct \
        physdev_pci_device, bus, 2) AT(struct physdev_pci_device, devfn, 3) \
    SIZE(struct physdev_dbgp_op, 6) AT(struct physdev_dbgp_op, op, 0) AT(struct \
        physdev_dbgp_op, bus, 1) AT(struct physdev_dbgp_op, u, 2)

/* platform_op */
#define LAYOUT_PLATFORM_OP(SIZE, AT) \
    SIZE(struct xen_platform_op, 136) AT(struct xen_platform_op, cmd, 0) AT(struct \
        xen_platform_op, interface_version, 4) AT(struct xen_platform_op, u, 8) \
    SIZE(struct xenpf_settime64, 24) AT(struct xenpf_settime64, secs, 0) AT(struct \
        xenpf_settime64, nsecs, 8) AT(struct xenpf_settime64, mbz, 12) AT(struct \
        xenpf_settime64, system_time, 16) \
    SIZE(struct xenpf_firmware_info, 40) AT(struct xenpf_firmware_info, type, 0) AT(struct \
        xenpf_firmware_info, index, 4) AT(struct xenpf_firmware_info, u, 8) \
    SIZE(struct xenpf_enter_acpi_sleep, 12) AT(struct xenpf_enter_acpi_sleep, val_a, 0) \
        AT(struct xenpf_enter_acpi_sleep, val_b, 2) AT(struct xenpf_enter_acpi_sleep, \
        sleep_state, 4) AT(struct xenpf_enter_acpi_sleep, flags, 8) \
    SIZE(struct xenpf_pcpuinfo, 20) AT(struct xenpf_pcpuinfo, xen_cpuid, 0) AT(struct \
        xenpf_pcpuinfo, max_present, 4) AT(struct xenpf_pcpuinfo, flags, 8) AT(struct \
        xenpf_pcpuinfo, apic_id, 12) AT(struct xenpf_pcpuinfo, acpi_id, 16) \
    SIZE(struct xenpf_symdata, 32) AT(struct xenpf_symdata, namelen, 0) AT(struct \
        xenpf_symdata, symnum, 4) AT(struct xenpf_symdata, type, 24) AT(struct \
        xenpf_symdata, name, 8) AT(struct xenpf_symdata, address, 16)

/* domctl */
#define LAYOUT_DOMCTL(SIZE, AT) \
    SIZE(struct xen_domctl, 144) AT(struct xen_domctl, cmd, 0) AT(struct xen_domctl, \
        interface_version, 4) AT(struct xen_domctl, domain, 8) AT(struct xen_domctl, u, 16) \
    SIZE(struct xen_domctl_createdomain, 64) AT(struct xen_domctl_createdomain, ssidref, 0) \
        AT(struct xen_domctl_createdomain, handle, 4) AT(struct xen_domctl_createdomain, \
        flags, 20) AT(struct xen_domctl_createdomain, iommu_opts, 24) AT(struct \
        xen_domctl_createdomain, max_vcpus, 28) AT(struct xen_domctl_createdomain, \
        max_evtchn_port, 32) AT(struct xen_domctl_createdomain, max_grant_frames, 36) \
        AT(struct xen_domctl_createdomain, max_maptrack_frames, 40) AT(struct \
        xen_domctl_createdomain, grant_opts, 44) AT(struct xen_domctl_createdomain, \
        vmtrace_size, 48) AT(struct xen_domctl_createdomain, cpupool_id, 52) AT(struct \
        xen_domctl_createdomain, arch, 56) \
    SIZE(struct xen_arch_domainconfig, 8) AT(struct xen_arch_domainconfig, emulation_flags, \
        0) AT(struct xen_arch_domainconfig, misc_flags, 4) \
    SIZE(struct xen_domctl_getdomaininfo, 112) AT(struct xen_domctl_getdomaininfo, domain, \
        0) AT(struct xen_domctl_getdomaininfo, flags, 4) AT(struct xen_domctl_getdomaininfo, \
        tot_pages, 8) AT(struct xen_domctl_getdomaininfo, max_pages, 16) AT(struct \
        xen_domctl_getdomaininfo, outstanding_pages, 24) AT(struct xen_domctl_getdomaininfo, \
        shr_pages, 32) AT(struct xen_domctl_getdomaininfo, paged_pages, 40) AT(struct \
        xen_domctl_getdomaininfo, shared_info_frame, 48) AT(struct xen_domctl_getdomaininfo, \
        cpu_time, 56) AT(struct xen_domctl_getdomaininfo, nr_online_vcpus, 64) AT(struct \
        xen_domctl_getdomaininfo, max_vcpu_id, 68) AT(struct xen_domctl_getdomaininfo, \
        ssidref, 72) AT(struct xen_domctl_getdomaininfo, handle, 76) AT(struct \
        xen_domctl_getdomaininfo, cpupool, 92) AT(struct xen_domctl_getdomaininfo, \
        gpaddr_bits, 96) AT(struct xen_domctl_getdomaininfo, arch_config, 104) \
    SIZE(struct xen_domctl_getpageframeinfo3, 16) AT(struct xen_domctl_getpageframeinfo3, \
        num, 0) AT(struct xen_domctl_getpageframeinfo3, array, 8) \
    SIZE(struct xen_domctl_max_mem, 8) AT(struct xen_domctl_max_mem, max_memkb, 0) \
    SIZE(struct xen_domctl_vcpucontext, 16) AT(struct xen_domctl_vcpucontext, vcpu, 0) \
        AT(struct xen_domctl_vcpucontext, ctxt, 8) \
    SIZE(struct xen_domctl_getvcpuinfo, 24) AT(struct xen_domctl_getvcpuinfo, vcpu, 0) \
        AT(struct xen_domctl_getvcpuinfo, online, 4) AT(struct xen_domctl_getvcpuinfo, \
        blocked, 5) AT(struct xen_domctl_getvcpuinfo, running, 6) AT(struct \
        xen_domctl_getvcpuinfo, cpu_time, 8) AT(struct xen_domctl_getvcpuinfo, cpu, 16) \
    SIZE(struct xen_domctl_max_vcpus, 4) AT(struct xen_domctl_max_vcpus, max, 0) \
    SIZE(struct xen_domctl_setdomainhandle, 16) AT(struct xen_domctl_setdomainhandle, \
        handle, 0) \
    SIZE(struct xen_domctl_vcpuaffinity, 40) AT(struct xen_domctl_vcpuaffinity, vcpu, 0) \
        AT(struct xen_domctl_vcpuaffinity, flags, 4) AT(struct xen_domctl_vcpuaffinity, \
        cpumap_hard, 8) AT(struct xen_domctl_vcpuaffinity, cpumap_soft, 24) \
    SIZE(struct xen_domctl_scheduler_op, 24) AT(struct xen_domctl_scheduler_op, sched_id, 0) \
        AT(struct xen_domctl_scheduler_op, cmd, 4) AT(struct xen_domctl_scheduler_op, u, 8) \
    SIZE(struct xen_domctl_address_size, 4) AT(struct xen_domctl_address_size, size, 0) \
    SIZE(struct xen_domctl_hypercall_init, 8) AT(struct xen_domctl_hypercall_init, gmfn, 0) \
    SIZE(struct xen_domctl_tsc_info, 24) AT(struct xen_domctl_tsc_info, tsc_mode, 0) \
        AT(struct xen_domctl_tsc_info, gtsc_khz, 4) AT(struct xen_domctl_tsc_info, \
        incarnation, 8) AT(struct xen_domctl_tsc_info, elapsed_nsec, 16) \
    SIZE(struct xen_domctl_shadow_op, 40) AT(struct xen_domctl_shadow_op, op, 0) AT(struct \
        xen_domctl_shadow_op, mode, 4) AT(struct xen_domctl_shadow_op, mb, 8) AT(struct \
        xen_domctl_shadow_op, dirty_bitmap, 16) AT(struct xen_domctl_shadow_op, pages, 24) \
        AT(struct xen_domctl_shadow_op, stats, 32) \
    SIZE(struct xen_domctl_ext_vcpucontext, 64) AT(struct xen_domctl_ext_vcpucontext, vcpu, \
        0) AT(struct xen_domctl_ext_vcpucontext, size, 4) AT(struct \
        xen_domctl_ext_vcpucontext, mcg_cap, 32) \
    SIZE(struct xen_domctl_vcpuextstate, 32) AT(struct xen_domctl_vcpuextstate, vcpu, 0) \
        AT(struct xen_domctl_vcpuextstate, xfeature_mask, 8) AT(struct \
        xen_domctl_vcpuextstate, size, 16) AT(struct xen_domctl_vcpuextstate, buffer, 24) \
    SIZE(struct xen_domctl_vcpu_msrs, 16) AT(struct xen_domctl_vcpu_msrs, vcpu, 0) AT(struct \
        xen_domctl_vcpu_msrs, msr_count, 4) AT(struct xen_domctl_vcpu_msrs, msrs, 8) \
    SIZE(struct xen_domctl_cpu_policy, 40) AT(struct xen_domctl_cpu_policy, nr_leaves, 0) \
        AT(struct xen_domctl_cpu_policy, nr_msrs, 4) AT(struct xen_domctl_cpu_policy, \
        leaves, 8) AT(struct xen_domctl_cpu_policy, msrs, 16) \
    SIZE(struct xen_domctl_nodeaffinity, 16) AT(struct xen_domctl_nodeaffinity, nodemap, 0) \
    SIZE(struct xen_domctl_iomem_permission, 24) AT(struct xen_domctl_iomem_permission, \
        first_mfn, 0) AT(struct xen_domctl_iomem_permission, nr_mfns, 8) AT(struct \
        xen_domctl_iomem_permission, allow_access, 16) \
    SIZE(struct xen_domctl_ioport_permission, 12) AT(struct xen_domctl_ioport_permission, \
        first_port, 0) AT(struct xen_domctl_ioport_permission, nr_ports, 4) AT(struct \
        xen_domctl_ioport_permission, allow_access, 8)

/* sysctl */
#define LAYOUT_SYSCTL(SIZE, AT) \
    SIZE(struct xen_sysctl, 136) AT(struct xen_sysctl, cmd, 0) AT(struct xen_sysctl, \
        interface_version, 4) AT(struct xen_sysctl, u, 8) \
    SIZE(struct xen_sysctl_readconsole, 24) AT(struct xen_sysctl_readconsole, clear, 0) \
        AT(struct xen_sysctl_readconsole, incremental, 1) AT(struct xen_sysctl_readconsole, \
        pad0, 2) AT(struct xen_sysctl_readconsole, index, 4) AT(struct \
        xen_sysctl_readconsole, buffer, 8) AT(struct xen_sysctl_readconsole, count, 16) \
    SIZE(struct xen_sysctl_physinfo, 112) AT(struct xen_sysctl_physinfo, threads_per_core, \
        0) AT(struct xen_sysctl_physinfo, cores_per_socket, 4) AT(struct \
        xen_sysctl_physinfo, nr_cpus, 8) AT(struct xen_sysctl_physinfo, max_cpu_id, 12) \
        AT(struct xen_sysctl_physinfo, nr_nodes, 16) AT(struct xen_sysctl_physinfo, \
        max_node_id, 20) AT(struct xen_sysctl_physinfo, cpu_khz, 24) AT(struct \
        xen_sysctl_physinfo, capabilities, 28) AT(struct xen_sysctl_physinfo, \
        arch_capabilities, 32) AT(struct xen_sysctl_physinfo, total_pages, 40) AT(struct \
        xen_sysctl_physinfo, free_pages, 48) AT(struct xen_sysctl_physinfo, scrub_pages, 56) \
        AT(struct xen_sysctl_physinfo, outstanding_pages, 64) AT(struct xen_sysctl_physinfo, \
        max_mfn, 72) AT(struct xen_sysctl_physinfo, hw_cap, 80) \
    SIZE(struct xen_sysctl_sched_id, 4) AT(struct xen_sysctl_sched_id, sched_id, 0) \
    SIZE(struct xen_sysctl_getdomaininfolist, 24) AT(struct xen_sysctl_getdomaininfolist, \
        first_domain, 0) AT(struct xen_sysctl_getdomaininfolist, max_domains, 4) AT(struct \
        xen_sysctl_getdomaininfolist, buffer, 8) AT(struct xen_sysctl_getdomaininfolist, \
        num_domains, 16) \
    SIZE(struct xen_sysctl_cputopoinfo, 16) AT(struct xen_sysctl_cputopoinfo, num_cpus, 0) \
        AT(struct xen_sysctl_cputopoinfo, cputopo, 8) \
    SIZE(struct xen_sysctl_cputopo, 12) AT(struct xen_sysctl_cputopo, core, 0) AT(struct \
        xen_sysctl_cputopo, socket, 4) AT(struct xen_sysctl_cputopo, node, 8) \
    SIZE(struct xen_sysctl_numainfo, 24) AT(struct xen_sysctl_numainfo, num_nodes, 0) \
        AT(struct xen_sysctl_numainfo, meminfo, 8) AT(struct xen_sysctl_numainfo, distance, \
        16) \
    SIZE(struct xen_sysctl_meminfo, 16) AT(struct xen_sysctl_meminfo, memsize, 0) AT(struct \
        xen_sysctl_meminfo, memfree, 8) \
    SIZE(struct xen_sysctl_cpupool_op, 40) AT(struct xen_sysctl_cpupool_op, op, 0) AT(struct \
        xen_sysctl_cpupool_op, cpupool_id, 4) AT(struct xen_sysctl_cpupool_op, sched_id, 8) \
        AT(struct xen_sysctl_cpupool_op, domid, 12) AT(struct xen_sysctl_cpupool_op, cpu, \
        16) AT(struct xen_sysctl_cpupool_op, n_dom, 20) AT(struct xen_sysctl_cpupool_op, \
        cpumap, 24) \
    SIZE(struct xen_sysctl_cpu_featureset, 16) AT(struct xen_sysctl_cpu_featureset, index, \
        0) AT(struct xen_sysctl_cpu_featureset, nr_features, 4) AT(struct \
        xen_sysctl_cpu_featureset, features, 8) \
    SIZE(struct xen_sysctl_cpu_policy, 32) AT(struct xen_sysctl_cpu_policy, index, 0) \
        AT(struct xen_sysctl_cpu_policy, nr_leaves, 4) AT(struct xen_sysctl_cpu_policy, \
        nr_msrs, 8) AT(struct xen_sysctl_cpu_policy, _rsvd, 12) AT(struct \
        xen_sysctl_cpu_policy, leaves, 16) AT(struct xen_sysctl_cpu_policy, msrs, 24) \
    SIZE(struct xen_sysctl_scheduler_op, 32) AT(struct xen_sysctl_scheduler_op, cpupool_id, \
        0) AT(struct xen_sysctl_scheduler_op, sched_id, 4) AT(struct \
        xen_sysctl_scheduler_op, cmd, 8) AT(struct xen_sysctl_scheduler_op, u, 16) \
    SIZE(struct xen_sysctl_credit2_schedule, 4) AT(struct xen_sysctl_credit2_schedule, \
        ratelimit_us, 0) \
    SIZE(struct xen_sysctl_cpuinfo, 8) AT(struct xen_sysctl_cpuinfo, idletime, 0) \
    SIZE(struct xen_sysctl_getcpuinfo, 24) AT(struct xen_sysctl_getcpuinfo, max_cpus, 0) \
        AT(struct xen_sysctl_getcpuinfo, info, 8) AT(struct xen_sysctl_getcpuinfo, nr_cpus, \
        16)

/* rings */
#define LAYOUT_RINGS(SIZE, AT) \
    SIZE(struct xencons_interface, 3088) AT(struct xencons_interface, in, 0) AT(struct \
        xencons_interface, out, 1024) AT(struct xencons_interface, in_cons, 3072) AT(struct \
        xencons_interface, in_prod, 3076) AT(struct xencons_interface, out_cons, 3080) \
        AT(struct xencons_interface, out_prod, 3084) \
    SIZE(struct xenstore_domain_interface, 2076) AT(struct xenstore_domain_interface, req, \
        0) AT(struct xenstore_domain_interface, rsp, 1024) AT(struct \
        xenstore_domain_interface, req_cons, 2048) AT(struct xenstore_domain_interface, \
        req_prod, 2052) AT(struct xenstore_domain_interface, rsp_cons, 2056) AT(struct \
        xenstore_domain_interface, rsp_prod, 2060) AT(struct xenstore_domain_interface, \
        server_features, 2064) AT(struct xenstore_domain_interface, connection, 2068) \
        AT(struct xenstore_domain_interface, error, 2072) \
    SIZE(struct xsd_sockmsg, 16) AT(struct xsd_sockmsg, type, 0) AT(struct xsd_sockmsg, \
        req_id, 4) AT(struct xsd_sockmsg, tx_id, 8) AT(struct xsd_sockmsg, len, 12) \
    SIZE(struct blkif_request, 112) AT(struct blkif_request, operation, 0) AT(struct \
        blkif_request, nr_segments, 1) AT(struct blkif_request, handle, 2) AT(struct \
        blkif_request, id, 8) AT(struct blkif_request, sector_number, 16) AT(struct \
        blkif_request, seg, 24) \
    SIZE(struct blkif_request_discard, 32) AT(struct blkif_request_discard, operation, 0) \
        AT(struct blkif_request_discard, flag, 1) AT(struct blkif_request_discard, handle, \
        2) AT(struct blkif_request_discard, id, 8) AT(struct blkif_request_discard, \
        sector_number, 16) AT(struct blkif_request_discard, nr_sectors, 24) \
    SIZE(struct blkif_request_indirect, 64) AT(struct blkif_request_indirect, operation, 0) \
        AT(struct blkif_request_indirect, indirect_op, 1) AT(struct blkif_request_indirect, \
        nr_segments, 2) AT(struct blkif_request_indirect, id, 8) AT(struct \
        blkif_request_indirect, sector_number, 16) AT(struct blkif_request_indirect, handle, \
        24) AT(struct blkif_request_indirect, indirect_grefs, 28) \
    SIZE(struct blkif_request_segment, 8) AT(struct blkif_request_segment, gref, 0) \
        AT(struct blkif_request_segment, first_sect, 4) AT(struct blkif_request_segment, \
        last_sect, 5) \
    SIZE(struct blkif_response, 16) AT(struct blkif_response, id, 0) AT(struct \
        blkif_response, operation, 8) AT(struct blkif_response, status, 10) \
    SIZE(struct blkif_sring, 176) AT(struct blkif_sring, req_prod, 0) AT(struct blkif_sring, \
        req_event, 4) AT(struct blkif_sring, rsp_prod, 8) AT(struct blkif_sring, rsp_event, \
        12) AT(struct blkif_sring, ring, 64) \
    SIZE(struct netif_tx_request, 12) AT(struct netif_tx_request, gref, 0) AT(struct \
        netif_tx_request, offset, 4) AT(struct netif_tx_request, flags, 6) AT(struct \
        netif_tx_request, id, 8) AT(struct netif_tx_request, size, 10) \
    SIZE(struct netif_tx_response, 4) AT(struct netif_tx_response, id, 0) AT(struct \
        netif_tx_response, status, 2) \
    SIZE(struct netif_rx_request, 8) AT(struct netif_rx_request, id, 0) AT(struct \
        netif_rx_request, pad, 2) AT(struct netif_rx_request, gref, 4) \
    SIZE(struct netif_rx_response, 8) AT(struct netif_rx_response, id, 0) AT(struct \
        netif_rx_response, offset, 2) AT(struct netif_rx_response, flags, 4) AT(struct \
        netif_rx_response, status, 6) \
    SIZE(struct netif_extra_info, 8) AT(struct netif_extra_info, type, 0) AT(struct \
        netif_extra_info, flags, 1) AT(struct netif_extra_info, u, 2) \
    SIZE(struct netif_tx_sring, 76) AT(struct netif_tx_sring, req_prod, 0) AT(struct \
        netif_tx_sring, req_event, 4) AT(struct netif_tx_sring, rsp_prod, 8) AT(struct \
        netif_tx_sring, rsp_event, 12) AT(struct netif_tx_sring, ring, 64)

/* numbers */
#define LAYOUT_CONSTANTS(IS) \
    IS(__HYPERVISOR_set_trap_table, 0) \
    IS(__HYPERVISOR_mmu_update, 1) \
    IS(__HYPERVISOR_memory_op, 12) \
    IS(__HYPERVISOR_multicall, 13) \
    IS(__HYPERVISOR_update_va_mapping, 14) \
    IS(__HYPERVISOR_xen_version, 17) \
    IS(__HYPERVISOR_console_io, 18) \
    IS(__HYPERVISOR_grant_table_op, 20) \
    IS(__HYPERVISOR_iret, 23) \
    IS(__HYPERVISOR_vcpu_op, 24) \
    IS(__HYPERVISOR_mmuext_op, 26) \
    IS(__HYPERVISOR_sched_op, 29) \
    IS(__HYPERVISOR_callback_op, 30) \
    IS(__HYPERVISOR_event_channel_op, 32) \
    IS(__HYPERVISOR_physdev_op, 33) \
    IS(__HYPERVISOR_sysctl, 35) \
    IS(__HYPERVISOR_domctl, 36) \
    IS(XEN_DOMCTL_INTERFACE_VERSION, 21) \
    IS(XEN_SYSCTL_INTERFACE_VERSION, 21) \
    IS(XENPF_INTERFACE_VERSION, 0x3000001) \
    IS(XENFEAT_NR_SUBMAPS, 1) \
    IS(NR_VIRQS, 24) \
    IS(DOMID_SELF, 0x7ff0) \
    IS(DOMID_IO, 0x7ff1) \
    IS(DOMID_XEN, 0x7ff2) \
    IS(DOMID_INVALID, 0x7ff4) \
    IS(DOMID_IDLE, 0x7fff) \
    IS(DOMID_FIRST_RESERVED, 0x7ff0) \
    IS(FLAT_KERNEL_CS64, 0xe033) \
    IS(FLAT_KERNEL_SS64, 0xe02b) \
    IS(FIRST_RESERVED_GDT_ENTRY, 0x1c00) \
    IS(XEN_LEGACY_MAX_VCPUS, 32) \
    IS(EVTCHN_2L_NR_CHANNELS, 0x1000) \
    IS(GNTTAB_NR_RESERVED_ENTRIES, 8) \
    IS(XEN_EPERM, 1) \
    IS(XEN_EINVAL, 22) \
    IS(XEN_ENOSYS, 38) \
    IS(XEN_EOPNOTSUPP, 95)
/* clang-format on */
#endif
