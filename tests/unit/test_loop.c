/* test_loop.c - timers that are started, stopped and closed at awkward moments. */
#include "unit.h"
#include "with_loop.h"

static uv_loop_t    loop;
static struct timer timer;
static unsigned     fired, closed;

static void count(struct timer *t) { (void)t; fired++; }
static void count_closed(struct timer *t) { (void)t; closed++; }

static void again_twice(struct timer *t)
{
    if (++fired < 3)
        timer_start(t, 0);
}

static void close_itself(struct timer *t)
{
    fired++;
    timer_close(t, count_closed);
}

static void begin(void (*fire)(struct timer *))
{
    fired = closed = 0;
    uv_loop_init(&loop);
    timer_init(&timer, &loop, fire);
}

static void end(void)
{
    timer_close(&timer, NULL);
    loop_end(&loop);
}

TEST(a_timer_fires_once)
{
    begin(count);
    timer_start(&timer, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fired, 1);
    end();
}

TEST(a_timer_may_start_itself_again)
{
    begin(again_twice);
    timer_start(&timer, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fired, 3);
    end();
}

TEST(starting_twice_fires_once)
{
    begin(count);
    timer_start(&timer, 0);
    timer_start(&timer, 1);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fired, 1);
    end();
}

TEST(a_delay_in_the_past_fires_at_once)
{
    begin(count);
    timer_start(&timer, -5);
    RUN_UNTIL(&loop, fired == 1);
    end();
}

TEST(a_stopped_timer_does_not_fire)
{
    begin(count);
    timer_start(&timer, 0);
    timer_stop(&timer);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(fired, 0);
    end();
}

TEST(a_timer_may_close_itself)
{
    begin(close_itself);
    timer_start(&timer, 0);
    uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(closed, 1);
    end();
}

TEST(a_closed_timer_does_not_start)
{
    begin(count);
    timer_close(&timer, NULL);
    timer_start(&timer, 0);
    loop_end(&loop);
    assert_int_equal(fired, 0);
}

TEST(closing_twice_tells_once)
{
    begin(count);
    timer_close(&timer, count_closed);
    timer_close(&timer, count_closed);
    loop_end(&loop);
    assert_int_equal(closed, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_timer_fires_once),
        RUN(a_timer_may_start_itself_again),
        RUN(starting_twice_fires_once),
        RUN(a_delay_in_the_past_fires_at_once),
        RUN(a_stopped_timer_does_not_fire),
        RUN(a_timer_may_close_itself),
        RUN(a_closed_timer_does_not_start),
        RUN(closing_twice_tells_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
