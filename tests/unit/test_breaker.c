/* test_breaker.c - the circuit of an endpoint, and its gate, under a clock of the test's own. */
#include "webhook/gate.h"

#include "unit.h"

enum { FIRST_WAIT_MS = 30000 };
static const uint32_t MIDDLE = 0x80000000;  /* the randomness that leaves a wait as it is */

/* An attempt that began at `began_ms` and ended at `now_ms`. */
static void attempt(struct breaker *b, enum breaker_result result, int64_t began_ms, int64_t now_ms)
{
    bool probe = breaker_begin(b);
    breaker_note(b, &(struct breaker_attempt){ result, probe, began_ms }, now_ms, MIDDLE);
}

/* One failure every `every_ms`, each as long as nothing; until it opens: when that was. */
static int64_t opens_at(struct breaker *b, int64_t from_ms, int64_t every_ms)
{
    for (int64_t now_ms = from_ms; now_ms < from_ms + 100000; now_ms += every_ms) {
        attempt(b, BREAKER_FAILURE, now_ms, now_ms);
        if (b->state == BREAKER_OPEN)
            return now_ms;
    }
    fail_msg("never opened");
    return 0;
}

static struct breaker closed(void)
{
    struct breaker b;
    breaker_init(&b, "wh_test", FIRST_WAIT_MS);
    return b;
}

static struct breaker opened_at(int64_t *now_ms)
{
    struct breaker b = closed();
    *now_ms = opens_at(&b, 1000, 100);
    return b;
}

TEST(it_opens_within_two_seconds_of_failures_that_come_fast)
{
    for (int64_t every_ms = 1; every_ms <= 400; every_ms++) {
        struct breaker b = closed();
        int64_t        opened_ms = opens_at(&b, 1000, every_ms) - 1000;
        assert_in_range(opened_ms, BREAKER_STREAK_MS, 2000);
    }
}

TEST(it_opens_with_the_first_time_outs_of_a_receiver_that_hangs)
{
    struct breaker b = closed();
    for (int i = 0; i < BREAKER_FAILURES; i++) {
        assert_int_equal(b.state, BREAKER_CLOSED);
        attempt(&b, BREAKER_FAILURE, 1000 + i, 16000 + i);
    }
    assert_int_equal(b.state, BREAKER_OPEN);
}

TEST(a_burst_of_failures_shorter_than_a_second_does_not_open_it)
{
    struct breaker b = closed();
    for (int i = 0; i < 1000; i++)
        attempt(&b, BREAKER_FAILURE, 1000 + i * 999 / 1000, 1000 + i * 999 / 1000);
    assert_int_equal(b.state, BREAKER_CLOSED);
}

TEST(one_success_in_between_begins_the_streak_anew)
{
    struct breaker b = closed();
    for (int i = 0; i < 200; i++)
        attempt(&b, i % 5 == 4 ? BREAKER_SUCCESS : BREAKER_FAILURE, 1000 + i * 500, 1000 + i * 500);
    assert_int_equal(b.state, BREAKER_CLOSED);
}

TEST(what_tells_nothing_about_health_neither_opens_nor_closes_it)
{
    struct breaker b = closed();
    for (int i = 0; i < 1000; i++)
        attempt(&b, BREAKER_NEITHER, i, 1000 + i * 100);
    assert_int_equal(b.state, BREAKER_CLOSED);
    int64_t now_ms;
    b = opened_at(&now_ms);
    attempt(&b, BREAKER_NEITHER, 0, now_ms);
    assert_int_equal(b.state, BREAKER_OPEN);
}

TEST(an_open_one_lets_nothing_begin_until_its_wait_is_over)
{
    int64_t        now_ms;
    struct breaker b = opened_at(&now_ms);
    assert_int_equal(breaker_wait_ms(&b, now_ms), FIRST_WAIT_MS);
    assert_int_equal(breaker_wait_ms(&b, now_ms + FIRST_WAIT_MS - 1), 1);
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(breaker_wait_ms(&b, now_ms + FIRST_WAIT_MS), 0);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
}

TEST(a_half_open_one_is_probed_by_one_attempt_only)
{
    int64_t        now_ms;
    struct breaker b = opened_at(&now_ms);
    now_ms += FIRST_WAIT_MS;
    assert_int_equal(breaker_wait_ms(&b, now_ms), 0);
    assert_true(breaker_begin(&b));
    assert_int_equal(breaker_wait_ms(&b, now_ms), BREAKER_PROBED);
    assert_int_equal(breaker_wait_ms(&b, now_ms + 86400000), BREAKER_PROBED);
    assert_false(breaker_begin(&b));
}

TEST(a_probe_that_succeeds_closes_it)
{
    int64_t        now_ms;
    struct breaker b = opened_at(&now_ms);
    now_ms += FIRST_WAIT_MS;
    assert_int_equal(breaker_wait_ms(&b, now_ms), 0);
    attempt(&b, BREAKER_SUCCESS, now_ms, now_ms + 5);
    assert_int_equal(b.state, BREAKER_CLOSED);
    assert_int_equal(breaker_wait_ms(&b, now_ms + 5), 0);
    attempt(&b, BREAKER_FAILURE, now_ms + 5000, now_ms + 5000);
    assert_int_equal(b.state, BREAKER_CLOSED);
}

TEST(probes_that_fail_double_the_wait_up_to_ten_times_the_first)
{
    static const int64_t waits_s[] = { 30, 60, 120, 240, 300, 300, 300 };
    int64_t        now_ms;
    struct breaker b = opened_at(&now_ms);
    for (size_t i = 0; i < sizeof waits_s / sizeof waits_s[0]; i++) {
        assert_int_equal(breaker_wait_ms(&b, now_ms), waits_s[i] * 1000);
        now_ms += waits_s[i] * 1000;
        assert_int_equal(breaker_wait_ms(&b, now_ms), 0);
        attempt(&b, BREAKER_FAILURE, now_ms, now_ms);
        assert_int_equal(b.state, BREAKER_OPEN);
    }
}

TEST(a_wait_has_ten_percent_of_jitter)
{
    for (int i = 0; i < 2; i++) {
        int64_t        now_ms;
        struct breaker b = opened_at(&now_ms);
        now_ms += FIRST_WAIT_MS;
        assert_int_equal(breaker_wait_ms(&b, now_ms), 0);
        struct breaker_attempt probe = { BREAKER_FAILURE, breaker_begin(&b), now_ms };
        breaker_note(&b, &probe, now_ms, i == 0 ? 0 : UINT32_MAX);
        assert_int_equal(breaker_wait_ms(&b, now_ms), i == 0 ? 54000 : 66000);
    }
}

TEST(a_probe_that_tells_nothing_leaves_room_for_another)
{
    int64_t        now_ms;
    struct breaker b = opened_at(&now_ms);
    now_ms += FIRST_WAIT_MS;
    assert_int_equal(breaker_wait_ms(&b, now_ms), 0);
    attempt(&b, BREAKER_NEITHER, now_ms, now_ms);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_int_equal(breaker_wait_ms(&b, now_ms), 0);
    assert_true(breaker_begin(&b));
}

TEST(a_late_failure_from_before_it_opened_changes_nothing)
{
    int64_t        now_ms;
    struct breaker b = opened_at(&now_ms);
    struct breaker_attempt late = { BREAKER_FAILURE, false, 0 };
    breaker_note(&b, &late, now_ms + 1000, MIDDLE);
    assert_int_equal(breaker_wait_ms(&b, now_ms), FIRST_WAIT_MS);
    assert_int_equal(breaker_wait_ms(&b, now_ms + FIRST_WAIT_MS), 0);
    assert_true(breaker_begin(&b));
    breaker_note(&b, &late, now_ms + FIRST_WAIT_MS, MIDDLE);
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
    assert_true(b.probing);
}

TEST(a_late_success_from_before_it_opened_closes_it)
{
    int64_t        now_ms;
    struct breaker b = opened_at(&now_ms);
    breaker_note(&b, &(struct breaker_attempt){ BREAKER_SUCCESS, false, 0 }, now_ms, MIDDLE);
    assert_int_equal(b.state, BREAKER_CLOSED);
}

/* ---- The gate ------------------------------------------------------------------------ */

static struct gate gate_of(double per_s)
{
    struct gate g = { .per_s = per_s };
    breaker_init(&g.breaker, "wh_test", FIRST_WAIT_MS);
    return g;
}

TEST(a_circuit_that_another_engine_opened_is_probed_at_its_turn)
{
    struct breaker b = closed();
    assert_true(breaker_adopt(&b, 500, 31000, 46000, FIRST_WAIT_MS));
    assert_int_equal(b.state, BREAKER_OPEN);
    assert_int_equal(b.opened_ms, 500);
    assert_int_equal(breaker_wait_ms(&b, 1000), 45000);
    assert_int_equal(breaker_wait_ms(&b, 46000), 0);
    assert_true(breaker_begin(&b));
}

TEST(what_is_known_of_a_circuit_changes_nothing)
{
    struct breaker b = closed();
    assert_true(breaker_adopt(&b, 500, 31000, 46000, FIRST_WAIT_MS));
    assert_false(breaker_adopt(&b, 500, 31000, 46000, FIRST_WAIT_MS));
    assert_false(breaker_adopt(&b, 500, 46001, 61000, FIRST_WAIT_MS));
    assert_int_equal(breaker_wait_ms(&b, 1000), 45000);
}

TEST(a_probe_of_its_own_decides_whatever_others_found)
{
    int64_t        now_ms;
    struct breaker b = opened_at(&now_ms);
    assert_int_equal(breaker_wait_ms(&b, now_ms + 40000), 0);
    assert_true(breaker_begin(&b));
    assert_false(breaker_adopt(&b, now_ms, now_ms + 90000, now_ms + 99000, FIRST_WAIT_MS));
    assert_int_equal(b.state, BREAKER_HALF_OPEN);
}

TEST(a_pause_ends_at_its_time_and_not_before)
{
    struct gate g = gate_of(0);
    gate_pause(&g, 1800000, 5000);
    for (int64_t now_ms = 5000; now_ms < 1805000; now_ms += 999)
        assert_int_equal(gate_wait_ms(&g, now_ms * 1000), 1805000 - now_ms);
    assert_int_equal(gate_wait_ms(&g, 1805000000 - 1), 1);
    assert_int_equal(gate_wait_ms(&g, 1805000000), 0);
}

TEST(a_shorter_pause_does_not_end_a_longer_one)
{
    struct gate g = gate_of(0);
    gate_pause(&g, 60000, 1000);
    gate_pause(&g, 1000, 2000);
    assert_int_equal(gate_wait_ms(&g, 2000000), 59000);
    gate_pause(&g, 90000, 3000);
    assert_int_equal(gate_wait_ms(&g, 3000000), 90000);
}

TEST(pause_and_circuit_end_with_the_later_of_the_two)
{
    struct gate g = gate_of(0);
    int64_t     now_ms;
    g.breaker = opened_at(&now_ms);
    gate_pause(&g, 10000, now_ms);
    assert_int_equal(gate_wait_ms(&g, now_ms * 1000), FIRST_WAIT_MS);
    gate_pause(&g, 40000, now_ms);
    assert_int_equal(gate_wait_ms(&g, now_ms * 1000), 40000);
    assert_int_equal(gate_wait_ms(&g, (now_ms + 40000) * 1000), 0);
    gate_reset(&g);
    assert_int_equal(gate_wait_ms(&g, now_ms * 1000), 0);
}

/* Attempts within `seconds`, each as early as the gate lets it. */
static int attempts_within(struct gate *g, int64_t seconds)
{
    int64_t now_us = 1000000, end_us = now_us + seconds * 1000000;
    int     count = 0;
    for (;;) {
        int64_t wait_ms = gate_wait_ms(g, now_us);
        now_us += wait_ms * 1000;
        if (now_us >= end_us)
            return count;
        assert_int_equal(gate_wait_ms(g, now_us), 0);
        gate_take(g, now_us);
        count++;
    }
}

TEST(a_rate_holds_with_one_seconds_worth_at_once)
{
    static const struct { double per_s; int64_t seconds; int most; } cases[] = {
        { 1, 60, 61 }, { 10, 60, 610 }, { 0.1, 60, 7 }, { 2.5, 60, 153 }, { 1000, 10, 11000 },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct gate g = gate_of(cases[i].per_s);
        int         count = attempts_within(&g, cases[i].seconds);
        assert_in_range(count, cases[i].most * 9 / 10 - 1, cases[i].most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(it_opens_within_two_seconds_of_failures_that_come_fast),
        RUN(it_opens_with_the_first_time_outs_of_a_receiver_that_hangs),
        RUN(a_burst_of_failures_shorter_than_a_second_does_not_open_it),
        RUN(one_success_in_between_begins_the_streak_anew),
        RUN(what_tells_nothing_about_health_neither_opens_nor_closes_it),
        RUN(an_open_one_lets_nothing_begin_until_its_wait_is_over),
        RUN(a_half_open_one_is_probed_by_one_attempt_only),
        RUN(a_probe_that_succeeds_closes_it),
        RUN(probes_that_fail_double_the_wait_up_to_ten_times_the_first),
        RUN(a_wait_has_ten_percent_of_jitter),
        RUN(a_probe_that_tells_nothing_leaves_room_for_another),
        RUN(a_late_failure_from_before_it_opened_changes_nothing),
        RUN(a_late_success_from_before_it_opened_closes_it),
        RUN(a_circuit_that_another_engine_opened_is_probed_at_its_turn),
        RUN(what_is_known_of_a_circuit_changes_nothing),
        RUN(a_probe_of_its_own_decides_whatever_others_found),
        RUN(a_pause_ends_at_its_time_and_not_before),
        RUN(a_shorter_pause_does_not_end_a_longer_one),
        RUN(pause_and_circuit_end_with_the_later_of_the_two),
        RUN(a_rate_holds_with_one_seconds_worth_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
