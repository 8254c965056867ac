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
#define LAYOUT_START_OF_DAY(STRUCT, AT) \
    STRUCT(start_info_t, 1168, AT(magic, 0), AT(nr_pages, 32), AT(shared_info, 40), \
           AT(flags, 48), AT(store_mfn, 56), AT(store_evtchn, 64), AT(console.domU.mfn, 72), \
           AT(console.domU.evtchn, 80), AT(console.dom0.info_off, 72), \
           AT(console.dom0.info_size, 76), AT(pt_base, 88), AT(nr_pt_frames, 96), \
           AT(mfn_list, 104), AT(mod_start, 112), AT(mod_len, 120), AT(cmd_line, 128), \
           AT(first_p2m_pfn, 1152), AT(nr_p2m_frames, 1160)) \
    STRUCT(shared_info_t, 3136, AT(vcpu_info, 0), AT(evtchn_pending, 2048), \
           AT(evtchn_mask, 2560), AT(wc_version, 3072), AT(wc_sec, 3076), AT(wc_nsec, 3080), \
           AT(wc_sec_hi, 3084), AT(arch, 3088), AT(arch.max_pfn, 3088), \
           AT(arch.pfn_to_mfn_frame_list_list, 3096), AT(arch.nmi_reason, 3104), \
           AT(arch.p2m_cr3, 3112), AT(arch.p2m_vaddr, 3120), AT(arch.p2m_generation, 3128)) \
    STRUCT(struct vcpu_info, 64, AT(evtchn_upcall_pending, 0), AT(evtchn_upcall_mask, 1), \
           AT(evtchn_pending_sel, 8), AT(arch, 16), AT(arch.cr2, 16), AT(time, 32)) \
    STRUCT(struct vcpu_time_info, 32, AT(version, 0), AT(tsc_timestamp, 8), \
           AT(system_time, 16), AT(tsc_to_system_mul, 24), AT(tsc_shift, 28), AT(flags, 29)) \
    STRUCT(struct dom0_vga_console_info, 40, AT(video_type, 0)) \
    STRUCT(struct xen_multiboot_mod_list, 16, AT(mod_start, 0), AT(mod_end, 4), \
           AT(cmdline, 8)) \
    STRUCT(struct multicall_entry, 64, AT(op, 0), AT(result, 8), AT(args, 16)) \
    STRUCT(struct mmu_update, 16, AT(ptr, 0), AT(val, 8)) \
    STRUCT(struct mmuext_op, 24, AT(cmd, 0), AT(arg1, 8), AT(arg2, 16)) \
    STRUCT(struct trap_info, 16, AT(vector, 0), AT(flags, 1), AT(cs, 2), AT(address, 8)) \
    STRUCT(struct cpu_user_regs, 200, AT(r15, 0), AT(rbp, 32), AT(rbx, 40), AT(rax, 80), \
           AT(rcx, 88), AT(rdx, 96), AT(rsi, 104), AT(rdi, 112), AT(error_code, 120), \
           AT(entry_vector, 124), AT(rip, 128), AT(cs, 136), AT(saved_upcall_mask, 140), \
           AT(rflags, 144), AT(rsp, 152), AT(ss, 160), AT(es, 168), AT(ds, 176), AT(fs, 184), \
           AT(gs, 192)) \
    STRUCT(struct vcpu_guest_context, 5168, AT(fpu_ctxt, 0), AT(flags, 512), \
           AT(user_regs, 520), AT(trap_ctxt, 720), AT(ldt_base, 4816), AT(ldt_ents, 4824), \
           AT(gdt_frames, 4832), AT(gdt_ents, 4960), AT(kernel_ss, 4968), AT(kernel_sp, 4976), \
           AT(ctrlreg, 4984), AT(debugreg, 5048), AT(event_callback_eip, 5112), \
           AT(failsafe_callback_eip, 5120), AT(syscall_callback_eip, 5128), AT(vm_assist, 5136), \
           AT(fs_base, 5144), AT(gs_base_kernel, 5152), AT(gs_base_user, 5160)) \
    STRUCT(struct iret_context, 72, AT(rax, 0), AT(r11, 8), AT(rcx, 16), AT(flags, 24), \
           AT(rip, 32), AT(cs, 40), AT(rflags, 48), AT(rsp, 56), AT(ss, 64)) \
    STRUCT(xen_domain_handle_t, 16) \
    STRUCT(struct xenctl_bitmap, 16, AT(bitmap, 0), AT(nr_bits, 8))

/* callbacks and scheduling */
#define LAYOUT_CALLBACKS_AND_SCHEDULING(STRUCT, AT) \
    STRUCT(struct callback_register, 16, AT(type, 0), AT(flags, 2), AT(address, 8)) \
    STRUCT(struct callback_unregister, 4, AT(type, 0)) \
    STRUCT(struct sched_shutdown, 4, AT(reason, 0)) \
    STRUCT(struct sched_poll, 24, AT(ports, 0), AT(nr_ports, 8), AT(timeout, 16)) \
    STRUCT(struct sched_remote_shutdown, 8, AT(domain_id, 0), AT(reason, 4)) \
    STRUCT(struct sched_watchdog, 8, AT(id, 0), AT(timeout, 4)) \
    STRUCT(struct sched_pin_override, 4, AT(pcpu, 0))

/* vcpu_op */
#define LAYOUT_VCPU_OP(STRUCT, AT) \
    STRUCT(struct vcpu_runstate_info, 48, AT(state, 0), AT(state_entry_time, 8), \
           AT(time, 16)) \
    STRUCT(struct vcpu_register_runstate_memory_area, 8, AT(addr, 0)) \
    STRUCT(struct vcpu_set_periodic_timer, 8, AT(period_ns, 0)) \
    STRUCT(struct vcpu_set_singleshot_timer, 16, AT(timeout_abs_ns, 0), AT(flags, 8)) \
    STRUCT(struct vcpu_register_vcpu_info, 16, AT(mfn, 0), AT(offset, 8)) \
    STRUCT(struct vcpu_get_physid, 8, AT(phys_id, 0)) \
    STRUCT(struct vcpu_register_time_memory_area, 8, AT(addr, 0))

/* event channels */
#define LAYOUT_EVENT_CHANNELS(STRUCT, AT) \
    STRUCT(struct evtchn_alloc_unbound, 8, AT(dom, 0), AT(remote_dom, 2), AT(port, 4)) \
    STRUCT(struct evtchn_bind_interdomain, 12, AT(remote_dom, 0), AT(remote_port, 4), \
           AT(local_port, 8)) \
    STRUCT(struct evtchn_bind_virq, 12, AT(virq, 0), AT(vcpu, 4), AT(port, 8)) \
    STRUCT(struct evtchn_bind_pirq, 12, AT(pirq, 0), AT(flags, 4), AT(port, 8)) \
    STRUCT(struct evtchn_bind_ipi, 8, AT(vcpu, 0), AT(port, 4)) \
    STRUCT(struct evtchn_close, 4, AT(port, 0)) \
    STRUCT(struct evtchn_send, 4, AT(port, 0)) \
    STRUCT(struct evtchn_status, 24, AT(dom, 0), AT(port, 4), AT(status, 8), AT(vcpu, 12), \
           AT(u, 16)) \
    STRUCT(struct evtchn_bind_vcpu, 8, AT(port, 0), AT(vcpu, 4)) \
    STRUCT(struct evtchn_unmask, 4, AT(port, 0)) \
    STRUCT(struct evtchn_reset, 2, AT(dom, 0)) \
    STRUCT(struct evtchn_init_control, 24, AT(control_gfn, 0), AT(offset, 8), \
           AT(vcpu, 12), AT(link_bits, 16)) \
    STRUCT(struct evtchn_expand_array, 8, AT(array_gfn, 0)) \
    STRUCT(struct evtchn_set_priority, 8, AT(port, 0), AT(priority, 4)) \
    STRUCT(struct evtchn_fifo_control_block, 72, AT(ready, 0), AT(head, 8))

/* grant tables */
#define LAYOUT_GRANT_TABLES(STRUCT, AT) \
    STRUCT(struct grant_entry_v1, 8, AT(flags, 0), AT(domid, 2), AT(frame, 4)) \
    STRUCT(struct gnttab_map_grant_ref, 32, AT(host_addr, 0), AT(flags, 8), AT(ref, 12), \
           AT(dom, 16), AT(status, 18), AT(handle, 20), AT(dev_bus_addr, 24)) \
    STRUCT(struct gnttab_unmap_grant_ref, 24, AT(host_addr, 0), AT(dev_bus_addr, 8), \
           AT(handle, 16), AT(status, 20)) \
    STRUCT(struct gnttab_setup_table, 24, AT(dom, 0), AT(nr_frames, 4), AT(status, 8), \
           AT(frame_list, 16)) \
    STRUCT(struct gnttab_copy, 40, AT(source.u, 0), AT(source.domid, 8), \
           AT(source.offset, 10), AT(dest.u, 16), AT(dest.domid, 24), AT(dest.offset, 26), \
           AT(len, 32), AT(flags, 34), AT(status, 36)) \
    STRUCT(struct gnttab_query_size, 16, AT(dom, 0), AT(nr_frames, 4), \
           AT(max_nr_frames, 8), AT(status, 12)) \
    STRUCT(struct gnttab_unmap_and_replace, 24, AT(host_addr, 0), AT(new_addr, 8), \
           AT(handle, 16), AT(status, 20)) \
    STRUCT(struct gnttab_set_version, 4, AT(version, 0)) \
    STRUCT(struct gnttab_get_version, 8, AT(dom, 0), AT(version, 4)) \
    STRUCT(struct gnttab_swap_grant_ref, 12, AT(ref_a, 0), AT(ref_b, 4), AT(status, 8)) \
    STRUCT(struct gnttab_cache_flush, 16, AT(a, 0), AT(offset, 8), AT(length, 10), \
           AT(op, 12))

/* memory_op */
#define LAYOUT_MEMORY_OP(STRUCT, AT) \
    STRUCT(struct xen_memory_reservation, 32, AT(extent_start, 0), AT(nr_extents, 8), \
           AT(extent_order, 16), AT(mem_flags, 20), AT(domid, 24)) \
    STRUCT(struct xen_memory_exchange, 72, AT(in, 0), AT(out, 32), AT(nr_exchanged, 64)) \
    STRUCT(struct xen_machphys_mfn_list, 24, AT(max_extents, 0), AT(extent_start, 8), \
           AT(nr_extents, 16)) \
    STRUCT(struct xen_machphys_mapping, 24, AT(v_start, 0), AT(v_end, 8), AT(max_mfn, 16)) \
    STRUCT(struct xen_add_to_physmap, 24, AT(domid, 0), AT(size, 2), AT(space, 4), \
           AT(idx, 8), AT(gpfn, 16)) \
    STRUCT(struct xen_remove_from_physmap, 16, AT(domid, 0), AT(gpfn, 8)) \
    STRUCT(struct xen_memory_map, 16, AT(nr_entries, 0), AT(buffer, 8)) \
    STRUCT(struct xen_foreign_memory_map, 24, AT(domid, 0), AT(map, 8)) \
    STRUCT(struct xen_mem_acquire_resource, 32, AT(domid, 0), AT(type, 2), AT(id, 4), \
           AT(nr_frames, 8), AT(frame, 16), AT(frame_list, 24)) \
    STRUCT(struct xen_vnuma_topology_info, 40, AT(domid, 0), AT(pad, 2), AT(nr_vnodes, 4), \
           AT(nr_vcpus, 8), AT(nr_vmemranges, 12))

/* xen_version */
#define LAYOUT_XEN_VERSION(STRUCT, AT) \
    STRUCT(xen_extraversion_t, 16) \
    STRUCT(struct xen_compile_info, 144, AT(compiler, 0), AT(compile_by, 64), \
           AT(compile_domain, 80), AT(compile_date, 112)) \
    STRUCT(xen_capabilities_info_t, 1024) \
    STRUCT(xen_changeset_info_t, 64) \
    STRUCT(xen_commandline_t, 1024) \
    STRUCT(struct xen_platform_parameters, 8, AT(virt_start, 0)) \
    STRUCT(struct xen_feature_info, 8, AT(submap_idx, 0), AT(submap, 4)) \
    STRUCT(xen_build_id_t, 4, AT(len, 0), AT(buf, 4))

/* physdev_op */
#define LAYOUT_PHYSDEV_OP(STRUCT, AT) \
    STRUCT(struct physdev_eoi, 4, AT(irq, 0)) \
    STRUCT(struct physdev_pirq_eoi_gmfn, 8, AT(gmfn, 0)) \
    STRUCT(struct physdev_irq_status_query, 8, AT(irq, 0), AT(flags, 4)) \
    STRUCT(struct physdev_set_iopl, 4, AT(iopl, 0)) \
    STRUCT(struct physdev_set_iobitmap, 16, AT(bitmap, 0), AT(nr_ports, 8)) \
    STRUCT(struct physdev_apic, 16, AT(apic_physbase, 0), AT(reg, 8), AT(value, 12)) \
    STRUCT(struct physdev_irq, 8, AT(irq, 0), AT(vector, 4)) \
    STRUCT(struct physdev_map_pirq, 40, AT(domid, 0), AT(type, 4), AT(index, 8), \
           AT(pirq, 12), AT(bus, 16), AT(devfn, 20), AT(entry_nr, 24), AT(table_base, 32)) \
    STRUCT(struct physdev_unmap_pirq, 8, AT(domid, 0), AT(pirq, 4)) \
    STRUCT(struct physdev_manage_pci, 2, AT(bus, 0), AT(devfn, 1)) \
    STRUCT(struct physdev_manage_pci_ext, 16, AT(bus, 0), AT(devfn, 1), AT(is_extfn, 4), \
           AT(is_virtfn, 8), AT(physfn, 12)) \
    STRUCT(struct physdev_setup_gsi, 8, AT(gsi, 0), AT(triggering, 4), AT(polarity, 5)) \
    STRUCT(struct physdev_get_free_pirq, 8, AT(type, 0), AT(pirq, 4)) \
    STRUCT(struct physdev_pci_mmcfg_reserved, 16, AT(address, 0), AT(segment, 8), \
           AT(start_bus, 10), AT(end_bus, 11), AT(flags, 12)) \
    STRUCT(struct physdev_pci_device_add, 12, AT(seg, 0), AT(bus, 2), AT(devfn, 3), \
           AT(flags, 4), AT(physfn, 8), AT(optarr, 12)) \
    STRUCT(struct physdev_pci_device, 4, AT(seg, 0), AT(bus, 2), AT(devfn, 3)) \
    STRUCT(struct physdev_dbgp_op, 6, AT(op, 0), AT(bus, 1), AT(u, 2))

/* platform_op */
#define LAYOUT_PLATFORM_OP(STRUCT, AT) \
    STRUCT(struct xen_platform_op, 136, AT(cmd, 0), AT(interface_version, 4), AT(u, 8)) \
    STRUCT(struct xenpf_settime64, 24, AT(secs, 0), AT(nsecs, 8), AT(mbz, 12), \
           AT(system_time, 16)) \
    STRUCT(struct xenpf_firmware_info, 40, AT(type, 0), AT(index, 4), AT(u, 8)) \
    STRUCT(struct xenpf_enter_acpi_sleep, 12, AT(val_a, 0), AT(val_b, 2), \
           AT(sleep_state, 4), AT(flags, 8)) \
    STRUCT(struct xenpf_pcpuinfo, 20, AT(xen_cpuid, 0), AT(max_present, 4), AT(flags, 8), \
           AT(apic_id, 12), AT(acpi_id, 16)) \
    STRUCT(struct xenpf_symdata, 32, AT(namelen, 0), AT(symnum, 4), AT(type, 24), \
           AT(name, 8), AT(address, 16))

/* domctl */
#define LAYOUT_DOMCTL(STRUCT, AT) \
    STRUCT(struct xen_domctl, 144, AT(cmd, 0), AT(interface_version, 4), AT(domain, 8), \
           AT(u, 16)) \
    STRUCT(struct xen_domctl_createdomain, 64, AT(ssidref, 0), AT(handle, 4), \
           AT(flags, 20), AT(iommu_opts, 24), AT(max_vcpus, 28), AT(max_evtchn_port, 32), \
           AT(max_grant_frames, 36), AT(max_maptrack_frames, 40), AT(grant_opts, 44), \
           AT(vmtrace_size, 48), AT(cpupool_id, 52), AT(arch, 56)) \
    STRUCT(struct xen_arch_domainconfig, 8, AT(emulation_flags, 0), AT(misc_flags, 4)) \
    STRUCT(struct xen_domctl_getdomaininfo, 112, AT(domain, 0), AT(flags, 4), \
           AT(tot_pages, 8), AT(max_pages, 16), AT(outstanding_pages, 24), AT(shr_pages, 32), \
           AT(paged_pages, 40), AT(shared_info_frame, 48), AT(cpu_time, 56), \
           AT(nr_online_vcpus, 64), AT(max_vcpu_id, 68), AT(ssidref, 72), AT(handle, 76), \
           AT(cpupool, 92), AT(gpaddr_bits, 96), AT(arch_config, 104)) \
    STRUCT(struct xen_domctl_getpageframeinfo3, 16, AT(num, 0), AT(array, 8)) \
    STRUCT(struct xen_domctl_max_mem, 8, AT(max_memkb, 0)) \
    STRUCT(struct xen_domctl_vcpucontext, 16, AT(vcpu, 0), AT(ctxt, 8)) \
    STRUCT(struct xen_domctl_getvcpuinfo, 24, AT(vcpu, 0), AT(online, 4), AT(blocked, 5), \
           AT(running, 6), AT(cpu_time, 8), AT(cpu, 16)) \
    STRUCT(struct xen_domctl_max_vcpus, 4, AT(max, 0)) \
    STRUCT(struct xen_domctl_setdomainhandle, 16, AT(handle, 0)) \
    STRUCT(struct xen_domctl_vcpuaffinity, 40, AT(vcpu, 0), AT(flags, 4), \
           AT(cpumap_hard, 8), AT(cpumap_soft, 24)) \
    STRUCT(struct xen_domctl_scheduler_op, 24, AT(sched_id, 0), AT(cmd, 4), AT(u, 8)) \
    STRUCT(struct xen_domctl_address_size, 4, AT(size, 0)) \
    STRUCT(struct xen_domctl_hypercall_init, 8, AT(gmfn, 0)) \
    STRUCT(struct xen_domctl_tsc_info, 24, AT(tsc_mode, 0), AT(gtsc_khz, 4), \
           AT(incarnation, 8), AT(elapsed_nsec, 16)) \
    STRUCT(struct xen_domctl_shadow_op, 40, AT(op, 0), AT(mode, 4), AT(mb, 8), \
           AT(dirty_bitmap, 16), AT(pages, 24), AT(stats, 32)) \
    STRUCT(struct xen_domctl_ext_vcpucontext, 64, AT(vcpu, 0), AT(size, 4), \
           AT(mcg_cap, 32)) \
    STRUCT(struct xen_domctl_vcpuextstate, 32, AT(vcpu, 0), AT(xfeature_mask, 8), \
           AT(size, 16), AT(buffer, 24)) \
    STRUCT(struct xen_domctl_vcpu_msrs, 16, AT(vcpu, 0), AT(msr_count, 4), AT(msrs, 8)) \
    STRUCT(struct xen_domctl_cpu_policy, 40, AT(nr_leaves, 0), AT(nr_msrs, 4), \
           AT(leaves, 8), AT(msrs, 16)) \
    STRUCT(struct xen_domctl_nodeaffinity, 16, AT(nodemap, 0)) \
    STRUCT(struct xen_domctl_iomem_permission, 24, AT(first_mfn, 0), AT(nr_mfns, 8), \
           AT(allow_access, 16)) \
    STRUCT(struct xen_domctl_ioport_permission, 12, AT(first_port, 0), AT(nr_ports, 4), \
           AT(allow_access, 8))

/* sysctl */
#define LAYOUT_SYSCTL(STRUCT, AT) \
    STRUCT(struct xen_sysctl, 136, AT(cmd, 0), AT(interface_version, 4), AT(u, 8)) \
    STRUCT(struct xen_sysctl_readconsole, 24, AT(clear, 0), AT(incremental, 1), \
           AT(pad0, 2), AT(index, 4), AT(buffer, 8), AT(count, 16)) \
    STRUCT(struct xen_sysctl_physinfo, 112, AT(threads_per_core, 0), \
           AT(cores_per_socket, 4), AT(nr_cpus, 8), AT(max_cpu_id, 12), AT(nr_nodes, 16), \
           AT(max_node_id, 20), AT(cpu_khz, 24), AT(capabilities, 28), AT(arch_capabilities, 32), \
           AT(total_pages, 40), AT(free_pages, 48), AT(scrub_pages, 56), \
           AT(outstanding_pages, 64), AT(max_mfn, 72), AT(hw_cap, 80)) \
    STRUCT(struct xen_sysctl_sched_id, 4, AT(sched_id, 0)) \
    STRUCT(struct xen_sysctl_getdomaininfolist, 24, AT(first_domain, 0), \
           AT(max_domains, 4), AT(buffer, 8), AT(num_domains, 16)) \
    STRUCT(struct xen_sysctl_cputopoinfo, 16, AT(num_cpus, 0), AT(cputopo, 8)) \
    STRUCT(struct xen_sysctl_cputopo, 12, AT(core, 0), AT(socket, 4), AT(node, 8)) \
    STRUCT(struct xen_sysctl_numainfo, 24, AT(num_nodes, 0), AT(meminfo, 8), \
           AT(distance, 16)) \
    STRUCT(struct xen_sysctl_meminfo, 16, AT(memsize, 0), AT(memfree, 8)) \
    STRUCT(struct xen_sysctl_cpupool_op, 40, AT(op, 0), AT(cpupool_id, 4), \
           AT(sched_id, 8), AT(domid, 12), AT(cpu, 16), AT(n_dom, 20), AT(cpumap, 24)) \
    STRUCT(struct xen_sysctl_cpu_featureset, 16, AT(index, 0), AT(nr_features, 4), \
           AT(features, 8)) \
    STRUCT(struct xen_sysctl_cpu_policy, 32, AT(index, 0), AT(nr_leaves, 4), \
           AT(nr_msrs, 8), AT(_rsvd, 12), AT(leaves, 16), AT(msrs, 24)) \
    STRUCT(struct xen_sysctl_scheduler_op, 32, AT(cpupool_id, 0), AT(sched_id, 4), \
           AT(cmd, 8), AT(u, 16)) \
    STRUCT(struct xen_sysctl_credit2_schedule, 4, AT(ratelimit_us, 0)) \
    STRUCT(struct xen_sysctl_cpuinfo, 8, AT(idletime, 0)) \
    STRUCT(struct xen_sysctl_getcpuinfo, 24, AT(max_cpus, 0), AT(info, 8), \
           AT(nr_cpus, 16))

/* rings */
#define LAYOUT_RINGS(STRUCT, AT) \
    STRUCT(struct xencons_interface, 3088, AT(in, 0), AT(out, 1024), AT(in_cons, 3072), \
           AT(in_prod, 3076), AT(out_cons, 3080), AT(out_prod, 3084)) \
    STRUCT(struct xenstore_domain_interface, 2076, AT(req, 0), AT(rsp, 1024), \
           AT(req_cons, 2048), AT(req_prod, 2052), AT(rsp_cons, 2056), AT(rsp_prod, 2060), \
           AT(server_features, 2064), AT(connection, 2068), AT(error, 2072)) \
    STRUCT(struct xsd_sockmsg, 16, AT(type, 0), AT(req_id, 4), AT(tx_id, 8), AT(len, 12)) \
    STRUCT(struct blkif_request, 112, AT(operation, 0), AT(nr_segments, 1), AT(handle, 2), \
           AT(id, 8), AT(sector_number, 16), AT(seg, 24)) \
    STRUCT(struct blkif_request_discard, 32, AT(operation, 0), AT(flag, 1), AT(handle, 2), \
           AT(id, 8), AT(sector_number, 16), AT(nr_sectors, 24)) \
    STRUCT(struct blkif_request_indirect, 64, AT(operation, 0), AT(indirect_op, 1), \
           AT(nr_segments, 2), AT(id, 8), AT(sector_number, 16), AT(handle, 24), \
           AT(indirect_grefs, 28)) \
    STRUCT(struct blkif_request_segment, 8, AT(gref, 0), AT(first_sect, 4), \
           AT(last_sect, 5)) \
    STRUCT(struct blkif_response, 16, AT(id, 0), AT(operation, 8), AT(status, 10)) \
    STRUCT(struct blkif_sring, 176, AT(req_prod, 0), AT(req_event, 4), AT(rsp_prod, 8), \
           AT(rsp_event, 12), AT(ring, 64)) \
    STRUCT(struct netif_tx_request, 12, AT(gref, 0), AT(offset, 4), AT(flags, 6), \
           AT(id, 8), AT(size, 10)) \
    STRUCT(struct netif_tx_response, 4, AT(id, 0), AT(status, 2)) \
    STRUCT(struct netif_rx_request, 8, AT(id, 0), AT(pad, 2), AT(gref, 4)) \
    STRUCT(struct netif_rx_response, 8, AT(id, 0), AT(offset, 2), AT(flags, 4), \
           AT(status, 6)) \
    STRUCT(struct netif_extra_info, 8, AT(type, 0), AT(flags, 1), AT(u, 2)) \
    STRUCT(struct netif_tx_sring, 76, AT(req_prod, 0), AT(req_event, 4), AT(rsp_prod, 8), \
           AT(rsp_event, 12), AT(ring, 64))

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
