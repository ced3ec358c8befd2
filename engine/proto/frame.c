/* frame.c - see frame.h. */
#include "proto/frame.h"

#include "proto/message.h"

static void put_u32(unsigned char *at, uint32_t n)
{
    for (int i = 0; i < 4; i++)
        at[i] = (unsigned char)(n >> (8 * i));
}

static uint32_t get_u32(const unsigned char *at)
{
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

enum mh_err frame_append(struct buf *out, const struct frame *f)
{
    unsigned char header[FRAME_HEADER_BYTES] = { 0 };

    if (f->head_bytes > FRAME_MAX_BYTES || f->body_bytes > FRAME_MAX_BYTES - f->head_bytes)
        return MH_TOO_LARGE;
    put_u32(header, (uint32_t)(f->head_bytes + f->body_bytes));
    put_u32(header + 4, (uint32_t)f->head_bytes);
    put_u32(header + 8, f->id);
    header[12] = f->type;
    enum mh_err err = buf_reserve(out, sizeof header + f->head_bytes + f->body_bytes);
    if (err == MH_OK)
        err = buf_append(out, header, sizeof header);
    if (err == MH_OK)
        err = buf_append(out, f->head, f->head_bytes);
    if (err == MH_OK)
        err = buf_append(out, f->body, f->body_bytes);
    return err;
}

enum mh_err frame_parse(const char *bytes, size_t count, struct frame *out, size_t *used)
{
    const unsigned char *header = (const unsigned char *)bytes;

    if (count < FRAME_HEADER_BYTES)
        return MH_BUSY;
    uint32_t payload = get_u32(header), head = get_u32(header + 4);
    if (payload > FRAME_MAX_BYTES || head > payload || !message_known(header[12]))
        return MH_PROTOCOL;
    if (header[13] != 0 || header[14] != 0 || header[15] != 0)
        return MH_PROTOCOL;
    if (count - FRAME_HEADER_BYTES < payload)
        return MH_BUSY;
    *out = (struct frame){
        .id = get_u32(header + 8), .type = header[12],
        .head = bytes + FRAME_HEADER_BYTES, .head_bytes = head,
        .body = bytes + FRAME_HEADER_BYTES + head, .body_bytes = payload - head,
    };
    *used = FRAME_HEADER_BYTES + (size_t)payload;
    return MH_OK;
}
