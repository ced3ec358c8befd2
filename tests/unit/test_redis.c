/* test_redis.c - one connection to a real Redis: commands, scripts, loss, closing. */
#include "unit.h"
#include "with_redis_client.h"

/* ---- Commands ----------------------------------------------------------------------- */

TEST(commands_of_one_turn_are_answered_in_order)
{
    struct answer a[100] = { 0 };
    begin();
    for (int i = 0; i < 100; i++)
        redis_sendf(client, on_done, &a[i], "INCR n");
    RUN_UNTIL(&loop, a[99].count > 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(a[i].count, 1);
        assert_int_equal(a[i].integer, i + 1);
    }
    end();
}

TEST(arguments_may_hold_any_byte)
{
    const char   *argv[] = { "SET", "k", "a\0b\r\n" };
    size_t        lens[] = { 3, 1, 5 };
    struct answer a = { 0 };
    begin();
    redis_send(client, &(struct redis_args){ argv, lens, 3 }, on_done, &a);
    RUN_UNTIL(&loop, a.count > 0);
    ASK(&a, "STRLEN k");
    assert_int_equal(a.integer, 5);
    end();
}

TEST(a_command_without_a_callback_is_carried_out)
{
    struct answer a;
    begin();
    redis_sendf(client, NULL, NULL, "SET k v");
    ASK(&a, "GET k");
    assert_string_equal(a.text, "v");
    end();
}

TEST(a_command_that_is_too_large_is_refused)
{
    size_t        bytes = 65 * MH_MIB;
    char         *value = malloc(bytes);
    const char   *argv[] = { "SET", "k", value };
    size_t        lens[] = { 3, 1, bytes };
    struct answer a = { 0 };
    begin();
    redis_send(client, &(struct redis_args){ argv, lens, 3 }, on_done, &a);
    assert_int_equal(a.count, 0);
    RUN_UNTIL(&loop, a.count > 0);
    assert_int_equal(a.err, MH_TOO_LARGE);
    free(value);
    end();
}

TEST(an_error_that_redis_answers_is_told_by_its_kind)
{
    static const struct { const char *text; enum mh_err err; } kinds[] = {
        { "STALE engine", MH_STALE }, { "LOADING x", MH_UNAVAILABLE },
        { "OOM x", MH_UNAVAILABLE }, { "MISCONF x", MH_UNAVAILABLE },
        { "MASTERDOWN x", MH_UNAVAILABLE }, { "CLUSTERDOWN x", MH_UNAVAILABLE },
        { "NOREPLICAS x", MH_UNAVAILABLE }, { "BUSY x", MH_UNAVAILABLE },
        { "BUSYGROUP x", MH_IO }, { "WRONGTYPE x", MH_IO }, { "ERR x", MH_IO },
    };
    struct answer a;
    begin();
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        ASK(&a, "EVAL %s 0 %s", "return redis.error_reply(ARGV[1])", kinds[i].text);
        assert_int_equal(a.err, kinds[i].err);
        assert_string_equal(a.text, kinds[i].text);
    }
    assert_int_equal(downs, 0);
    end();
}

TEST(a_redis_that_became_a_replica_is_left_and_looked_up_again)
{
    struct answer a;
    begin();
    ASK(&a, "EVAL %s 0", "return redis.error_reply('READONLY x')");
    assert_int_equal(a.err, MH_UNAVAILABLE);
    RUN_UNTIL(&loop, ups == 2);
    assert_int_equal(downs, 1);
    end();
}

/* ---- Scripts -------------------------------------------------------------------------- */

static void eval(struct redis_script *script, struct answer *a)
{
    const char *argv[] = { "1", "key", "value" };

    *a = (struct answer){ 0 };
    redis_eval(client, script, &(struct redis_args){ argv, NULL, 3 }, on_done, a);
    assert_int_equal(a->count, 0);
}

TEST(a_script_is_sent_by_its_sha1_and_survives_a_flush)
{
    struct redis_script script = { "echo", "return KEYS[1] .. ':' .. ARGV[1]", "" };
    struct answer       a, flushed;
    begin();
    for (int round = 0; round < 3; round++) {
        eval(&script, &a);
        RUN_UNTIL(&loop, a.count > 0);
        assert_int_equal(a.err, MH_OK);
        assert_string_equal(a.text, "key:value");
        ASK(&flushed, "SCRIPT FLUSH");
    }
    assert_string_equal(script.sha1, "c3fba7c52b7bb1519854d40b87d71dcbf7a28a8d");
    end();
}

TEST(many_calls_of_an_unknown_script_each_end_once)
{
    struct redis_script script = { "count", "return redis.call('INCR', KEYS[1])", "" };
    struct answer       a[50];
    begin();
    for (int i = 0; i < 50; i++)
        eval(&script, &a[i]);
    RUN_UNTIL(&loop, a[49].count > 0);
    for (int i = 0; i < 50; i++) {
        assert_int_equal(a[i].count, 1);
        assert_int_equal(a[i].integer, i + 1);
    }
    end();
}

TEST(a_script_that_answers_NOSCRIPT_itself_is_sent_again_only_once)
{
    struct redis_script script = { "sly", "return redis.error_reply('NOSCRIPT x')", "" };
    struct answer       a;
    begin();
    eval(&script, &a);
    RUN_UNTIL(&loop, a.count > 0);
    assert_int_equal(a.err, MH_IO);
    end();
}

/* ---- Losing it -------------------------------------------------------------------------- */

TEST(while_redis_is_away_a_command_fails_on_a_later_turn)
{
    struct redis_script script = { "one", "return 1", "" };
    struct answer       a = { 0 };
    uv_loop_init(&loop);
    test_redis_prepare(&server);
    open_client(server.url, NULL);
    redis_sendf(client, on_done, &a, "PING");
    assert_int_equal(a.count, 0);
    RUN_UNTIL(&loop, a.count > 0);
    assert_int_equal(a.err, MH_UNAVAILABLE);
    eval(&script, &a);
    RUN_UNTIL(&loop, a.count > 0);
    assert_int_equal(a.err, MH_UNAVAILABLE);
    assert_int_equal(ups + downs, 0);
    end();
}

struct resend { struct answer last; unsigned left; };

static void send_again(void *arg, enum mh_err err, const redisReply *reply)
{
    struct resend *r = arg;

    on_done(&r->last, err, reply);
    if (--r->left > 0)
        redis_sendf(client, send_again, r, "PING");
}

TEST(who_sends_again_at_once_does_not_stop_the_loop)
{
    struct resend r = { .left = 1000 };
    uv_loop_init(&loop);
    test_redis_prepare(&server);
    open_client(server.url, NULL);
    redis_sendf(client, send_again, &r, "PING");
    uv_run(&loop, UV_RUN_NOWAIT);
    uv_run(&loop, UV_RUN_NOWAIT);
    assert_in_range(r.left, 990, 1000);
    RUN_UNTIL(&loop, r.left == 0);
    end();
}

TEST(after_kill_9_every_pending_command_ends_once_and_it_comes_back)
{
    struct answer a[100] = { 0 };
    begin();
    redis_sendf(client, on_done, &a[0], "BLPOP nothing 0");
    for (int i = 1; i < 100; i++)
        redis_sendf(client, on_done, &a[i], "SET k%d v", i);
    uv_run(&loop, UV_RUN_ONCE);
    test_redis_kill(&server);
    RUN_UNTIL(&loop, a[99].count > 0);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(a[i].count, 1);
        assert_int_equal(a[i].err, MH_UNAVAILABLE);
    }
    assert_int_equal(downs, 1);
    assert_false(redis_is_up(client));
    test_redis_run(&server, NULL);
    RUN_UNTIL(&loop, ups == 2);
    ASK(&a[0], "PING");
    assert_int_equal(a[0].err, MH_OK);
    end();
}

TEST(a_stopped_redis_is_lost_and_found_again)
{
    struct answer a = { 0 };
    begin();
    kill(server.pid, SIGSTOP);
    redis_sendf(client, on_done, &a, "PING");
    RUN_UNTIL(&loop, a.count > 0);
    assert_int_equal(a.err, MH_UNAVAILABLE);
    assert_int_equal(downs, 1);
    kill(server.pid, SIGCONT);
    RUN_UNTIL(&loop, ups == 2);
    end();
}

TEST(an_idle_link_notices_that_redis_stopped)
{
    begin();
    kill(server.pid, SIGSTOP);
    RUN_UNTIL(&loop, downs == 1);
    assert_string_equal(last_why, "no answer for 5 s");
    kill(server.pid, SIGCONT);
    end();
}

/* ---- Closing ------------------------------------------------------------------------------ */

TEST(closing_cancels_what_is_pending_before_it_returns)
{
    struct answer a = { 0 };
    begin();
    redis_sendf(client, on_done, &a, "BLPOP nothing 0");
    uv_run(&loop, UV_RUN_NOWAIT);
    redis_close(client);
    assert_int_equal(a.count, 1);
    assert_int_equal(a.err, MH_CANCELLED);
    test_redis_end(&server);
    loop_end(&loop);
    assert_int_equal(a.count, 1);
}

static void close_client(void *arg, enum mh_err err, const redisReply *reply)
{
    on_done(arg, err, reply);
    redis_close(client);
}

TEST(closing_inside_a_callback_is_fine)
{
    struct answer first = { 0 }, second = { 0 };
    begin();
    redis_sendf(client, close_client, &first, "PING");
    redis_sendf(client, on_done, &second, "PING");
    RUN_UNTIL(&loop, first.count > 0);
    assert_int_equal(first.err, MH_OK);
    assert_int_equal(second.count, 1);
    assert_int_equal(second.err, MH_CANCELLED);
    test_redis_end(&server);
    loop_end(&loop);
}

TEST(closing_inside_the_callback_of_a_failed_command_is_fine)
{
    struct answer first = { 0 }, second = { 0 };
    uv_loop_init(&loop);
    test_redis_prepare(&server);
    open_client(server.url, NULL);
    redis_sendf(client, close_client, &first, "PING");
    redis_sendf(client, on_done, &second, "PING");
    RUN_UNTIL(&loop, first.count > 0);
    assert_int_equal(first.err, MH_UNAVAILABLE);
    assert_int_equal(second.count, 1);
    assert_int_equal(second.err, MH_CANCELLED);
    test_redis_end(&server);
    loop_end(&loop);
}

static void close_on_state(void *arg, bool up, const char *why)
{
    (void)why;
    if (up == *(bool *)arg)
        redis_close(client);
    ups += up;
    downs += !up;
}

TEST(closing_inside_the_report_of_a_state_is_fine)
{
    for (int up = 0; up <= 1; up++) {
        bool close_when_up = up;
        struct redis_spec spec = { .state = close_on_state, .arg = &close_when_up };
        uv_loop_init(&loop);
        test_redis_start(&server);
        spec.url = server.url;
        ups = downs = 0;
        assert_int_equal(redis_open(&loop, &spec, &client), MH_OK);
        RUN_UNTIL(&loop, ups == 1);
        test_redis_kill(&server);
        if (!up)
            RUN_UNTIL(&loop, downs == 1);
        test_redis_end(&server);
        loop_end(&loop);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(commands_of_one_turn_are_answered_in_order),
        RUN(arguments_may_hold_any_byte),
        RUN(a_command_without_a_callback_is_carried_out),
        RUN(a_command_that_is_too_large_is_refused),
        RUN(an_error_that_redis_answers_is_told_by_its_kind),
        RUN(a_redis_that_became_a_replica_is_left_and_looked_up_again),
        RUN(a_script_is_sent_by_its_sha1_and_survives_a_flush),
        RUN(many_calls_of_an_unknown_script_each_end_once),
        RUN(a_script_that_answers_NOSCRIPT_itself_is_sent_again_only_once),
        RUN(while_redis_is_away_a_command_fails_on_a_later_turn),
        RUN(who_sends_again_at_once_does_not_stop_the_loop),
        RUN(after_kill_9_every_pending_command_ends_once_and_it_comes_back),
        RUN(a_stopped_redis_is_lost_and_found_again),
        RUN(an_idle_link_notices_that_redis_stopped),
        RUN(closing_cancels_what_is_pending_before_it_returns),
        RUN(closing_inside_a_callback_is_fine),
        RUN(closing_inside_the_callback_of_a_failed_command_is_fine),
        RUN(closing_inside_the_report_of_a_state_is_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
