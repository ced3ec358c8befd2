/* test_http_client.c - the client against peers that answer whatever they like. Their
 * bytes are given by the test; what the client sent is kept. */
#include "unit.h"
#include "with_http_client.h"

#define OK_EMPTY "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

/* ---- The peer ------------------------------------------------------------------ */

static struct {
    uv_poll_t   poll;
    int         listener;
    uint16_t    port;
    unsigned    accepted;
    const char *reply;
    size_t      reply_bytes;
    bool        hang_up;                    /* behind the reply */
    uv_poll_t   conversation;
    int         fd;                         /* of the last connection; -1 when over */
    char        said[8 * 1024];             /* by the client, on all connections */
    size_t      said_bytes;
} peer;

static void peer_drop(void)
{
    if (peer.fd < 0)
        return;
    uv_poll_stop(&peer.conversation);
    close(peer.fd);
    peer.fd = -1;
}

/* Keeps what fits; a body has no text in it here. */
static void peer_hear(const char *text)
{
    size_t room = sizeof peer.said - 1 - peer.said_bytes, bytes = strlen(text);

    bytes = bytes < room ? bytes : room;
    memcpy(peer.said + peer.said_bytes, text, bytes);
    peer.said_bytes += bytes;
    peer.said[peer.said_bytes] = '\0';
}

static void peer_on_bytes(uv_poll_t *poll, int status, int events)
{
    char    bytes[64 * 1024];
    ssize_t n = recv(peer.fd, bytes, sizeof bytes - 1, 0);

    (void)poll, (void)status, (void)events;
    if (n <= 0) {
        peer_drop();
        return;
    }
    bytes[n] = '\0';
    peer_hear(bytes);
    if (strstr(bytes, "\r\n\r\n") == NULL)
        return;
    send(peer.fd, peer.reply, peer.reply_bytes, MSG_NOSIGNAL);
    if (peer.hang_up)
        peer_drop();
}

static void peer_on_connection(uv_poll_t *poll, int status, int events)
{
    (void)poll, (void)status, (void)events;
    assert_true(peer.accepted == 0);        /* one connection is all that a test needs */
    peer.accepted++;
    peer.fd = accept(peer.listener, NULL, NULL);
    uv_poll_init_socket(&loop, &peer.conversation, peer.fd);
    uv_poll_start(&peer.conversation, UV_READABLE, peer_on_bytes);
}

static void begin(const char *reply, size_t reply_bytes, bool hang_up)
{
    struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t          bytes = sizeof at;

    memset(&peer, 0, sizeof peer);
    peer.reply = reply;
    peer.reply_bytes = reply_bytes;
    peer.hang_up = hang_up;
    peer.fd = -1;
    peer.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer.listener, (struct sockaddr *)&at, bytes), 0);
    assert_int_equal(listen(peer.listener, 8), 0);
    assert_int_equal(getsockname(peer.listener, (struct sockaddr *)&at, &bytes), 0);
    peer.port = ntohs(at.sin_port);
    uv_loop_init(&loop);
    uv_poll_init_socket(&loop, &peer.poll, peer.listener);
    uv_poll_start(&peer.poll, UV_READABLE, peer_on_connection);
    client_begin(&(struct http_client_spec){ .max_connections = 10 });
}

static void end(void)
{
    http_client_free(client);
    peer_drop();
    uv_close((uv_handle_t *)&peer.poll, NULL);
    if (peer.accepted > 0)
        uv_close((uv_handle_t *)&peer.conversation, NULL);
    close(peer.listener);
    loop_end(&loop);
    forget();
}

static struct http_call call_peer(const char *method)
{
    return call_to(method, url_of("127.0.0.1", peer.port, "/"));
}

/* One GET; the peer answers with `bytes` of `reply` and hangs up. */
static void get_bytes(const char *reply, size_t bytes, size_t max_response_bytes)
{
    begin(reply, bytes, true);
    struct http_call call = call_peer("GET");
    call.max_response_bytes = max_response_bytes;
    ask(&call);
}

static void get_text(const char *reply) { get_bytes(reply, strlen(reply), MANY_BYTES); }

/* ---- What the client says ------------------------------------------------------ */

static void say(const struct http_call *call)
{
    ask(call);
    assert_int_equal(got.err, MH_OK);
}

static void begin_saying(void) { begin(OK_EMPTY, strlen(OK_EMPTY), false); }
static bool said(const char *text) { return strstr(peer.said, text) != NULL; }

TEST(a_get_has_no_body_and_no_length)
{
    begin_saying();
    struct http_call call = call_peer("GET");
    say(&call);
    assert_int_equal(strncmp(peer.said, "GET / HTTP/1.1\r\n", 16), 0);
    assert_false(said("Content-Length"));
    end();
}

TEST(a_delete_has_no_body_and_no_length)
{
    begin_saying();
    struct http_call call = call_peer("DELETE");
    say(&call);
    assert_int_equal(strncmp(peer.said, "DELETE / HTTP/1.1\r\n", 19), 0);
    assert_false(said("Content-Length"));
    end();
}

TEST(a_delete_may_have_a_body)
{
    begin_saying();
    struct http_call call = call_peer("DELETE");
    call.body = "abc";
    call.body_bytes = 3;
    say(&call);
    assert_true(said("Content-Length: 3\r\n"));
    end();
}

TEST(a_post_without_body_says_that_it_is_empty)
{
    begin_saying();
    struct http_call call = call_peer("POST");
    say(&call);
    assert_true(said("Content-Length: 0\r\n"));
    end();
}

TEST(nothing_is_added_that_the_caller_did_not_ask_for)
{
    size_t bytes = MANY_BYTES + 1;          /* from here on libcurl would ask first */
    char  *body = calloc(1, bytes);

    begin_saying();
    struct http_call call = call_peer("POST");
    call.body = body;
    call.body_bytes = bytes;
    say(&call);
    assert_false(said("Expect"));
    assert_false(said("Content-Type"));
    assert_false(said("Upgrade"));
    free(body);
    end();
}

TEST(headers_are_sent_as_given)
{
    const char *const headers[] = { "content-type: text/x", "X-Empty:", NULL };

    begin_saying();
    struct http_call call = call_peer("POST");
    call.headers = headers;
    say(&call);
    assert_true(said("\r\ncontent-type: text/x\r\n"));
    assert_true(said("\r\nX-Empty:\r\n"));
    end();
}

TEST(a_user_is_sent_and_not_remembered)
{
    begin_saying();
    struct http_call call = call_peer("GET");
    call.user = "user";
    call.password = "pass";
    say(&call);
    assert_true(said("Authorization: Basic dXNlcjpwYXNz\r\n"));
    peer.said_bytes = 0;
    call.user = call.password = NULL;
    say(&call);
    assert_false(said("Authorization"));
    end();
}

TEST(a_connection_is_used_again)
{
    begin_saying();
    struct http_call call = call_peer("GET");
    for (int i = 0; i < 3; i++)
        say(&call);
    assert_int_equal(peer.accepted, 1);
    end();
}

/* ---- What it takes for an answer ----------------------------------------------- */

TEST(any_status_is_an_answer)
{
    get_text("HTTP/1.1 503 Later\r\nContent-Length: 2\r\n\r\nno");
    assert_int_equal(got.err, MH_OK);
    assert_int_equal(got.status, 503);
    assert_string_equal(got.body, "no");
    end();
}

TEST(a_redirect_is_told_and_not_followed)
{
    get_text("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(got.status, 302);
    assert_string_equal(got.location, "http://127.0.0.1:1/");
    end();
}

TEST(names_of_headers_are_told_in_lower_case_with_the_value_as_it_was)
{
    get_text("HTTP/1.1 200 OK\r\nX-SERVED-BY:  The Peer\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(got.served_by, "The Peer");
    end();
}

TEST(headers_before_the_final_answer_are_forgotten)
{
    get_text("HTTP/1.1 103 Early\r\nX-Served-By: early\r\n\r\n" OK_EMPTY);
    assert_int_equal(got.status, 200);
    assert_string_equal(got.served_by, "");
    end();
}

TEST(a_folded_line_is_no_header)
{
    get_text("HTTP/1.1 200 OK\r\nX-A: 1\r\n x-served-by: folded\r\nContent-Length: 0\r\n\r\n");
    assert_string_equal(got.served_by, "");
    end();
}

TEST(a_peer_without_headers_is_refused)
{
    get_text("hello, I am HTTP/0.9");
    assert_int_equal(got.err, MH_PROTOCOL);
    end();
}

TEST(a_peer_that_hangs_up_at_once_broke_the_protocol)
{
    get_text("");
    assert_int_equal(got.err, MH_PROTOCOL);
    assert_string_not_equal(got.detail, "");
    end();
}

TEST(a_body_that_ends_early_broke_the_protocol)
{
    get_text("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    assert_int_equal(got.err, MH_PROTOCOL);
    end();
}

TEST(a_peer_that_says_nothing_is_a_timeout)
{
    begin("", 0, false);
    struct http_call call = call_peer("GET");
    call.timeout_ms = 50;
    ask(&call);
    assert_int_equal(got.err, MH_TIMEOUT);
    end();
}

TEST(a_timeout_tells_whether_the_address_was_known)
{
    begin("", 0, false);
    struct http_call call = call_peer("GET");
    call.timeout_ms = 50;
    assert_true(http_exchange_resolving(start(&call)));
    RUN_UNTIL(&loop, got.count == 1);
    assert_int_equal(got.err, MH_TIMEOUT);
    assert_true(got.resolved);
    end();
}

/* ---- Too much of it ------------------------------------------------------------ */

static char big[512 * 1024];

TEST(a_body_over_the_limit_is_cut_there)
{
    const char *reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";

    get_bytes(reply, strlen(reply), 4);
    assert_int_equal(got.err, MH_TOO_LARGE);
    assert_string_equal(got.body, "0123");
    end();
}

TEST(a_body_of_exactly_the_limit_is_taken)
{
    const char *reply = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";

    get_bytes(reply, strlen(reply), 10);
    assert_int_equal(got.err, MH_OK);
    end();
}

/* The answer that `gzip` makes of what a command prints; returns its bytes. */
static size_t zipped(const char *command)
{
    char   line[200], body[64 * 1024];
    snprintf(line, sizeof line, "%s | gzip -c", command);
    FILE  *f = popen(line, "r");
    size_t bytes = fread(body, 1, sizeof body, f);
    int    head = snprintf(big, sizeof big, "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n"
                           "Content-Length: %zu\r\n\r\n", bytes);

    assert_int_equal(pclose(f), 0);
    memcpy(big + head, body, bytes);
    return (size_t)head + bytes;
}

/* What a body of ten bytes ends with; the room is the same afterwards. */
static enum mh_err ask_with_room(size_t room_bytes)
{
    static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789";

    begin(reply, strlen(reply), true);
    struct http_call call = call_peer("GET");
    size_t           left = room_bytes;
    call.room_bytes = &left;
    ask(&call);
    enum mh_err err = got.err;
    end();
    assert_int_equal(left, room_bytes);
    return err;
}

TEST(a_body_takes_no_room_that_others_have)
{
    assert_int_equal(ask_with_room(9), MH_BUSY);
}

TEST(the_room_that_a_body_took_is_given_back)
{
    assert_int_equal(ask_with_room(10), MH_OK);
    assert_int_equal(ask_with_room(10), MH_OK);
}

TEST(a_zipped_body_is_told_unzipped)
{
    size_t bytes = zipped("printf 'hello hello hello'");

    get_bytes(big, bytes, MANY_BYTES);
    assert_string_equal(got.body, "hello hello hello");
    end();
}

TEST(a_small_zipped_body_that_grows_without_end_is_too_large)
{
    size_t bytes = zipped("head -c 20000000 /dev/zero");

    assert_true(bytes < 32 * 1024);
    get_bytes(big, bytes, 100 * 1000);
    assert_int_equal(got.err, MH_TOO_LARGE);
    assert_int_equal(got.body_bytes, 100 * 1000);
    end();
}

TEST(a_zipped_body_that_is_broken_broke_the_protocol)
{
    get_text("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc");
    assert_int_equal(got.err, MH_PROTOCOL);
    end();
}

/* Fills `big` with a head and then with `unit` until over `bytes`. */
static size_t repeated(const char *head, const char *unit, size_t bytes)
{
    size_t used = strlen(head), step = strlen(unit);

    for (memcpy(big, head, used); used < bytes; used += step)
        memcpy(big + used, unit, step);
    return used;
}

TEST(headers_without_end_are_too_large)
{
    size_t bytes = repeated("HTTP/1.1 200 OK\r\n", "X-Some-Header: some value\r\n", 80 * 1024);

    get_bytes(big, bytes, MANY_BYTES);
    assert_int_equal(got.err, MH_TOO_LARGE);
    end();
}

TEST(early_answers_without_end_are_too_large)
{
    size_t bytes = repeated("", "HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\n", 80 * 1024);

    get_bytes(big, bytes, MANY_BYTES);
    assert_int_equal(got.err, MH_TOO_LARGE);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_get_has_no_body_and_no_length),
        RUN(a_delete_has_no_body_and_no_length),
        RUN(a_delete_may_have_a_body),
        RUN(a_post_without_body_says_that_it_is_empty),
        RUN(nothing_is_added_that_the_caller_did_not_ask_for),
        RUN(headers_are_sent_as_given),
        RUN(a_user_is_sent_and_not_remembered),
        RUN(a_connection_is_used_again),
        RUN(any_status_is_an_answer),
        RUN(a_redirect_is_told_and_not_followed),
        RUN(names_of_headers_are_told_in_lower_case_with_the_value_as_it_was),
        RUN(headers_before_the_final_answer_are_forgotten),
        RUN(a_folded_line_is_no_header),
        RUN(a_peer_without_headers_is_refused),
        RUN(a_peer_that_hangs_up_at_once_broke_the_protocol),
        RUN(a_body_that_ends_early_broke_the_protocol),
        RUN(a_peer_that_says_nothing_is_a_timeout),
        RUN(a_timeout_tells_whether_the_address_was_known),
        RUN(a_body_over_the_limit_is_cut_there),
        RUN(a_body_of_exactly_the_limit_is_taken),
        RUN(a_body_takes_no_room_that_others_have),
        RUN(the_room_that_a_body_took_is_given_back),
        RUN(a_zipped_body_is_told_unzipped),
        RUN(a_small_zipped_body_that_grows_without_end_is_too_large),
        RUN(a_zipped_body_that_is_broken_broke_the_protocol),
        RUN(headers_without_end_are_too_large),
        RUN(early_answers_without_end_are_too_large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
