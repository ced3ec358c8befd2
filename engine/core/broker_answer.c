/* broker_answer.c - what came back for a plugin's HTTP request: the secrets are taken out, then the
 * plugin gets it.
 *
 * A long body takes milliseconds, and one thread serves everybody. So it is gone through in parts of
 * BROKER_CONCEAL_WORK, one in each turn of the loop, over all plugins, whose long answers take turns.
 * (Not in a thread of the pool: what it reads, the seals, belongs to a process that may end at any
 * time, and a plugin could keep the pool busy for others.) Meanwhile the answer
 *   - counts as coming in (room_bytes), so that a plugin has no more of them than before;
 *   - costs its hook time: past that it ends, as the hook does;
 *   - is given up with its call, by broker_abort(). A new configuration is a new process with seals
 *     of its own; the calls of the old one end with the old ones.
 * Short answers overtake long ones; a hook waits for one answer at a time. */
#include "core/broker_internal.h"

#include "base/clock.h"
#include "core/schedule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE_BYTES = 64 * 1024 };         /* a body of so much need not wait for its turn */

struct long_answer {
    struct list          node;              /* in the broker's answers */
    struct open_request *request;
    json_t              *head;
    char                *body;              /* as it came: plain */
    struct buf           out;
    struct concealing    concealing;
    int64_t              since_us;          /* monotonic */
};

/* ---- The head ---------------------------------------------------------------------------- */

static void put_header(json_t *object, const char *name, const char *value, size_t bytes)
{
    const char *before = json_text_of(object, name, NULL);
    json_t     *text = json_stringn(value, bytes);

    if (text != NULL && before != NULL) {
        json_t *joined = json_sprintf("%s, %s", before, json_string_value(text));
        json_decref(text);
        text = joined;
    }
    if (text != NULL)
        json_put(object, name, text);
}

/* "name: value\n" lines as an object; repeated names are joined by ", ". */
static json_t *headers_of(const char *lines, size_t bytes)
{
    json_t     *object = json_object();
    const char *end = lines + bytes;

    while (bytes > 0 && lines < end) {
        const char *stop = memchr(lines, '\n', (size_t)(end - lines));
        const char *colon = memchr(lines, ':', (size_t)((stop ? stop : end) - lines));
        char        name[128];
        if (stop == NULL)
            stop = end;
        if (colon != NULL && (size_t)(colon - lines) < sizeof name) {
            snprintf(name, sizeof name, "%.*s", (int)(colon - lines), lines);
            const char *value = colon + 1;
            while (value < stop && *value == ' ')
                value++;
            put_header(object, name, value, (size_t)(stop - value));
        }
        lines = stop + 1;
    }
    return object;
}

/* Why there was no answer, in one sentence without secrets. */
static void explain(const struct seals *seals, const struct http_result *result, char *out,
                    size_t size)
{
    struct buf text;

    buf_init(&text, 4096);
    if (seals_conceal(seals, result->detail, strlen(result->detail), &text) != MH_OK)
        buf_reset(&text);
    snprintf(out, size, "%s", text.len > 0 ? text.data : err_text(result->err));
    buf_deinit(&text);
}

static void put_retry_after(json_t *head, const struct http_result *result)
{
    char value[64];

    if (!http_result_header(result, "retry-after", value, sizeof value))
        return;
    int64_t ms = schedule_retry_after_ms(value, clock_now_ms(), 24LL * 3600 * 1000);
    if (ms >= 0)
        json_put(head, "retry_after_s", json_real((double)ms / 1000.0));
}

/* With every secret's value replaced by its token. */
static enum mh_err make_head(const struct seals *seals, const struct http_result *result, json_t **out)
{
    struct buf headers;

    buf_init(&headers, MH_MIB);
    enum mh_err err = seals_conceal(seals, result->headers, result->headers_bytes, &headers);
    if (err == MH_OK) {
        *out = json_pack("{s:b, s:i, s:o}", "ok", 1, "status", (int)result->status, "headers",
                         headers_of(headers.data, headers.len));
        put_retry_after(*out, result);
    }
    buf_deinit(&headers);
    return err;
}

/* ---- To the plugin --------------------------------------------------------------------------- */

/* `head` is stolen. */
static void reply_concealed(struct open_request *r, json_t *head, const struct concealing *c,
                            const struct buf *out)
{
    if (c->copied > 0)
        broker_reply(r, head, out->data, out->len);
    else
        broker_reply(r, head, c->text, c->bytes);
}

/* `head` is stolen. */
static void refuse(struct open_request *r, json_t *head, enum mh_err err)
{
    struct refusal no = { .final = false };

    json_decref(head);
    broker_refuse(&no, err, "%s", err == MH_TOO_LARGE ? "the response is too large" : err_text(err));
    broker_reply_error(r, err, &no);
}

/* ---- Long bodies ------------------------------------------------------------------------------- */

static void on_turns_closed(uv_handle_t *handle) { free(handle); }

static void stop_turns(struct broker *b)
{
    if (!list_empty(&b->answers) || b->turns == NULL)
        return;
    uv_close((uv_handle_t *)b->turns, on_turns_closed);
    b->turns = NULL;
}

/* Its request lives on, without it. */
static void part_from_request(struct long_answer *a)
{
    list_unlink(&a->node);
    a->request->answer = NULL;
    a->request->who->room_bytes += a->concealing.bytes;
}

static void answer_free(struct long_answer *a)
{
    explicit_bzero(a->body, a->concealing.bytes);
    free(a->body);
    buf_deinit(&a->out);
    free(a);
}

void broker_answer_abandon(struct open_request *r)
{
    struct long_answer *a = r->answer;

    part_from_request(a);
    stop_turns(r->broker);
    json_decref(a->head);
    answer_free(a);
}

static void end_answer(struct long_answer *a, enum mh_err err)
{
    struct open_request *r = a->request;

    part_from_request(a);
    stop_turns(r->broker);
    r->call->left_us -= clock_mono_us() - a->since_us;
    if (err == MH_OK)
        reply_concealed(r, a->head, &a->concealing, &a->out);
    else
        refuse(r, a->head, err);
    answer_free(a);
}

static bool time_is_over(const struct long_answer *a)
{
    return clock_mono_us() - a->since_us > a->request->call->left_us;
}

static void on_turn(uv_idle_t *turns)
{
    struct broker      *b = turns->data;
    struct long_answer *a = container_of(list_pop_front(&b->answers), struct long_answer, node);

    enum mh_err err = conceal_some(&a->concealing, BROKER_CONCEAL_WORK, &a->out);
    if (err == MH_OK && !a->concealing.done && time_is_over(a))
        err = MH_TIMEOUT;
    if (err != MH_OK || a->concealing.done)
        end_answer(a, err);
    else
        list_push_back(&b->answers, &a->node);
}

static void begin_turns(struct broker *b)
{
    if (b->turns != NULL)
        return;
    b->turns = mem_alloc(sizeof *b->turns);
    uv_idle_init(b->spec.loop, b->turns);
    b->turns->data = b;
    uv_idle_start(b->turns, on_turn);
}

/* `head` is stolen, the body copied: that of the exchange goes with it, and so does what it took of
 * the room for answers, which there is again. */
static void answer_later(struct open_request *r, json_t *head, const struct http_result *result)
{
    struct long_answer *a = mem_alloc(sizeof *a);
    char               *body = malloc(result->body_bytes);

    if (body == NULL) {
        refuse(r, head, MH_NOMEM);
        free(a);
        return;
    }
    memcpy(body, result->body, result->body_bytes);
    *a = (struct long_answer){ .request = r, .head = head, .body = body, .since_us = clock_mono_us(),
        .concealing = { .seals = r->who->seals, .text = body, .bytes = result->body_bytes } };
    buf_init(&a->out, 2 * BROKER_MAX_RESPONSE_BYTES);
    r->answer = a;
    r->who->room_bytes -= a->concealing.bytes;
    list_push_back(&r->broker->answers, &a->node);
    begin_turns(r->broker);
}

static void answer_now(struct open_request *r, json_t *head, const struct http_result *result)
{
    struct concealing c = { .seals = r->who->seals, .text = result->body, .bytes = result->body_bytes };
    struct buf        out;

    buf_init(&out, 2 * BROKER_MAX_RESPONSE_BYTES);
    enum mh_err err = conceal_some(&c, BROKER_CONCEAL_WORK, &out);
    if (err != MH_OK)
        refuse(r, head, err);
    else if (c.done)
        reply_concealed(r, head, &c, &out);
    else
        answer_later(r, head, result);      /* it was made to be slow */
    buf_deinit(&out);
}

/* ---- What came back ------------------------------------------------------------------------------ */

void broker_answer(struct open_request *r, const struct http_result *result)
{
    json_t        *head = NULL;
    struct refusal no = { .final = false };

    if (result->err != MH_OK) {
        explain(r->who->seals, result, no.why, sizeof no.why);
        broker_reply_error(r, result->err, &no);
    } else if (make_head(r->who->seals, result, &head) != MH_OK) {
        refuse(r, NULL, MH_TOO_LARGE);
    } else if (result->body_bytes <= AT_ONCE_BYTES) {
        answer_now(r, head, result);
    } else {
        answer_later(r, head, result);
    }
}
