/* test_http_head.c - heads of answers, line by line: what is kept and what is refused. */
#include "base/util.h"
#include "io/http_head.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

static struct http_head head;

/* Reads lines that end in CRLF; false from the first that is refused. */
static bool read_all(const char *text)
{
    http_head_init(&head);
    while (*text != '\0') {
        const char *end = strstr(text, "\r\n") + 2;
        if (!http_head_line(&head, text, (size_t)(end - text)))
            return false;
        text = end;
    }
    return true;
}

static void end(void) { http_head_deinit(&head); }

TEST(an_answer_is_complete_with_its_empty_line)
{
    assert_true(read_all("HTTP/1.1 200 OK\r\nX-A: B\r\n"));
    assert_false(head.complete);
    end();
    assert_true(read_all("HTTP/1.1 200 OK\r\nX-A: B\r\n\r\n"));
    assert_true(head.complete);
    assert_int_equal(head.status, 200);
    assert_string_equal(head.lines.data, "x-a: B\n");
    end();
}

TEST(an_interim_answer_is_none)
{
    assert_true(read_all("HTTP/1.1 103 Early\r\nX-A: 1\r\n\r\n"));
    assert_false(head.complete);
    end();
    assert_true(read_all("HTTP/1.1 100 Go on\r\nX-A: 1\r\n\r\nHTTP/1.0 500\r\n\r\n"));
    assert_int_equal(head.status, 500);
    assert_int_equal(head.lines.len, 0);
    end();
}

TEST(trailers_are_counted_and_not_kept)
{
    assert_true(read_all("HTTP/1.1 200 OK\r\n\r\nRetry-After: 7\r\nHTTP/1.1 500 No\r\n\r\n"));
    assert_int_equal(head.status, 200);
    assert_int_equal(head.lines.len, 0);
    assert_true(head.bytes > 40);
    end();
}

TEST(a_header_that_looks_like_a_status_line_is_a_header)
{
    assert_true(read_all("HTTP/1.1 500 No\r\nX-A: 1\r\nHTTP/1.1 200: OK\r\n\r\n"));
    assert_int_equal(head.status, 500);
    assert_string_equal(head.lines.data, "x-a: 1\nhttp/1.1 200: OK\n");
    end();
}

TEST(lengths_and_single_codings_are_taken)
{
    static const char *const lines[] = {
        "Content-Length: 0", "Content-Length:10737418240", "content-length: 999999999999999999 ",
        "Content-Encoding: gzip", "Content-Encoding: X-GZIP", "Content-Encoding:deflate",
        "Content-Encoding:", "Content-Encoding: identity", "Content-Encoding: identity , gzip",
        "Transfer-Encoding: chunked", "Transfer-Encoding: gzip, chunked",
        "X-Content-Encoding: br", "Content-Encoding-X: br", "Content-Encoding",
    };
    char text[200];

    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\n%s\r\n\r\n", lines[i]);
        if (!read_all(text))
            fail_msg("%s: %s", lines[i], head.fault);
        end();
    }
}

TEST(answers_that_break_the_protocol_are_refused)
{
    static const struct { const char *text, *why; } cases[] = {
        { "\r\n", "status line" }, { "HTTP/0.9 200 OK\r\n", "status line" },
        { "HTTP/2 200\r\n", "status line" }, { "HTTP/1.2 200 OK\r\n", "status line" },
        { "HTTP/1.1 20 OK\r\n", "status line" }, { "HTTP/1.1 2000 OK\r\n", "status line" },
        { "HTTP/1.1 -10 OK\r\n", "status line" }, { "HTTP/1.1  200 OK\r\n", "status line" },
        { "http/1.1 200 OK\r\n", "status line" }, { "HTTP/1.1\t200 OK\r\n", "status line" },
        { "HTTP/1.1 099 OK\r\n", "below 100" }, { "HTTP/1.1 101 OK\r\n", "another protocol" },
        { "HTTP/1.1 100 Go\r\n\r\nX-A: 1\r\n", "status line" },
        { "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length: +1\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 0x1\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1, 1\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length:\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n", "Content-Length" },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\n", "other than gzip" },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip, zstd\r\n", "other than gzip" },
        { "HTTP/1.1 200 OK\r\nTransfer-Encoding: compress\r\n", "other than gzip" },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip,gzip\r\n", "more than once" },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: deflate\r\n", "more than once" },
        { "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: gzip\r\n", "more than once" },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        if (read_all(cases[i].text))
            fail_msg("taken: %s", cases[i].text);
        if (head.fault == NULL || strstr(head.fault, cases[i].why) == NULL)
            fail_msg("%s: %s", cases[i].text, head.fault ? head.fault : "no fault");
        assert_false(head.complete);
        end();
    }
}

static char line[1024 + 1];

static void make_line(size_t bytes)
{
    memset(line, 'x', bytes);
    memcpy(line, "X-A: ", 5);
    memcpy(line + bytes - 2, "\r\n", 3);
}

TEST(a_head_may_have_its_maximum_of_bytes_and_not_one_more)
{
    make_line(1024);
    assert_true(read_all("HTTP/1.1 200 OK\r\n"));
    while (head.bytes + 1024 <= HTTP_HEAD_MAX_BYTES)
        assert_true(http_head_line(&head, line, 1024));
    size_t room = HTTP_HEAD_MAX_BYTES - head.bytes;
    assert_false(http_head_line(&head, line, room + 1));
    assert_true(head.too_large);
    assert_null(head.fault);
    end();
}

TEST(a_head_may_have_its_maximum_of_lines_and_not_one_more)
{
    make_line(8);
    assert_true(read_all("HTTP/1.1 200 OK\r\n"));
    while (head.line_count < HTTP_HEAD_MAX_LINES)
        assert_true(http_head_line(&head, line, 8));
    assert_false(http_head_line(&head, line, 8));
    assert_true(head.too_large);
    end();
}

TEST(a_head_that_is_reset_remembers_nothing)
{
    assert_false(read_all("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Encoding: gzip\r\n"));
    http_head_reset(&head);
    assert_true(http_head_line(&head, "HTTP/1.1 204 OK\r\n", 17));
    assert_true(http_head_line(&head, "\r\n", 2));
    assert_null(head.fault);
    assert_int_equal(head.status, 204);
    assert_int_equal(head.lines.len, 0);
    end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_answer_is_complete_with_its_empty_line),
        RUN(an_interim_answer_is_none),
        RUN(trailers_are_counted_and_not_kept),
        RUN(a_header_that_looks_like_a_status_line_is_a_header),
        RUN(lengths_and_single_codings_are_taken),
        RUN(answers_that_break_the_protocol_are_refused),
        RUN(a_head_may_have_its_maximum_of_bytes_and_not_one_more),
        RUN(a_head_may_have_its_maximum_of_lines_and_not_one_more),
        RUN(a_head_that_is_reset_remembers_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
