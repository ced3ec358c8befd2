/* test_frame.c - frames between engine and sandbox, and the table of messages. */
#include "base/util.h"
#include "proto/frame.h"
#include "proto/message.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

/* The header of a sound frame, type LOG, 6 bytes of payload of which 2 are head. */
static const char sound[] = "\x06\0\0\0" "\x02\0\0\0" "\x78\x56\x34\x12" "\x14\0\0\0" "{}body";
enum { SOUND_BYTES = FRAME_HEADER_BYTES + 6 };

/* Parses `sound` after byte `at` was replaced. */
static enum mh_err parse_with(size_t at, unsigned char value)
{
    char         bytes[SOUND_BYTES];
    struct frame f;
    size_t       used;
    memcpy(bytes, sound, sizeof bytes);
    bytes[at] = (char)value;
    return frame_parse(bytes, sizeof bytes, &f, &used);
}

/* ---- Writing ---------------------------------------------------------------------- */

TEST(a_frame_is_laid_out_as_the_header_says)
{
    const struct frame f = { 0x12345678, MSG_LOG, "{}", 2, "body", 4 };
    struct buf b;
    buf_init(&b, 1000);
    assert_int_equal(frame_append(&b, &f), MH_OK);
    assert_int_equal(b.len, SOUND_BYTES);
    assert_memory_equal(b.data, sound, SOUND_BYTES);
    buf_deinit(&b);
}

TEST(frames_come_back_as_they_were_sent)
{
    static const struct frame cases[] = {
        { 0, MSG_LOAD, "{\"a\":1}", 7, NULL, 0 },
        { 1, MSG_FILE, "{}", 2, "return {}", 9 },
        { UINT32_MAX, MSG_RESULT, NULL, 0, "raw\0bytes", 9 },
        { 7, MSG_CANCEL, NULL, 0, NULL, 0 },
    };
    struct buf b;
    size_t     at = 0, used;
    buf_init(&b, 1000);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(frame_append(&b, &cases[i]), MH_OK);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++, at += used) {
        struct frame f;
        assert_int_equal(frame_parse(b.data + at, b.len - at, &f, &used), MH_OK);
        assert_int_equal(f.id, cases[i].id);
        assert_int_equal(f.type, cases[i].type);
        assert_int_equal(f.head_bytes, cases[i].head_bytes);
        assert_int_equal(f.body_bytes, cases[i].body_bytes);
        if (f.head_bytes > 0)
            assert_memory_equal(f.head, cases[i].head, f.head_bytes);
        if (f.body_bytes > 0)
            assert_memory_equal(f.body, cases[i].body, f.body_bytes);
    }
    assert_int_equal(at, b.len);
    buf_deinit(&b);
}

TEST(a_payload_of_the_maximum_goes_through)
{
    char        *body = calloc(1, FRAME_MAX_BYTES);
    struct frame f = { 1, MSG_REPLY, "{}", 2, body, FRAME_MAX_BYTES - 2 }, back;
    struct buf   b;
    size_t       used;
    buf_init(&b, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    assert_int_equal(frame_append(&b, &f), MH_OK);
    assert_int_equal(frame_parse(b.data, b.len - 1, &back, &used), MH_BUSY);
    assert_int_equal(frame_parse(b.data, b.len, &back, &used), MH_OK);
    assert_int_equal(used, FRAME_MAX_BYTES + FRAME_HEADER_BYTES);
    assert_int_equal(back.body_bytes, FRAME_MAX_BYTES - 2);
    buf_deinit(&b);
    free(body);
}

TEST(one_byte_over_the_maximum_is_not_sent)
{
    struct frame f = { 1, MSG_REPLY, "{}", 2, "", FRAME_MAX_BYTES - 1 };
    struct buf   b;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(frame_append(&b, &f), MH_TOO_LARGE);
    f.head_bytes = SIZE_MAX;
    assert_int_equal(frame_append(&b, &f), MH_TOO_LARGE);
    f.head_bytes = 2;
    f.body_bytes = SIZE_MAX;                /* the sum wraps */
    assert_int_equal(frame_append(&b, &f), MH_TOO_LARGE);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

TEST(a_frame_that_the_buffer_cannot_hold_leaves_no_part_of_itself)
{
    const struct frame f = { 1, MSG_LOG, "{}", 2, "body", 4 };
    struct buf b;
    buf_init(&b, 2 * SOUND_BYTES - 1);
    assert_int_equal(frame_append(&b, &f), MH_OK);
    assert_int_equal(frame_append(&b, &f), MH_TOO_LARGE);
    assert_int_equal(b.len, SOUND_BYTES);
    buf_deinit(&b);
}

/* ---- Reading ---------------------------------------------------------------------- */

TEST(a_frame_may_arrive_byte_by_byte)
{
    struct frame f;
    size_t       used = 99;
    for (size_t count = 0; count < SOUND_BYTES; count++) {
        char *exact = mem_alloc(count);     /* so that a byte too far is noticed */
        memcpy(exact, sound, count);
        assert_int_equal(frame_parse(exact, count, &f, &used), MH_BUSY);
        free(exact);
    }
    assert_int_equal(used, 99);
    assert_int_equal(frame_parse(sound, SOUND_BYTES, &f, &used), MH_OK);
    assert_int_equal(used, SOUND_BYTES);
    assert_int_equal(f.id, 0x12345678);
}

TEST(nothing_at_all_is_the_beginning_of_a_frame)
{
    struct frame f;
    size_t       used;
    assert_int_equal(frame_parse(NULL, 0, &f, &used), MH_BUSY);
}

TEST(bytes_behind_the_frame_are_left_for_the_next)
{
    char         bytes[SOUND_BYTES + 5];
    struct frame f;
    size_t       used;
    memcpy(bytes, sound, SOUND_BYTES);
    memset(bytes + SOUND_BYTES, 0xff, 5);
    assert_int_equal(frame_parse(bytes, sizeof bytes, &f, &used), MH_OK);
    assert_int_equal(used, SOUND_BYTES);
    assert_int_equal(f.body_bytes, 4);
}

TEST(a_giant_length_is_refused_before_any_payload_came)
{
    char         header[FRAME_HEADER_BYTES];
    struct frame f;
    size_t       used;
    memcpy(header, sound, sizeof header);
    memset(header, 0xff, 4);
    assert_int_equal(frame_parse(header, sizeof header, &f, &used), MH_PROTOCOL);
    memcpy(header, "\x01\x00\x80\x00", 4);  /* 8 MiB and one byte */
    assert_int_equal(frame_parse(header, sizeof header, &f, &used), MH_PROTOCOL);
    memcpy(header, "\x00\x00\x80\x00", 4);
    assert_int_equal(frame_parse(header, sizeof header, &f, &used), MH_BUSY);
}

TEST(a_head_longer_than_the_payload_is_refused)
{
    assert_int_equal(parse_with(4, 6), MH_OK);
    assert_int_equal(parse_with(4, 7), MH_PROTOCOL);
    assert_int_equal(parse_with(7, 0xff), MH_PROTOCOL);
}

TEST(an_unknown_type_is_refused)
{
    for (unsigned type = 0; type < 256; type++) {
        enum mh_err expected = message_known(type) ? MH_OK : MH_PROTOCOL;
        assert_int_equal(parse_with(12, (unsigned char)type), expected);
    }
}

TEST(flags_and_reserved_bytes_other_than_zero_are_refused)
{
    for (size_t at = 13; at < FRAME_HEADER_BYTES; at++) {
        assert_int_equal(parse_with(at, 1), MH_PROTOCOL);
        assert_int_equal(parse_with(at, 0x80), MH_PROTOCOL);
    }
}

TEST(a_refused_frame_writes_nothing)
{
    char         bytes[SOUND_BYTES];
    struct frame f = { .id = 42 };
    size_t       used = 99;
    memcpy(bytes, sound, sizeof bytes);
    bytes[13] = 1;
    assert_int_equal(frame_parse(bytes, sizeof bytes, &f, &used), MH_PROTOCOL);
    assert_int_equal(f.id, 42);
    assert_int_equal(used, 99);
}

/* ---- Messages ---------------------------------------------------------------------- */

TEST(every_message_has_one_side_that_may_send_it)
{
    int known = 0;
    for (unsigned type = 0; type < 300; type++) {
        int sides = message_from(type, MSG_FROM_ENGINE) + message_from(type, MSG_FROM_SANDBOX);
        assert_int_equal(sides, message_known(type) ? 1 : 0);
        known += message_known(type);
    }
    assert_int_equal(known, 10);
}

TEST(messages_have_names_and_unknown_ones_a_question_mark)
{
    assert_string_equal(message_name(MSG_CALL), "CALL");
    assert_string_equal(message_name(MSG_REQUEST), "REQUEST");
    assert_string_equal(message_name(0), "?");
    assert_string_equal(message_name(UINT32_MAX), "?");
}

TEST(the_engine_does_not_take_its_own_messages_from_a_sandbox)
{
    assert_true(message_from(MSG_CALL, MSG_FROM_ENGINE));
    assert_false(message_from(MSG_CALL, MSG_FROM_SANDBOX));
    assert_true(message_from(MSG_RESULT, MSG_FROM_SANDBOX));
    assert_false(message_from(MSG_RESULT, MSG_FROM_ENGINE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_frame_is_laid_out_as_the_header_says),
        RUN(frames_come_back_as_they_were_sent),
        RUN(a_payload_of_the_maximum_goes_through),
        RUN(one_byte_over_the_maximum_is_not_sent),
        RUN(a_frame_that_the_buffer_cannot_hold_leaves_no_part_of_itself),
        RUN(a_frame_may_arrive_byte_by_byte),
        RUN(nothing_at_all_is_the_beginning_of_a_frame),
        RUN(bytes_behind_the_frame_are_left_for_the_next),
        RUN(a_giant_length_is_refused_before_any_payload_came),
        RUN(a_head_longer_than_the_payload_is_refused),
        RUN(an_unknown_type_is_refused),
        RUN(flags_and_reserved_bytes_other_than_zero_are_refused),
        RUN(a_refused_frame_writes_nothing),
        RUN(every_message_has_one_side_that_may_send_it),
        RUN(messages_have_names_and_unknown_ones_a_question_mark),
        RUN(the_engine_does_not_take_its_own_messages_from_a_sandbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
