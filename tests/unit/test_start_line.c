/* test_start_line.c - whose turn it is to start. */
#include "core/start_line.h"

#include "base/util.h"
#include "unit.h"

enum { MANY = 1000 };

static struct start_line line;
static struct start_turn turns[MANY];
static unsigned          gone;
static bool              fails;

static void go(struct start_turn *t)
{
    gone++;
    if (fails)
        start_line_leave(&line, t);
}

static void enter_all(unsigned count)
{
    start_line_init(&line);
    gone = 0;
    for (unsigned i = 0; i < count; i++) {
        start_turn_init(&turns[i], go);
        start_line_enter(&line, &turns[i]);
    }
}

TEST(so_many_start_at_once_and_the_next_when_one_has)
{
    fails = false;
    enter_all(MANY);
    assert_int_equal(gone, START_LINE_AT_ONCE);
    start_line_leave(&line, &turns[3]);
    assert_int_equal(gone, START_LINE_AT_ONCE + 1);
    assert_true(turns[START_LINE_AT_ONCE].under_way);
}

TEST(leaving_twice_makes_room_once)
{
    fails = false;
    enter_all(MANY);
    start_line_leave(&line, &turns[0]);
    start_line_leave(&line, &turns[0]);
    assert_int_equal(gone, START_LINE_AT_ONCE + 1);
}

TEST(who_leaves_before_its_turn_gets_none)
{
    fails = false;
    enter_all(START_LINE_AT_ONCE + 2);
    start_line_leave(&line, &turns[START_LINE_AT_ONCE]);
    start_line_leave(&line, &turns[0]);
    assert_false(turns[START_LINE_AT_ONCE].under_way);
    assert_true(turns[START_LINE_AT_ONCE + 1].under_way);
}

TEST(a_thousand_that_fail_at_once_all_have_their_turn)
{
    fails = false;
    enter_all(MANY);
    fails = true;
    start_line_leave(&line, &turns[0]);
    assert_int_equal(gone, MANY);
}

TEST(in_a_closed_line_nobody_moves)
{
    fails = false;
    enter_all(MANY);
    start_line_close(&line);
    start_line_leave(&line, &turns[0]);
    assert_int_equal(gone, START_LINE_AT_ONCE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(so_many_start_at_once_and_the_next_when_one_has),
        RUN(leaving_twice_makes_room_once),
        RUN(who_leaves_before_its_turn_gets_none),
        RUN(a_thousand_that_fail_at_once_all_have_their_turn),
        RUN(in_a_closed_line_nobody_moves),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
