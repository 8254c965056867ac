/* SPDX-License-Identifier: MIT */
/*
 * journal.c: fuzz target: replaying a log of any bytes, from record headers that are right more
 * often than chance would have it. It is refused or read; the store stays whole.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "conn.h"
#include "journal_log.h"
#include "store.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Input byte 0: raw log, or one record per chunk: type, length, then its payload. */
static size_t build(const uint8_t *data, size_t size, char *log, size_t room)
{
    size_t len = 0;

    if (size && data[0] == 0) {
        len = size - 1 < room ? size - 1 : room;
        memcpy(log, data + 1, len);
        return len;
    }
    while (size > 2) {
        size_t payload = data[1], padded;
        struct rec rec = {.type = data[0] % 16, .who = data[0] & 3};

        data += 2;
        size -= 2;
        if (payload > size)
            payload = size;
        padded = (sizeof(rec) + payload + 7) & ~(size_t)7;
        if (len + padded > room)
            break;
        rec.len = (uint32_t)padded;
        memset(log + len, 0, padded);
        memcpy(log + len, &rec, sizeof(rec));
        memcpy(log + len + sizeof(rec), data, payload);
        len += padded;
        data += payload;
        size -= payload;
    }
    return len;
}

/* A file for the streams of the connections that a log may make. */
static struct streams *streams(void)
{
    static struct streams *s;
    char dir[] = "/dev/shm/xs-fuzz-XXXXXX";

    if (s)
        return s;
    if (mkdtemp(dir)) {
        int fd = open(dir, O_RDONLY | O_DIRECTORY);

        s = streams_open(fd);
        unlinkat(fd, "streams", 0);
        close(fd);
        rmdir(dir);
    }
    return s ? s : (abort(), NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct journal j = {.replaying = true, .streams = streams(), .fd = -1, .dir = -1};
    static char buf[1 << 16];
    size_t len = build(data, size, buf, sizeof(buf));
    char *log = malloc(len + 1); /* its own block: a read beyond its end is seen */
    struct store s;

    memcpy(log, buf, len);
    store_init(&s);
    s.journal = &j;
    j.store = &s;
    (void)replay(&s, log, len);
    while (s.conns)
        conn_free(s.conns);
    store_free(&s);
    free(j.conn);
    free(log);
    return 0;
}
