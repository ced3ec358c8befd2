/* channel.c - see channel.h.
 *
 * Reading: all channels share one receive buffer, and frames are taken from it
 * where they lie. Only a frame that has not come whole is copied, to `partial`
 * of its channel; an idle channel holds no buffer. One read per wake-up, so that
 * a plugin that floods does not keep the others waiting.
 *
 * Writing: frames gather in `out` and leave in the prepare phase, which comes
 * after every kind of callback and before the loop sleeps. Only when the kernel
 * takes no more is the socket watched for room. */
#include "io/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    READ_BYTES = 64 * 1024,
    KEEP_BYTES = 64 * 1024,                 /* a buffer that grew past this is given back */
};

struct channel {
    struct channel_ops ops;
    void        *arg;
    int          fd;
    uv_poll_t    poll;
    uv_prepare_t prepare;                   /* runs while `out` waits for its turn */
    int          events;
    struct buf   partial;                   /* the beginning of a frame */
    struct buf   out;
    size_t       out_sent;                  /* bytes of `out` that the kernel has */
    bool         ended, closed;
    unsigned     open_handles;
};

static void on_poll(uv_poll_t *poll, int status, int events);

static void want(struct channel *c, int events)
{
    if (events == c->events)
        return;
    c->events = events;
    if (events == 0)
        uv_poll_stop(&c->poll);
    else
        uv_poll_start(&c->poll, events, on_poll);
}

static void buf_shrink(struct buf *b)
{
    if (b->cap > KEEP_BYTES)
        buf_deinit(b);
    else
        buf_reset(b);
}

static void end(struct channel *c, enum mh_err why)
{
    c->ended = true;
    want(c, 0);
    uv_prepare_stop(&c->prepare);
    c->ops.ended(c->arg, why);
}

/* ---- Reading -------------------------------------------------------------------- */

/* Hands over every whole frame; *used tells how far it got. */
static enum mh_err take_frames(struct channel *c, const char *bytes, size_t count, size_t *used)
{
    struct frame frame;
    size_t       one = 0;
    enum mh_err  err = MH_OK;

    *used = 0;
    while (!c->closed && *used < count) {
        err = frame_parse(bytes + *used, count - *used, &frame, &one);
        if (err != MH_OK)
            return err;
        *used += one;
        c->ops.received(c->arg, &frame);
    }
    return MH_OK;
}

static void received(struct channel *c, const char *bytes, size_t count)
{
    bool        joins = c->partial.len > 0;
    size_t      used = 0;
    enum mh_err err = joins ? buf_append(&c->partial, bytes, count) : MH_OK;

    if (err == MH_OK && joins)
        err = take_frames(c, c->partial.data, c->partial.len, &used);
    else if (err == MH_OK)
        err = take_frames(c, bytes, count, &used);
    if (c->closed)
        return;
    if (err == MH_BUSY && !joins)           /* the rest comes later */
        err = buf_append(&c->partial, bytes + used, count - used);
    else if (err == MH_BUSY) {
        buf_consume(&c->partial, used);
        err = MH_OK;
    } else if (joins)
        buf_shrink(&c->partial);
    if (err != MH_OK)
        end(c, err);
}

/* Reads once. False when nothing was there. */
static bool read_some(struct channel *c)
{
    static char bytes[READ_BYTES];          /* one loop, one thread, no nested reading */
    ssize_t n = recv(c->fd, bytes, sizeof bytes, MSG_DONTWAIT);

    if (n > 0)
        received(c, bytes, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        end(c, MH_IO);
    return n > 0;
}

/* ---- Writing --------------------------------------------------------------------- */

/* What cannot be sent is dropped: the other side is gone, reading will tell. */
static void flush(struct channel *c)
{
    size_t  left = c->out.len - c->out_sent;
    ssize_t n = send(c->fd, c->out.data + c->out_sent, left, MSG_DONTWAIT | MSG_NOSIGNAL);
    bool    full = n < 0 && (errno == EAGAIN || errno == EINTR);

    if (n > 0)
        c->out_sent += (size_t)n;
    if ((n < 0 && !full) || c->out_sent == c->out.len) {
        buf_shrink(&c->out);
        c->out_sent = 0;
    }
    want(c, c->out.len > 0 ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void on_prepare(uv_prepare_t *prepare)
{
    uv_prepare_stop(prepare);
    flush(container_of(prepare, struct channel, prepare));
}

size_t channel_queued(const struct channel *c) { return c->out.len - c->out_sent; }

enum mh_err channel_send(struct channel *c, const struct frame *frame)
{
    size_t queued = channel_queued(c);

    if (c->ended)
        return MH_IO;
    if (frame->head_bytes > FRAME_MAX_BYTES || frame->body_bytes > FRAME_MAX_BYTES)
        return MH_TOO_LARGE;
    size_t bytes = FRAME_HEADER_BYTES + frame->head_bytes + frame->body_bytes;
    if (queued + bytes > CHANNEL_MAX_QUEUED_BYTES)
        return MH_BUSY;
    if (c->out_sent > queued) {             /* rarely, and never more than what was sent */
        buf_consume(&c->out, c->out_sent);
        c->out_sent = 0;
    }
    enum mh_err err = frame_append(&c->out, frame);
    if (err == MH_OK && !(c->events & UV_WRITABLE))
        uv_prepare_start(&c->prepare, on_prepare);
    return err;
}

/* ---- The loop --------------------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct channel *c = container_of(poll, struct channel, poll);

    if (status < 0) {                       /* reset: libuv stopped it; take what is there */
        c->events = 0;
        while (!c->closed && !c->ended && read_some(c))
            ;
        return;
    }
    if (events & UV_READABLE)
        read_some(c);
    if ((events & UV_WRITABLE) && !c->closed && !c->ended)
        flush(c);
}

enum mh_err channel_open(uv_loop_t *loop, const struct channel_ops *ops, void *arg,
                         struct channel **out, int *child_fd)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return MH_IO;
    struct channel *c = mem_alloc(sizeof *c);
    if (uv_poll_init(loop, &c->poll, pair[0]) != 0) {
        close(pair[0]);
        close(pair[1]);
        free(c);
        return MH_IO;
    }
    c->ops = *ops;
    c->arg = arg;
    c->fd = pair[0];
    c->open_handles = 2;
    buf_init(&c->partial, FRAME_HEADER_BYTES + FRAME_MAX_BYTES + READ_BYTES);
    buf_init(&c->out, 2 * (size_t)CHANNEL_MAX_QUEUED_BYTES + FRAME_MAX_BYTES);
    uv_prepare_init(loop, &c->prepare);
    want(c, UV_READABLE);
    *out = c;
    *child_fd = pair[1];
    return MH_OK;
}

static void handle_closed(struct channel *c)
{
    if (--c->open_handles > 0)
        return;
    close(c->fd);
    buf_deinit(&c->partial);
    buf_deinit(&c->out);
    free(c);
}

static void poll_closed(uv_handle_t *handle)
{
    handle_closed(container_of((uv_poll_t *)handle, struct channel, poll));
}

static void prepare_closed(uv_handle_t *handle)
{
    handle_closed(container_of((uv_prepare_t *)handle, struct channel, prepare));
}

void channel_close(struct channel *c)
{
    c->closed = true;
    c->ended = true;
    uv_close((uv_handle_t *)&c->poll, poll_closed);
    uv_close((uv_handle_t *)&c->prepare, prepare_closed);
}
