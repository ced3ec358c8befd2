/* fuzz_broker.c - what a process may ask for: the head and body of a REQUEST, from
 * bytes to a prepared HTTP call.
 *
 * Input: the head up to the first NUL, then the body. "TOKEN" in it stands for the
 * token of the plugin's secret, which is made anew in each process.
 *
 * Invariants: a call that was prepared goes to a host that the permissions name; no
 * line break is in any header; the secret is nowhere where its token was not; a call
 * that was refused says why. */
#include "core/broker_http.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)
#define SECRET "s3cr\"t/+&\xc3\xa9"
#define PLAIN  "s3cr"                       /* the part that no escaping changes */

static const char manifest_text[] =
    "{\"name\":\"p\",\"version\":\"1\",\"permissions\":[\"http:api.example.com\","
    "\"http:*.example.org:8443\",\"http:${config.base}\"],\"config\":{\"base\":{\"type\":\"string\"},"
    "\"key\":{\"type\":\"string\",\"secret\":true}}}";

static struct manifest       manifest;
static struct seals          seals;
static struct broker_subject subject;

static void begin(void)
{
    json_t           *json = NULL;
    struct json_fault fault;

    INVARIANT(json_parse(manifest_text, strlen(manifest_text), &json, &fault) == MH_OK);
    INVARIANT(manifest_read(json, &manifest, &fault) == MH_OK);
    json_decref(json);
    json_t *config = json_pack("{s:s, s:s}", "base", "http://base.example.net:8080/x", "key", SECRET);
    json_decref(manifest_tokens(&manifest, config, &seals));
    subject = (struct broker_subject){ .manifest = &manifest, .config = config, .seals = &seals };
}

/* The input with its tokens, NUL-terminated; the caller frees it. */
static char *with_tokens(const uint8_t *data, size_t size, size_t *bytes)
{
    char *out = malloc(size / 5 * VAULT_TOKEN_CHARS + size + 1);

    INVARIANT(out != NULL);
    *bytes = 0;
    for (size_t i = 0; i < size;) {
        bool token = size - i >= 5 && memcmp(data + i, "TOKEN", 5) == 0;
        memcpy(out + *bytes, token ? seals.item[0].token : (const char *)data + i,
               token ? VAULT_TOKEN_CHARS : 1);
        *bytes += token ? VAULT_TOKEN_CHARS : 1;
        i += token ? 5 : 1;
    }
    out[*bytes] = '\0';
    return out;
}

static bool has(const void *bytes, size_t count, const char *text)
{
    return count > 0 && memmem(bytes, count, text, strlen(text)) != NULL;
}

static bool is_permitted(const struct policy_url *url)
{
    size_t chars = strlen(url->host), tail = strlen(".example.org");

    if (strcmp(url->host, "api.example.com") == 0)
        return url->port == (strcmp(url->scheme, "https") == 0 ? 443 : 80);
    if (strcmp(url->host, "base.example.net") == 0)
        return url->port == 8080 && strcmp(url->scheme, "http") == 0;
    return chars > tail && strcmp(url->host + chars - tail, ".example.org") == 0 && url->port == 8443;
}

static void check_call(const struct broker_http_call *call, bool secret_used)
{
    struct policy_url url;
    const char       *why;
    bool              secret = has(call->url.data, call->url.len, PLAIN) ||
                               has(call->body.data, call->body.len, PLAIN) ||
                               has(call->user.data, call->user.len, PLAIN) ||
                               has(call->password.data, call->password.len, PLAIN);

    INVARIANT(policy_url_parse(call->http.url, &url, &why) == MH_OK && is_permitted(&url));
    for (size_t i = 0; call->headers[i] != NULL; i++) {
        INVARIANT(strpbrk(call->headers[i], "\r\n") == NULL && strchr(call->headers[i], ':') != NULL);
        secret = secret || strstr(call->headers[i], PLAIN) != NULL;
    }
    INVARIANT(!secret || secret_used);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t bytes = 0;

    if (manifest.json == NULL)
        begin();
    char  *text = with_tokens(data, size, &bytes);
    size_t head_bytes = strlen(text), body_at = head_bytes < bytes ? head_bytes + 1 : bytes;
    /* The secret may come from the token, or the input may have spelt it itself. */
    bool   secret_used = has(text, bytes, seals.item[0].token) || has(data, size, "\\u") ||
                         has(data, size, PLAIN);
    json_t           *head = NULL;
    struct json_fault fault;
    if (json_parse(text, head_bytes, &head, &fault) == MH_OK) {
        struct frame            frame = { .head = text, .head_bytes = head_bytes,
                                          .body = text + body_at, .body_bytes = bytes - body_at };
        struct broker_http_call call;
        const char             *why = NULL;
        if (broker_http_prepare(&subject, head, &frame, &call, &why) == MH_OK)
            check_call(&call, secret_used);
        else
            INVARIANT(why != NULL && why[0] != '\0');
        broker_http_deinit(&call);
    }
    json_decref(head);
    free(text);
    return 0;
}
