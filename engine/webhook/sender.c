/* sender.c - see sender.h.
 *
 * Headers of an attempt (DESIGN 4): the event type, the Mission Control signature,
 * and Standard Webhooks 1.0. `webhook-id` is the event's id: the same event sent
 * again, by a retry or by an operator, has the same one. */
#include "webhook/sender.h"

#include "base/clock.h"
#include "webhook/endpoints.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_RESPONSE_BYTES = 64 * 1024, HEADER_LINES = 8 };
static const int64_t RETRY_AFTER_CAP_MS = 3600 * 1000;

struct sending {
    struct endpoint      *endpoint;
    struct delivery      *delivery;
    struct http_exchange *exchange;
};

struct lines {
    struct buf  text[HEADER_LINES + ENDPOINT_MAX_HEADERS];
    const char *line[HEADER_LINES + ENDPOINT_MAX_HEADERS + 1];
    size_t      count;
};

static void add_line(struct lines *l, const char *name, const char *value)
{
    struct buf *text = &l->text[l->count];

    buf_init(text, 2048);
    if (buf_printf(text, "%s: %s", name, value) == MH_OK)
        l->line[l->count++] = text->data;
    else
        buf_deinit(text);
}

static void lines_deinit(struct lines *l)
{
    for (size_t i = 0; i < l->count; i++)
        buf_deinit(&l->text[i]);
}

static enum mh_err sign(const struct endpoint *e, const struct event *event, int64_t now_s,
                        struct lines *l)
{
    struct signature    signature;
    char                hex[65], at[24];
    struct signed_bytes what = { event->id, now_s, event->envelope, event->envelope_bytes };

    enum mh_err err = signer_sign(e->secret, &what, &signature);
    if (err == MH_OK)
        err = signer_body_hex(e->secret, event->envelope, event->envelope_bytes, hex);
    if (err != MH_OK)
        return err;
    snprintf(at, sizeof at, "%lld", (long long)now_s);
    add_line(l, "X-Mission-Control-Event", event->type);
    add_line(l, "X-Mission-Control-Signature", hex);
    add_line(l, "webhook-id", event->id);
    add_line(l, "webhook-timestamp", at);
    add_line(l, "webhook-signature", signature.text);
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

static void note_retry_after(struct endpoint *e, const struct http_result *r, struct outcome *o)
{
    char value[64];

    if ((r->status != 429 && r->status != 503) ||
        !http_result_header(r, "retry-after", value, sizeof value))
        return;
    o->retry_after_ms = schedule_retry_after_ms(value, clock_now_ms(), RETRY_AFTER_CAP_MS);
    if (o->retry_after_ms == 0)             /* "now" from one that is overloaded: the schedule */
        o->retry_after_ms = -1;
    if (o->retry_after_ms > 0 && !e->target.retired) {
        dispatch_pause(dispatch_of(e), &e->target, true);
        timer_start(&e->pause, o->retry_after_ms);
    }
}

static void judge(struct endpoint *e, const struct http_result *r, struct outcome *o)
{
    bool cut = r->err == MH_TOO_LARGE && r->status != 0;    /* answered, at length */

    o->err = cut ? MH_OK : r->err;
    o->uncharged = r->err == MH_CANCELLED;  /* the engine stops */
    if (o->err != MH_OK || (r->status >= 200 && r->status < 300))
        return;
    o->err = MH_STATUS;
    note_retry_after(e, r, o);
    if (r->status == 410) {
        o->never = true;
        endpoints_disable(e, "the receiver answered 410 Gone");
    }
}

/* ---- The attempt's story ------------------------------------------------------------------- */

static json_t *timing_of(const struct http_timing *t)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f}", "dns_ms", (double)t->dns_us / 1000,
                     "connect_ms", (double)t->connect_us / 1000, "tls_ms",
                     (double)t->tls_us / 1000, "first_byte_ms", (double)t->first_byte_us / 1000,
                     "total_ms", (double)t->total_us / 1000);
}

static char *facts_of(const struct endpoint *e, const struct http_result *r, enum mh_err err)
{
    json_t *facts = json_pack("{s:{s:s, s:s}, s:o}", "request", "method", "POST", "url",
                              json_text_of(e->json, "url", ""), "timing", timing_of(&r->timing));

    if (r->address[0] != '\0')
        json_put(facts, "address", json_string(r->address));
    if (r->status != 0)
        json_put(facts, "response",
                 json_pack("{s:i, s:b, s:o, s:o}", "status", (int)r->status, "truncated",
                           (int)(r->err == MH_TOO_LARGE || r->body_bytes > DELIVERY_TEXT_MAX),
                           "headers", delivery_text(r->headers, r->headers_bytes), "body",
                           delivery_text(r->body, r->body_bytes)));
    if (err == MH_STATUS)
        json_put(facts, "error", json_pack("{s:s, s:o}", "code", err_code(err), "message",
                                           json_sprintf("the receiver answered %u", r->status)));
    else if (err != MH_OK)
        json_put(facts, "error", json_pack("{s:s, s:s}", "code", err_code(err), "message",
                                           r->detail[0] ? r->detail : err_text(err)));
    return delivery_facts(facts);
}

/* Also without an exchange: then r->err says why there was none. */
static void end(struct sending *s, const struct http_result *r)
{
    struct outcome   o = { .retry_after_ms = -1 };
    struct endpoint *e = s->endpoint;

    judge(e, r, &o);
    o.facts = facts_of(e, r, o.err);
    dispatch_done(dispatch_of(e), s->delivery, &o);
    free(s);
}

static void on_result(void *arg, const struct http_result *r) { end(arg, r); }

/* ---- Starting ---------------------------------------------------------------------------------- */

static enum mh_err post(struct sending *s)
{
    const struct endpoints_spec *spec = endpoints_spec(s->endpoint->owner);
    const struct event          *event = s->delivery->event;
    struct lines                 l = { .count = 0 };

    add_line(&l, "Content-Type", "application/json");
    add_line(&l, "User-Agent", "moonhook/" MH_VERSION);
    enum mh_err err = sign(s->endpoint, event, clock_now_ms() / 1000, &l);
    add_custom(s->endpoint, &l);
    struct http_call call = {
        .method = "POST", .url = json_text_of(s->endpoint->json, "url", ""), .headers = l.line,
        .body = event->envelope, .body_bytes = event->envelope_bytes,
        .timeout_ms = spec->timeout_ms, .max_response_bytes = MAX_RESPONSE_BYTES,
    };
    if (err == MH_OK)
        err = http_client_start(spec->http, &call, on_result, s, &s->exchange);
    lines_deinit(&l);
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

    bool test = strcmp(d->event->type, "webhook.test") == 0;    /* an operator's, asked for */

    if (!e->active && !test) {
        cancel(e, d);
        return;
    }
    struct sending *s = mem_alloc(sizeof *s);

    *s = (struct sending){ .endpoint = e, .delivery = d };
    d->attempt_data = s;
    enum mh_err err = post(s);
    if (err != MH_OK)
        end(s, &(struct http_result){ .err = err, .headers = "", .body = "" });
}
