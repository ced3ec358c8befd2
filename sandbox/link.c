/* link.c - see link.h. One read() takes whatever has come, often several frames;
 * one write() gives a whole frame. */
#include "link.h"

#include "base/util.h"

#include <errno.h>
#include <unistd.h>

enum {
    READ_BYTES   = 16 * 1024,
    KEPT_BYTES   = 64 * 1024,               /* an idle process keeps no larger buffer */
    WHOLE_BYTES  = FRAME_HEADER_BYTES + FRAME_MAX_BYTES,
    STATUS_EOF   = 0,
    STATUS_BROKEN = 71,                     /* EX_OSERR; nobody reads more into it */
};

void link_init(struct link *l)
{
    buf_init(&l->in, WHOLE_BYTES + READ_BYTES);
    buf_init(&l->out, WHOLE_BYTES);
    l->taken = 0;
}

void link_broken(void) { _exit(STATUS_BROKEN); }

static void trim(struct buf *b)
{
    if (b->len == 0 && b->cap > KEPT_BYTES)
        buf_deinit(b);
}

static void fill(struct link *l)
{
    ssize_t got;

    if (buf_reserve(&l->in, READ_BYTES) != MH_OK)
        link_broken();
    do
        got = read(LINK_FD, l->in.data + l->in.len, l->in.cap - l->in.len - 1);
    while (got < 0 && errno == EINTR);
    if (got <= 0)
        _exit(got == 0 ? STATUS_EOF : STATUS_BROKEN);
    l->in.len += (size_t)got;
}

/* Bytes of frames that were handled are moved away only when more must be read. */
void link_next(struct link *l, struct frame *out)
{
    size_t      used = 0;
    enum mh_err err;

    for (;;) {
        err = frame_parse(l->in.data + l->taken, l->in.len - l->taken, out, &used);
        if (err != MH_BUSY)
            break;
        buf_consume(&l->in, l->taken);
        l->taken = 0;
        trim(&l->in);
        fill(l);
    }
    if (err != MH_OK || !message_from(out->type, MSG_FROM_ENGINE))
        link_broken();
    l->taken += used;
}

static void flush(struct link *l)
{
    for (size_t done = 0; done < l->out.len;) {
        ssize_t put = write(LINK_FD, l->out.data + done, l->out.len - done);
        if (put < 0 && errno != EINTR)
            link_broken();
        if (put > 0)
            done += (size_t)put;
    }
    buf_reset(&l->out);
    trim(&l->out);
}

void link_send(struct link *l, enum msg_type type, uint32_t id, const struct buf *head,
               const struct buf *body)
{
    struct frame f = {
        .id = id, .type = (uint8_t)type,
        .head = head->data, .head_bytes = head->len,
        .body = body ? body->data : NULL, .body_bytes = body ? body->len : 0,
    };
    if (frame_append(&l->out, &f) != MH_OK)
        link_broken();
    flush(l);
}
