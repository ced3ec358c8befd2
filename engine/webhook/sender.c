/* sender.c - see sender.h.
 *
 * Headers of an attempt (DESIGN 4): the event type, the Mission Control signature (one value:
 * by the newest secret), and Standard Webhooks 1.0 (by every live secret). `webhook-id` is the
 * event's id: the same event sent again, by a retry or by an operator, has the same one. */
#include "webhook/sender.h"

#include "base/clock.h"
#include "webhook/echo.h"
#include "webhook/endpoints.h"
#include "webhook/headers.h"
#include "webhook/life.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RESPONSE_BYTES = 16 * 1024, MAX_FACTS_BYTES = 256 * 1024, HEADER_LINES = 8,
       MAX_LINES_BYTES = 64 * 1024, USUAL_LINES_BYTES = 600,
       LACKING_PAUSE_MS = 1000 };
static const int64_t RETRY_AFTER_CAP_MS = 3600 * 1000;

struct sending {
    struct endpoint      *endpoint;
    struct delivery      *delivery;
    json_t               *json;             /* the endpoint's at the start: what was sent */
    struct http_exchange *exchange;
    int64_t               sent_s;           /* what was signed as the time */
    bool                  probe;            /* decides about the endpoint's circuit */
};

/* "Name: value" lines in one text, a NUL behind each. */
struct lines {
    struct buf  text;
    size_t      begin[HEADER_LINES + ENDPOINT_MAX_HEADERS];
    const char *line[HEADER_LINES + ENDPOINT_MAX_HEADERS + 1];
    size_t      count;
    enum mh_err err;                        /* of the first line that did not fit */
};

static void lines_init(struct lines *l)
{
    *l = (struct lines){ .count = 0 };
    buf_init(&l->text, MAX_LINES_BYTES);
    l->err = buf_reserve(&l->text, USUAL_LINES_BYTES);
}

static void add_text(struct lines *l, const char *text, size_t bytes)
{
    if (l->err == MH_OK)
        l->err = buf_append(&l->text, text, bytes);
}

static void add_line(struct lines *l, const char *name, const char *value)
{
    l->begin[l->count++] = l->text.len;
    add_text(l, name, strlen(name));
    add_text(l, ": ", 2);
    add_text(l, value, strlen(value) + 1);
}

/* The text moves while it grows: lines are known by their beginnings until now. */
static const char *const *lines_ready(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        l->line[i] = l->text.data + l->begin[i];
    return l->line;
}

static enum mh_err sign(const struct endpoint *e, const struct event *event, int64_t now_s,
                        struct lines *l)
{
    char                signatures[KEYRING_HEADER_BYTES], hex[65], at[24];
    struct signed_bytes what = { event->id, now_s, event->envelope, event->envelope_bytes };

    enum mh_err err = keyring_sign(&e->keys, &what, now_s * 1000, signatures);
    if (err == MH_OK)
        err = signer_body_hex(e->keys.secret[0].text, event->envelope, event->envelope_bytes, hex);
    if (err != MH_OK)
        return err;
    snprintf(at, sizeof at, "%lld", (long long)now_s);
    add_line(l, "X-Mission-Control-Event", event->type);
    add_line(l, "X-Mission-Control-Signature", hex);
    add_line(l, "webhook-id", event->id);
    add_line(l, "webhook-timestamp", at);
    add_line(l, "webhook-signature", signatures);
    return MH_OK;
}

static void add_custom(const struct endpoint *e, struct lines *l)
{
    json_t     *headers = json_object_get(e->json, "headers"), *value;
    const char *name;

    json_object_foreach(headers, name, value)
        add_line(l, name, json_string_value(value));
}

static struct dispatch *dispatch_of(const struct endpoint *e)
{
    return endpoints_spec(e->owner)->dispatch;
}

/* ---- Judging ---------------------------------------------------------------------------- */

/* A receiver may say more than a status: the header `webhook-delivery`, with any of them. */
enum wish { WISH_NONE, WISH_ABORT, WISH_DISABLE };

static enum wish wish_of(const struct http_result *r)
{
    char value[32];

    if (!http_result_header(r, "webhook-delivery", value, sizeof value))
        return WISH_NONE;
    value[strcspn(value, " \t")] = '\0';
    return strcasecmp(value, "abort-message") == 0 ? WISH_ABORT
         : strcasecmp(value, "disable") == 0 ? WISH_DISABLE : WISH_NONE;
}

/* The wait that an overloaded receiver asks for; -1: none. "Now" means the schedule. */
static int64_t retry_after_ms(const struct http_result *r)
{
    char value[64];

    if ((r->status != 429 && r->status != 503) ||
        !http_result_header(r, "retry-after", value, sizeof value))
        return -1;
    int64_t wait_ms = schedule_retry_after_ms(value, clock_now_ms(), RETRY_AFTER_CAP_MS);
    return wait_ms > 0 ? wait_ms : -1;
}

static void judge_answer(struct endpoint *e, const struct http_result *r, struct outcome *o)
{
    enum wish wish = wish_of(r);
    bool      success = r->status >= 200 && r->status < 300;

    if (wish == WISH_DISABLE)
        life_disable(e, "the receiver answered webhook-delivery: disable");
    else if (r->status == 410)
        life_disable(e, "the receiver answered 410 Gone");
    if (success && wish != WISH_ABORT)
        return;
    o->err = MH_STATUS;
    o->never = wish != WISH_NONE || r->status == 410;
    if (!o->never)
        o->retry_after_ms = retry_after_ms(r);
}

static void judge(struct endpoint *e, const struct http_result *r, struct outcome *o)
{
    bool cut = r->err == MH_TOO_LARGE && r->status != 0;    /* answered, at length */

    o->err = cut ? MH_OK : r->err;
    o->uncharged = r->err == MH_CANCELLED || r->err == MH_BUSY;     /* it stops, or lacks descriptors */
    if (o->err == MH_OK)
        judge_answer(e, r, o);
}

/* What the endpoint's life learns from it: one that asks for a pause, or wants this one
 * message no more, is up. That this engine had no descriptor left (BUSY) says nothing of it. */
static void tell_life(const struct sending *s, const struct http_result *r, const struct outcome *o)
{
    struct life_attempt attempt = {
        .circuit = o->err == MH_OK ? BREAKER_SUCCESS : BREAKER_FAILURE, .probe = s->probe,
        .began_ms = s->delivery->started_us / 1000, .pause_ms = o->retry_after_ms,
        .failed = o->err != MH_OK && !o->uncharged,
    };
    if (o->uncharged || o->retry_after_ms > 0)
        attempt.circuit = BREAKER_NEITHER;
    if (o->err == MH_BUSY)
        attempt.pause_ms = LACKING_PAUSE_MS;
    if (wish_of(r) == WISH_ABORT) {
        attempt.circuit = BREAKER_NEITHER;
        attempt.failed = false;
    }
    life_ended(s->endpoint, &attempt);
}

/* ---- The attempt's story ------------------------------------------------------------------- */

static void write_timing(struct json_writer *w, const struct http_timing *t)
{
    json_write_open(w, "timing", '{');
    json_write_ms(w, "dns_ms", t->dns_us);
    json_write_ms(w, "connect_ms", t->connect_us);
    json_write_ms(w, "tls_ms", t->tls_us);
    json_write_ms(w, "first_byte_ms", t->first_byte_us);
    json_write_ms(w, "total_ms", t->total_us);
    json_write_close(w, '}');
}

/* The headers that were sent. What proves who sent it, and what the operator gave, which
 * may be a password, is not told. */
static void write_headers(struct json_writer *w, const struct sending *s)
{
    const struct event *event = s->delivery->event;
    char                sent_at[24];
    json_t             *value;
    const char         *name;

    snprintf(sent_at, sizeof sent_at, "%lld", (long long)s->sent_s);
    json_write_open(w, "headers", '{');
    json_write_string(w, "Content-Type", "application/json");
    json_write_string(w, "User-Agent", "moonhook/" MH_VERSION);
    json_write_string(w, "X-Mission-Control-Event", event->type);
    json_write_string(w, "X-Mission-Control-Signature", HEADERS_MASK);
    json_write_string(w, "webhook-id", event->id);
    json_write_string(w, "webhook-timestamp", sent_at);
    json_write_string(w, "webhook-signature", HEADERS_MASK);
    json_object_foreach(json_object_get(s->json, "headers"), name, value)
        json_write_string(w, name, HEADERS_MASK);
    json_write_close(w, '}');
}

static void write_request(struct json_writer *w, const struct sending *s)
{
    json_write_open(w, "request", '{');
    json_write_string(w, "method", "POST");
    json_write_string(w, "url", json_text_of(s->json, "url", ""));
    write_headers(w, s);
    json_write_close(w, '}');
}

/* What the receiver shows of the endpoint's secrets is not told either. */
static void write_response(struct json_writer *w, const struct sending *s, const struct http_result *r)
{
    struct echo echo;

    echo_init(&echo, &s->endpoint->keys, json_object_get(s->json, "headers"));
    json_write_open(w, "response", '{');
    json_write_int(w, "status", r->status);
    json_write_bool(w, "truncated", r->err == MH_TOO_LARGE || r->body_bytes > DELIVERY_TEXT_MAX);
    echo_write(&echo, w, "headers", r->headers, r->headers_bytes);
    echo_write(&echo, w, "body", r->body, r->body_bytes);
    json_write_close(w, '}');
    echo_deinit(&echo);
}

static void write_error(struct json_writer *w, const struct http_result *r, enum mh_err err)
{
    static const char *const wishes[] = {
        [WISH_NONE] = "", [WISH_ABORT] = " and webhook-delivery: abort-message",
        [WISH_DISABLE] = " and webhook-delivery: disable" };
    char        answer[96];
    const char *text = r->detail[0] ? r->detail : err_text(err);

    if (err == MH_STATUS) {
        snprintf(answer, sizeof answer, "the receiver answered %u%s", r->status, wishes[wish_of(r)]);
        text = answer;
    }
    json_write_open(w, "error", '{');
    json_write_string(w, "code", err_code(err));
    delivery_write_text(w, "message", text, strlen(text));
    json_write_close(w, '}');
}

static char *facts_of(const struct sending *s, const struct http_result *r, enum mh_err err)
{
    struct json_writer w;

    json_writer_init(&w, MAX_FACTS_BYTES);
    write_request(&w, s);
    write_timing(&w, &r->timing);
    if (r->address[0] != '\0')
        json_write_string(&w, "address", r->address);
    if (r->status != 0)
        write_response(&w, s, r);
    if (err != MH_OK)
        write_error(&w, r, err);
    return json_writer_take(&w);
}

/* Also without an exchange: then r->err says why there was none. */
static void end(struct sending *s, const struct http_result *r)
{
    struct outcome   o = { .retry_after_ms = -1 };
    struct endpoint *e = s->endpoint;

    judge(e, r, &o);
    tell_life(s, r, &o);
    o.facts = facts_of(s, r, o.err);
    dispatch_done(dispatch_of(e), s->delivery, &o);
    json_decref(s->json);
    free(s);
}

static void on_result(void *arg, const struct http_result *r) { end(arg, r); }

/* ---- Starting ---------------------------------------------------------------------------------- */

static enum mh_err post(struct sending *s)
{
    const struct endpoints_spec *spec = endpoints_spec(s->endpoint->owner);
    const struct event          *event = s->delivery->event;
    struct lines                 l;

    lines_init(&l);
    add_line(&l, "Content-Type", "application/json");
    add_line(&l, "User-Agent", "moonhook/" MH_VERSION);
    enum mh_err err = sign(s->endpoint, event, s->sent_s, &l);
    add_custom(s->endpoint, &l);
    if (err == MH_OK)
        err = l.err;
    struct http_call call = {
        .method = "POST", .url = json_text_of(s->endpoint->json, "url", ""),
        .headers = lines_ready(&l),
        .body = event->envelope, .body_bytes = event->envelope_bytes,
        .timeout_ms = s->endpoint->timeout_ms, .max_response_bytes = MAX_RESPONSE_BYTES,
    };
    if (err == MH_OK)
        err = http_client_start(spec->http, &call, on_result, s, &s->exchange);
    buf_deinit(&l.text);
    return err;
}

/* What was accepted for an endpoint that is inactive by now. */
static void cancel(struct endpoint *e, struct delivery *d)
{
    struct outcome o = { .err = MH_CANCELLED, .cancel = true, .retry_after_ms = -1 };

    o.facts = delivery_facts(json_pack("{s:{s:s, s:s}}", "error", "code", err_code(MH_CANCELLED),
                                       "message", "the endpoint is not active"));
    dispatch_done(dispatch_of(e), d, &o);
}

void sender_attempt(struct target *t, struct delivery *d)
{
    struct endpoint *e = container_of(t, struct endpoint, target);

    bool test = strcmp(d->event->type, EVENT_TEST_TYPE) == 0;    /* an operator's, asked for */

    if (!e->active && !test) {
        cancel(e, d);
        return;
    }
    struct sending *s = mem_alloc(sizeof *s);

    *s = (struct sending){ .endpoint = e, .delivery = d, .json = json_incref(e->json),
                           .sent_s = clock_now_ms() / 1000, .probe = life_begin(e) };
    d->attempt_data = s;
    enum mh_err err = post(s);
    if (err != MH_OK)
        end(s, &(struct http_result){ .err = err, .headers = "", .body = "" });
}
