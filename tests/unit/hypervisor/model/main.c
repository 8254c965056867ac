/* SPDX-License-Identifier: MIT */
/* Runs one room of the model (model.h), named by the argument. */
#include "model.h"
#include <stdarg.h>

uint64_t model_seed;

static const struct room *const rooms[] = {&events_room, &grants_room};

const char *differs(const char *fmt, ...)
{
    static char text[512];
    va_list ap;

    va_start(ap, fmt);
    (vsnprintf)(text, sizeof(text), fmt, ap);
    va_end(ap);
    return text;
}

static uint64_t from_env(const char *name, uint64_t def)
{
    return getenv(name) ? strtoull(getenv(name), NULL, 0) : def;
}

static int run(const struct room *r)
{
    uint64_t steps = from_env("MODEL_STEPS", 50000), seed = from_env("MODEL_SEED", 1);
    const char *wrong = NULL;

    model_seed = seed * 2654435761u + 1;
    r->begin();
    for (uint64_t i = 0; i < steps && !wrong; i++) {
        wrong = r->step();
        if (wrong)
            printf("%s, seed %lu, step %lu: %s\n", r->name, seed, i, wrong);
    }
    if (!wrong && r->progress() < steps / 8) {
        wrong = "too little happened";
        printf("%s: %s: %lu of %lu steps\n", r->name, wrong, r->progress(), steps);
    }
    if (wrong)
        return 1;
    r->end();
    printf("%s: %lu steps, no divergence; %lu did something\n", r->name, steps, r->progress());
    return 0;
}

int main(int argc, char **argv)
{
    for (unsigned i = 0; argc == 2 && i < ARRAY_SIZE(rooms); i++)
        if (!strcmp(argv[1], rooms[i]->name))
            return run(rooms[i]);
    return 2;
}
