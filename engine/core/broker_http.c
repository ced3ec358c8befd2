/* broker_http.c - see broker_http.h.
 *
 * Order matters: secrets are put into the URL first, then the whole URL is checked
 * against the permissions, then everything else is put together. So no spelling
 * of a host can hide in a secret. */
#include "core/broker_http.h"

#include "base/clock.h"
#include "core/broker_internal.h"

#include <stdio.h>
#include <string.h>

enum { MAX_HEADER_BYTES = 16 * 1024,
       LOOKUP_MS = 30000                    /* no resolver asks for longer */ };

static bool is_token(const char *text)      /* RFC 9110 5.6.2 */
{
    size_t len = strlen(text);
    return len > 0 && len < 128 &&
           strspn(text, "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"
                        "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == len;
}

static void init(struct broker_http_call *c)
{
    memset(c, 0, sizeof *c);
    buf_init(&c->url, BROKER_MAX_URL_BYTES);
    buf_init(&c->body, FRAME_MAX_BYTES);
    buf_init(&c->user, 4096);
    buf_init(&c->password, 4096);
    for (size_t i = 0; i < BROKER_MAX_HEADERS; i++)
        buf_init(&c->lines[i], MAX_HEADER_BYTES);
}

void broker_http_deinit(struct broker_http_call *c)
{
    struct buf *const all[] = { &c->url, &c->body, &c->user, &c->password };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i]->data != NULL)
            explicit_bzero(all[i]->data, all[i]->len);      /* held secrets */
        buf_deinit(all[i]);
    }
    for (size_t i = 0; i < BROKER_MAX_HEADERS; i++) {
        if (c->lines[i].data != NULL)
            explicit_bzero(c->lines[i].data, c->lines[i].len);
        buf_deinit(&c->lines[i]);
    }
}

/* ---- URL ------------------------------------------------------------------------------ */

static enum mh_err put_percent(struct buf *out, const char *text)
{
    enum mh_err err = MH_OK;

    for (; err == MH_OK && *text != '\0'; text++) {
        bool plain = strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~",
                            *text) != NULL;
        err = plain ? buf_append(out, text, 1) : buf_printf(out, "%%%02X", (unsigned char)*text);
    }
    return err;
}

/* Appends ?k=v&k=v (or &k=v where the URL has a query already), before secrets go in. */
static enum mh_err put_query(struct buf *url, const json_t *query)
{
    enum mh_err err = MH_OK;
    bool        first = url->data == NULL || strchr(url->data, '?') == NULL;

    for (size_t i = 0; err == MH_OK && i < json_array_size(query); i++, first = false) {
        const json_t *pair = json_array_get(query, i);
        const char   *key = json_string_value(json_array_get(pair, 0));
        const char   *value = json_string_value(json_array_get(pair, 1));
        if (key == NULL || value == NULL)
            return MH_INVALID;
        err = buf_puts(url, first ? "?" : "&");
        if (err == MH_OK)
            err = put_percent(url, key);
        if (err == MH_OK)
            err = buf_puts(url, "=");
        if (err == MH_OK)
            err = put_percent(url, value);
    }
    return err;
}

static enum mh_err prepare_url(const struct broker_subject *who, const json_t *head,
                               struct broker_http_call *c, const char **why)
{
    struct buf        shown;
    struct policy_url url;

    buf_init(&shown, BROKER_MAX_URL_BYTES);
    enum mh_err err = buf_puts(&shown, json_text_of(head, "url", ""));
    if (err == MH_OK)
        err = put_query(&shown, json_object_get(head, "query"));
    if (err == MH_OK)
        err = seals_reveal(who->seals, SEAL_URL, shown.data, shown.len, &c->url);
    buf_deinit(&shown);
    *why = "the URL or its query is too long or not text";
    if (err != MH_OK)
        return MH_INVALID;
    err = policy_url_parse(c->url.data, &url, why);
    if (err != MH_OK)
        return MH_INVALID;
    *why = "the plugin's permissions have no http: entry for this host and port";
    return manifest_may_reach(who->manifest, who->config, &url) ? MH_OK : MH_DENIED;
}

/* ---- Headers, authentication, body ------------------------------------------------------ */

static enum mh_err prepare_header(const struct broker_subject *who, const json_t *pair,
                                  struct broker_http_call *c, const char **why)
{
    const char *name = json_string_value(json_array_get(pair, 0));
    const char *value = json_string_value(json_array_get(pair, 1));

    *why = "a header's name or value is not valid";
    if (name == NULL || value == NULL || !is_token(name) || c->header_count == BROKER_MAX_HEADERS)
        return MH_INVALID;
    *why = "Host, Content-Length and Transfer-Encoding cannot be set";
    if (strcasecmp(name, "host") == 0 || strcasecmp(name, "content-length") == 0 ||
        strcasecmp(name, "transfer-encoding") == 0)
        return MH_INVALID;
    struct buf *line = &c->lines[c->header_count];
    *why = "a header is too long";
    enum mh_err err = buf_printf(line, "%s: ", name);
    if (err == MH_OK)
        err = seals_reveal(who->seals, SEAL_RAW, value, strlen(value), line);
    if (err != MH_OK)
        return MH_INVALID;
    *why = "a header's value has a line break or another control character";
    for (size_t i = 0; i < line->len; i++)
        if ((unsigned char)line->data[i] < 0x20 && line->data[i] != '\t')
            return MH_INVALID;
    c->headers[c->header_count++] = line->data;
    return MH_OK;
}

static enum mh_err prepare_headers(const struct broker_subject *who, const json_t *head,
                                   struct broker_http_call *c, const char **why)
{
    const json_t *list = json_object_get(head, "headers");
    enum mh_err   err = MH_OK;

    for (size_t i = 0; err == MH_OK && i < json_array_size(list); i++)
        err = prepare_header(who, json_array_get(list, i), c, why);
    return err;
}

static enum mh_err prepare_auth(const struct broker_subject *who, const json_t *head,
                                struct broker_http_call *c, const char **why)
{
    const json_t *auth = json_object_get(head, "auth");
    const char   *user = json_string_value(json_array_get(auth, 0));
    const char   *password = json_string_value(json_array_get(auth, 1));

    if (auth == NULL || json_is_null(auth))
        return MH_OK;
    *why = "auth must be a user and a password";
    if (user == NULL || password == NULL || strchr(user, ':') != NULL)
        return MH_INVALID;
    enum mh_err err = seals_reveal(who->seals, SEAL_RAW, user, strlen(user), &c->user);
    if (err == MH_OK)
        err = seals_reveal(who->seals, SEAL_RAW, password, strlen(password), &c->password);
    c->http.user = c->user.data;
    c->http.password = c->password.data;
    return err;
}

static enum mh_err prepare_body(const struct broker_subject *who, const json_t *head,
                                const struct frame *frame, struct broker_http_call *c,
                                const char **why)
{
    static const struct { const char *kind; enum seal_place place; } kinds[] = {
        { "json", SEAL_JSON }, { "form", SEAL_FORM }, { "raw", SEAL_RAW },
    };
    const char *kind = json_text_of(head, "body", "none");

    *why = "the body is too large";
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (strcmp(kinds[i].kind, kind) == 0) {
            enum mh_err err = seals_reveal(who->seals, kinds[i].place, frame->body,
                                           frame->body_bytes, &c->body);
            c->http.body = c->body.data;
            c->http.body_bytes = c->body.len;
            return err;
        }
    return MH_OK;
}

enum mh_err broker_http_prepare(const struct broker_subject *who, const json_t *head,
                                const struct frame *frame, struct broker_http_call *out,
                                const char **why)
{
    init(out);
    out->http.method = json_text_of(head, "method", "GET");
    *why = "the method is not valid";
    enum mh_err err = is_token(out->http.method) ? MH_OK : MH_INVALID;
    if (err == MH_OK)
        err = prepare_url(who, head, out, why);
    if (err == MH_OK)
        err = prepare_headers(who, head, out, why);
    if (err == MH_OK)
        err = prepare_auth(who, head, out, why);
    if (err == MH_OK)
        err = prepare_body(who, head, frame, out, why);
    out->http.url = out->url.data;
    out->http.headers = out->headers;
    return err;
}

/* ---- What came back ------------------------------------------------------------------------ */

/* A lookup that is given up goes on in a thread of its own. A plugin that gave up one a
 * millisecond, of a name whose servers are silent, would fill the engine with threads. */
static void note_lookup(struct broker_subject *who)
{
    who->lookups++;
    who->lookups_until_ms = clock_mono_ms() + LOOKUP_MS;
}

static bool lookups_linger(struct broker_subject *who)
{
    if (clock_mono_ms() >= who->lookups_until_ms)
        who->lookups = 0;
    return who->lookups >= BROKER_MAX_LOOKUPS;
}

void broker_http_abandon(struct open_request *r)
{
    if (http_exchange_resolving(r->exchange))
        note_lookup(r->who);
    http_exchange_abandon(r->exchange);
}

static void on_answer(void *arg, const struct http_result *result)
{
    struct open_request *r = arg;

    r->exchange = NULL;
    r->call->left_us -= result->timing.total_us;
    if (result->err == MH_TIMEOUT && result->timing.dns_us == 0)
        note_lookup(r->who);
    broker_answer(r, result);
}

/* ---- Starting it --------------------------------------------------------------------------- */

/* The permission that is missing, as far as it may be logged: read from the URL as the
 * plugin wrote it, because with its secrets in place the host could be one of them. */
static void name_rule(const json_t *head, struct refusal *no)
{
    struct policy_url url;
    const char       *why;

    if (policy_url_parse(json_text_of(head, "url", ""), &url, &why) == MH_OK)
        snprintf(no->rule, sizeof no->rule, strchr(url.host, ':') ? "http:[%s]:%u" : "http:%s:%u",
                 url.host, (unsigned)url.port);
    else
        snprintf(no->rule, sizeof no->rule, "http:(the host in a secret)");
}

enum mh_err broker_http_start(struct open_request *r, const json_t *head, const struct frame *frame,
                              struct refusal *no)
{
    struct broker_http_call call;
    const char             *why = "the request is not valid";

    if (lookups_linger(r->who))
        return broker_refuse(no, MH_BUSY, "too many hosts that the plugin asked for were not found in"
                             " time; try again later");
    enum mh_err err = broker_http_prepare(r->who, head, frame, &call, &why);
    if (err == MH_OK) {
        int64_t left_ms = hook_call_left_ms(r->call);
        int64_t asked_ms = json_int_of(head, "timeout_ms", left_ms);
        call.http.timeout_ms = asked_ms > 0 && asked_ms < left_ms ? asked_ms : left_ms;
        call.http.max_response_bytes = BROKER_MAX_RESPONSE_BYTES;
        call.http.room_bytes = &r->who->room_bytes;
        why = "the request is not valid";
        err = http_client_start(r->broker->spec.http, &call.http, on_answer, r, &r->exchange);
    }
    broker_http_deinit(&call);
    if (err == MH_DENIED)
        name_rule(head, no);
    return err == MH_OK ? MH_OK : broker_refuse(no, err, "%s", why);
}
