/* SPDX-License-Identifier: MIT */
/*
 * driver.c: runs a fuzz target without libFuzzer: the files on the command line, or, without any,
 * -runs=N (20000) pseudo-random inputs from -seed=S (1). The same seed gives the same inputs.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int run_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t size;

    if (!f) {
        perror(path);
        return 1;
    }
    size = fread(data, 1, sizeof(data), f);
    fclose(f);
    LLVMFuzzerTestOneInput(data, size);
    return 0;
}

int main(int argc, char **argv)
{
    static uint8_t data[MOST];
    unsigned long runs = 20000;
    unsigned int seed = 1;
    int files = 0, failed = 0;

    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "-runs=", 6)) {
            runs = strtoul(argv[i] + 6, NULL, 10);
        } else if (!strncmp(argv[i], "-seed=", 6)) {
            seed = (unsigned int)strtoul(argv[i] + 6, NULL, 10);
        } else {
            failed |= run_file(argv[i]);
            files++;
        }
    }
    srandom(seed);
    for (unsigned long n = 0; !files && n < runs; n++) {
        size_t size = (size_t)random() % (n % 16 ? 256 : MOST);

        for (size_t i = 0; i < size; i++)
            data[i] = (uint8_t)(random() >> 8);
        LLVMFuzzerTestOneInput(data, size);
    }
    if (!failed)
        printf("%lu inputs\n", files ? (unsigned long)files : runs);
    return failed;
}
