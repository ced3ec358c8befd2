/* test_id.c - identifiers. */
#include "base/id.h"
#include "base/util.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const unsigned char zeroes[10];

TEST(an_id_is_prefix_time_and_randomness)
{
    static const unsigned char ones[10] = { 255, 255, 255, 255, 255, 255, 255, 255, 255, 255 };
    char out[MH_ID_BYTES];

    id_format("evt", 0, zeroes, out);
    assert_string_equal(out, "evt_00000000000000000000000000");
    id_format("dlv", (1LL << 48) - 1, ones, out);
    assert_string_equal(out, "dlv_7zzzzzzzzzzzzzzzzzzzzzzzzz");
}

TEST(the_layout_is_the_one_of_ulid)
{
    /* 01ARZ3NDEKTSV4RRFFQ69G5FAV, the example of the ULID specification. */
    static const unsigned char random[10] = { 0xd6, 0x76, 0x4c, 0x61, 0xef,
                                              0xb9, 0x93, 0x02, 0xbd, 0x5b };
    char out[MH_ID_BYTES];

    id_format("x", 1469922850259, random, out);
    assert_string_equal(out, "x_01arz3ndektsv4rrffq69g5fav");
}

TEST(ids_sort_by_time)
{
    static const int64_t times[] = { 0, 1, 31, 32, 1023, 1024, 1769076000000, 1769076000001 };
    char earlier[MH_ID_BYTES], later[MH_ID_BYTES];

    for (size_t i = 1; i < ARRAY_LEN(times); i++) {
        id_format("e", times[i - 1], zeroes, earlier);
        id_format("e", times[i], zeroes, later);
        assert_true(strcmp(earlier, later) < 0);
    }
}

TEST(a_long_prefix_is_cut_to_eight_characters)
{
    char out[MH_ID_BYTES];
    id_format("abcdefghijkl", 0, zeroes, out);
    assert_memory_equal(out, "abcdefgh_0", 10);
}

TEST(new_ids_are_valid_and_differ)
{
    enum { COUNT = 1000 };
    static char ids[COUNT][MH_ID_BYTES];

    for (int i = 0; i < COUNT; i++) {
        id_new("evt", ids[i]);
        assert_int_equal(strlen(ids[i]), 30);
        assert_true(id_valid(ids[i]));
    }
    qsort(ids, COUNT, sizeof ids[0], (int (*)(const void *, const void *))strcmp);
    for (int i = 1; i < COUNT; i++)
        assert_string_not_equal(ids[i - 1], ids[i]);
}

TEST(a_forked_process_does_not_repeat_the_randomness_of_its_parent)
{
    char mine[MH_ID_BYTES], child[MH_ID_BYTES] = "";
    int  ends[2], status;

    id_new("a", mine);                      /* fills the pool */
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    if (pid == 0) {
        id_new("a", child);
        _exit(write(ends[1], child, sizeof child) == sizeof child ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(read(ends[0], child, sizeof child), sizeof child);
    id_new("a", mine);
    assert_string_not_equal(mine + 12, child + 12);          /* behind prefix and time */
    close(ends[0]);
    close(ends[1]);
}

TEST(only_words_without_dots_are_valid_ids)
{
    static const struct { const char *text; bool valid; } cases[] = {
        { "a", true }, { "A-z_0:9", true },
        { "0123456789012345678901234567890123456789012345678901234567890123", true },
        { "01234567890123456789012345678901234567890123456789012345678901234", false },
        { "", false }, { "a.b", false }, { "a b", false }, { "a/b", false }, { "a\n", false },
        { "\xc3\xa4", false }, { "{a}", false },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (id_valid(cases[i].text) != cases[i].valid)
            fail_msg("\"%s\"", cases[i].text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_id_is_prefix_time_and_randomness),
        RUN(the_layout_is_the_one_of_ulid),
        RUN(ids_sort_by_time),
        RUN(a_long_prefix_is_cut_to_eight_characters),
        RUN(new_ids_are_valid_and_differ),
        RUN(a_forked_process_does_not_repeat_the_randomness_of_its_parent),
        RUN(only_words_without_dots_are_valid_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
