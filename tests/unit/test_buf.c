/* test_buf.c - the growing buffer and its maximum. */
#include "base/buf.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

TEST(a_fresh_buffer_holds_nothing)
{
    struct buf b;
    buf_init(&b, 10);
    assert_null(b.data);
    assert_int_equal(b.len, 0);
    buf_reset(&b);
    buf_consume(&b, 5);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

TEST(appended_bytes_are_followed_by_a_nul)
{
    struct buf b;
    buf_init(&b, 1000);
    assert_int_equal(buf_append(&b, "ab\0c", 4), MH_OK);
    assert_int_equal(buf_puts(&b, "de"), MH_OK);
    assert_int_equal(b.len, 6);
    assert_memory_equal(b.data, "ab\0cde", 7);
    buf_deinit(&b);
}

TEST(appending_nothing_gives_an_empty_string)
{
    struct buf b;
    buf_init(&b, 0);
    assert_int_equal(buf_append(&b, NULL, 0), MH_OK);
    assert_string_equal(b.data, "");
    buf_deinit(&b);
}

TEST(the_maximum_itself_fits_and_one_more_byte_does_not)
{
    struct buf b;
    buf_init(&b, 5);
    assert_int_equal(buf_puts(&b, "abcde"), MH_OK);
    assert_int_equal(buf_puts(&b, "f"), MH_TOO_LARGE);
    assert_string_equal(b.data, "abcde");
    buf_deinit(&b);
}

TEST(a_refused_append_leaves_the_buffer_as_it_was)
{
    struct buf b;
    buf_init(&b, 5);
    assert_int_equal(buf_puts(&b, "abc"), MH_OK);
    assert_int_equal(buf_printf(&b, "%s", "def"), MH_TOO_LARGE);
    assert_int_equal(buf_append(&b, "x", SIZE_MAX), MH_TOO_LARGE);
    assert_int_equal(b.len, 3);
    assert_string_equal(b.data, "abc");
    buf_deinit(&b);
}

TEST(memory_never_grows_past_the_maximum_and_its_nul)
{
    struct buf b;
    buf_init(&b, 1000);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_append(&b, "x", 1), MH_OK);
    assert_true(b.cap <= 1001);
    buf_deinit(&b);
}

TEST(a_buffer_without_any_practical_maximum_still_refuses_absurd_counts)
{
    struct buf b;
    buf_init(&b, SIZE_MAX);
    assert_int_equal(buf_puts(&b, "abc"), MH_OK);
    assert_int_equal(buf_reserve(&b, SIZE_MAX), MH_TOO_LARGE);
    assert_int_equal(buf_reserve(&b, SIZE_MAX - 3), MH_TOO_LARGE);
    assert_string_equal(b.data, "abc");
    buf_deinit(&b);
}

TEST(printf_formats_behind_what_is_there)
{
    struct buf b;
    buf_init(&b, 10000);
    assert_int_equal(buf_puts(&b, "n="), MH_OK);
    assert_int_equal(buf_printf(&b, "%d %0500d", 42, 7), MH_OK);
    assert_int_equal(b.len, 2 + 3 + 500);
    assert_memory_equal(b.data, "n=42 000", 8);
    assert_int_equal(b.data[b.len - 1], '7');
    assert_int_equal(b.data[b.len], '\0');
    buf_deinit(&b);
}

TEST(reserved_room_can_be_written_by_the_caller)
{
    struct buf b;
    buf_init(&b, 5000);
    assert_int_equal(buf_puts(&b, "a"), MH_OK);
    assert_int_equal(buf_reserve(&b, 4000), MH_OK);
    memset(b.data + b.len, 'z', 4000);
    b.len += 4000;
    assert_int_equal(buf_puts(&b, "!"), MH_OK);
    assert_int_equal(b.data[4000], 'z');
    assert_int_equal(b.data[4001], '!');
    buf_deinit(&b);
}

TEST(consuming_moves_the_rest_to_the_front)
{
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_puts(&b, "hello world"), MH_OK);
    buf_consume(&b, 6);
    assert_string_equal(b.data, "world");
    buf_consume(&b, 0);
    assert_int_equal(b.len, 5);
    buf_consume(&b, 99);
    assert_string_equal(b.data, "");
    buf_deinit(&b);
}

TEST(reset_keeps_the_memory_and_drops_the_bytes)
{
    struct buf b;
    buf_init(&b, 100);
    assert_int_equal(buf_puts(&b, "abc"), MH_OK);
    char *before = b.data;
    buf_reset(&b);
    assert_ptr_equal(b.data, before);
    assert_string_equal(b.data, "");
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

TEST(take_moves_the_bytes_and_leaves_a_usable_buffer)
{
    struct buf b;
    size_t     len;
    buf_init(&b, 8);
    assert_int_equal(buf_puts(&b, "abc"), MH_OK);
    char *taken = buf_take(&b, &len);
    assert_int_equal(len, 3);
    assert_string_equal(taken, "abc");
    free(taken);
    assert_null(b.data);
    assert_int_equal(buf_puts(&b, "12345678"), MH_OK);
    assert_int_equal(buf_puts(&b, "9"), MH_TOO_LARGE);
    buf_deinit(&b);
}

TEST(deinit_twice_is_harmless)
{
    struct buf b;
    buf_init(&b, 8);
    assert_int_equal(buf_puts(&b, "abc"), MH_OK);
    buf_deinit(&b);
    buf_deinit(&b);
    assert_null(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_fresh_buffer_holds_nothing),
        RUN(appended_bytes_are_followed_by_a_nul),
        RUN(appending_nothing_gives_an_empty_string),
        RUN(the_maximum_itself_fits_and_one_more_byte_does_not),
        RUN(a_refused_append_leaves_the_buffer_as_it_was),
        RUN(memory_never_grows_past_the_maximum_and_its_nul),
        RUN(a_buffer_without_any_practical_maximum_still_refuses_absurd_counts),
        RUN(printf_formats_behind_what_is_there),
        RUN(reserved_room_can_be_written_by_the_caller),
        RUN(consuming_moves_the_rest_to_the_front),
        RUN(reset_keeps_the_memory_and_drops_the_bytes),
        RUN(take_moves_the_bytes_and_leaves_a_usable_buffer),
        RUN(deinit_twice_is_harmless),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
