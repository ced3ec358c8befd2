/* test_http.c - the client against the server, and against peers that answer whatever
 * they like, on one loop. */
#include "unit.h"
#include "with_http_client.h"

static const char *url_at(const char *path)
{
    return url_of("127.0.0.1", http_server_port(server), path);
}

static void get(const char *path)
{
    struct http_call call = call_to("GET", url_at(path));
    ask(&call);
}

static void begin(void)
{
    struct http_server_spec spec = plain_spec();

    spec.max_body_bytes = 2 * MANY_BYTES;
    server_begin(&spec);
    client_begin(&(struct http_client_spec){ .max_connections = 10 });
}

static void end(void)
{
    http_client_free(client);
    server_end();
    forget();
}

/* ---- The client and the server ------------------------------------------------- */

TEST(an_answer_arrives_with_status_header_and_body)
{
    begin();
    get("/now");
    assert_int_equal(got.err, MH_OK);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.served_by, "moonhook");
    assert_string_equal(got.body, "GET /now ");
    end();
}

TEST(a_late_answer_arrives_too)
{
    struct http_call call;

    begin();
    call = call_to("GET", url_at("/later"));
    start(&call);
    RUN_UNTIL(&loop, held_count == 1);
    echo_held(0);
    RUN_UNTIL(&loop, got.count == 1);
    assert_string_equal(got.body, "GET /later ");
    end();
}

TEST(the_address_that_was_dialled_is_told)
{
    char wanted[64];

    begin();
    snprintf(wanted, sizeof wanted, "127.0.0.1:%u", http_server_port(server));
    get("/now");
    assert_string_equal(got.address, wanted);
    end();
}

TEST(a_large_body_goes_there_and_back)
{
    char *body = malloc(MANY_BYTES);

    memset(body, 'b', MANY_BYTES);
    begin();
    struct http_call call = call_to("POST", url_at("/now"));
    call.body = body;
    call.body_bytes = MANY_BYTES;
    ask(&call);
    assert_int_equal(got.body_bytes, strlen("POST /now ") + MANY_BYTES);
    assert_memory_equal(got.body + strlen("POST /now "), body, MANY_BYTES);
    free(body);
    end();
}

TEST(a_body_that_is_refused_while_it_is_sent_is_answered_413)
{
    size_t bytes = 8 * MANY_BYTES;
    char  *body = mem_alloc(bytes);

    begin();
    struct http_call call = call_to("POST", url_at("/now"));
    call.body = body;
    call.body_bytes = bytes;
    ask(&call);
    assert_int_equal(got.status, 413);
    free(body);
    end();
}

TEST(a_head_request_does_not_wait_for_a_body)
{
    begin();
    struct http_call call = call_to("HEAD", url_at("/now"));
    ask(&call);
    assert_int_equal(got.err, MH_OK);
    assert_int_equal(got.body_bytes, 0);
    end();
}

TEST(any_method_may_be_sent)
{
    begin();
    struct http_call call = call_to("PURGE", url_at("/now"));
    ask(&call);
    assert_string_equal(got.body, "PURGE /now ");
    end();
}

TEST(a_handle_that_is_used_again_remembers_nothing)
{
    begin();
    struct http_call call = call_to("POST", url_at("/1"));
    call.body = "secret";
    call.body_bytes = 6;
    ask(&call);
    call = call_to("HEAD", url_at("/2"));
    ask(&call);
    get("/3");
    assert_string_equal(got.body, "GET /3 ");
    call = call_to("POST", url_at("/4"));
    ask(&call);
    assert_string_equal(got.body, "POST /4 ");
    end();
}

TEST(proxies_of_the_environment_are_not_used)
{
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    begin();
    get("/now");
    assert_int_equal(got.err, MH_OK);
    end();
    unsetenv("http_proxy");
    unsetenv("ALL_PROXY");
}

/* ---- Ends that come early ------------------------------------------------------ */

TEST(no_answer_in_time_is_a_timeout)
{
    begin();
    struct http_call call = call_to("GET", url_at("/later"));
    call.timeout_ms = 50;
    ask(&call);
    assert_int_equal(got.err, MH_TIMEOUT);
    assert_string_not_equal(got.detail, "");
    end();
}

TEST(an_abandoned_exchange_is_not_told)
{
    begin();
    struct http_call      call = call_to("GET", url_at("/watched"));
    struct http_exchange *x = start(&call);
    RUN_UNTIL(&loop, held_count == 1);
    http_exchange_abandon(x);
    RUN_UNTIL(&loop, gone == 1);
    assert_int_equal(got.count, 0);
    end();
}

static enum mh_err started_when_cancelled;

static void on_end_start_again(void *arg, const struct http_result *r)
{
    struct http_exchange *x;

    on_end(arg, r);
    started_when_cancelled = http_client_start(client, arg, on_end, NULL, &x);
}

TEST(freeing_cancels_and_nothing_starts_any_more)
{
    struct http_exchange *x;

    begin();
    struct http_call call = call_to("GET", url_at("/later"));
    forget();
    assert_int_equal(http_client_start(client, &call, on_end_start_again, &call, &x), MH_OK);
    RUN_UNTIL(&loop, held_count == 1);
    http_client_free(client);
    server_end();
    assert_int_equal(got.err, MH_CANCELLED);
    assert_string_not_equal(got.detail, "");
    assert_int_equal(started_when_cancelled, MH_CANCELLED);
    forget();
}

TEST(an_end_may_start_the_next_exchange)
{
    struct http_exchange *x;

    begin();
    struct http_call call = call_to("GET", url_at("/now"));
    forget();
    assert_int_equal(http_client_start(client, &call, on_end_start_again, &call, &x), MH_OK);
    RUN_UNTIL(&loop, got.count == 2);
    assert_int_equal(handled, 2);
    end();
}

/* ---- Addresses ----------------------------------------------------------------- */

static bool allow_none(void *arg, const struct sockaddr *a) { (void)arg, (void)a; return false; }

static bool allow_four(void *arg, const struct sockaddr *a)
{
    (void)arg;
    return a->sa_family == AF_INET;
}

static bool allow_six(void *arg, const struct sockaddr *a)
{
    (void)arg;
    return a->sa_family == AF_INET6;
}

static void begin_with(bool (*allow)(void *, const struct sockaddr *))
{
    struct http_server_spec spec = plain_spec();

    spec.host = "::";
    server_begin(&spec);
    client_begin(&(struct http_client_spec){ .max_connections = 10, .allow = allow });
}

/* The server is at every address; port 0 means its port. */
static void ask_with(bool (*allow)(void *, const struct sockaddr *), const char *host,
                     uint16_t port)
{
    begin_with(allow);
    port = port ? port : http_server_port(server);
    struct http_call call = call_to("GET", url_of(host, port, "/"));
    ask(&call);
}

TEST(an_address_that_is_not_allowed_is_named)
{
    ask_with(allow_none, "127.0.0.1", 0);
    assert_int_equal(got.err, MH_BLOCKED);
    assert_non_null(strstr(got.detail, "127.0.0.1"));
    end();
}

TEST(of_several_addresses_none_is_dialled_that_is_not_allowed)
{
    ask_with(allow_none, "localhost", 0);
    assert_int_equal(got.err, MH_BLOCKED);
    assert_string_equal(got.address, "");
    end();
}

TEST(of_several_addresses_only_the_allowed_one_is_dialled)
{
    ask_with(allow_four, "localhost", 0);
    assert_int_equal(strncmp(got.address, "127.0.0.1:", 10), 0);
    end();
}

TEST(that_holds_for_the_other_family_as_well)
{
    ask_with(allow_six, "localhost", 0);
    assert_int_equal(strncmp(got.address, "[::1]:", 6), 0);
    end();
}

static unsigned dialled;

/* As a name that is bound anew: good when first looked at, not good from then on. */
static bool allow_once(void *arg, const struct sockaddr *a)
{
    (void)arg, (void)a;
    return dialled++ == 0;
}

static void ask_again(const char *const *headers)
{
    struct http_call call = call_to("GET", url_of("127.0.0.1", http_server_port(server), "/"));

    call.headers = headers;
    ask(&call);
}

TEST(an_address_is_judged_whenever_it_is_dialled)
{
    const char *const closing[] = { "Connection: close", NULL };

    dialled = 0;
    begin_with(allow_once);
    ask_again(closing);
    assert_int_equal(got.err, MH_OK);
    ask_again(closing);
    assert_int_equal(got.err, MH_BLOCKED);
    assert_int_equal(dialled, 2);
    assert_int_equal(handled, 1);
    end();
}

/* What may be dialled is settled for a process, so a connection stays as good as it was. */
TEST(a_connection_that_is_kept_was_judged_when_it_was_dialled)
{
    dialled = 0;
    begin_with(allow_once);
    ask_again(NULL);
    ask_again(NULL);
    assert_int_equal(got.err, MH_OK);
    assert_int_equal(dialled, 1);
    end();
}

TEST(the_failure_of_an_allowed_address_is_not_told_as_blocked)
{
    ask_with(allow_four, "localhost", 1);
    assert_int_equal(got.err, MH_CONNECT);
    end();
}

TEST(a_refused_connection_is_told_as_such)
{
    ask_with(NULL, "127.0.0.1", 1);
    assert_int_equal(got.err, MH_CONNECT);
    end();
}

TEST(a_name_that_cannot_be_one_does_not_resolve)
{
    /* A label over 63 characters: no server is asked. */
    ask_with(NULL, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", 80);
    assert_int_equal(got.err, MH_DNS);
    end();
}

/* ---- Calls that are not valid -------------------------------------------------- */

static enum mh_err start_only(const char *method, const char *header)
{
    const char      *headers[] = { header, NULL };
    struct http_call call = call_to(method, "http://127.0.0.1:1/");

    call.headers = headers;
    struct http_exchange *x;
    return http_client_start(client, &call, on_end, NULL, &x);
}

static void assert_header_refused(const char *line)
{
    begin();
    assert_int_equal(start_only("GET", line), MH_INVALID);
    end();
}

TEST(a_header_with_a_line_end_is_refused) { assert_header_refused("X-A: 1\r\nX-B: 2"); }
TEST(a_header_with_a_newline_is_refused) { assert_header_refused("X-A: 1\nX-B: 2"); }
TEST(a_header_without_colon_is_refused) { assert_header_refused("X-A"); }
TEST(a_header_with_a_blank_in_its_name_is_refused) { assert_header_refused("X A: 1"); }

TEST(a_method_with_a_line_end_is_refused)
{
    begin();
    assert_int_equal(start_only("GET / HTTP/1.1\r\nX: 1\r\n\r\nGET", "X-A: 1"), MH_INVALID);
    end();
}

static void assert_url_refused(const char *url)
{
    begin();
    struct http_call call = call_to("GET", url);
    ask(&call);
    assert_int_equal(got.err, MH_INVALID);
    assert_string_not_equal(got.detail, "");
    end();
}

TEST(an_url_that_is_none_is_refused) { assert_url_refused("http://"); }
TEST(an_url_with_a_line_end_is_refused) { assert_url_refused("http://127.0.0.1:1/\r\nX: 1"); }
TEST(files_are_not_read) { assert_url_refused("file:///etc/passwd"); }
TEST(other_protocols_are_not_spoken) { assert_url_refused("ftp://127.0.0.1:1/"); }

/* ---- Certificates -------------------------------------------------------------- */

static char dir[64], cert_file[100], *cert, *key;

static char *read_file(const char *name)
{
    char   path[100], *text = mem_alloc(8 * 1024);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "r");
    assert_non_null(f);
    assert_true(fread(text, 1, 8 * 1024 - 1, f) > 0);
    fclose(f);
    return text;
}

/* One for "localhost", made by a program that is not ours. */
static int make_certificate(void **state)
{
    char command[400];

    (void)state;
    snprintf(dir, sizeof dir, "/tmp/mh-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    snprintf(command, sizeof command, "cd %s && openssl req -x509 -newkey ec -pkeyopt "
             "ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 1 "
             "-subj /CN=localhost -addext subjectAltName=DNS:localhost 2>/dev/null", dir);
    assert_int_equal(system(command), 0);
    snprintf(cert_file, sizeof cert_file, "%s/cert.pem", dir);
    cert = read_file("cert.pem");
    key = read_file("key.pem");
    return 0;
}

static int remove_certificate(void **state)
{
    (void)state;
    free(cert);
    free(key);
    remove_tree(dir);
    return 0;
}

static void ask_secretly(const char *ca_file, const char *host)
{
    struct http_server_spec spec = plain_spec();
    char                    url[100];

    spec.tls_cert_pem = cert;
    spec.tls_key_pem = key;
    server_begin(&spec);
    client_begin(&(struct http_client_spec){ .max_connections = 10, .ca_file = ca_file });
    snprintf(url, sizeof url, "https://%s:%u/now", host, http_server_port(server));
    struct http_call call = call_to("GET", url);
    ask(&call);
}

TEST(a_certificate_of_the_ca_file_is_trusted)
{
    ask_secretly(cert_file, "localhost");
    assert_int_equal(got.err, MH_OK);
    assert_string_equal(got.body, "GET /now ");
    end();
}

TEST(a_certificate_of_nobody_known_is_not_trusted)
{
    ask_secretly(NULL, "localhost");
    assert_int_equal(got.err, MH_TLS);
    assert_int_equal(handled, 0);
    end();
}

TEST(a_certificate_for_another_name_is_not_trusted)
{
    ask_secretly(cert_file, "127.0.0.1");
    assert_int_equal(got.err, MH_TLS);
    end();
}

static void count_turn(uv_prepare_t *turn) { ++*(unsigned *)turn->data; }

/* libmicrohttpd alone would have the loop turn without a pause, thousands of times. */
TEST(a_client_that_stops_while_shaking_hands_costs_few_turns)
{
    struct http_server_spec spec = plain_spec();
    static struct raw       silent;
    uv_prepare_t            turn;
    unsigned                turns = 0;

    spec.tls_cert_pem = cert;
    spec.tls_key_pem = key;
    server_begin(&spec);
    raw_connect(&silent);
    raw_send(&silent, "\x16\x03\x01\x02\x00\x01", 6);       /* a ClientHello begins */
    uv_prepare_init(&loop, &turn);
    turn.data = &turns;
    uv_prepare_start(&turn, count_turn);
    RUN_UNTIL(&loop, ticks_ > 50);             /* its own count of 5 ms */
    assert_true(turns < 1000);
    uv_close((uv_handle_t *)&turn, NULL);
    raw_close(&silent);
    server_end();
}

TEST(a_ca_file_that_cannot_be_read_is_found_at_the_start)
{
    struct http_client_spec spec = { .max_connections = 10, .ca_file = "/nonexistent/ca.pem" };

    assert_int_equal(http_client_new(&loop, &spec, &client), MH_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_answer_arrives_with_status_header_and_body),
        RUN(a_late_answer_arrives_too),
        RUN(the_address_that_was_dialled_is_told),
        RUN(a_large_body_goes_there_and_back),
        RUN(a_body_that_is_refused_while_it_is_sent_is_answered_413),
        RUN(a_head_request_does_not_wait_for_a_body),
        RUN(any_method_may_be_sent),
        RUN(a_handle_that_is_used_again_remembers_nothing),
        RUN(proxies_of_the_environment_are_not_used),
        RUN(no_answer_in_time_is_a_timeout),
        RUN(an_abandoned_exchange_is_not_told),
        RUN(freeing_cancels_and_nothing_starts_any_more),
        RUN(an_end_may_start_the_next_exchange),
        RUN(an_address_that_is_not_allowed_is_named),
        RUN(of_several_addresses_none_is_dialled_that_is_not_allowed),
        RUN(of_several_addresses_only_the_allowed_one_is_dialled),
        RUN(that_holds_for_the_other_family_as_well),
        RUN(an_address_is_judged_whenever_it_is_dialled),
        RUN(a_connection_that_is_kept_was_judged_when_it_was_dialled),
        RUN(the_failure_of_an_allowed_address_is_not_told_as_blocked),
        RUN(a_refused_connection_is_told_as_such),
        RUN(a_name_that_cannot_be_one_does_not_resolve),
        RUN(a_header_with_a_line_end_is_refused),
        RUN(a_header_with_a_newline_is_refused),
        RUN(a_header_without_colon_is_refused),
        RUN(a_header_with_a_blank_in_its_name_is_refused),
        RUN(a_method_with_a_line_end_is_refused),
        RUN(an_url_that_is_none_is_refused),
        RUN(an_url_with_a_line_end_is_refused),
        RUN(files_are_not_read),
        RUN(other_protocols_are_not_spoken),
        RUN(a_certificate_of_the_ca_file_is_trusted),
        RUN(a_certificate_of_nobody_known_is_not_trusted),
        RUN(a_certificate_for_another_name_is_not_trusted),
        RUN(a_client_that_stops_while_shaking_hands_costs_few_turns),
        RUN(a_ca_file_that_cannot_be_read_is_found_at_the_start),
    };
    return cmocka_run_group_tests(tests, make_certificate, remove_certificate);
}
