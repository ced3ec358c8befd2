/* test_channel.c - frames over one end of a socket pair; the test holds the other. */
#include "unit.h"
#include "with_redis.h"

#include "io/channel.h"
#include "proto/message.h"

#include <errno.h>

static uv_loop_t       loop;
static struct channel *channel;
static int             peer;
static unsigned        got, ends;
static uint32_t        last_id;
static size_t          last_bytes;
static bool            in_order, close_in_received;
static enum mh_err     end_reason;

static void on_received(void *arg, const struct frame *frame)
{
    (void)arg;
    in_order = in_order && frame->id == last_id + 1;
    last_id = frame->id;
    last_bytes = frame->head_bytes + frame->body_bytes;
    got++;
    if (close_in_received)
        channel_close(channel);
}

static void on_ended(void *arg, enum mh_err why)
{
    (void)arg;
    ends++;
    end_reason = why;
}

static void begin(void)
{
    static const struct channel_ops ops = { .received = on_received, .ended = on_ended };

    uv_loop_init(&loop);
    got = ends = last_id = 0;
    in_order = true;
    close_in_received = false;
    assert_int_equal(channel_open(&loop, &ops, NULL, &channel, &peer), MH_OK);
}

static void end(void)
{
    channel_close(channel);
    close(peer);
    loop_end(&loop);
}

static struct frame frame_of(uint32_t id, const char *body, size_t bytes)
{
    return (struct frame){ .id = id, .type = MSG_CALL, .head = "{}", .head_bytes = 2,
                           .body = body, .body_bytes = bytes };
}

/* Frames 1 to `count` as bytes. */
static struct buf frames(unsigned count, size_t body_bytes)
{
    struct buf b;
    char      *body = mem_alloc(body_bytes);

    buf_init(&b, 64 * MH_MIB);
    for (uint32_t id = 1; id <= count; id++) {
        struct frame f = frame_of(id, body, body_bytes);
        assert_int_equal(frame_append(&b, &f), MH_OK);
    }
    free(body);
    return b;
}

/* Writes all, letting the channel read meanwhile. */
static void write_all(const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t n = send(peer, bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
        assert_true(n > 0 || errno == EAGAIN);
        bytes += n > 0 ? n : 0;
        count -= n > 0 ? (size_t)n : 0;
        uv_run(&loop, UV_RUN_NOWAIT);
    }
}

/* Reads `count` frames from the channel; they must be numbered from 1. */
static void read_frames(unsigned count)
{
    struct buf   in;
    struct frame f;
    uint32_t     id = 0;
    size_t       at = 0, used = 0;

    buf_init(&in, 256 * MH_MIB);
    while (id < count) {
        assert_int_equal(buf_reserve(&in, 256 * MH_KIB), MH_OK);
        ssize_t n = recv(peer, in.data + in.len, 256 * MH_KIB, MSG_DONTWAIT);
        assert_true(n > 0 || errno == EAGAIN);
        in.len += n > 0 ? (size_t)n : 0;
        for (; frame_parse(in.data + at, in.len - at, &f, &used) == MH_OK; at += used)
            assert_int_equal(f.id, ++id);
        uv_run(&loop, UV_RUN_NOWAIT);
    }
    assert_int_equal(at, in.len);
    buf_deinit(&in);
}

/* ---- Sending --------------------------------------------------------------------- */

TEST(frames_leave_together_at_the_end_of_the_turn)
{
    char bytes[256];
    begin();
    for (uint32_t id = 1; id <= 3; id++) {
        struct frame f = frame_of(id, "body", 4);
        assert_int_equal(channel_send(channel, &f), MH_OK);
    }
    assert_int_equal(recv(peer, bytes, sizeof bytes, MSG_DONTWAIT), -1);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(recv(peer, bytes, sizeof bytes, MSG_DONTWAIT), 3 * (16 + 2 + 4));
    end();
}

static void send_in_callback(uv_timer_t *timer)
{
    struct frame f = frame_of(1, "x", 1);
    assert_int_equal(channel_send(channel, &f), MH_OK);
    uv_close((uv_handle_t *)timer, NULL);
}

TEST(a_frame_sent_in_any_callback_leaves_before_the_loop_sleeps)
{
    uv_timer_t timer;
    begin();
    uv_timer_init(&loop, &timer);
    uv_timer_start(&timer, send_in_callback, 0, 0);
    uv_run(&loop, UV_RUN_NOWAIT);
    read_frames(1);
    end();
}

TEST(the_largest_frame_goes_out_whole)
{
    char        *body = mem_alloc(FRAME_MAX_BYTES);
    struct frame f = frame_of(1, body, FRAME_MAX_BYTES - 2);
    begin();
    assert_int_equal(channel_send(channel, &f), MH_OK);
    read_frames(1);
    f.body_bytes++;
    assert_int_equal(channel_send(channel, &f), MH_TOO_LARGE);
    free(body);
    end();
}

TEST(what_the_other_side_does_not_read_is_kept_up_to_a_limit)
{
    char    *body = mem_alloc(MH_MIB);
    uint32_t sent = 0;
    begin();
    for (;;) {
        struct frame f = frame_of(sent + 1, body, MH_MIB);
        enum mh_err  err = channel_send(channel, &f);
        uv_run(&loop, UV_RUN_NOWAIT);
        if (err == MH_BUSY)
            break;
        assert_int_equal(err, MH_OK);
        sent++;
    }
    assert_in_range(sent, 63, 66);
    read_frames(sent);
    free(body);
    end();
}

TEST(a_slow_reader_gets_everything_in_order)
{
    char     bytes[3 * 4096];
    struct buf in;
    struct frame f;
    size_t   used = 0;
    uint32_t sent = 0, read_id = 0;
    begin();
    buf_init(&in, MH_MIB);
    while (read_id < 20000) {
        for (int i = 0; i < 20 && sent < 20000; i++) {
            struct frame one = frame_of(++sent, bytes, 1000);
            assert_int_equal(channel_send(channel, &one), MH_OK);
        }
        uv_run(&loop, UV_RUN_NOWAIT);
        ssize_t n = recv(peer, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n > 0)
            assert_int_equal(buf_append(&in, bytes, (size_t)n), MH_OK);
        while (frame_parse(in.data, in.len, &f, &used) == MH_OK) {
            assert_int_equal(f.id, ++read_id);
            buf_consume(&in, used);
        }
    }
    buf_deinit(&in);
    end();
}

/* ---- Receiving ---------------------------------------------------------------------- */

TEST(many_frames_in_one_read_all_come_in_order)
{
    struct buf b = frames(20000, 100);
    begin();
    write_all(b.data, b.len);
    RUN_UNTIL(&loop, got == 20000);
    assert_true(in_order);
    assert_int_equal(ends, 0);
    buf_deinit(&b);
    end();
}

TEST(a_frame_may_come_byte_by_byte)
{
    struct buf b = frames(3, 5);
    begin();
    for (size_t i = 0; i < b.len; i++)
        write_all(b.data + i, 1);
    assert_int_equal(got, 3);
    assert_int_equal(last_bytes, 7);
    buf_deinit(&b);
    end();
}

TEST(the_largest_frame_comes_in_whole_and_so_does_what_follows)
{
    struct buf b = frames(3, FRAME_MAX_BYTES - 2);
    begin();
    write_all(b.data, b.len);
    RUN_UNTIL(&loop, got == 3);
    assert_int_equal(last_bytes, FRAME_MAX_BYTES);
    buf_deinit(&b);
    end();
}

TEST(what_is_no_frame_ends_the_channel_once)
{
    struct buf b = frames(2, 5);
    begin();
    b.data[b.len / 2 + 12] = (char)0xee;    /* the type of the second */
    write_all(b.data, b.len);
    write_all("more", 4);
    assert_int_equal(got, 1);
    assert_int_equal(ends, 1);
    assert_int_equal(end_reason, MH_PROTOCOL);
    buf_deinit(&b);
    end();
}

/* ---- The end ---------------------------------------------------------------------------- */

TEST(the_other_side_closing_is_told_once_after_its_last_frame)
{
    struct frame f = frame_of(1, "x", 1);
    struct buf   b = frames(2, 5);
    begin();
    assert_int_equal(send(peer, b.data, b.len, 0), (ssize_t)b.len);
    close(peer);
    RUN_UNTIL(&loop, ends > 0);
    assert_int_equal(got, 2);
    assert_int_equal(end_reason, MH_IO);
    assert_int_equal(channel_send(channel, &f), MH_IO);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(ends, 1);
    buf_deinit(&b);
    peer = -1;
    end();
}

TEST(a_peer_that_dies_with_unread_frames_still_has_its_own_heard)
{
    struct frame f = frame_of(1, "x", 1);
    struct buf   b = frames(2000, 50);
    begin();
    assert_int_equal(channel_send(channel, &f), MH_OK);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(send(peer, b.data, b.len, 0), (ssize_t)b.len);
    close(peer);                            /* with bytes unread: a reset, not an end */
    assert_int_equal(channel_send(channel, &f), MH_OK);
    RUN_UNTIL(&loop, ends > 0);
    assert_int_equal(got, 2000);
    assert_int_equal(end_reason, MH_IO);
    buf_deinit(&b);
    peer = -1;
    end();
}

TEST(half_a_frame_and_then_the_end_is_no_frame)
{
    struct buf b = frames(1, 50);
    begin();
    write_all(b.data, b.len - 1);
    close(peer);
    RUN_UNTIL(&loop, ends > 0);
    assert_int_equal(got, 0);
    buf_deinit(&b);
    peer = -1;
    end();
}

TEST(closing_inside_received_is_the_last_that_is_heard)
{
    struct buf b = frames(10, 5);
    for (int pieces = 0; pieces <= 1; pieces++) {
        begin();
        close_in_received = true;
        if (pieces)
            write_all(b.data, 3);
        write_all(b.data + (pieces ? 3 : 0), b.len - (pieces ? 3 : 0));
        assert_int_equal(got, 1);
        assert_int_equal(ends, 0);
        close(peer);
        loop_end(&loop);
    }
    buf_deinit(&b);
}

TEST(closing_with_frames_unsent_frees_them)
{
    struct frame f = frame_of(1, "x", 1);
    begin();
    assert_int_equal(channel_send(channel, &f), MH_OK);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(frames_leave_together_at_the_end_of_the_turn),
        RUN(a_frame_sent_in_any_callback_leaves_before_the_loop_sleeps),
        RUN(the_largest_frame_goes_out_whole),
        RUN(what_the_other_side_does_not_read_is_kept_up_to_a_limit),
        RUN(a_slow_reader_gets_everything_in_order),
        RUN(many_frames_in_one_read_all_come_in_order),
        RUN(a_frame_may_come_byte_by_byte),
        RUN(the_largest_frame_comes_in_whole_and_so_does_what_follows),
        RUN(what_is_no_frame_ends_the_channel_once),
        RUN(the_other_side_closing_is_told_once_after_its_last_frame),
        RUN(a_peer_that_dies_with_unread_frames_still_has_its_own_heard),
        RUN(half_a_frame_and_then_the_end_is_no_frame),
        RUN(closing_inside_received_is_the_last_that_is_heard),
        RUN(closing_with_frames_unsent_frees_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
