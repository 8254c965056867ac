/* SPDX-License-Identifier: MIT */
/* The local APIC of this CPU, in xAPIC or x2APIC mode. */
#ifndef ASM_APIC_H
#define ASM_APIC_H

#include <hv/types.h>

/* Vectors 0xf0 and up are the hypervisor's own; 0x20 … 0xef are for devices (irq.c). Higher is more
 * urgent. */
enum own_vector {
    VECTOR_TIMER = 0xf8,
    VECTOR_EVENT = 0xf9,
    VECTOR_CALL = 0xfa,
    VECTOR_SPURIOUS = 0xff
};

void apic_init(void);     /* boot CPU: find and choose the mode */
void apic_cpu_init(void); /* each CPU */
uint32_t apic_id(void);
extern bool x2apic; /* the mode */
void apic_eoi(void);
/* An interrupt command: a vector of ours, or one of these (start-up: | page number). */
#define APIC_NMI     (4u << 8)
#define APIC_INIT    (5u << 8)
#define APIC_STARTUP (6u << 8)
void apic_send(uint32_t apic_id, uint32_t command);
/* One-shot count-down timer at bus clock; 0 stops it. CPUs with deadlines by TSC use those. */
void apic_timer_set(uint32_t count);
uint32_t apic_timer_count(void);

#endif
