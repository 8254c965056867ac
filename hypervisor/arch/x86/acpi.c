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

struct acpi_info acpi;

struct rsdp {
    char signature[8];
    uint8_t checksum, oem[6], revision;
    uint32_t rsdt, length;
    uint64_t xsdt;
    uint8_t checksum2, reserved[3];
} __attribute__((packed));

struct table {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum, oem[26]; /* and whose it is */
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
    t = hv_map_window(maddr, sizeof(*t), HPTE_RO);
    if (!t || memcmp(t->signature, signature, 4))
        return NULL;
    length = t->length;
    if (length < sizeof(*t) || length > TABLE_MAX) {
        pr_warn("ACPI: table %.4s has length %u; ignored\n", t->signature, length);
        return NULL;
    }
    if ((maddr & ~PAGE_MASK) + length > PAGE_SIZE)
        t = hv_map_window(maddr, length, HPTE_RO);
    if (t && !checksum_ok(t, length)) {
        pr_warn("ACPI: table %.4s has a wrong checksum; ignored\n", t->signature);
        return NULL;
    }
    return t;
}

/* --- the root pointer --- */

static const struct rsdp *rsdp_at(const void *p)
{
    const struct rsdp *r = p;

    return r && !memcmp(r->signature, "RSD PTR ", 8) && checksum_ok(r, 20) ? r : NULL;
}

static uint64_t scan_rsdp(uint64_t start, uint64_t size)
{
    const char *p = hv_map_window(start, size, HPTE_RO);

    for (uint64_t off = 0; p && off + sizeof(struct rsdp) <= size; off += 16)
        if (rsdp_at(p + off))
            return start + off;
    return 0;
}

/* UEFI: the configuration table of the system table holds its address. Firmware of 64 bits has that
 * of ACPI 2. */
static uint64_t efi_rsdp(void)
{
    static const uint8_t acpi2[16] = {0x71, 0xe8, 0x68, 0x88, 0xf1, 0xe4, 0xd3, 0x11,
                                      0xbc, 0x22, 0x00, 0x80, 0xc7, 0x3c, 0x88, 0x81};
    const struct config_entry {
        uint8_t guid[16];
        uint64_t address;
    } * e;
    const uint64_t *st = hv_map_window(boot_info.efi_system_table, 120, HPTE_RO);

    if (!st || memcmp(st, "IBI SYST", 8) || st[13] > 1024)
        return 0;
    e = hv_map_window(st[14], st[13] * sizeof(*e), HPTE_RO);
    for (uint64_t i = 0; e && i < st[13]; i++)
        if (!memcmp(e[i].guid, acpi2, 16))
            return e[i].address;
    return 0;
}

static uint64_t find_rsdp(void)
{
    const uint16_t *ebda;
    uint64_t at = 0;

    if (boot_info.efi_system_table)
        return efi_rsdp();
    ebda = hv_map_window(0x40e, 2, HPTE_RO);
    if (ebda && *ebda >= 0x40)
        at = scan_rsdp((uint64_t)*ebda << 4, 1024);
    return at ? at : scan_rsdp(0xe0000, 0x20000);
}

/* --- MADT --- */

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

/* A little-endian number of so many bytes, at any address. */
static uint64_t get(const uint8_t *p, size_t bytes)
{
    uint64_t v = 0;

    memcpy(&v, p, bytes);
    return v;
}

static void parse_madt(const struct table *t)
{
    const uint8_t *p = (const uint8_t *)t + 44, *end = (const uint8_t *)t + t->length;
    enum { LAPIC = 0, IOAPIC = 1, OVERRIDE = 2, X2APIC = 9 };
    static const uint8_t need[] = {[LAPIC] = 8, [IOAPIC] = 12, [OVERRIDE] = 10, [X2APIC] = 16};

    if (t->length < 44)
        return;
    for (; p + 2 <= end && p[1] >= 2 && p + p[1] <= end; p += p[1]) {
        if (p[0] < ARRAY_SIZE(need) && p[1] < need[p[0]]) {
            pr_warn("ACPI: MADT entry of type %u has length %u; ignored\n", p[0], p[1]);
            continue;
        }
        switch (p[0]) {
        case LAPIC:
            add_cpu(p[3], p[2], get(p + 4, 4));
            break;
        case X2APIC:
            add_cpu(get(p + 4, 4), get(p + 12, 4), get(p + 8, 4));
            break;
        case IOAPIC:
            if (acpi.nr_ioapics == ACPI_MAX_IOAPICS)
                break;
            acpi.ioapic[acpi.nr_ioapics].address = get(p + 4, 4);
            acpi.ioapic[acpi.nr_ioapics++].gsi_base = get(p + 8, 4);
            break;
        case OVERRIDE:
            if (p[3] < 16) {
                acpi.isa_irq[p[3]].gsi = get(p + 4, 4);
                acpi.isa_irq[p[3]].flags = (uint16_t)get(p + 8, 2);
            }
            break;
        }
    }
}

/* --- FADT --- */

/* The I/O port of a generic address structure (space, width, offset, access, 8 bytes of address);
 * 0: it is none. */
static uint16_t gas_port(const uint8_t *gas)
{
    uint64_t address = get(gas + 4, 8);

    return gas[0] == 1 && address < 0x10000 ? (uint16_t)address : 0;
}

/* A port of the FADT: the 64-bit form (later tables) if it is an I/O port, else the old field. */
static uint16_t fadt_port(const uint8_t *fadt, unsigned old, unsigned extended)
{
    uint16_t port = gas_port(fadt + extended);

    return port ? port : (uint16_t)get(fadt + old, 4);
}

static void parse_fadt(const struct table *t)
{
    uint8_t p[220] = {0}; /* what an old table does not have is 0 */

    if (t->length < 84)
        return;
    memcpy(p, t, MIN(t->length, sizeof(p)));
    acpi.dsdt = get(p + 140, 8);
    if (!acpi.dsdt)
        acpi.dsdt = get(p + 40, 4);
    acpi.smi_command = get(p + 48, 4);
    acpi.acpi_enable = p[52];
    acpi.pm1a_event = fadt_port(p, 56, 148);
    acpi.pm1a_control = fadt_port(p, 64, 172);
    acpi.pm1b_control = fadt_port(p, 68, 184);
    acpi.pm_timer = fadt_port(p, 76, 208);
    if (get(p + 112, 4) >> 10 & 1) {
        acpi.reset_port = gas_port(p + 116);
        acpi.reset_value = p[128];
    }
}

static void parse_root(const struct table *root, unsigned entry_size)
{
    unsigned n = (root->length - sizeof(*root)) / entry_size;
    const uint8_t *p = (const uint8_t *)(root + 1);

    for (unsigned i = 0; i < n && i < 128; i++, p += entry_size) {
        uint64_t maddr = get(p, entry_size);
        const struct table *t;

        if ((t = map_table(maddr, "APIC")))
            parse_madt(t);
        else if ((t = map_table(maddr, "FACP")))
            parse_fadt(t);
    }
}

void acpi_init(void)
{
    const struct table *root = NULL;
    const struct rsdp *r;

    acpi.rsdp = find_rsdp();
    r = acpi.rsdp ? rsdp_at(hv_map_window(acpi.rsdp, sizeof(*r), HPTE_RO)) : NULL;
    for (unsigned i = 0; i < 16; i++)
        acpi.isa_irq[i].gsi = i;
    if (r && r->revision >= 2 && r->xsdt && (root = map_table(r->xsdt, "XSDT")))
        parse_root(root, 8);
    else if (r && (root = map_table(r->rsdt, "RSDT")))
        parse_root(root, 4);
    if (!root)
        pr_warn("ACPI: no tables found: one CPU, no interrupts for devices, no power off\n");
    else
        pr_info("ACPI: %u CPUs, %u IO-APICs\n", acpi.nr_cpus, acpi.nr_ioapics);
}

/* --- \_S5_ --- */

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
