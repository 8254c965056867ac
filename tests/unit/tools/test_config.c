/* SPDX-License-Identifier: MIT */
/* The corpus of documents, what the loader says about each, and what follows from a document. */
#include <stdio.h>
#include <stdlib.h>

#include "domain_config.h"
#include "file.h"
#include "tests.h"

#define HEAD                        \
    "{\"schema\":\"mullion/domain/" \
    "v1\",\"name\":\"web\",\"memory\":\"128M\",\"kernel\":{\"path\":\"/boot/vmlinuz\"}"
#define DOC(x) HEAD "," x "}"
#define KERNEL(x) \
    "{\"schema\":\"mullion/domain/v1\",\"name\":\"web\",\"memory\":\"128M\",\"kernel\":" x "}"
#define NAME(x)                                     \
    "{\"schema\":\"mullion/domain/v1\",\"name\":" x \
    ",\"memory\":\"128M\",\"kernel\":{\"path\":\"/k\"}}"
#define MEMORY(x)                                                      \
    "{\"schema\":\"mullion/domain/v1\",\"name\":\"web\",\"memory\":" x \
    ",\"kernel\":{\"path\":\"/k\"}}"
#define DISK(x) DOC("\"disks\":[{\"image\":\"/i\",\"target\":\"xvda\"}," x "]")
#define NET(x)  DOC("\"nets\":[{}," x "]")
#define CPU(x)  DOC("\"cpu\":{" x "}")
#define HARD(x) CPU("\"affinity\":{\"hard\":" x "}")
#define A63     "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

const struct corpus_entry corpus[] = {
    /* accepted */
    {HEAD "}", FAIL_NONE},
    {DOC("\"uuid\":\"1B4E28BA-2fa1-41d2-883f-0016d3cca427\""), FAIL_NONE},
    {DOC("\"vcpus\":64"), FAIL_NONE},
    {DOC("\"disks\":[]"), FAIL_NONE},
    {DISK("{\"image\":\"/dev/x y\",\"target\":\"xvdz15\",\"mode\":\"ro\"}"), FAIL_NONE},
    {NET("{\"bridge\":\"br0\",\"mac\":\"00:16:3E:00:00:01\",\"name\":\"vif.web-0\"}"), FAIL_NONE},
    {DOC("\"on_crash\":\"preserve\",\"on_reboot\":\"destroy\",\"on_poweroff\":\"restart\","
         "\"console\":\"none\""),
     FAIL_NONE},
    {KERNEL(
         "{\"path\":\"/a/.b/..c/...\",\"initrd\":\"/i\",\"cmdline\":\"console=hvc0 \\\"q\\\"\"}"),
     FAIL_NONE},
    {NAME("\"" A63 "\""), FAIL_NONE},
    {MEMORY("4194304"), FAIL_NONE},
    {MEMORY("17592186044416"), FAIL_NONE},
    {MEMORY("\"1T\""), FAIL_NONE},
    {MEMORY("\"4096K\""), FAIL_NONE},
    {DOC("\"vcpus\":2,\"vcpus_max\":64"), FAIL_NONE},
    {CPU(""), FAIL_NONE},
    {CPU("\"weight\":65535,\"cap\":6400,\"reservation\":{},\"affinity\":{}"), FAIL_NONE},
    {CPU("\"reservation\":{\"period_us\":1000000,\"budget_us\":1000000}"), FAIL_NONE},
    {CPU("\"affinity\":{\"hard\":\"0\",\"soft\":\"0-3,7,255,010-011\"}"), FAIL_NONE},
    /* not an object, missing and unknown keys */
    {"[]", FAIL_CONFIG_TYPE, ""},
    {"null", FAIL_CONFIG_TYPE, ""},
    {"{}", FAIL_CONFIG_MISSING, "/schema"},
    {"{\"schema\":\"mullion/domain/v1\",\"memory\":\"1G\",\"kernel\":{\"path\":\"/k\"}}",
     FAIL_CONFIG_MISSING, "/name"},
    {"{\"schema\":\"mullion/domain/v1\",\"name\":\"a\",\"kernel\":{\"path\":\"/k\"}}",
     FAIL_CONFIG_MISSING, "/memory"},
    {"{\"schema\":\"mullion/domain/v1\",\"name\":\"a\",\"memory\":\"1G\"}", FAIL_CONFIG_MISSING,
     "/kernel"},
    {KERNEL("{}"), FAIL_CONFIG_MISSING, "/kernel/path"},
    {DISK("{\"image\":\"/i\"}"), FAIL_CONFIG_MISSING, "/disks/1/target"},
    {DISK("{\"target\":\"xvdb\"}"), FAIL_CONFIG_MISSING, "/disks/1/image"},
    {DOC("\"cpus\":1"), FAIL_CONFIG_UNKNOWN, "/cpus"},
    {DOC("\"Name\":\"x\""), FAIL_CONFIG_UNKNOWN, "/Name"},
    {KERNEL("{\"path\":\"/k\",\"args\":\"\"}"), FAIL_CONFIG_UNKNOWN, "/kernel/args"},
    {DISK("{\"image\":\"/i\",\"target\":\"xvdb\",\"format\":\"raw\"}"), FAIL_CONFIG_UNKNOWN,
     "/disks/1/format"},
    {NET("{\"ip\":\"1\"}"), FAIL_CONFIG_UNKNOWN, "/nets/1/ip"},
    {CPU("\"shares\":1"), FAIL_CONFIG_UNKNOWN, "/cpu/shares"},
    {CPU("\"reservation\":{\"budget\":1}"), FAIL_CONFIG_UNKNOWN, "/cpu/reservation/budget"},
    {HARD("\"1\",\"all\":\"1\""), FAIL_CONFIG_UNKNOWN, "/cpu/affinity/all"},
    /* types */
    {"{\"schema\":1,\"name\":\"a\",\"memory\":\"1G\",\"kernel\":{\"path\":\"/k\"}}",
     FAIL_CONFIG_TYPE, "/schema"},
    {NAME("7"), FAIL_CONFIG_TYPE, "/name"},
    {NAME("null"), FAIL_CONFIG_TYPE, "/name"},
    {MEMORY("true"), FAIL_CONFIG_TYPE, "/memory"},
    {MEMORY("[]"), FAIL_CONFIG_TYPE, "/memory"},
    {KERNEL("\"/k\""), FAIL_CONFIG_TYPE, "/kernel"},
    {DOC("\"vcpus\":\"2\""), FAIL_CONFIG_TYPE, "/vcpus"},
    {DOC("\"disks\":{}"), FAIL_CONFIG_TYPE, "/disks"},
    {DISK("\"/i\""), FAIL_CONFIG_TYPE, "/disks/1"},
    {DOC("\"on_crash\":1"), FAIL_CONFIG_TYPE, "/on_crash"},
    {DOC("\"console\":false"), FAIL_CONFIG_TYPE, "/console"},
    {DOC("\"cpu\":256"), FAIL_CONFIG_TYPE, "/cpu"},
    {CPU("\"weight\":\"256\""), FAIL_CONFIG_TYPE, "/cpu/weight"},
    {CPU("\"reservation\":50"), FAIL_CONFIG_TYPE, "/cpu/reservation"},
    {CPU("\"affinity\":\"0-3\""), FAIL_CONFIG_TYPE, "/cpu/affinity"},
    {HARD("[0,1]"), FAIL_CONFIG_TYPE, "/cpu/affinity/hard"},
    {HARD("0"), FAIL_CONFIG_TYPE, "/cpu/affinity/hard"},
    /* values */
    {"{\"schema\":\"mullion/domain/v2\",\"name\":\"a\",\"memory\":\"1G\",\"kernel\":{\"path\":\"/"
     "k\"}}",
     FAIL_CONFIG_VALUE, "/schema"},
    {NAME("\"\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\"a/b\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\"..\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\"../../etc/passwd\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\".hidden\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\"a b\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\"a\\nb\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\"web\\n\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\"n\\u00e4me\""), FAIL_CONFIG_VALUE, "/name"},
    {NAME("\"" A63 "a\""), FAIL_CONFIG_RANGE, "/name"},
    {DOC("\"uuid\":\"1b4e28ba2fa141d2883f0016d3cca427\""), FAIL_CONFIG_VALUE, "/uuid"},
    {DOC("\"uuid\":\"1b4e28ba-2fa1-41d2-883f-0016d3cca42g\""), FAIL_CONFIG_VALUE, "/uuid"},
    {KERNEL("{\"path\":\"vmlinuz\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"/a/../b\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"/..\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"/a/./b\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"/a//b\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"/a/\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"/\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"/k\\n\"}"), FAIL_CONFIG_VALUE, "/kernel/path"},
    {KERNEL("{\"path\":\"/k\",\"initrd\":\"../i\"}"), FAIL_CONFIG_VALUE, "/kernel/initrd"},
    {KERNEL("{\"path\":\"/k\",\"cmdline\":\"a\\tb\"}"), FAIL_CONFIG_VALUE, "/kernel/cmdline"},
    {DISK("{\"image\":\"/i\",\"target\":\"hda\"}"), FAIL_CONFIG_VALUE, "/disks/1/target"},
    {DISK("{\"image\":\"/i\",\"target\":\"xvda16\"}"), FAIL_CONFIG_VALUE, "/disks/1/target"},
    {DISK("{\"image\":\"/i\",\"target\":\"xvda0\"}"), FAIL_CONFIG_VALUE, "/disks/1/target"},
    {DISK("{\"image\":\"/i\",\"target\":\"xvdb\",\"mode\":\"w\"}"), FAIL_CONFIG_VALUE,
     "/disks/1/mode"},
    {NET("{\"mac\":\"01:16:3e:00:00:01\"}"), FAIL_CONFIG_VALUE, "/nets/1/mac"},
    {NET("{\"mac\":\"00:16:3e:00:00\"}"), FAIL_CONFIG_VALUE, "/nets/1/mac"},
    {NET("{\"bridge\":\"br 0\"}"), FAIL_CONFIG_VALUE, "/nets/1/bridge"},
    {NET("{\"bridge\":\"../x\"}"), FAIL_CONFIG_VALUE, "/nets/1/bridge"},
    {NET("{\"name\":\"\"}"), FAIL_CONFIG_VALUE, "/nets/1/name"},
    {NET("{\"name\":\"a234567890123456\"}"), FAIL_CONFIG_RANGE, "/nets/1/name"},
    {DOC("\"on_crash\":\"reboot\""), FAIL_CONFIG_VALUE, "/on_crash"},
    {DOC("\"console\":\"tty\""), FAIL_CONFIG_VALUE, "/console"},
    {MEMORY("\"128\""), FAIL_CONFIG_VALUE, "/memory"},
    {MEMORY("\"128m\""), FAIL_CONFIG_VALUE, "/memory"},
    {MEMORY("\"0M\""), FAIL_CONFIG_VALUE, "/memory"},
    {MEMORY("\"1.5G\""), FAIL_CONFIG_VALUE, "/memory"},
    {MEMORY("\"-1G\""), FAIL_CONFIG_VALUE, "/memory"},
    {MEMORY("4194305"), FAIL_CONFIG_VALUE, "/memory"},
    {HARD("\"\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard"},
    {HARD("\"all\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard"},
    {HARD("\"1,\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard"},
    {HARD("\"1-\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard"},
    {HARD("\"0-1-2\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard"},
    {HARD("\"0 1\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard"},
    {HARD("\"1000\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard"},
    {CPU("\"affinity\":{\"soft\":\"^1\"}"), FAIL_CONFIG_VALUE, "/cpu/affinity/soft"},
    /* ranges */
    {MEMORY("0"), FAIL_CONFIG_RANGE, "/memory"},
    {MEMORY("4190208"), FAIL_CONFIG_RANGE, "/memory"},
    {MEMORY("17592186048512"), FAIL_CONFIG_RANGE, "/memory"},
    {MEMORY("18446744073709551616"), FAIL_CONFIG_RANGE, "/memory"},
    {MEMORY("-4194304"), FAIL_CONFIG_RANGE, "/memory"},
    {DOC("\"vcpus\":0"), FAIL_CONFIG_RANGE, "/vcpus"},
    {DOC("\"vcpus\":65"), FAIL_CONFIG_RANGE, "/vcpus"},
    {DOC("\"vcpus\":-1"), FAIL_CONFIG_RANGE, "/vcpus"},
    {DOC("\"vcpus\":1.5"), FAIL_CONFIG_RANGE, "/vcpus"},
    {DOC("\"vcpus\":18446744073709551617"), FAIL_CONFIG_RANGE, "/vcpus"},
    {DOC("\"nets\":[{},{},{},{},{},{},{},{},{}]"), FAIL_CONFIG_RANGE, "/nets"},
    {DOC("\"vcpus_max\":0"), FAIL_CONFIG_RANGE, "/vcpus_max"},
    {DOC("\"vcpus_max\":65"), FAIL_CONFIG_RANGE, "/vcpus_max"},
    {CPU("\"weight\":0"), FAIL_CONFIG_RANGE, "/cpu/weight"},
    {CPU("\"weight\":65536"), FAIL_CONFIG_RANGE, "/cpu/weight"},
    {CPU("\"cap\":6401"), FAIL_CONFIG_RANGE, "/cpu/cap"},
    {CPU("\"cap\":-1"), FAIL_CONFIG_RANGE, "/cpu/cap"},
    {CPU("\"reservation\":{\"period_us\":999}"), FAIL_CONFIG_RANGE, "/cpu/reservation/period_us"},
    {CPU("\"reservation\":{\"period_us\":1000001}"), FAIL_CONFIG_RANGE,
     "/cpu/reservation/period_us"},
    {CPU("\"reservation\":{\"budget_us\":1000001}"), FAIL_CONFIG_RANGE,
     "/cpu/reservation/budget_us"},
    {HARD("\"0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0\""), FAIL_NONE},
    {HARD("\"0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,00\""),
     FAIL_CONFIG_RANGE, "/cpu/affinity/hard"},
    /* what only the loader can tell */
    {MEMORY("\"1K\""), FAIL_CONFIG_RANGE, "/memory", true},
    {MEMORY("\"999999999999T\""), FAIL_CONFIG_VALUE, "/memory", true},
    {MEMORY("\"17T\""), FAIL_CONFIG_RANGE, "/memory", true},
    {MEMORY("\"4097K\""), FAIL_CONFIG_VALUE, "/memory", true},
    {DOC("\"vcpus\":3,\"vcpus_max\":2"), FAIL_CONFIG_CONFLICT, "/vcpus", true},
    {CPU("\"reservation\":{\"budget_us\":10001}"), FAIL_CONFIG_RANGE, "/cpu/reservation/budget_us",
     true},
    {HARD("\"3-1\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard", true},
    {HARD("\"0,256\""), FAIL_CONFIG_VALUE, "/cpu/affinity/hard", true},
    {CPU("\"affinity\":{\"soft\":\"0-999\"}"), FAIL_CONFIG_VALUE, "/cpu/affinity/soft", true},
    {DOC("\"vcpus\":2.0"), FAIL_CONFIG_RANGE, "/vcpus", true},
    {DOC("\"vcpus\":1e1"), FAIL_CONFIG_RANGE, "/vcpus", true},
    {NAME("\"Domain-0\""), FAIL_CONFIG_VALUE, "/name", true},
    {DOC("\"uuid\":\"00000000-0000-0000-0000-000000000000\""), FAIL_CONFIG_VALUE, "/uuid", true},
    {DISK("{\"image\":\"/j\",\"target\":\"xvda\"}"), FAIL_CONFIG_CONFLICT, "/disks/1/target", true},
    {NET("{\"mac\":\"00:00:00:00:00:00\"}"), FAIL_CONFIG_VALUE, "/nets/1/mac", true},
    {DOC("\"nets\":[{\"mac\":\"00:16:3e:00:00:0a\"},{\"mac\":\"00:16:3E:00:00:0A\"}]"),
     FAIL_CONFIG_CONFLICT, "/nets/1/mac", true},
    {DOC("\"nets\":[{\"name\":\"v\"},{\"name\":\"v\"}]"), FAIL_CONFIG_CONFLICT, "/nets/1/name",
     true},
    {DOC("\"name\":\"again\""), FAIL_JSON_DUPLICATE, "/name", true},
    {0},
};

static void every_document_gets_its_verdict(void)
{
    for (const struct corpus_entry *e = corpus; e->text; e++) {
        struct domain_config c;
        struct failure f = {0};
        int result = domain_config_parse(e->text, strlen(e->text), &c, &f);

        if (f.code != e->code || (result == 0) != (e->code == FAIL_NONE) ||
            (e->where && e->code != FAIL_NONE && strcmp(f.where, e->where) != 0)) {
            printf("\n%s\n  got %s at \"%s\" (%s), expected %s at \"%s\"\n", e->text,
                   failure_name(f.code), f.where, f.message, failure_name(e->code),
                   e->where ? e->where : "");
            CU_FAIL("wrong verdict");
        }
        if (e->code != FAIL_NONE) {
            CU_ASSERT_TRUE(f.message[0] != 0);
            CU_ASSERT_TRUE(f.step[0] != 0);
        }
    }
}

static void load(const char *text, struct domain_config *c)
{
    struct failure f = {0};

    CU_ASSERT_EQUAL_FATAL(domain_config_parse(text, strlen(text), c, &f), 0);
}

static void defaults_and_units(void)
{
    struct domain_config c;
    uint64_t bytes;

    load(DISK("{\"image\":\"/j\",\"target\":\"xvdb\",\"mode\":\"ro\"}"), &c);
    CU_ASSERT_EQUAL(c.memory, 128ULL << 20);
    CU_ASSERT_EQUAL(c.vcpus, 1);
    CU_ASSERT_EQUAL(c.on_poweroff, ACTION_DESTROY);
    CU_ASSERT_EQUAL(c.on_reboot, ACTION_RESTART);
    CU_ASSERT_EQUAL(c.on_crash, ACTION_DESTROY);
    CU_ASSERT_EQUAL(c.console, CONSOLE_PTY);
    CU_ASSERT_EQUAL(c.nr_disks, 2);
    CU_ASSERT_EQUAL(c.disks[0].mode, DISK_RW);
    CU_ASSERT_EQUAL(c.disks[1].mode, DISK_RO);
    CU_ASSERT_TRUE(parse_memory("3K", &bytes) && bytes == 3072);
    CU_ASSERT_TRUE(parse_memory("2G", &bytes) && bytes == 2ULL << 30);
    CU_ASSERT_TRUE(parse_memory("77", &bytes) && bytes == 77);
    CU_ASSERT_FALSE(parse_memory("99999999999999999999", &bytes));
    CU_ASSERT_FALSE(parse_memory("17179869184T", &bytes));
    CU_ASSERT_FALSE(parse_memory("", &bytes));
    CU_ASSERT_FALSE(parse_memory("G", &bytes));
    CU_ASSERT_FALSE(parse_memory("1GB", &bytes));
}

static void shares_and_cpu_lists(void)
{
    struct domain_config c;
    struct cpu_set set;
    uint32_t last = 99;

    load(DOC("\"vcpus\":3"), &c);
    CU_ASSERT_EQUAL(c.vcpus_max, 3);
    CU_ASSERT_EQUAL(c.cpu.weight, 256);
    CU_ASSERT_EQUAL(c.cpu.cap, 0);
    CU_ASSERT_EQUAL(c.cpu.reservation.period_us, 10000);
    CU_ASSERT_EQUAL(c.cpu.reservation.budget_us, 0);
    load(CPU("\"cap\":50"), &c);
    CU_ASSERT_EQUAL(c.cpu.weight, 256);
    CU_ASSERT_EQUAL(c.cpu.reservation.period_us, 10000);
    CU_ASSERT_TRUE(parse_cpu_list("", &set, &last));
    CU_ASSERT_EQUAL(set.bits[0] & set.bits[31], 0xff);
    CU_ASSERT_EQUAL(last, 0);
    CU_ASSERT_TRUE(parse_cpu_list("9,1-3,255,2", &set, &last));
    CU_ASSERT_EQUAL(set.bits[0], 0x0e);
    CU_ASSERT_EQUAL(set.bits[1], 0x02);
    CU_ASSERT_EQUAL(set.bits[31], 0x80);
    CU_ASSERT_EQUAL(last, 255);
    CU_ASSERT_FALSE(parse_cpu_list("256", &set, NULL));
    CU_ASSERT_FALSE(parse_cpu_list("1-", &set, NULL));
    CU_ASSERT_FALSE(parse_cpu_list("1,", &set, NULL));
    CU_ASSERT_FALSE(parse_cpu_list(",1", &set, NULL));
    CU_ASSERT_FALSE(parse_cpu_list("4294967296", &set, NULL));
}

static void identity_is_stable(void)
{
    struct domain_config a, b, again;

    load(DOC("\"nets\":[{},{},{\"mac\":\"00:16:3E:AA:BB:CC\"}]"), &a);
    b = again = a;
    domain_config_complete(&a, NULL);
    CU_ASSERT_EQUAL(strlen(a.uuid), 36);
    CU_ASSERT_EQUAL(a.uuid[14], '4');
    CU_ASSERT_STRING_NOT_EQUAL(a.nets[0].mac, a.nets[1].mac);
    CU_ASSERT_EQUAL(strncmp(a.nets[0].mac, "00:16:3e:", 9), 0);
    CU_ASSERT_STRING_EQUAL(a.nets[2].mac, "00:16:3e:aa:bb:cc");
    domain_config_complete(&again, &a);
    CU_ASSERT_EQUAL(memcmp(&a, &again, sizeof(a)), 0);
    domain_config_complete(&b, NULL);
    CU_ASSERT_STRING_NOT_EQUAL(a.uuid, b.uuid);
    CU_ASSERT_STRING_NOT_EQUAL(a.nets[0].mac, b.nets[0].mac);
}

static void device_numbers_are_those_of_blkif(void)
{
    CU_ASSERT_EQUAL(disk_device_number("xvda"), 51712);
    CU_ASSERT_EQUAL(disk_device_number("xvda1"), 51713);
    CU_ASSERT_EQUAL(disk_device_number("xvdb"), 51728);
    CU_ASSERT_EQUAL(disk_device_number("xvdp15"), 202 << 8 | 255);
    CU_ASSERT_EQUAL(disk_device_number("xvdq"), 1 << 28 | 16 << 8);
    CU_ASSERT_EQUAL(disk_device_number("xvda16"), 0);
    CU_ASSERT_EQUAL(disk_device_number("sda"), 0);
}

static void written_documents_load_again(void)
{
    for (const struct corpus_entry *e = corpus; e->text; e++) {
        struct domain_config c, again;
        struct json_writer *w;

        if (e->code != FAIL_NONE)
            continue;
        load(e->text, &c);
        domain_config_complete(&c, NULL);
        w = jw_new(true);
        domain_config_write(w, NULL, &c);
        load(jw_text(w, NULL), &again);
        CU_ASSERT_EQUAL(memcmp(&c, &again, sizeof(c)), 0);
        CU_ASSERT_EQUAL(domain_config_diff(&c, &again, NULL, NULL), 0);
        jw_free(w);
    }
}

static void collect(void *ctx, const char *pointer, const char *from, const char *to, bool live)
{
    char *text = ctx;

    sprintf(text + strlen(text), "%s:%s>%s%s;", pointer, from, to, live ? "!" : "");
}

static void differences_have_pointers(void)
{
    struct domain_config a, b;
    char text[2048] = "", live[512] = "";

    load(HEAD "}", &a);
    load("{\"schema\":\"mullion/domain/"
         "v1\",\"name\":\"web\",\"memory\":\"256M\",\"vcpus\":2,\"on_crash\":\"restart\","
         "\"kernel\":{\"path\":\"/boot/vmlinuz\",\"cmdline\":\"x\"},\"disks\":[{\"image\":\"/"
         "i\",\"target\":\"xvda\"}]}",
         &b);
    CU_ASSERT_EQUAL(domain_config_diff(&a, &b, collect, text), 6);
    CU_ASSERT_STRING_EQUAL(
        text, "/memory:134217728>268435456;/vcpus:1>2!;/vcpus_max:1>2;/kernel/cmdline:none>\"x\";"
              "/disks/0:none>present;/on_crash:\"destroy\">\"restart\";");
    load(CPU("\"weight\":2,\"reservation\":{\"budget_us\":7},\"affinity\":{\"soft\":\"1\"}"), &b);
    CU_ASSERT_EQUAL(domain_config_diff(&a, &b, collect, live), 3);
    CU_ASSERT_STRING_EQUAL(
        live, "/cpu/weight:256>2!;/cpu/reservation/budget_us:0>7!;/cpu/affinity/soft:none>\"1\"!;");
}

static void examples_load(void)
{
    struct failure f = {0};
    struct domain_config c;
    char *text;
    size_t size;

    CU_ASSERT_EQUAL_FATAL(file_read(EXAMPLES "/web.json", JSON_MAX_TEXT, &text, &size), 0);
    CU_ASSERT_EQUAL(domain_config_parse(text, size, &c, &f), 0);
    free(text);
}

void add_config_suite(void)
{
    CU_pSuite s = CU_add_suite("domain document", NULL, NULL);

    CU_add_test(s, "every document of the corpus gets its verdict",
                every_document_gets_its_verdict);
    CU_add_test(s, "defaults and units", defaults_and_units);
    CU_add_test(s, "shares and lists of CPUs", shares_and_cpu_lists);
    CU_add_test(s, "uuid and addresses are stable", identity_is_stable);
    CU_add_test(s, "device numbers are those of blkif", device_numbers_are_those_of_blkif);
    CU_add_test(s, "written documents load again", written_documents_load_again);
    CU_add_test(s, "differences have pointers", differences_have_pointers);
    CU_add_test(s, "the examples load", examples_load);
}
