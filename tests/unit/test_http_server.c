/* test_http_server.c - the server, asked in raw bytes that no honest client would send
 * in this order. test_http.c has the honest one. */
#include "unit.h"
#include "with_http.h"

#define GET(path)  "GET " path " HTTP/1.1\r\nHost: h\r\n\r\n"
#define POST(path) "POST " path " HTTP/1.1\r\nHost: h\r\n"

static struct raw client, other;

static void begin(void)
{
    struct http_server_spec spec = plain_spec();
    server_begin(&spec);
    raw_connect(&client);
}

static void end(void)
{
    raw_close(&client);
    server_end();
}

/* Sends a request and waits until the server closed the connection. */
static void say_until_closed(const char *text)
{
    begin();
    raw_say(&client, text);
    RUN_UNTIL(&loop, client.ended);
}

/* ---- Answers ------------------------------------------------------------------- */

TEST(a_handler_may_answer_at_once)
{
    begin();
    raw_say(&client, GET("/now"));
    RAW_UNTIL(&client, "GET /now ");
    end();
}

TEST(a_late_answer_leaves_though_nothing_else_happens)
{
    begin();
    raw_say(&client, GET("/later"));
    RUN_UNTIL(&loop, held_count == 1);
    echo_held(0);
    RAW_UNTIL(&client, "GET /later ");
    end();
}

TEST(answers_have_the_headers_that_were_given)
{
    begin();
    raw_say(&client, GET("/now"));
    RAW_UNTIL(&client, "GET /now ");
    assert_int_equal(raw_count(&client, "X-Served-By: moonhook\r\n"), 1);
    assert_int_equal(raw_count(&client, "Content-Type: text/plain\r\n"), 1);
    end();
}

TEST(a_connection_serves_one_request_after_another)
{
    begin();
    raw_say(&client, GET("/1"));
    RAW_UNTIL(&client, "GET /1 ");
    raw_say(&client, GET("/2"));
    RAW_UNTIL(&client, "GET /2 ");
    end();
}

TEST(requests_sent_together_are_answered_in_their_order)
{
    begin();
    raw_say(&client, GET("/later") GET("/now"));
    RUN_UNTIL(&loop, held_count == 1);
    echo_held(0);
    RAW_UNTIL(&client, "GET /now ");
    assert_true(strstr(client.got, "GET /later ") < strstr(client.got, "GET /now "));
    end();
}

TEST(many_late_answers_of_one_turn_all_leave)
{
    begin();
    raw_connect(&other);
    raw_say(&client, GET("/later"));
    raw_say(&other, GET("/later"));
    RUN_UNTIL(&loop, held_count == 2);
    echo_held(1);
    echo_held(0);
    RUN_UNTIL(&loop, raw_count(&client, "GET /later ") + raw_count(&other, "GET /later ") == 2);
    raw_close(&other);
    end();
}

TEST(a_head_request_is_passed_as_such_and_gets_no_body)
{
    begin();
    raw_say(&client, "HEAD /now HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
    RUN_UNTIL(&loop, client.ended);
    assert_int_equal(raw_count(&client, "Content-Length: 10\r\n"), 1);
    assert_int_equal(raw_count(&client, "HEAD /now"), 0);
    end();
}

/* ---- What the handler sees ----------------------------------------------------- */

static char seen[200];

static bool see_header(void *arg, const char *name, const char *value)
{
    (void)arg;
    snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s=%s;", name, value);
    return strcmp(name, "X-Last") != 0;
}

static void look(struct http_request *r, void *arg)
{
    const char *named = http_request_header(r, "x-one"), *query = http_request_query(r, "q");

    (void)arg;
    snprintf(seen, sizeof seen, "%s|%s|%s|", http_request_path(r), named ? named : "none",
             query ? query : "none");
    http_request_headers(r, see_header, NULL);
    http_respond(r, 200, NULL, NULL, 0, NULL);
}

static void say_and_look(const char *text)
{
    struct http_server_spec spec = plain_spec();

    spec.handle = look;
    server_begin(&spec);
    raw_connect(&client);
    raw_say(&client, text);
    RAW_UNTIL(&client, "\r\n\r\n");
}

TEST(paths_queries_and_headers_arrive_decoded)
{
    say_and_look("GET /a%20b?q=1%262 HTTP/1.1\r\nHost: h\r\n"
                 "X-One: 1\r\nX-Last: 2\r\nX-No: 3\r\n\r\n");
    assert_string_equal(seen, "/a b|1|1&2|Host=h;X-One=1;X-Last=2;");
    end();
}

TEST(an_escaped_nul_does_not_cut_a_path)
{
    say_and_look("GET /a%00b HTTP/1.1\r\nHost: h\r\nX-Last: 1\r\n\r\n");
    assert_string_equal(seen, "/a%00b|none|none|Host=h;X-Last=1;");
    end();
}

/* ---- Bodies and their limit ---------------------------------------------------- */

static char *filled(size_t bytes)
{
    char *text = malloc(bytes + 1);
    memset(text, 'x', bytes);
    text[bytes] = '\0';
    return text;
}

TEST(a_body_as_large_as_allowed_is_taken)
{
    char head[100], *body = filled(MAX_BODY);

    begin();
    snprintf(head, sizeof head, POST("/now") "Content-Length: %d\r\n\r\n", MAX_BODY);
    raw_say(&client, head);
    raw_say(&client, body);
    RUN_UNTIL(&loop, client.bytes > MAX_BODY && strstr(client.got, body) != NULL);
    free(body);
    end();
}

TEST(a_body_in_chunks_is_put_together)
{
    begin();
    raw_say(&client, POST("/now") "Transfer-Encoding: chunked\r\n\r\n"
                     "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    RAW_UNTIL(&client, "POST /now abcde");
    end();
}

TEST(a_body_announced_as_too_large_is_refused_unread)
{
    say_until_closed(POST("/now") "Content-Length: 65537\r\n\r\n");
    assert_int_equal(raw_count(&client, "HTTP/1.1 413 "), 1);
    assert_int_equal(raw_count(&client, "the body is larger than 65536 bytes"), 1);
    end();
}

TEST(refusals_are_problems)
{
    say_until_closed(POST("/now") "Content-Length: 65537\r\n\r\n");
    assert_int_equal(raw_count(&client, "Content-Type: application/problem+json\r\n"), 1);
    end();
}

TEST(a_body_in_chunks_that_grows_too_large_is_refused_at_its_end)
{
    char *body = filled(MAX_BODY + 1);

    begin();
    raw_say(&client, POST("/now") "Transfer-Encoding: chunked\r\n\r\n10001\r\n");
    raw_say(&client, body);
    raw_say(&client, "\r\n0\r\n\r\n");
    RUN_UNTIL(&loop, client.ended);
    assert_int_equal(raw_count(&client, "HTTP/1.1 413 "), 1);
    assert_int_equal(handled, 0);
    free(body);
    end();
}

TEST(a_body_in_chunks_without_end_costs_the_connection)
{
    char *chunk = filled(0x4000 + 8);

    memcpy(chunk, "4000\r\n", 6);
    memcpy(chunk + 6 + 0x4000, "\r\n", 3);
    begin();
    raw_say(&client, POST("/now") "Transfer-Encoding: chunked\r\n\r\n");
    for (int i = 0; i < 1000 && raw_send(&client, chunk, 0x4000 + 8); i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    RUN_UNTIL(&loop, client.ended);
    assert_int_equal(handled, 0);
    free(chunk);
    end();
}

TEST(a_client_that_asks_first_is_told_to_go_on)
{
    begin();
    raw_say(&client, POST("/now") "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    RAW_UNTIL(&client, "HTTP/1.1 100 Continue\r\n");
    raw_say(&client, "abc");
    RAW_UNTIL(&client, "POST /now abc");
    end();
}

TEST(a_client_that_asks_first_is_told_at_once_that_it_is_too_much)
{
    say_until_closed(POST("/now") "Content-Length: 65537\r\nExpect: 100-continue\r\n\r\n");
    assert_int_equal(raw_count(&client, "100 Continue"), 0);
    assert_int_equal(raw_count(&client, "HTTP/1.1 413 "), 1);
    end();
}

/* ---- Requests that two readers could read differently -------------------------- */

static void assert_refused(const char *text)
{
    say_until_closed(text);
    assert_int_equal(strncmp(client.got, "HTTP/1.1 4", 10), 0);
    assert_int_equal(handled, 0);
    end();
}

TEST(two_lengths_are_refused)
{
    assert_refused(POST("/") "Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd");
}

TEST(a_length_and_a_coding_are_refused)
{
    assert_refused(POST("/") "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n");
}

TEST(a_coding_other_than_chunked_is_refused)
{
    assert_refused(POST("/") "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
}

TEST(a_length_that_is_no_number_is_refused)
{
    assert_refused(POST("/") "Content-Length: 3x\r\n\r\nabc");
}

TEST(a_request_without_host_is_refused) { assert_refused("GET / HTTP/1.1\r\n\r\n"); }

TEST(headers_without_end_are_refused)
{
    char *text = filled(100 * 1024);

    begin();
    raw_say(&client, "GET / HTTP/1.1\r\nHost: h\r\nX-Long: ");
    raw_send(&client, text, strlen(text));
    RUN_UNTIL(&loop, client.ended);
    assert_int_equal(handled, 0);
    free(text);
    end();
}

/* ---- Clients that go away ------------------------------------------------------ */

static void leave_while_waiting(const char *request)
{
    begin();
    raw_say(&client, request);
    RUN_UNTIL(&loop, held_count == 1);
    raw_close(&client);
}

TEST(a_client_that_leaves_before_its_answer_is_noticed)
{
    leave_while_waiting(GET("/watched"));
    RUN_UNTIL(&loop, gone == 1);
    end();
}

TEST(a_request_whose_client_left_has_no_path)
{
    leave_while_waiting(GET("/watched"));
    RUN_UNTIL(&loop, gone == 1);
    assert_string_equal(http_request_path(held[0]), "");
    assert_null(http_request_header(held[0], "Host"));
    end();
}

TEST(a_request_whose_client_left_counts_until_it_is_answered)
{
    leave_while_waiting(GET("/watched"));
    RUN_UNTIL(&loop, gone == 1);
    assert_int_equal(http_server_pending(server), 1);
    echo_held(0);
    assert_int_equal(http_server_pending(server), 0);
    end();
}

TEST(an_answer_that_crosses_with_the_leaving_is_dropped)
{
    leave_while_waiting(GET("/later"));
    echo_held(0);
    RUN_UNTIL(&loop, http_server_pending(server) == 0);
    end();
}

TEST(gone_may_be_asked_for_while_the_request_waits)
{
    leave_while_waiting(GET("/later"));
    http_request_on_gone(held[0], on_gone);
    RUN_UNTIL(&loop, gone == 1);
    end();
}

TEST(an_answered_request_is_not_told_that_its_client_left)
{
    leave_while_waiting(GET("/watched"));
    echo_held(0);
    RUN_UNTIL(&loop, http_server_pending(server) == 0);
    assert_int_equal(gone, 0);
    end();
}

/* ---- Stopping ------------------------------------------------------------------ */

TEST(draining_lets_what_waits_be_answered)
{
    begin();
    raw_say(&client, GET("/later"));
    RUN_UNTIL(&loop, held_count == 1);
    http_server_quiesce(server);
    assert_int_equal(http_server_pending(server), 1);
    echo_held(0);
    RAW_UNTIL(&client, "GET /later ");
    end();
}

TEST(draining_closes_connections_behind_their_answer)
{
    begin();
    raw_say(&client, GET("/now"));
    RAW_UNTIL(&client, "GET /now ");
    http_server_quiesce(server);
    raw_say(&client, GET("/2"));
    RUN_UNTIL(&loop, client.ended);
    assert_int_equal(raw_count(&client, "GET /2 "), 1);
    end();
}

TEST(draining_answers_those_whom_nobody_accepted_yet)
{
    begin();
    raw_say(&client, GET("/now"));
    http_server_quiesce(server);
    RAW_UNTIL(&client, "GET /now ");
    end();
}

TEST(draining_refuses_new_connections)
{
    begin();
    http_server_quiesce(server);
    http_server_quiesce(server);
    assert_int_equal(dial(http_server_port(server)), -1);
    end();
}

static void drain_and_echo(struct http_request *r, void *arg)
{
    (void)arg;
    http_server_quiesce(server);
    echo(r);
}

static void begin_draining_handler(void)
{
    struct http_server_spec spec = plain_spec();

    spec.handle = drain_and_echo;
    server_begin(&spec);
    raw_connect(&client);
    raw_say(&client, GET("/now"));
}

TEST(a_handler_may_ask_for_the_drain)
{
    begin_draining_handler();
    RAW_UNTIL(&client, "GET /now ");
    assert_int_equal(dial(http_server_port(server)), -1);
    end();
}

TEST(a_handler_may_ask_for_it_while_it_begins)
{
    begin_draining_handler();
    http_server_quiesce(server);
    RAW_UNTIL(&client, "GET /now ");
    end();
}

TEST(stopping_tells_who_still_waits)
{
    begin();
    raw_say(&client, GET("/later"));
    RUN_UNTIL(&loop, held_count == 1);
    server_stop();
    RUN_UNTIL(&loop, client.ended);
    assert_int_equal(raw_count(&client, "HTTP/1.1 503 "), 1);
    assert_int_equal(raw_count(&client, "the server is stopping"), 1);
    raw_close(&client);
    loop_end(&loop);
}

TEST(stopping_tells_the_handler_that_its_client_is_gone)
{
    begin();
    raw_say(&client, GET("/watched"));
    RUN_UNTIL(&loop, held_count == 1);
    server_stop();
    assert_int_equal(gone, 1);
    raw_close(&client);
    loop_end(&loop);
}

TEST(a_request_that_arrives_while_stopping_does_not_reach_the_handler)
{
    begin();
    raw_connect(&other);
    raw_say(&other, GET("/now"));
    RAW_UNTIL(&other, "GET /now ");
    raw_say(&client, GET("/later"));
    RUN_UNTIL(&loop, held_count == 1);
    raw_say(&other, GET("/later"));
    server_stop();
    assert_int_equal(handled, 2);
    RUN_UNTIL(&loop, other.ended);
    raw_close(&other);
    raw_close(&client);
    loop_end(&loop);
}

/* ---- Addresses ----------------------------------------------------------------- */

TEST(an_address_in_use_is_a_conflict)
{
    struct http_server_spec spec = plain_spec();
    struct http_server     *second;

    server_begin(&spec);
    spec.port = http_server_port(server);
    assert_int_equal(http_server_start(&loop, &spec, &second), MH_CONFLICT);
    server_end();
}

TEST(servers_that_all_say_so_share_a_port)
{
    struct http_server_spec spec = plain_spec();
    struct http_server     *second;

    spec.reuse_port = true;
    server_begin(&spec);
    spec.port = http_server_port(server);
    assert_int_equal(http_server_start(&loop, &spec, &second), MH_OK);
    http_server_stop(second);
    server_end();
}

TEST(each_way_to_name_a_host_can_be_served)
{
    static const char *const hosts[] = { "127.0.0.1", "0.0.0.0", "localhost", "::1", "::" };

    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        struct http_server_spec spec = plain_spec();
        spec.host = hosts[i];
        server_begin(&spec);
        assert_int_not_equal(http_server_port(server), 0);
        server_end();
    }
}

TEST(all_addresses_of_six_take_in_four)
{
    struct http_server_spec spec = plain_spec();

    spec.host = "::";
    server_begin(&spec);
    raw_connect(&client);
    raw_say(&client, GET("/now"));
    RAW_UNTIL(&client, "GET /now ");
    end();
}

TEST(a_host_that_is_none_is_refused)
{
    struct http_server_spec spec = plain_spec();

    spec.host = "999.0.0.1.";
    uv_loop_init(&loop);
    assert_int_equal(http_server_start(&loop, &spec, &server), MH_IO);
    loop_end(&loop);
}

TEST(a_certificate_that_is_none_is_refused)
{
    struct http_server_spec spec = plain_spec();

    spec.tls_cert_pem = spec.tls_key_pem = "no PEM";
    uv_loop_init(&loop);
    assert_int_equal(http_server_start(&loop, &spec, &server), MH_TLS);
    loop_end(&loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_handler_may_answer_at_once),
        RUN(a_late_answer_leaves_though_nothing_else_happens),
        RUN(answers_have_the_headers_that_were_given),
        RUN(a_connection_serves_one_request_after_another),
        RUN(requests_sent_together_are_answered_in_their_order),
        RUN(many_late_answers_of_one_turn_all_leave),
        RUN(a_head_request_is_passed_as_such_and_gets_no_body),
        RUN(paths_queries_and_headers_arrive_decoded),
        RUN(an_escaped_nul_does_not_cut_a_path),
        RUN(a_body_as_large_as_allowed_is_taken),
        RUN(a_body_in_chunks_is_put_together),
        RUN(a_body_announced_as_too_large_is_refused_unread),
        RUN(refusals_are_problems),
        RUN(a_body_in_chunks_that_grows_too_large_is_refused_at_its_end),
        RUN(a_body_in_chunks_without_end_costs_the_connection),
        RUN(a_client_that_asks_first_is_told_to_go_on),
        RUN(a_client_that_asks_first_is_told_at_once_that_it_is_too_much),
        RUN(two_lengths_are_refused),
        RUN(a_length_and_a_coding_are_refused),
        RUN(a_coding_other_than_chunked_is_refused),
        RUN(a_length_that_is_no_number_is_refused),
        RUN(a_request_without_host_is_refused),
        RUN(headers_without_end_are_refused),
        RUN(a_client_that_leaves_before_its_answer_is_noticed),
        RUN(a_request_whose_client_left_has_no_path),
        RUN(a_request_whose_client_left_counts_until_it_is_answered),
        RUN(an_answer_that_crosses_with_the_leaving_is_dropped),
        RUN(gone_may_be_asked_for_while_the_request_waits),
        RUN(an_answered_request_is_not_told_that_its_client_left),
        RUN(draining_lets_what_waits_be_answered),
        RUN(draining_closes_connections_behind_their_answer),
        RUN(draining_answers_those_whom_nobody_accepted_yet),
        RUN(draining_refuses_new_connections),
        RUN(a_handler_may_ask_for_the_drain),
        RUN(a_handler_may_ask_for_it_while_it_begins),
        RUN(stopping_tells_who_still_waits),
        RUN(stopping_tells_the_handler_that_its_client_is_gone),
        RUN(a_request_that_arrives_while_stopping_does_not_reach_the_handler),
        RUN(an_address_in_use_is_a_conflict),
        RUN(servers_that_all_say_so_share_a_port),
        RUN(each_way_to_name_a_host_can_be_served),
        RUN(all_addresses_of_six_take_in_four),
        RUN(a_host_that_is_none_is_refused),
        RUN(a_certificate_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
