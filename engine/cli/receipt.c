/* receipt.c - see receipt.h. */
#include "cli/receipt.h"

#include "base/id.h"
#include "base/util.h"
#include "cli/print.h"
#include "io/crypto.h"
#include "webhook/signer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TOLERANCE_S = 300, HEX_CHARS = 64, LABEL_WIDTH = 8, INDENT = 2 };

/* ---- Verification ---------------------------------------------------------------------- */

static bool parse_seconds(const char *text, int64_t *seconds)
{
    char *end;

    if (strspn(text, "0123456789") != strlen(text) || *text == '\0')
        return false;
    errno = 0;
    *seconds = strtoll(text, &end, 10);
    return errno == 0;
}

typedef enum mh_err verify_fn(const char *key, const struct signed_bytes *what, const char *header,
                              int64_t now_s);

/* Why the Standard Webhooks headers do not verify by this key; "" where they do. */
static void check_standard(const struct receipt *r, verify_fn *verify, const char *key,
                           int64_t now_s, char why[RECEIPT_WHY_BYTES])
{
    const struct receipt_headers *h = &r->headers;
    struct signed_bytes           what = { h->id, 0, r->body, r->body_bytes };

    why[0] = '\0';
    if (h->id == NULL || h->timestamp == NULL || h->signature == NULL)
        snprintf(why, RECEIPT_WHY_BYTES, "the header %s is missing",
                 !h->id ? "webhook-id" : !h->timestamp ? "webhook-timestamp" : "webhook-signature");
    else if (!id_valid(h->id))
        snprintf(why, RECEIPT_WHY_BYTES, "webhook-id holds what an id must not");
    else if (!parse_seconds(h->timestamp, &what.sent_at_s))
        snprintf(why, RECEIPT_WHY_BYTES, "webhook-timestamp is not a number of seconds");
    else if (llabs(now_s - what.sent_at_s) > TOLERANCE_S)
        snprintf(why, RECEIPT_WHY_BYTES, "webhook-timestamp is %lld s off, more than %d",
                 llabs(now_s - what.sent_at_s), TOLERANCE_S);
    else if (verify(key, &what, h->signature, now_s) != MH_OK)
        snprintf(why, RECEIPT_WHY_BYTES, "webhook-signature does not match%s",
                 verify == signer_verify ? "" : " by the public key (v1a)");
}

static void check_body(const struct receipt *r, const char *secret, char why[RECEIPT_WHY_BYTES])
{
    const char *given = r->headers.body_signature;
    char        hex[HEX_CHARS + 1];

    why[0] = '\0';
    if (given == NULL)
        snprintf(why, RECEIPT_WHY_BYTES, "the header X-Mission-Control-Signature is missing");
    else if (signer_body_hex(secret, r->body, r->body_bytes, hex) != MH_OK
             || strlen(given) != HEX_CHARS || !crypto_equal(given, hex, HEX_CHARS))
        snprintf(why, RECEIPT_WHY_BYTES, "X-Mission-Control-Signature does not match");
}

void receipt_verify(struct receipt *r, const char *secret, const char *public_key, int64_t now_s)
{
    r->by_secret = secret != NULL;
    r->by_key = public_key != NULL;
    r->checked = r->by_secret || r->by_key;
    r->standard_why[0] = r->body_why[0] = r->ed25519_why[0] = '\0';
    if (r->by_secret) {
        check_standard(r, signer_verify, secret, now_s, r->standard_why);
        check_body(r, secret, r->body_why);
    }
    if (r->by_key)
        check_standard(r, signer_verify_ed25519, public_key, now_s, r->ed25519_why);
    r->verified = r->standard_why[0] == '\0' && r->body_why[0] == '\0' && r->ed25519_why[0] == '\0';
}

/* ---- For people -------------------------------------------------------------------------- */

bool receipt_is_message(const struct receipt *r)
{
    return r->headers.event == NULL && r->headers.signature == NULL
           && (json_is_string(json_object_get(r->json, "text"))
               || json_is_array(json_object_get(r->json, "attachments")));
}

static void print_part(const char *label, const json_t *object, const char *key)
{
    const char *text = json_text_of(object, key, NULL);

    if (text == NULL || *text == '\0')
        return;
    printf("%*s%-*s", INDENT, "", LABEL_WIDTH, label);
    print_safe(stdout, text);
    putchar('\n');
}

static void print_message(const json_t *message)
{
    size_t  i;
    json_t *attachment;

    print_part("channel", message, "channel");
    print_part("text", message, "text");
    json_array_foreach(json_object_get(message, "attachments"), i, attachment) {
        print_part("colour", attachment, "color");
        print_part("title", attachment, "title");
        print_part("text", attachment, "text");
    }
}

static void print_head(const struct receipt *r)
{
    const char *words[] = { r->method, r->path, r->headers.event, r->headers.id };

    if (r->name) {
        putchar('[');
        print_safe(stdout, r->name);
        fputs("] ", stdout);
    }
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (words[i]) {
            fputs(i > 0 ? " " : "", stdout);
            print_safe(stdout, words[i]);
        }
    putchar('\n');
}

static void print_verdict(const struct receipt *r)
{
    if (!r->checked)
        return;
    if (r->verified) {
        printf("  signature verified (%s%s%s)\n",
               r->by_secret ? "webhook-signature v1 and X-Mission-Control-Signature" : "",
               r->by_secret && r->by_key ? ", " : "", r->by_key ? "webhook-signature v1a" : "");
        return;
    }
    const char *whys[] = { r->standard_why, r->body_why, r->ed25519_why };
    for (size_t i = 0; i < ARRAY_LEN(whys); i++)
        if (whys[i][0])
            printf("  signature refused: %s\n", whys[i]);
}

void receipt_print(const struct receipt *r)
{
    print_head(r);
    print_verdict(r);
    if (receipt_is_message(r)) {
        print_message(r->json);
    } else if (r->json) {
        print_json(stdout, r->json, INDENT);
    } else if (r->body_bytes > 0) {
        printf("%*s", INDENT, "");
        print_safe(stdout, r->body);
        putchar('\n');
    }
    putchar('\n');
}

/* ---- For programs ------------------------------------------------------------------------ */

static void put_text(json_t *object, const char *key, const char *text)
{
    json_put(object, key, text ? json_string(text) : NULL);
}

static json_t *verdict_json(const struct receipt *r)
{
    json_t *verdict = json_object();

    if (r->by_secret) {
        put_text(verdict, "webhook-signature", r->standard_why[0] ? r->standard_why : "verified");
        put_text(verdict, "x-mission-control-signature", r->body_why[0] ? r->body_why : "verified");
    }
    if (r->by_key)
        put_text(verdict, "webhook-signature-v1a", r->ed25519_why[0] ? r->ed25519_why : "verified");
    return verdict;
}

void receipt_print_json(const struct receipt *r)
{
    json_t *line = json_object();
    size_t  bytes;

    put_text(line, "name", r->name);
    put_text(line, "method", r->method);
    put_text(line, "path", r->path);
    put_text(line, "event", r->headers.event);
    put_text(line, "id", r->headers.id);
    json_put(line, "status", json_integer(r->status));
    json_put(line, "verified", r->checked ? json_boolean(r->verified) : json_null());
    json_put(line, "signatures", r->checked ? verdict_json(r) : json_null());
    if (r->json)
        json_put(line, "body", json_incref(r->json));
    else
        json_put(line, "body", json_stringn(r->body ? r->body : "", r->body_bytes));
    char *text = json_text(line, &bytes);
    puts(text ? text : "{}");
    free(text);
    json_decref(line);
}
