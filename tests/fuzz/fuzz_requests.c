/* fuzz_requests.c - what a process may ask for besides HTTP: the head and body of a
 * REQUEST to sign, to store or to emit, from bytes to what would be done.
 *
 * Input: the head up to the first NUL, then the body. "TOKEN" at the begin of the body
 * stands for the token of the plugin's secret, which is made anew in each process.
 *
 * Invariants: what is refused says why; a key that is taken has no control character and
 * no more bytes than allowed; what would be kept is one JSON text; an emitted event is
 * its cause's org's, one hop further, and reads back from its envelope; nothing but a key
 * or a text to compare has the secret in it. */
#include "core/broker_emit.h"
#include "core/broker_sign.h"
#include "core/broker_store.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)
#define SECRET "0123s3cr\"t/+456789"

static const char cause_text[] = "{\"id\":\"evt_1\",\"event\":\"x\",\"org_id\":\"acme\",\"data\":{},"
                                 "\"timestamp\":\"2026-01-22T10:00:00.000Z\"}";
static struct seals  seals;
static struct event *cause;

static void try_sign(const json_t *head, const struct frame *frame, bool spelt)
{
    struct broker_sign_call call;
    struct buf              out;
    const char             *why = NULL;
    json_t                 *answer = json_object();

    buf_init(&out, 4 * MH_MIB);
    enum mh_err err = broker_sign_prepare(&seals, head, frame, &call, &why);
    if (err == MH_OK)
        err = broker_sign_run(&call, 1769076000000, answer, &out, &why);
    INVARIANT(err == MH_OK || (why != NULL && why[0] != '\0'));
    INVARIANT(spelt || out.len < strlen(SECRET) || memmem(out.data, out.len, SECRET, strlen(SECRET)) == NULL);
    broker_sign_deinit(&call);
    buf_deinit(&out);
    json_decref(answer);
}

static void check_json(const char *text, size_t bytes)
{
    json_t           *value = NULL;
    struct json_fault fault;

    if (text == NULL)
        return;
    INVARIANT(bytes <= STORE_MAX_VALUE_BYTES && json_parse(text, bytes, &value, &fault) == MH_OK);
    json_decref(value);
}

static void try_store(const json_t *head, const struct frame *frame)
{
    struct broker_store_call call;
    const char              *why = NULL;

    if (broker_store_prepare(head, frame, &call, &why) == MH_OK) {
        INVARIANT(strlen(call.key) <= STORE_MAX_KEY_BYTES && strlen(call.prefix) <= STORE_MAX_KEY_BYTES);
        INVARIANT(strpbrk(call.key, "\r\n\t\x7f") == NULL && strpbrk(call.prefix, "\r\n\t\x7f") == NULL);
        INVARIANT(call.live_ms >= 0 && call.limit >= 1 && call.limit <= STORE_MAX_LIST);
        check_json(call.value, call.value_bytes);
        check_json(call.expected, call.expected_bytes);
    } else {
        INVARIANT(why != NULL && why[0] != '\0');
    }
    broker_store_deinit(&call);
}

static void try_emit(const json_t *head, const struct frame *frame)
{
    struct hook_call  call = { .hook = "on_event", .delivery_id = "evt_1~p", .event = cause };
    struct json_fault fault = { .text = "" };
    struct event     *e = NULL, *again = NULL;

    if (broker_emit_prepare("p", &call, 1, head, frame, 1769076000000, &e, &fault) != MH_OK) {
        INVARIANT(fault.text[0] != '\0' && e == NULL);
        return;
    }
    INVARIANT(strcmp(e->org, "acme") == 0 && e->hops == 1 && e->envelope_bytes <= EVENT_MAX_BYTES);
    INVARIANT(event_from_envelope(e->envelope, e->envelope_bytes, &again) == MH_OK);
    INVARIANT(strcmp(again->id, e->id) == 0 && strcmp(again->org, e->org) == 0 &&
              strcmp(again->type, e->type) == 0);
    event_unref(again);
    event_unref(e);
}

static void begin(void)
{
    INVARIANT(seals_add(&seals, SECRET) != NULL);
    INVARIANT(event_from_envelope(cause_text, strlen(cause_text), &cause) == MH_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t    *end = memchr(data, 0, size);
    size_t            head_bytes = end ? (size_t)(end - data) : size;
    size_t            body_at = end ? head_bytes + 1 : size;
    struct json_fault fault;
    json_t           *head = NULL;

    if (cause == NULL)
        begin();
    char *body = malloc(size - body_at + VAULT_TOKEN_CHARS + 1);
    INVARIANT(body != NULL);
    size_t token = size - body_at >= 5 && memcmp(data + body_at, "TOKEN", 5) == 0 ? VAULT_TOKEN_CHARS : 0;
    memcpy(body, seals.item[0].token, token);
    body_at += token ? 5 : 0;
    memcpy(body + token, data + body_at, size - body_at);
    if (json_parse((const char *)data, head_bytes, &head, &fault) == MH_OK) {
        struct frame frame = { .body = body, .body_bytes = token + size - body_at };
        try_sign(head, &frame, memmem(data, size, "s3cr", 4) != NULL);
        try_store(head, &frame);
        try_emit(head, &frame);
    }
    json_decref(head);
    free(body);
    return 0;
}
