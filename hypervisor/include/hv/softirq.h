/* SPDX-License-Identifier: MIT */
/*
 * Work that an interrupt or another CPU leaves for a CPU's exit path. Bits in this_cpu()->softirq_pending, run with
 * interrupts on, before the CPU returns to a guest or idles.
 */
#ifndef HV_SOFTIRQ_H
#define HV_SOFTIRQ_H

enum softirq { SOFTIRQ_TIMER, SOFTIRQ_SCHEDULE, SOFTIRQ_COUNT };

void softirq_raise(enum softirq s);                   /* on this CPU */
void softirq_raise_on(unsigned cpu, enum softirq s);  /* and send an IPI if it is another's and the bit was clear */
void softirq_run(void);                               /* until none is pending; interrupts on */

/*
 * common/exit.c: what happens between the last C code and the guest's next instruction. Called by entry.S with interrupts
 * off and regs = guest_regs(); returns with interrupts off when current is a guest vCPU ready to run: softirqs done, a
 * preempted hypercall finished, the idle vCPU waited out, a pending exception or event turned into a bounce frame.
 */
struct cpu_user_regs;
void exit_to_guest(struct cpu_user_regs *regs);

#endif
