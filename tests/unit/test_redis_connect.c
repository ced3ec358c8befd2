/* test_redis_connect.c - who may be connected to: hosts, passwords, impostors, TLS. */
#include "unit.h"
#include "with_redis_client.h"

#include "base/clock.h"
#include "base/log.h"

#include <fcntl.h>
#include <sys/un.h>

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
    memcpy(address.sun_path, server.url + strlen("unix:"), strlen(server.url) - strlen("unix:"));
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
