/* test_redis.c - one connection to a real Redis, through all that can happen to it. */
#include "unit.h"
#include "with_redis.h"

#include "base/clock.h"
#include "base/log.h"
#include "io/redis.h"

#include <fcntl.h>
#include <sys/un.h>

/* ---- What every test has: a loop, a Redis, a client, its answers ------------------ */

static uv_loop_t         loop;
static struct test_redis server;
static struct redis     *client;
static unsigned          ups, downs;
static char              last_why[256];

struct answer { unsigned count; enum mh_err err; char text[64]; long long integer; };

static void on_state(void *arg, bool up, const char *why)
{
    (void)arg;
    *(up ? &ups : &downs) += 1;
    snprintf(last_why, sizeof last_why, "%s", why);
}

static void on_done(void *arg, enum mh_err err, const redisReply *reply)
{
    struct answer *a = arg;

    a->count++;
    a->err = err;
    if (reply != NULL && reply->str != NULL)
        snprintf(a->text, sizeof a->text, "%s", reply->str);
    if (reply != NULL)
        a->integer = reply->integer;
}

static void open_client(const char *url, const char *ca_file)
{
    struct redis_spec spec = { .url = url, .ca_file = ca_file, .state = on_state };

    ups = downs = 0;
    assert_int_equal(redis_open(&loop, &spec, &client), MH_OK);
}

static void begin(void)
{
    uv_loop_init(&loop);
    test_redis_start(&server);
    open_client(server.url, NULL);
    RUN_UNTIL(&loop, ups == 1);
}

static void end(void)
{
    redis_close(client);
    test_redis_end(&server);
    loop_end(&loop);
}

/* One command, awaited. */
#define ASK(to, ...)                                                                               \
    do {                                                                                           \
        *(to) = (struct answer){ 0 };                                                              \
        redis_sendf(client, on_done, (to), __VA_ARGS__);                                           \
        assert_int_equal((to)->count, 0);                                                          \
        RUN_UNTIL(&loop, (to)->count > 0);                                                         \
    } while (0)

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

/* ---- TCP, passwords ------------------------------------------------------------------------ */

static char port_text[8];

static void run_on_port(const char *const *more)
{
    const char *args[MAX_REDIS_ARGS] = { "--port", port_text };

    for (int i = 0; more != NULL && more[i] != NULL; i++)
        args[2 + i] = more[i];
    snprintf(port_text, sizeof port_text, "%d", server.port);
    test_redis_run(&server, args);
}

static void begin_on_port(const char *url_format, const char *const *more)
{
    char url[256];

    uv_loop_init(&loop);
    test_redis_prepare(&server);
    run_on_port(more);
    snprintf(url, sizeof url, url_format, server.port);
    open_client(url, NULL);
}

TEST(a_refused_connection_is_tried_until_redis_is_there)
{
    char          url[64];
    struct answer a = { 0 };
    uv_loop_init(&loop);
    test_redis_prepare(&server);
    snprintf(url, sizeof url, "redis://127.0.0.1:%d", server.port);
    open_client(url, NULL);
    for (int64_t since = clock_mono_ms(); clock_mono_ms() - since < 100;)
        ASK(&a, "PING");                    /* fails, while at least two attempts do */
    run_on_port(NULL);
    RUN_UNTIL(&loop, ups == 1);
    end();
}

TEST(a_host_name_is_looked_up_and_all_its_addresses_are_tried)
{
    begin_on_port("redis://localhost:%d", (const char *[]){ "--bind", "127.0.0.1", NULL });
    RUN_UNTIL(&loop, ups == 1);
    end();
}

TEST(a_host_that_does_not_resolve_can_be_closed_at_any_time)
{
    uv_loop_init(&loop);
    open_client("redis://no-such-host.invalid", NULL);
    uv_run(&loop, UV_RUN_NOWAIT);
    redis_close(client);
    loop_end(&loop);
}

TEST(password_and_database_are_given_before_it_is_up)
{
    struct answer a;
    begin_on_port("redis://:p%%40ss@127.0.0.1:%d/3",
                  (const char *[]){ "--requirepass", "p@ss", NULL });
    RUN_UNTIL(&loop, ups == 1);
    ASK(&a, "MOVE nothing 3");              /* "source and destination are the same": it is 3 */
    assert_int_equal(a.err, MH_IO);
    end();
}

TEST(a_user_can_be_named)
{
    struct answer a;
    begin_on_port("redis://mh:secret@127.0.0.1:%d",
                  (const char *[]){ "--user", "mh", "on", ">secret", "~*", "+@all", NULL });
    RUN_UNTIL(&loop, ups == 1);
    ASK(&a, "ACL WHOAMI");
    assert_string_equal(a.text, "mh");
    end();
}

static char   log_text[4096];
static int    log_pipe[2], log_saved;

static void log_begin(void)
{
    assert_int_equal(pipe2(log_pipe, O_NONBLOCK | O_CLOEXEC), 0);
    log_saved = dup(STDERR_FILENO);
    dup2(log_pipe[1], STDERR_FILENO);
}

static void log_end(void)
{
    dup2(log_saved, STDERR_FILENO);
    ssize_t n = read(log_pipe[0], log_text, sizeof log_text - 1);
    log_text[n > 0 ? n : 0] = '\0';
    close(log_saved);
    close(log_pipe[0]);
    close(log_pipe[1]);
}

static bool logged(const char *text)
{
    ssize_t n = read(log_pipe[0], log_text, sizeof log_text - 1);
    log_text[n > 0 ? n : 0] = '\0';
    return strstr(log_text, text) != NULL;
}

TEST(a_wrong_password_is_never_up_and_never_logged)
{
    log_begin();
    begin_on_port("redis://:hunter2@127.0.0.1:%d",
                  (const char *[]){ "--requirepass", "other", NULL });
    RUN_UNTIL(&loop, logged("WRONGPASS"));
    bool told = strstr(log_text, "hunter2") != NULL;
    log_end();
    assert_false(told);
    assert_null(strstr(log_text, "hunter2"));
    assert_int_equal(ups, 0);
    end();
}

TEST(a_url_that_cannot_be_read_is_refused)
{
    struct redis_spec spec = { .url = "http://host" };
    uv_loop_init(&loop);
    assert_int_equal(redis_open(&loop, &spec, &client), MH_INVALID);
    loop_end(&loop);
}

/* ---- A peer that is no Redis -------------------------------------------------------- */

/* Answers the greeting with `text` and then waits to be killed. */
static void begin_with_impostor(const char *text)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    char               in[256];

    uv_loop_init(&loop);
    test_redis_prepare(&server);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", server.url + strlen("unix:"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(fd, 8), 0);
    server.pid = fork();
    if (server.pid == 0) {
        for (;;) {
            int peer = accept(fd, NULL, NULL);
            if (read(peer, in, sizeof in) > 0 && write(peer, text, strlen(text)) < 0)
                _exit(1);
        }
    }
    close(fd);
    log_begin();
    open_client(server.url, NULL);
}

#define IMPOSTOR(text, expected)                                                                   \
    do {                                                                                           \
        begin_with_impostor(text);                                                                 \
        RUN_UNTIL(&loop, logged(expected));                                                        \
        log_end();                                                                                 \
        end();                                                                                     \
    } while (0)

TEST(an_answer_to_nothing_ends_the_connection)
{
    IMPOSTOR("+PONG\r\n+PONG\r\n", "event=redis_down");
    IMPOSTOR("+PONG\r\n:1\r\n", "event=redis_down");
    IMPOSTOR("+PONG\r\n$-1\r\n", "event=redis_down");
    IMPOSTOR("+PONG\r\n*1\r\n:1\r\n", "event=redis_down");
    IMPOSTOR("+PONG\r\n-ERR max number of clients reached\r\n", "max number of clients");
}

TEST(what_is_not_the_protocol_ends_the_connection)
{
    IMPOSTOR("HTTP/1.1 400 Bad Request\r\n\r\n", "Protocol error");
    IMPOSTOR("*2147483647\r\n", "event=redis_down");
}

TEST(a_redis_that_is_loading_is_not_up)
{
    IMPOSTOR("-LOADING Redis is loading the dataset in memory\r\n", "PING was answered: LOADING");
    assert_int_equal(ups, 0);
}

/* ---- TLS ------------------------------------------------------------------------- */

static char ca[128], cert[128], key[128];

static void make_certificate(const char *dir, const char *name, const char *alt)
{
    char command[1024];

    snprintf(cert, sizeof cert, "%s/%s.crt", dir, name);
    snprintf(key, sizeof key, "%s/%s.key", dir, name);
    snprintf(ca, sizeof ca, "%s", cert);
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 "
             "-subj /CN=test -addext subjectAltName=%s -keyout %s -out %s 2>/dev/null",
             alt, key, cert);
    assert_int_equal(system(command), 0);
}

/* `alt`: whom the server's certificate is for. */
static void begin_tls(const char *alt, const char *host, bool trusted)
{
    char url[256];

    uv_loop_init(&loop);
    test_redis_prepare(&server);
    make_certificate(server.dir, "server", alt);
    snprintf(port_text, sizeof port_text, "%d", server.port);
    test_redis_run(&server, (const char *[]){ "--tls-port", port_text, "--tls-cert-file", cert,
                   "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no",
                   NULL });
    if (!trusted)
        make_certificate(server.dir, "other", alt);
    snprintf(url, sizeof url, "rediss://%s:%d", host, server.port);
    log_begin();
    open_client(url, ca);
}

TEST(tls_carries_commands_both_ways_whatever_their_size)
{
    size_t        bytes = 3 * MH_MIB + 17;
    char         *value = malloc(bytes);
    const char   *argv[] = { "SET", "k", value };
    size_t        lens[] = { 3, 1, bytes };
    struct answer set = { 0 }, get[8] = { 0 }, length = { 0 };
    memset(value, 'x', bytes);
    begin_tls("IP:127.0.0.1", "127.0.0.1", true);
    RUN_UNTIL(&loop, ups == 1);
    log_end();
    redis_send(client, &(struct redis_args){ argv, lens, 3 }, on_done, &set);
    for (int i = 0; i < 8; i++)
        redis_sendf(client, on_done, &get[i], "GET k");
    redis_sendf(client, on_done, &length, "STRLEN k");
    RUN_UNTIL(&loop, length.count > 0);
    assert_int_equal(length.integer, (long long)bytes);
    assert_int_equal(get[7].err, MH_OK);
    assert_int_equal(strspn(get[7].text, "x"), sizeof get[7].text - 1);
    free(value);
    end();
}

TEST(tls_comes_back_after_kill_9)
{
    begin_tls("DNS:localhost", "localhost", true);
    RUN_UNTIL(&loop, ups == 1);
    test_redis_kill(&server);
    RUN_UNTIL(&loop, downs == 1);
    test_redis_run(&server, (const char *[]){ "--tls-port", port_text, "--tls-cert-file", cert,
                   "--tls-key-file", key, "--tls-ca-cert-file", cert, "--tls-auth-clients", "no",
                   NULL });
    RUN_UNTIL(&loop, ups == 2);
    log_end();
    end();
}

TEST(a_certificate_of_an_unknown_ca_is_refused)
{
    begin_tls("IP:127.0.0.1", "127.0.0.1", false);
    RUN_UNTIL(&loop, logged("certificate refused: self-signed certificate"));
    log_end();
    assert_int_equal(ups, 0);
    end();
}

TEST(a_certificate_for_another_host_is_refused)
{
    begin_tls("DNS:redis.example,IP:127.0.0.9", "localhost", true);
    RUN_UNTIL(&loop, logged("certificate refused: hostname mismatch"));
    log_end();
    assert_int_equal(ups, 0);
    end();
}

TEST(a_ca_file_that_cannot_be_read_is_refused)
{
    struct redis_spec spec = { .url = "rediss://host", .ca_file = "/nonexistent" };
    uv_loop_init(&loop);
    assert_int_equal(redis_open(&loop, &spec, &client), MH_TLS);
    loop_end(&loop);
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
        RUN(a_refused_connection_is_tried_until_redis_is_there),
        RUN(a_host_name_is_looked_up_and_all_its_addresses_are_tried),
        RUN(a_host_that_does_not_resolve_can_be_closed_at_any_time),
        RUN(password_and_database_are_given_before_it_is_up),
        RUN(a_user_can_be_named),
        RUN(a_wrong_password_is_never_up_and_never_logged),
        RUN(a_url_that_cannot_be_read_is_refused),
        RUN(an_answer_to_nothing_ends_the_connection),
        RUN(what_is_not_the_protocol_ends_the_connection),
        RUN(a_redis_that_is_loading_is_not_up),
        RUN(tls_carries_commands_both_ways_whatever_their_size),
        RUN(tls_comes_back_after_kill_9),
        RUN(a_certificate_of_an_unknown_ca_is_refused),
        RUN(a_certificate_for_another_host_is_refused),
        RUN(a_ca_file_that_cannot_be_read_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
