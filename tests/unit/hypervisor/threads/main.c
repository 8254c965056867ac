/* SPDX-License-Identifier: MIT */
/* Runs one room (threads.h), named by the argument. */
#include "threads.h"
#include <pthread.h>

_Thread_local uint64_t thread_seed = 1;

static const struct room *const rooms[] = {&events_room, &grants_room};

static struct player {
    pthread_t thread;
    const struct room *room;
    unsigned round, number;
    uint64_t steps, seed;
} players[THREADS];

static void *play(void *arg)
{
    struct player *me = arg;

    thread_seed = me->seed;
    fake_run_on(me->number);
    fake_become(me->room->vcpu(me->round, me->number));
    for (uint64_t i = 0; i < me->steps; i++)
        me->room->step(me->number);
    fake_become(this_cpu()->idle);
    return NULL;
}

static uint64_t from_env(const char *name, uint64_t def)
{
    return getenv(name) ? strtoull(getenv(name), NULL, 0) : def;
}

static const char *run(const struct room *r, unsigned round)
{
    uint64_t steps = from_env("THREADS_STEPS", 20000), seed = from_env("THREADS_SEED", 1);
    struct player *p = players;

    fake_machine(THREADS);
    r->begin(round);
    for (unsigned i = 0; i < THREADS; i++, p++) {
        *p = (struct player){.room = r, .round = round, .number = i, .steps = steps};
        p->seed = (seed * THREADS + i) * 2654435761u + 1;
        if (pthread_create(&p->thread, NULL, play, p))
            abort();
    }
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(players[i].thread, NULL);
    fake_run_on(0);
    return r->end();
}

int main(int argc, char **argv)
{
    const struct room *r = NULL;

    for (unsigned i = 0; argc == 2 && i < ARRAY_SIZE(rooms); i++)
        if (!strcmp(argv[1], rooms[i]->name))
            r = rooms[i];
    if (!r)
        return 2;
    for (unsigned i = 0; i < r->rounds; i++) {
        const char *wrong = run(r, i);

        printf("%s, round %u: %s\n", r->name, i, wrong ? wrong : "nothing is left over");
        if (wrong)
            return 1;
        fake_machine_down();
    }
    return 0;
}
