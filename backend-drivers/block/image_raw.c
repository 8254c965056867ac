/* SPDX-License-Identifier: MIT */
/*
 * Raw files and block devices through io_uring: see image.h.
 *
 * O_DIRECT where the file system takes 512-byte aligned memory and the guest's sectors; otherwise
 * through the page cache, which is as durable, since a flush is fdatasync either way. Short
 * transfers are continued until done.
 */
#include "image.h"

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/stat.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#define RING_ENTRIES 128 /* more than the requests that one device has under way */
#define LOCK_SECONDS 5
#define MEMORY_ALIGN 512u

struct raw {
    struct image image;
    struct io_uring ring;
    int file;
    bool registered;
    unsigned queued;
};

static struct raw *raw_of(struct image *img)
{
    return (struct raw *)img; /* `image` is the first member */
}

static void prepare(struct raw *r, struct io_uring_sqe *sqe, const struct image_io *io)
{
    switch (io->op) {
    case IMAGE_READ:
        if (io->fixed && r->registered)
            io_uring_prep_read_fixed(sqe, r->file, io->iov->iov_base, (unsigned)io->iov->iov_len,
                                     io->offset, 0);
        else
            io_uring_prep_readv(sqe, r->file, io->iov, io->niov, io->offset);
        break;
    case IMAGE_WRITE:
        if (io->fixed && r->registered)
            io_uring_prep_write_fixed(sqe, r->file, io->iov->iov_base, (unsigned)io->iov->iov_len,
                                      io->offset, 0);
        else
            io_uring_prep_writev(sqe, r->file, io->iov, io->niov, io->offset);
        break;
    case IMAGE_FLUSH:
        io_uring_prep_fsync(sqe, r->file, IORING_FSYNC_DATASYNC);
        break;
    case IMAGE_DISCARD:
        io_uring_prep_fallocate(sqe, r->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                                (off_t)io->offset, (off_t)io->length);
        break;
    }
}

static void raw_kick(struct image *img)
{
    struct raw *r = raw_of(img);

    while (r->queued) {
        int n = io_uring_submit(&r->ring);

        if (n < 0 && n != -EINTR && n != -EAGAIN && n != -EBUSY)
            break; /* cannot happen with valid entries; the requests stay queued */
        if (n > 0)
            r->queued -= (unsigned)n < r->queued ? (unsigned)n : r->queued;
    }
}

static void raw_submit(struct image *img, struct image_io *io)
{
    struct raw *r = raw_of(img);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&r->ring);

    if (!sqe) {
        raw_kick(img);
        sqe = io_uring_get_sqe(&r->ring);
    }
    if (!sqe) {
        io->done(io, -EIO);
        return;
    }
    prepare(r, sqe, io);
    io_uring_sqe_set_data(sqe, io);
    r->queued++;
}

/* Steps over `n` transferred bytes; true when some are left. */
static bool advance(struct image_io *io, uint64_t n)
{
    io->offset += n;
    io->length -= n;
    while (n && io->niov) {
        size_t part = n < io->iov->iov_len ? n : io->iov->iov_len;

        io->iov->iov_base = (char *)io->iov->iov_base + part;
        io->iov->iov_len -= part;
        n -= part;
        if (io->iov->iov_len == 0 && io->niov > 1) {
            io->iov++;
            io->niov--;
        }
    }
    return io->length != 0;
}

static void finish(struct image *img, struct image_io *io, int res)
{
    bool transfer = io->op == IMAGE_READ || io->op == IMAGE_WRITE;

    if (res == -EAGAIN || res == -EINTR) {
        raw_submit(img, io);
    } else if (res < 0) {
        /* Discard is advice: where nothing can be given back, the request is as good as done. */
        io->done(io, io->op == IMAGE_DISCARD && res == -EOPNOTSUPP ? 0 : res);
    } else if (transfer && res == 0) {
        io->done(io, -EIO); /* the file is shorter than when it was opened */
    } else if (transfer && advance(io, (uint64_t)res)) {
        raw_submit(img, io);
    } else {
        io->done(io, 0);
    }
}

static unsigned raw_reap(struct image *img)
{
    struct raw *r = raw_of(img);
    struct io_uring_cqe *cqe;
    unsigned n = 0;

    while (io_uring_peek_cqe(&r->ring, &cqe) == 0) {
        struct image_io *io = io_uring_cqe_get_data(cqe);
        int res = cqe->res;

        io_uring_cqe_seen(&r->ring, cqe);
        finish(img, io, res);
        n++;
    }
    raw_kick(img); /* the rest of short transfers */
    return n;
}

static void raw_wait(struct image *img)
{
    struct io_uring_cqe *cqe;

    raw_kick(img);
    io_uring_wait_cqe(&raw_of(img)->ring, &cqe);
    raw_reap(img);
}

static bool raw_use_memory(struct image *img, void *base, size_t bytes)
{
    struct raw *r = raw_of(img);
    struct iovec iov = {base, bytes};

    if (!r->registered)
        r->registered = io_uring_register_buffers(&r->ring, &iov, 1) == 0;
    return r->registered;
}

static void raw_close(struct image *img)
{
    struct raw *r = raw_of(img);

    io_uring_queue_exit(&r->ring);
    close(r->file);
    free(r);
}

static const struct image_ops raw_ops = {
    .submit = raw_submit,
    .kick = raw_kick,
    .reap = raw_reap,
    .wait = raw_wait,
    .use_memory = raw_use_memory,
    .close = raw_close,
};

static void on_alarm(int sig)
{
}

/* flock() with a time limit: the alarm interrupts it. */
static int lock_file(int fd, int how)
{
    struct sigaction act = {.sa_handler = on_alarm}, old;
    struct itimerval t = {.it_value.tv_sec = LOCK_SECONDS, .it_interval.tv_usec = 100000},
                     off = {0};
    int err;

    if (flock(fd, how | LOCK_NB) == 0)
        return 0;
    sigaction(SIGALRM, &act, &old);
    setitimer(ITIMER_REAL, &t, NULL);
    err = flock(fd, how) ? errno : 0;
    setitimer(ITIMER_REAL, &off, NULL);
    sigaction(SIGALRM, &old, NULL);
    return err == EINTR ? -EWOULDBLOCK : -err;
}

/* Does the file take O_DIRECT with 512-byte sectors in 512-byte aligned memory? */
static bool direct_fits(int fd, const struct stat *st, uint32_t sector)
{
    struct statx sx = {0};

    /* Called by number: the C library's structure does not have the fields yet. */
    if (syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
        (sx.stx_mask & STATX_DIOALIGN))
        return sx.stx_dio_offset_align != 0 && sx.stx_dio_offset_align <= sector &&
               sx.stx_dio_mem_align <= MEMORY_ALIGN;
    return S_ISBLK(st->st_mode); /* an older kernel: certain for block devices alone */
}

static int measure(struct raw *r, const struct stat *st, const char *path, struct reason *why)
{
    struct image *img = &r->image;
    unsigned physical = 0;
    int logical = 0;

    if (S_ISREG(st->st_mode)) {
        img->bytes = (uint64_t)st->st_size;
        img->sector_bytes = img->physical_bytes = 512;
        img->discard = true;
        img->discard_bytes = (uint32_t)st->st_blksize;
    } else if (S_ISBLK(st->st_mode)) {
        if (ioctl(r->file, BLKGETSIZE64, &img->bytes) || ioctl(r->file, BLKSSZGET, &logical))
            return because(why, -errno, "cannot size the block device %s: %s", path,
                           strerror(errno));
        img->sector_bytes = (uint32_t)logical;
        img->physical_bytes = ioctl(r->file, BLKPBSZGET, &physical) ? img->sector_bytes : physical;
        img->discard = true;
        img->discard_bytes = img->physical_bytes;
    } else {
        return because(why, -EINVAL, "disk image %s is neither a file nor a block device", path);
    }
    img->bytes -= img->bytes % img->sector_bytes;
    if (img->bytes == 0)
        return because(why, -EINVAL, "disk image %s is empty", path);
    return 0;
}

static int open_file(struct raw *r, const char *path, enum image_share share, struct reason *why)
{
    bool ro = r->image.read_only;
    struct stat st;
    int err, how = ro || share == IMAGE_SHARED ? LOCK_SH : LOCK_EX;

    r->file = open(path, (ro ? O_RDONLY : O_RDWR) | O_CLOEXEC);
    if (r->file < 0)
        return because(why, -errno, "cannot open disk image %s%s: %s", path,
                       ro ? " (read-only)" : "", strerror(errno));
    if (fstat(r->file, &st))
        return because(why, -errno, "cannot look at disk image %s: %s", path, strerror(errno));
    err = lock_file(r->file, how);
    if (err == -EWOULDBLOCK)
        return because(why, -EBUSY,
                       "disk image %s is in use by another domain or program; give this disk mode "
                       "`r`, or stop "
                       "the other user",
                       path);
    if (err)
        return because(why, err, "cannot lock disk image %s: %s", path, strerror(-err));
    err = measure(r, &st, path, why);
    if (err)
        return err;
    if (direct_fits(r->file, &st, r->image.sector_bytes))
        fcntl(r->file, F_SETFL, O_DIRECT); /* where it is refused, the page cache serves */
    return 0;
}

struct image *image_raw_open(const char *path, bool read_only, enum image_share share,
                             struct reason *why)
{
    struct raw *r = calloc(1, sizeof(*r));
    int err;

    if (!r) {
        because(why, -ENOMEM, "out of memory");
        return NULL;
    }
    r->image.ops = &raw_ops;
    r->image.read_only = read_only;
    r->file = -1;
    err = open_file(r, path, share, why);
    if (!err) {
        err = io_uring_queue_init(RING_ENTRIES, &r->ring, 0);
        if (err)
            because(why, err, "cannot set up io_uring: %s; see /proc/sys/kernel/io_uring_disabled",
                    strerror(-err));
    }
    if (err) {
        if (r->file >= 0)
            close(r->file);
        free(r);
        return NULL;
    }
    r->image.fd = r->ring.ring_fd;
    return &r->image;
}
