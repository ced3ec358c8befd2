/* test_turns.c - places for attempts: never more than there are, and everybody's turn comes. */
#include "core/turns.h"

#include "base/util.h"
#include "unit.h"

enum { MOST = 100, MANY = 300 };
static int64_t now_ms = 5000;

static const struct target_ops webhook = { .kind = TARGET_WEBHOOK }, plugin = { .kind = TARGET_PLUGIN };

static void begin(struct turns *s, struct target *t)
{
    turns_take(s, t);
    t->in_flight++;
}

static void end(struct turns *s, struct target *t)
{
    turns_give(s, t);
    t->in_flight--;
}

/* As many as it may. */
static unsigned fill(struct turns *s, struct target *t)
{
    while (turns_may(s, t, now_ms))
        begin(s, t);
    return t->in_flight;
}

TEST(one_endpoint_alone_may_have_half_of_the_places)
{
    struct turns  s;
    struct target t;
    turns_init(&s, MOST);
    target_init(&t, &webhook, "wh_1", "acme");
    assert_int_equal(fill(&s, &t), MOST / 2);
}

TEST(endpoints_that_hang_leave_a_place_for_the_next_one)
{
    struct turns  s;
    struct target all[6], next;             /* 50 places, 25, 12, 6, 3, 2 */
    turns_init(&s, MOST);
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        target_init(&all[i], &webhook, "wh_1", "acme");
        assert_true(fill(&s, &all[i]) > 0);
        turns_leave(&all[i]);               /* or the next one would stand behind it */
    }
    target_init(&next, &webhook, "wh_2", "acme");
    assert_true(turns_may(&s, &next, now_ms));
}

TEST(there_are_never_more_attempts_than_places)
{
    static struct target all[MANY];
    struct turns         s;
    turns_init(&s, MOST);
    for (size_t i = 0; i < MANY; i++) {
        target_init(&all[i], &webhook, "wh_1", "acme");
        fill(&s, &all[i]);
        for (struct target *t; (t = turns_next(&s, now_ms)) != NULL;)
            if (turns_may(&s, t, now_ms))
                begin(&s, t);
        assert_true(s.taken <= MOST);
    }
}

TEST(who_waits_gets_its_turn_in_order)
{
    static struct target all[MANY];
    struct turns         s;
    turns_init(&s, 1);
    for (size_t i = 0; i < MANY; i++) {
        target_init(&all[i], &webhook, "wh_1", "acme");
        if (turns_may(&s, &all[i], now_ms))
            begin(&s, &all[i]);
    }
    assert_null(turns_next(&s, now_ms));
    for (size_t i = 1; i < MANY; i++) {
        end(&s, &all[i - 1]);
        assert_ptr_equal(turns_next(&s, now_ms), &all[i]);
        assert_true(turns_may(&s, &all[i], now_ms));
        begin(&s, &all[i]);
    }
}

TEST(who_comes_later_does_not_pass_those_in_line)
{
    struct turns  s;
    struct target first, second, late;
    turns_init(&s, 1);
    target_init(&first, &webhook, "wh_1", "acme");
    target_init(&second, &webhook, "wh_2", "acme");
    target_init(&late, &webhook, "wh_3", "acme");
    assert_true(turns_may(&s, &first, now_ms));
    begin(&s, &first);
    assert_false(turns_may(&s, &second, now_ms));
    end(&s, &first);
    assert_false(turns_may(&s, &late, now_ms));
    assert_false(turns_may(&s, &first, now_ms));
    assert_ptr_equal(turns_next(&s, now_ms), &second);
}

TEST(a_turn_has_its_time_however_many_attempts_that_is)
{
    struct turns  s;
    struct target quick, other;
    turns_init(&s, 1);
    target_init(&quick, &webhook, "wh_1", "acme");
    target_init(&other, &webhook, "wh_2", "acme");
    begin(&s, &other);
    assert_false(turns_may(&s, &quick, now_ms));
    end(&s, &other);
    assert_ptr_equal(turns_next(&s, now_ms), &quick);
    for (int64_t passed_ms = 0; passed_ms < TURN_MS; passed_ms++) {
        assert_true(turns_may(&s, &quick, now_ms + passed_ms));
        begin(&s, &quick);
        assert_false(turns_may(&s, &other, now_ms + passed_ms));
        end(&s, &quick);
    }
    assert_false(turns_may(&s, &quick, now_ms + TURN_MS));
    assert_ptr_equal(turns_next(&s, now_ms + TURN_MS), &other);
}

TEST(who_leaves_the_line_is_not_waited_for)
{
    struct turns  s;
    struct target first, second;
    turns_init(&s, 1);
    target_init(&first, &webhook, "wh_1", "acme");
    target_init(&second, &webhook, "wh_2", "acme");
    begin(&s, &first);
    assert_false(turns_may(&s, &second, now_ms));
    turns_leave(&second);
    end(&s, &first);
    assert_null(turns_next(&s, now_ms));
    assert_true(turns_may(&s, &first, now_ms));
}

TEST(a_plugin_needs_no_place)
{
    struct turns  s;
    struct target endpoint, hook;
    turns_init(&s, 1);
    target_init(&endpoint, &webhook, "wh_1", "acme");
    target_init(&hook, &plugin, "slack", "");
    begin(&s, &endpoint);
    assert_true(turns_may(&s, &hook, now_ms));
    begin(&s, &hook);
    assert_int_equal(s.taken, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(one_endpoint_alone_may_have_half_of_the_places),
        RUN(endpoints_that_hang_leave_a_place_for_the_next_one),
        RUN(there_are_never_more_attempts_than_places),
        RUN(who_waits_gets_its_turn_in_order),
        RUN(who_comes_later_does_not_pass_those_in_line),
        RUN(a_turn_has_its_time_however_many_attempts_that_is),
        RUN(who_leaves_the_line_is_not_waited_for),
        RUN(a_plugin_needs_no_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
