/* fuzz_frame.c - frame_parse() over foreign bytes.
 *
 * Invariants: a frame lies within the bytes it was found in; written anew it is
 * the same bytes; what is a frame was never called broken while it arrived; what
 * is broken stays broken whatever follows. */
#include "proto/frame.h"
#include "proto/message.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)

static void check_frame(const char *bytes, const struct frame *f, size_t used)
{
    struct buf   again;
    struct frame part;
    size_t       part_used = 0;

    INVARIANT(used == FRAME_HEADER_BYTES + f->head_bytes + f->body_bytes);
    INVARIANT(f->head == bytes + FRAME_HEADER_BYTES && f->body == f->head + f->head_bytes);
    INVARIANT(message_known(f->type));
    buf_init(&again, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    INVARIANT(frame_append(&again, f) == MH_OK);
    INVARIANT(again.len == used && memcmp(again.data, bytes, used) == 0);
    buf_deinit(&again);
    for (size_t count = 0; count < used; count = count < 64 ? count + 1 : count * 2)
        INVARIANT(frame_parse(bytes, count, &part, &part_used) == MH_BUSY && part_used == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *at = (const char *)data;

    for (;;) {
        struct frame f = { .id = 42 };
        size_t       used = 0;
        enum mh_err  err = frame_parse(at, size, &f, &used);
        INVARIANT(err == MH_OK || err == MH_BUSY || err == MH_PROTOCOL);
        if (err == MH_PROTOCOL)             /* the header alone decides that */
            INVARIANT(frame_parse(at, FRAME_HEADER_BYTES, &f, &used) == MH_PROTOCOL);
        if (err != MH_OK) {
            INVARIANT(f.id == 42 && used == 0);
            return 0;
        }
        INVARIANT(used <= size);
        check_frame(at, &f, used);
        at += used;
        size -= used;
    }
}
