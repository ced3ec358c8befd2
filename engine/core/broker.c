/* broker.c - see broker.h: from REQUEST to a checked HTTP call and back to REPLY. */
#include "core/broker.h"

#include "base/clock.h"
#include "base/log.h"
#include "core/broker_http.h"
#include "core/schedule.h"

#include <stdlib.h>
#include <string.h>

struct broker { struct http_client *http; struct broker_counts counts; };

/* One open request; `call->request` points here. */
struct open_request {
    struct broker         *broker;
    struct broker_subject *who;
    struct hook_call      *call;
    struct http_exchange  *exchange;
};

struct broker *broker_new(struct http_client *http)
{
    struct broker *b = mem_alloc(sizeof *b);
    b->http = http;
    return b;
}

void broker_free(struct broker *b) { free(b); }

const struct broker_counts *broker_counts(const struct broker *b) { return &b->counts; }

static struct open_request *open_request(struct broker *b, struct broker_subject *who,
                                         struct hook_call *call)
{
    struct open_request *r = mem_alloc(sizeof *r);

    *r = (struct open_request){ .broker = b, .who = who, .call = call };
    call->request = r;
    who->open++;
    b->counts.requests++;
    return r;
}

static void close_request(struct open_request *r)
{
    r->call->request = NULL;
    r->who->open--;
    free(r);
}

/* ---- Answers ------------------------------------------------------------------------ */

static void reply_json(struct open_request *r, json_t *head, const char *body, size_t bytes)
{
    char             *text = json_text(head, &(size_t){ 0 });
    struct sandbox   *sandbox = r->who->sandbox;
    struct hook_call *call = r->call;

    json_decref(head);
    close_request(r);
    sandbox_reply(sandbox, call, text ? text : "{\"ok\":false}", body, bytes);
    free(text);
}

static void reply_error(struct open_request *r, enum mh_err err, const char *message)
{
    char log[300];

    r->broker->counts.denied += err == MH_DENIED;
    r->broker->counts.failed += err != MH_DENIED;
    LOG_WARN(err == MH_DENIED ? "request_denied" : "request_failed",
             "plugin=%s hook=%s delivery=%s error=%s reason=%s", r->who->manifest->name,
             r->call->hook, r->call->delivery_id, err_code(err),
             log_quote(message, log, sizeof log));
    reply_json(r, json_pack("{s:b, s:s, s:s}", "ok", 0, "code", err_code(err), "message", message),
               NULL, 0);
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

/* What came back, with every secret's value replaced by its token. */
static enum mh_err reply_answer(struct open_request *r, const struct http_result *result)
{
    struct buf  headers, body;
    const struct seals *seals = r->who->seals;

    buf_init(&headers, MH_MIB);
    buf_init(&body, 2 * BROKER_MAX_RESPONSE_BYTES);
    enum mh_err err = seals_conceal(seals, result->headers, result->headers_bytes, &headers);
    if (err == MH_OK)
        err = seals_conceal(seals, result->body, result->body_bytes, &body);
    if (err == MH_OK) {
        json_t *head = json_pack("{s:b, s:i, s:o}", "ok", 1, "status", (int)result->status,
                                 "headers", broker_http_headers(headers.data, headers.len));
        put_retry_after(head, result);
        reply_json(r, head, body.data, body.len);
    }
    buf_deinit(&headers);
    buf_deinit(&body);
    return err;
}

static void on_answer(void *arg, const struct http_result *result)
{
    struct open_request *r = arg;
    char                 why[256];

    r->exchange = NULL;
    r->call->left_us -= result->timing.total_us;
    if (result->err != MH_OK) {
        broker_http_explain(r->who->seals, result, why, sizeof why);
        reply_error(r, result->err, why);
        return;
    }
    if (reply_answer(r, result) != MH_OK)
        reply_error(r, MH_TOO_LARGE, "the response is too large");
}

/* ---- Requests ---------------------------------------------------------------------------- */

static enum mh_err start_http(struct open_request *r, const json_t *head,
                              const struct frame *frame, const char **why)
{
    struct broker_http_call call;

    enum mh_err err = broker_http_prepare(r->who, head, frame, &call, why);
    if (err == MH_OK) {
        int64_t left_ms = hook_call_left_ms(r->call);
        int64_t asked_ms = json_int_of(head, "timeout_ms", left_ms);
        call.http.timeout_ms = asked_ms > 0 && asked_ms < left_ms ? asked_ms : left_ms;
        call.http.max_response_bytes = BROKER_MAX_RESPONSE_BYTES;
        *why = "the request is not valid";
        err = http_client_start(r->broker->http, &call.http, on_answer, r, &r->exchange);
    }
    broker_http_deinit(&call);
    return err;
}

static const struct request_row {
    const char *op;
    enum mh_err (*start)(struct open_request *, const json_t *, const struct frame *, const char **);
} requests[] = {
    { "http", start_http },
};

static enum mh_err start(struct open_request *r, const json_t *head, const struct frame *frame,
                         const char **why)
{
    const char *op = json_text_of(head, "op", "");

    for (size_t i = 0; i < ARRAY_LEN(requests); i++)
        if (strcmp(requests[i].op, op) == 0)
            return requests[i].start(r, head, frame, why);
    *why = "moonhook knows no such operation";
    return MH_INVALID;
}

static enum mh_err check_limit(struct open_request *r, const char **why)
{
    if (r->who->open <= r->who->limits.requests)
        return MH_OK;
    sandbox_breach(r->who->sandbox, r->call, LIMIT_REQUESTS);
    *why = "the plugin has as many requests under way as it may have (limits.requests)";
    return MH_LIMIT;
}

void broker_request(struct broker *b, struct broker_subject *who, struct hook_call *call,
                    const struct frame *frame)
{
    struct json_fault    fault;
    json_t              *head = NULL;
    const char          *why = "the request is no JSON";
    struct open_request *r = open_request(b, who, call);

    enum mh_err err = check_limit(r, &why);
    if (err == MH_OK)
        err = json_parse(frame->head, frame->head_bytes, &head, &fault);
    if (err == MH_OK)
        err = start(r, head, frame, &why);
    json_decref(head);
    if (err != MH_OK)
        reply_error(r, err, why);
}

void broker_abort(struct hook_call *call)
{
    struct open_request *r = call->request;

    if (r->exchange != NULL)
        http_exchange_abandon(r->exchange);
    close_request(r);
}
