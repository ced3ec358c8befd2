/* frame.h - what travels on the socket pair between engine and sandbox.
 *
 *     offset  0  u32  payload_bytes    head and body together
 *             4  u32  head_bytes       how much of the payload is the head
 *             8  u32  id               of the call, request or file; 0 where none
 *            12  u8   type             enum msg_type, see message.h
 *            13  u8   flags            0
 *            14  u16  reserved         0
 *            16  head: JSON text, then body: raw bytes
 *
 * All numbers are little-endian. No C structure crosses the socket. A frame
 * that breaks these rules is MH_PROTOCOL and costs the plugin its process. */
#pragma once

#include "base/buf.h"

#include <stdint.h>

enum {
    FRAME_HEADER_BYTES = 16,
    FRAME_MAX_BYTES    = 8 * 1024 * 1024,   /* payload, either direction */
};

struct frame {
    uint32_t    id;
    uint8_t     type;
    const char *head;                       /* JSON text; not NUL-terminated */
    size_t      head_bytes;
    const char *body;
    size_t      body_bytes;
};

/* Appends one frame to `out`. MH_TOO_LARGE past FRAME_MAX_BYTES or past the
 * buffer's maximum, MH_NOMEM; `out` is then as it was. */
MH_MUST_USE enum mh_err frame_append(struct buf *out, const struct frame *f);

/* Looks at the first frame of `bytes`. MH_OK: *out borrows from `bytes` and
 * *used is its whole length. MH_BUSY: more bytes are needed. MH_PROTOCOL: it
 * can never become a frame. */
MH_MUST_USE enum mh_err frame_parse(const char *bytes, size_t count, struct frame *out,
                                    size_t *used);
