/* test_health.c - an endpoint that does nothing but fail, under a clock of the test's own. */
#include "webhook/health.h"

#include "unit.h"

static const int64_t DAY_MS = 86400000, START_MS = 1769076000000;

/* A failure every `every_ms` until one asks for `todo`; how long that took. */
static int64_t failing_until(struct health *h, unsigned todo, int64_t every_ms)
{
    for (int64_t ms = 0; ms < 30 * DAY_MS; ms += every_ms)
        if (health_failed(h, START_MS + ms, 5 * DAY_MS) & todo)
            return ms;
    return -1;
}

TEST(five_days_of_nothing_but_failure_disable)
{
    struct health h = { 0 };
    assert_true(failing_until(&h, HEALTH_DISABLE, 60000) == 5 * DAY_MS);
}

TEST(one_success_begins_the_days_anew)
{
    struct health h = { 0 };
    int64_t       since_ms;
    health_failed(&h, START_MS, 5 * DAY_MS);
    health_failed(&h, START_MS + 4 * DAY_MS, 5 * DAY_MS);
    health_succeeded(&h, START_MS + 4 * DAY_MS + 1, &since_ms);
    assert_true(since_ms == START_MS);
    for (int day = 5; day < 9; day++)
        assert_int_equal(health_failed(&h, START_MS + day * DAY_MS, 5 * DAY_MS) & HEALTH_DISABLE, 0);
}

TEST(two_failures_far_apart_do_not_disable)
{
    struct health h = { 0 };
    assert_int_equal(health_failed(&h, START_MS, 5 * DAY_MS) & HEALTH_DISABLE, 0);
    assert_int_equal(health_failed(&h, START_MS + 20 * DAY_MS, 5 * DAY_MS) & HEALTH_DISABLE, 0);
    assert_int_equal(health_failed(&h, START_MS + 20 * DAY_MS, 5 * DAY_MS) & HEALTH_DISABLE,
                     HEALTH_DISABLE);
}

TEST(zero_days_mean_never)
{
    struct health h = { 0 };
    for (int day = 0; day < 1000; day++)
        assert_int_equal(health_failed(&h, START_MS + day * DAY_MS, 0) & HEALTH_DISABLE, 0);
}

TEST(what_lasts_a_minute_is_stored_once_and_once_more_when_it_ends)
{
    struct health h = { 0 };
    int64_t       since_ms;
    int           stored = 0;
    for (int64_t s = 0; s < 3600; s++) {
        bool store = health_failed(&h, START_MS + s * 1000, 5 * DAY_MS) & HEALTH_STORE;
        assert_true(!store || s == 60);
        stored += store;
    }
    assert_int_equal(stored, 1);
    assert_true(health_succeeded(&h, START_MS + 3600000, &since_ms) & HEALTH_STORE);
    assert_int_equal(health_succeeded(&h, START_MS + 3600001, &since_ms), 0);
    assert_int_equal(since_ms, 0);
}

TEST(a_failing_that_was_loaded_goes_on_from_when_it_began)
{
    struct health h = { .failing_since_ms = START_MS - 5 * DAY_MS, .stored = true };
    health_failed(&h, START_MS, 5 * DAY_MS);
    health_failed(&h, START_MS, 5 * DAY_MS);
    assert_int_equal(health_failed(&h, START_MS, 5 * DAY_MS), HEALTH_DISABLE);
}

TEST(recovery_is_told_after_five_minutes_or_an_open_circuit)
{
    struct health h = { 0 };
    int64_t       since_ms;
    health_failed(&h, START_MS, 0);
    assert_int_equal(health_succeeded(&h, START_MS + HEALTH_RECOVERED_MS - 1, &since_ms), 0);
    health_failed(&h, START_MS, 0);
    assert_int_equal(health_succeeded(&h, START_MS + HEALTH_RECOVERED_MS, &since_ms),
                     HEALTH_RECOVERED);
    health_failed(&h, START_MS, 0);
    h.circuit_opened = true;
    assert_int_equal(health_succeeded(&h, START_MS + 1, &since_ms), HEALTH_RECOVERED);
}

TEST(success_after_success_tells_nothing)
{
    struct health h = { .circuit_opened = true };
    int64_t       since_ms;
    assert_int_equal(health_succeeded(&h, START_MS, &since_ms), 0);
    assert_false(h.circuit_opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(five_days_of_nothing_but_failure_disable),
        RUN(one_success_begins_the_days_anew),
        RUN(two_failures_far_apart_do_not_disable),
        RUN(zero_days_mean_never),
        RUN(what_lasts_a_minute_is_stored_once_and_once_more_when_it_ends),
        RUN(a_failing_that_was_loaded_goes_on_from_when_it_began),
        RUN(recovery_is_told_after_five_minutes_or_an_open_circuit),
        RUN(success_after_success_tells_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
