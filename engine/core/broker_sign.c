/* broker_sign.c - see broker_sign.h. */
#include "core/broker_sign.h"

#include "base/clock.h"
#include "core/broker_internal.h"
#include "io/crypto.h"

#include <stdlib.h>
#include <string.h>

enum { DIGEST_BYTES = 64 };

typedef enum mh_err sign_run(const struct broker_sign_call *c, int64_t now_ms, json_t *head,
                             struct buf *out, const char **why);
static sign_run run_hmac, run_digest, run_equal, run_jwt, run_verify;

static const struct sign_row {
    const char *what;
    bool        keyed;                      /* has a key, which may not be empty */
    bool        secret_text;                /* tokens in the text are replaced too */
    sign_run   *run;
} rows[] = {
    { "hmac",       true,  false, run_hmac },
    { "digest",     false, false, run_digest },
    { "equal",      false, true,  run_equal },
    { "jwt",        true,  false, run_jwt },
    { "jwt_verify", true,  false, run_verify },
};

/* ---- Reading ----------------------------------------------------------------------------- */

static const struct sign_row *row_of(const char *what)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].what, what) == 0)
            return &rows[i];
    return NULL;
}

static bool is_one_of(const char *word, const char *const *words)
{
    while (*words != NULL && strcmp(*words, word) != 0)
        words++;
    return *words != NULL;
}

static enum mh_err read_words(const json_t *head, struct broker_sign_call *out, const char **why)
{
    static const char *const algorithms[] = { "sha1", "sha256", "sha512", NULL };
    static const char *const encodings[] = { "hex", "base64", "base64url", "raw", NULL };

    out->row = row_of(json_text_of(head, "what", ""));
    out->algorithm = json_text_of(head, "algorithm", "sha256");
    out->encoding = json_text_of(head, "encoding", "hex");
    out->leeway_s = json_object_get(head, "leeway_s") ? json_int_of(head, "leeway_s", -1) : 0;
    *why = "moonhook cannot sign like that";
    if (out->row == NULL)
        return MH_INVALID;
    *why = "the algorithm must be sha1, sha256 or sha512";
    if (!is_one_of(out->algorithm, algorithms))
        return MH_INVALID;
    *why = "the encoding must be hex, base64, base64url or raw";
    if (!is_one_of(out->encoding, encodings))
        return MH_INVALID;
    *why = "leeway_s must be 0 to 86400 seconds";
    return out->leeway_s >= 0 && out->leeway_s <= SIGN_MAX_LEEWAY_S ? MH_OK : MH_INVALID;
}

static enum mh_err add(const struct seals *seals, bool reveal, const char *bytes, size_t count,
                       struct buf *out)
{
    return reveal ? seals_reveal(seals, SEAL_RAW, bytes, count, out) : buf_append(out, bytes, count);
}

enum mh_err broker_sign_prepare(const struct seals *seals, const json_t *head,
                                const struct frame *frame, struct broker_sign_call *out,
                                const char **why)
{
    int64_t     key_bytes = json_int_of(head, "key_bytes", 0);
    const char *body = frame->body;

    *out = (struct broker_sign_call){ .row = NULL };
    buf_init(&out->key, SIGN_MAX_KEY_BYTES);
    buf_init(&out->text, SIGN_MAX_TEXT_BYTES);
    enum mh_err err = read_words(head, out, why);
    if (err != MH_OK)
        return err;
    *why = "key_bytes is not right";
    if (key_bytes < 0 || (uint64_t)key_bytes > frame->body_bytes)
        return MH_INVALID;
    *why = "the key may have 64 KiB, the text 1 MiB";
    err = add(seals, true, body, (size_t)key_bytes, &out->key);
    if (err == MH_OK)
        err = add(seals, out->row->secret_text, body + key_bytes,
                  frame->body_bytes - (size_t)key_bytes, &out->text);
    if (err == MH_OK && out->row->keyed && out->key.len == 0) {
        *why = "the key is empty";
        err = MH_INVALID;
    }
    return err;
}

void broker_sign_deinit(struct broker_sign_call *c)
{
    struct buf *const all[] = { &c->key, &c->text };

    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (all[i]->data != NULL)
            explicit_bzero(all[i]->data, all[i]->len);
        buf_deinit(all[i]);
    }
}

/* ---- HMAC, digest, equal ------------------------------------------------------------------- */

static enum mh_err put_encoded(const char *encoding, const void *bytes, size_t count, struct buf *out)
{
    static const struct { const char *name; void (*write)(const void *, size_t, char *); } writers[] = {
        { "hex", crypto_hex }, { "base64", crypto_base64 }, { "base64url", crypto_base64url },
    };

    for (size_t i = 0; i < ARRAY_LEN(writers); i++) {
        if (strcmp(writers[i].name, encoding) != 0)
            continue;
        char       *text = mem_alloc(2 * count + 4);        /* hex is the longest */
        writers[i].write(bytes, count, text);
        enum mh_err err = buf_puts(out, text);
        free(text);
        return err;
    }
    return buf_append(out, bytes, count);
}

static enum mh_err run_hmac(const struct broker_sign_call *c, int64_t now_ms, json_t *head,
                            struct buf *out, const char **why)
{
    unsigned char digest[DIGEST_BYTES];
    size_t        bytes = 0;

    (void)now_ms, (void)head, (void)why;
    enum mh_err err = crypto_hmac(c->algorithm, c->key.data, c->key.len, c->text.data, c->text.len,
                                  digest, &bytes);
    return err == MH_OK ? put_encoded(c->encoding, digest, bytes, out) : err;
}

static enum mh_err run_digest(const struct broker_sign_call *c, int64_t now_ms, json_t *head,
                              struct buf *out, const char **why)
{
    unsigned char digest[DIGEST_BYTES];
    size_t        bytes = 0;

    (void)now_ms, (void)head, (void)why;
    enum mh_err err = crypto_digest(c->algorithm, c->text.data, c->text.len, digest, &bytes);
    return err == MH_OK ? put_encoded(c->encoding, digest, bytes, out) : err;
}

/* In constant time where the lengths are the same; that they are not may be seen. */
static enum mh_err run_equal(const struct broker_sign_call *c, int64_t now_ms, json_t *head,
                             struct buf *out, const char **why)
{
    (void)now_ms, (void)out, (void)why;
    bool same = c->key.len == c->text.len &&
                (c->key.len == 0 || crypto_equal(c->key.data, c->text.data, c->key.len));
    json_put(head, "equal", json_boolean(same));
    return MH_OK;
}

/* ---- JWT: RFC 7519 in the compact form of RFC 7515, HS256 only ------------------------------- */

static const char jwt_header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

static enum mh_err put_url64(const void *bytes, size_t count, struct buf *out)
{
    return put_encoded("base64url", bytes, count, out);
}

static void jwt_sign(const struct broker_sign_call *c, const void *text, size_t bytes,
                     unsigned char mac[SHA256_BYTES])
{
    struct crypto_part part = { text, bytes };
    crypto_hmac_sha256(c->key.data, c->key.len, &part, 1, mac);
}

/* NULL: no JSON object. The caller owns it. */
static json_t *object_of(const char *text, size_t bytes)
{
    struct json_fault fault;
    json_t           *value = NULL;

    if (json_parse(text, bytes, &value, &fault) == MH_OK && !json_is_object(value)) {
        json_decref(value);
        value = NULL;
    }
    return value;
}

static enum mh_err run_jwt(const struct broker_sign_call *c, int64_t now_ms, json_t *head,
                           struct buf *out, const char **why)
{
    unsigned char mac[SHA256_BYTES];
    json_t       *claims = c->text.len <= SIGN_MAX_CLAIMS_BYTES ? object_of(c->text.data, c->text.len) : NULL;

    (void)now_ms, (void)head;
    *why = "the claims must be a JSON object of at most 64 KiB";
    if (claims == NULL)
        return MH_INVALID;
    json_decref(claims);
    enum mh_err err = put_url64(jwt_header, strlen(jwt_header), out);
    if (err == MH_OK)
        err = buf_puts(out, ".");
    if (err == MH_OK)
        err = put_url64(c->text.data, c->text.len, out);
    if (err != MH_OK)
        return err;
    jwt_sign(c, out->data, out->len, mac);
    err = buf_puts(out, ".");
    return err == MH_OK ? put_url64(mac, sizeof mac, out) : err;
}

struct jwt_part { const char *text; size_t bytes; };

/* Exactly three parts. */
static bool split_jwt(const struct buf *token, struct jwt_part part[3])
{
    const char *at = token->data, *end = at + token->len;

    if (token->len == 0 || token->len > 2 * SIGN_MAX_CLAIMS_BYTES)
        return false;
    for (int i = 0; i < 3; i++) {
        const char *dot = memchr(at, '.', (size_t)(end - at));
        if ((dot == NULL) != (i == 2))
            return false;
        part[i] = (struct jwt_part){ at, (size_t)((dot ? dot : end) - at) };
        at = dot ? dot + 1 : end;
    }
    return true;
}

static json_t *decode_object(struct jwt_part part, struct buf *text)
{
    size_t bytes = 0;

    if (buf_reserve(text, part.bytes) != MH_OK ||
        crypto_base64url_decode(part.text, part.bytes, (unsigned char *)text->data, part.bytes,
                                &bytes) != MH_OK)
        return NULL;
    text->len = bytes;
    return object_of(text->data, text->len);
}

/* HS256 is what the plugin expects, whatever the token would like (RFC 8725 3.1). */
static const char *check_header(struct jwt_part part)
{
    struct buf text;

    buf_init(&text, 2 * SIGN_MAX_CLAIMS_BYTES);
    json_t     *header = decode_object(part, &text);
    const char *fault = header == NULL ? "the header cannot be read"
                      : strcmp(json_text_of(header, "alg", ""), "HS256") != 0 ? "its algorithm is not HS256"
                      : json_object_get(header, "crit") ? "it names extensions that must be understood"
                      : NULL;
    json_decref(header);
    buf_deinit(&text);
    return fault;
}

static const char *check_signature(const struct broker_sign_call *c, const struct jwt_part part[3])
{
    unsigned char mac[SHA256_BYTES], given[SHA256_BYTES];
    size_t        bytes = 0;

    jwt_sign(c, part[0].text, part[0].bytes + 1 + part[1].bytes, mac);
    if (crypto_base64url_decode(part[2].text, part[2].bytes, given, sizeof given, &bytes) != MH_OK ||
        bytes != sizeof given || !crypto_equal(given, mac, sizeof mac))
        return "the signature is not right";
    return NULL;
}

/* A claim that is there and no number is wrong, not absent. */
static const char *check_times(const json_t *claims, int64_t now_ms, int64_t leeway_s)
{
    const json_t *exp = json_object_get(claims, "exp"), *nbf = json_object_get(claims, "nbf");
    double        now_s = (double)now_ms / 1000.0;

    if ((exp != NULL && !json_is_number(exp)) || (nbf != NULL && !json_is_number(nbf)))
        return "exp and nbf must be numbers";
    if (exp != NULL && now_s >= json_number_value(exp) + (double)leeway_s)
        return "it has expired";
    if (nbf != NULL && now_s + (double)leeway_s < json_number_value(nbf))
        return "it is not valid yet";
    return NULL;
}

static const char *check_claims(const struct broker_sign_call *c, struct jwt_part part, int64_t now_ms,
                                struct buf *out)
{
    json_t     *claims = decode_object(part, out);
    const char *fault = claims ? check_times(claims, now_ms, c->leeway_s) : "the claims cannot be read";

    json_decref(claims);
    return fault;
}

/* The body is the claims' text as it was sent. */
static enum mh_err run_verify(const struct broker_sign_call *c, int64_t now_ms, json_t *head,
                              struct buf *out, const char **why)
{
    struct jwt_part part[3];
    const char     *fault = "it is no JWT";

    (void)why;
    if (split_jwt(&c->text, part)) {
        fault = check_header(part[0]);
        if (fault == NULL)
            fault = check_signature(c, part);
        if (fault == NULL)
            fault = check_claims(c, part[1], now_ms, out);
    }
    if (fault != NULL) {
        buf_reset(out);
        json_put(head, "refused", json_string(fault));
    }
    return MH_OK;
}

enum mh_err broker_sign_run(const struct broker_sign_call *c, int64_t now_ms, json_t *head,
                            struct buf *out, const char **why)
{
    return c->row->run(c, now_ms, head, out, why);
}

/* ---- The request -------------------------------------------------------------------------------- */

enum mh_err broker_sign_start(struct open_request *r, const json_t *head, const struct frame *frame,
                              struct refusal *no)
{
    struct broker_sign_call call;
    struct buf              out;
    const char             *why = "it cannot be signed";
    json_t                 *answer = json_pack("{s:b}", "ok", 1);

    buf_init(&out, 2 * SIGN_MAX_TEXT_BYTES);
    enum mh_err err = broker_sign_prepare(r->who->seals, head, frame, &call, &why);
    if (err == MH_OK)
        err = broker_sign_run(&call, clock_now_ms(), answer, &out, &why);
    broker_sign_deinit(&call);
    if (err == MH_OK) {
        broker_reply(r, answer, out.data, out.len);
    } else {
        json_decref(answer);
        broker_refuse(no, err, "%s", why);
    }
    buf_deinit(&out);
    return err;
}
