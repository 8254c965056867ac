/* SPDX-License-Identifier: MIT */
/*
 * The hypervisor's command line, parsed once at boot from one table (name, parser, target): Xen's names are understood,
 * unknown ones are warned about. Read-only after boot.
 */
#ifndef HV_CMDLINE_H
#define HV_CMDLINE_H

#include <hv/types.h>

struct hv_options {
    unsigned com;            /* console=com1|com2|none: 1, 2, 0 */
    unsigned com_baud[2];    /* com1=115200,8n1 */
    uint16_t com_port[2];    /* I/O port bases */
    uint64_t dom0_mem;       /* bytes; 0: all that is free but a reserve */
    uint64_t dom0_mem_max;   /* dom0_mem=…,max:… ; 0: no limit */
    unsigned dom0_max_vcpus; /* 0: one per CPU */
    unsigned maxcpus;        /* 0: all */
    int loglvl;              /* enum loglevel that reaches the console */
    bool noreboot;           /* stop instead of rebooting after a crash */
    bool x2apic;             /* may be used; it is anyway where the firmware did */
};
extern struct hv_options opt;
void cmdline_parse(const char *cmdline);

#endif
