/* SPDX-License-Identifier: MIT */
/*
 * Static ACPI tables: which processors, IO-APICs, timers and configuration windows the machine has,
 * and how to switch it off.
 *
 * Firmware is not trusted to be right: every table's length and checksum is tested before a field
 * is read, every entry's length before the entry; what is wrong is named and skipped.
 */
#include <hv/boot_info.h>
#include <hv/printk.h>
#include <hv/string.h>
#include <asm/acpi.h>
#include <asm/hv_paging.h>
#include "boot/boot.h"

struct acpi_info acpi;

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t checksum2, reserved[3];
} __attribute__((packed));

struct table {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem[6], oem_table[8];
    uint32_t oem_revision, creator, creator_revision;
} __attribute__((packed));
#define TABLE_MAX (4u << 20)

static bool checksum_ok(const void *p, size_t n)
{
    const uint8_t *b = p;
    uint8_t sum = 0;

    while (n--)
        sum += *b++;
    return !sum;
}

/* Map a table after a look at its header. NULL: not mappable, a length that cannot be, or a wrong
 * checksum. */
static const struct table *map_table(uint64_t maddr, const char *signature)
{
    const struct table *t;
    uint32_t length;

    if (!maddr)
        return NULL;
    t = map_firmware(maddr, sizeof(*t));
    if (!t || (signature && memcmp(t->signature, signature, 4)))
        return NULL;
    length = t->length;
    if (length < sizeof(*t) || length > TABLE_MAX) {
        pr_warn("ACPI: table %.4s has length %u; ignored\n", t->signature, length);
        return NULL;
    }
    if ((maddr & ~PAGE_MASK) + length > PAGE_SIZE)
        t = map_firmware(maddr, length);
    if (t && !checksum_ok(t, length)) {
        pr_warn("ACPI: table %.4s has a wrong checksum; ignored\n", t->signature);
        return NULL;
    }
    return t;
}

/* --- the root pointer
 * ------------------------------------------------------------------------------------------------------
 */
static bool rsdp_ok(const struct rsdp *r)
{
    return !memcmp(r->signature, "RSD PTR ", 8) && checksum_ok(r, 20);
}

static uint64_t scan_rsdp(uint64_t start, uint64_t size)
{
    const char *p = map_firmware(start, size);

    for (uint64_t off = 0; p && off + sizeof(struct rsdp) <= size; off += 16)
        if (rsdp_ok((const struct rsdp *)(p + off)))
            return start + off;
    return 0;
}

/* UEFI: the configuration table of the system table holds its address. */
static uint64_t efi_rsdp(void)
{
    static const uint8_t acpi2_guid[16] = {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
                                           0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81};
    static const uint8_t acpi1_guid[16] = {0x30, 0x2d, 0x9d, 0xeb, 0x88, 0x2d, 0xd3, 0x11,
                                           0x9a, 0x16, 0x00, 0x90, 0x27, 0x3f, 0xc1, 0x4d};
    struct config_entry {
        uint8_t guid[16];
        uint64_t address;
    };
    const uint64_t *st = boot_efi_system_table ? map_firmware(boot_efi_system_table, 120) : NULL;
    const struct config_entry *e;
    uint64_t found = 0, count;

    if (!st || memcmp(st, "IBI SYST", 8))
        return 0;
    count = st[13];
    if (!count || count > 1024)
        return 0;
    e = map_firmware(st[14], count * sizeof(*e));
    for (uint64_t i = 0; e && i < count; i++) {
        if (!memcmp(e[i].guid, acpi2_guid, 16))
            return e[i].address;
        if (!memcmp(e[i].guid, acpi1_guid, 16))
            found = e[i].address;
    }
    return found;
}

static const struct rsdp *find_rsdp(void)
{
    const struct rsdp *copy = (const struct rsdp *)boot_rsdp_copy, *r;
    const uint16_t *ebda = map_firmware(0x40e, 2);

    if (boot_efi_system_table)
        acpi.rsdp = efi_rsdp();
    if (!acpi.rsdp && !boot_info.efi && ebda && *ebda >= 0x40)
        acpi.rsdp = scan_rsdp((uint64_t)*ebda << 4, 1024);
    if (!acpi.rsdp && !boot_info.efi)
        acpi.rsdp = scan_rsdp(0xe0000, 0x20000);
    boot_info.rsdp = acpi.rsdp;
    if (acpi.rsdp) {
        r = map_firmware(acpi.rsdp, sizeof(*r));
        if (r && rsdp_ok(r))
            return r;
    }
    return rsdp_ok(copy) ? copy : NULL;
}

const char *dom0_extra_cmdline(void)
{
    static char text[40];

    if (acpi.rsdp >= 0x100000) /* below, dom0 finds it by scanning as on any BIOS machine */
        snprintf(text, sizeof(text), " acpi_rsdp=0x%lx", acpi.rsdp);
    return text;
}

/* --- MADT
 * --------------------------------------------------------------------------------------------------------------------
 */
static void add_cpu(uint32_t apic_id, uint32_t acpi_id, uint32_t flags)
{
    if (!(flags & 1))
        return;
    for (unsigned i = 0; i < acpi.nr_cpus; i++)
        if (acpi.cpu[i].apic_id == apic_id)
            return; /* listed as both a local APIC and a local x2APIC */
    if (acpi.nr_cpus == ACPI_MAX_CPUS) {
        pr_warn("ACPI: more than %u processors; the rest stays off\n", ACPI_MAX_CPUS);
        return;
    }
    acpi.cpu[acpi.nr_cpus].apic_id = apic_id;
    acpi.cpu[acpi.nr_cpus++].acpi_id = acpi_id;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, 4);
    return v;
}

static void add_ioapic(const uint8_t *e)
{
    if (acpi.nr_ioapics == ACPI_MAX_IOAPICS)
        return;
    acpi.ioapic[acpi.nr_ioapics].id = e[2];
    acpi.ioapic[acpi.nr_ioapics].address = get32(e + 4);
    acpi.ioapic[acpi.nr_ioapics++].gsi_base = get32(e + 8);
}

static void parse_madt(const struct table *t)
{
    const uint8_t *p = (const uint8_t *)t + 44, *end = (const uint8_t *)t + t->length;
    enum { LAPIC = 0, IOAPIC = 1, OVERRIDE = 2, X2APIC = 9 };
    static const uint8_t need[] = {[LAPIC] = 8, [IOAPIC] = 12, [OVERRIDE] = 10, [X2APIC] = 16};

    if (t->length < 44)
        return;
    acpi.has_8259 = get32((const uint8_t *)t + 40) & 1;
    for (; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1]) {
        if (p[0] < ARRAY_SIZE(need) && p[1] < need[p[0]]) {
            pr_warn("ACPI: MADT entry of type %u has length %u; ignored\n", p[0], p[1]);
            continue;
        }
        switch (p[0]) {
        case LAPIC:
            add_cpu(p[3], p[2], get32(p + 4));
            break;
        case X2APIC:
            add_cpu(get32(p + 4), get32(p + 12), get32(p + 8));
            break;
        case IOAPIC:
            add_ioapic(p);
            break;
        case OVERRIDE:
            if (p[3] < 16) {
                acpi.isa_irq[p[3]].gsi = get32(p + 4);
                memcpy(&acpi.isa_irq[p[3]].flags, p + 8, 2);
            }
            break;
        }
    }
}

/* --- FADT, HPET, MCFG
 * ------------------------------------------------------------------------------------------------------------
 */
/* A port of the FADT: the 64-bit form (later tables) if it is an I/O port, else the old field. */
static uint16_t fadt_port(const uint8_t *t, uint32_t length, unsigned old, unsigned extended)
{
    struct acpi_gas g;

    if (length >= extended + sizeof(g)) {
        memcpy(&g, t + extended, sizeof(g));
        if (g.space == GAS_IO && g.address && g.address < 0x10000)
            return (uint16_t)g.address;
    }
    return length >= old + 4 ? (uint16_t)get32(t + old) : 0;
}

static void parse_fadt(const struct table *t)
{
    const uint8_t *p = (const uint8_t *)t;

    if (t->length < 84)
        return;
    acpi.has_fadt = true;
    acpi.dsdt = get32(p + 40);
    acpi.smi_command = get32(p + 48);
    acpi.acpi_enable = p[52];
    acpi.pm1a_event = fadt_port(p, t->length, 56, 148);
    acpi.pm1b_event = fadt_port(p, t->length, 60, 160);
    acpi.pm1a_control = fadt_port(p, t->length, 64, 172);
    acpi.pm1b_control = fadt_port(p, t->length, 68, 184);
    acpi.pm_timer = fadt_port(p, t->length, 76, 208);
    if (t->length >= 129 && (get32(p + 112) >> 10 & 1)) {
        acpi.has_reset = true;
        memcpy(&acpi.reset_register, p + 116, sizeof(acpi.reset_register));
        acpi.reset_value = p[128];
    }
    if (t->length >= 148) {
        uint64_t x_dsdt;

        memcpy(&x_dsdt, p + 140, 8);
        if (x_dsdt)
            acpi.dsdt = x_dsdt;
    }
}

static void parse_hpet(const struct table *t)
{
    struct acpi_gas g;

    if (t->length < 56)
        return;
    memcpy(&g, (const uint8_t *)t + 40, sizeof(g));
    if (g.space == GAS_MEMORY)
        acpi.hpet = g.address;
}

static void parse_mcfg(const struct table *t)
{
    const uint8_t *p = (const uint8_t *)t + 44, *end = (const uint8_t *)t + t->length;

    for (; p + 16 <= end && acpi.nr_mcfg < ACPI_MAX_MCFG; p += 16) {
        memcpy(&acpi.mcfg[acpi.nr_mcfg].base, p, 8);
        memcpy(&acpi.mcfg[acpi.nr_mcfg].segment, p + 8, 2);
        acpi.mcfg[acpi.nr_mcfg].first_bus = p[10];
        acpi.mcfg[acpi.nr_mcfg].last_bus = p[11];
        acpi.nr_mcfg++;
    }
}

static const struct {
    const char *signature;
    void (*parse)(const struct table *t);
} parsers[] = {
    {"APIC", parse_madt}, {"FACP", parse_fadt}, {"HPET", parse_hpet}, {"MCFG", parse_mcfg}};

static void parse_root(const struct table *root, unsigned entry_size)
{
    unsigned n = (root->length - sizeof(*root)) / entry_size;
    const uint8_t *p = (const uint8_t *)(root + 1);

    for (unsigned i = 0; i < n && i < 128; i++, p += entry_size) {
        uint64_t maddr = 0;

        memcpy(&maddr, p, entry_size);
        for (size_t k = 0; k < ARRAY_SIZE(parsers); k++) {
            const struct table *t = map_firmware(maddr, 4);

            if (!t || memcmp(t->signature, parsers[k].signature, 4))
                continue;
            t = map_table(maddr, NULL);
            if (t)
                parsers[k].parse(t);
        }
    }
}

void acpi_init(void)
{
    const struct rsdp *r = find_rsdp();
    const struct table *root = NULL;

    for (unsigned i = 0; i < 16; i++)
        acpi.isa_irq[i].gsi = i;
    if (r && r->revision >= 2 && r->xsdt && (root = map_table(r->xsdt, "XSDT")))
        parse_root(root, 8);
    else if (r && (root = map_table(r->rsdt, "RSDT")))
        parse_root(root, 4);
    if (!root)
        pr_warn("ACPI: no tables found: one CPU, no interrupts for devices, no power off\n");
    else
        pr_info("ACPI: %u CPUs, %u IO-APICs, %u PCI windows%s%s\n", acpi.nr_cpus, acpi.nr_ioapics,
                acpi.nr_mcfg, acpi.has_fadt ? ", FADT" : "", acpi.hpet ? ", HPET" : "");
}

/* --- \_S5_
 * -----------------------------------------------------------------------------------------------------------------------
 */
/* One integer of a package, as compilers write it: a byte constant, zero, one, or a bare byte from
 * very old ones. */
static const uint8_t *package_byte(const uint8_t *p, const uint8_t *end, uint8_t *out)
{
    if (p < end && *p == 0x0a) /* BytePrefix */
        p++;
    if (p >= end)
        return NULL;
    *out = *p;
    return p + 1;
}

/*
 * Why a scan and no AML interpreter: to switch off, the two sleep type values are all that is
 * needed, and every known firmware declares them as Name(_S5_, Package(){a, b, …}), which is these
 * bytes: 08 [5c] "_S5_" 12 length count a b. When the scan finds nothing else will harm: dom0,
 * which has an interpreter, gives the values with XENPF_enter_acpi_sleep.
 */
bool acpi_find_s5(uint8_t *type_a, uint8_t *type_b)
{
    const struct table *dsdt = map_table(acpi.dsdt, "DSDT");
    const uint8_t *p, *end;

    if (!dsdt)
        return false;
    p = (const uint8_t *)(dsdt + 1);
    end = (const uint8_t *)dsdt + dsdt->length;
    for (; p + 8 < end; p++) {
        const uint8_t *q = p + 4;

        if (memcmp(p, "_S5_", 4) || *q++ != 0x12 /* PackageOp */)
            continue;
        if (p[-1] != 0x08 /* NameOp */ && !(p[-1] == 0x5c && p[-2] == 0x08))
            continue;
        q += 1 + (*q >> 6) + 1; /* package length, then the number of elements */
        q = package_byte(q, end, type_a);
        if (q && package_byte(q, end, type_b))
            return true;
    }
    return false;
}
