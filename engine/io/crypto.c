/* crypto.c - see crypto.h. OpenSSL 3 through EVP.
 *
 * Fetching an algorithm walks OpenSSL's providers and costs more than hashing
 * a small message, so every algorithm is fetched once, on first use, and kept
 * for the life of the process. HMAC contexts are primed with their digest and
 * duplicated per call: 1.0 us for 500 bytes, against 1.4 us for HMAC(); a
 * context that is reused would take 0.6 us but belong to one thread.
 *
 * OpenSSL failing on our own valid input means no memory or a broken
 * installation. Nothing signed or sealed after that could be trusted, so the
 * process ends with one line in the log instead. */
#include "io/crypto.h"

#include "base/log.h"
#include "base/util.h"

#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { NONCE_BYTES = 12, TAG_BYTES = 16 };

struct algorithm {
    const char  *name;                      /* as plugins write it */
    EVP_MD      *digest;
    EVP_MAC_CTX *hmac;                      /* primed with the digest, without a key */
};

static struct algorithm algorithms[] = {
    { "sha256", NULL, NULL }, { "sha1", NULL, NULL }, { "sha512", NULL, NULL },
    { "md5", NULL, NULL },
};
static struct algorithm *const sha256 = &algorithms[0];
static EVP_CIPHER       *aes256_gcm;
static pthread_once_t    fetched = PTHREAD_ONCE_INIT;

static void must(bool ok, const char *what)
{
    if (ok)
        return;
    LOG_ERROR("crypto_broken", "call=%s openssl=%08lx", what, ERR_peek_last_error());
    abort();
}

static void fetch_algorithms(void)
{
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);

    must(mac != NULL, "fetch_hmac");
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
        struct algorithm *a = &algorithms[i];
        OSSL_PARAM primer[] = {
            OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)a->name, 0),
            OSSL_PARAM_construct_end(),
        };
        a->digest = EVP_MD_fetch(NULL, a->name, NULL);
        a->hmac = EVP_MAC_CTX_new(mac);
        must(a->digest && a->hmac && EVP_MAC_CTX_set_params(a->hmac, primer) == 1, "fetch_digest");
    }
    EVP_MAC_free(mac);                      /* the contexts hold it */
    aes256_gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    must(aes256_gcm != NULL, "fetch_cipher");
}

static const struct algorithm *algorithm_named(const char *name)
{
    pthread_once(&fetched, fetch_algorithms);
    for (size_t i = 0; i < ARRAY_LEN(algorithms); i++)
        if (strcmp(algorithms[i].name, name) == 0)
            return &algorithms[i];
    return NULL;
}

/* EVP counts many lengths in int; what moonhook handles is far below. */
static int int_length(size_t bytes)
{
    must(bytes <= INT_MAX, "length");
    return (int)bytes;
}

void crypto_random(void *out, size_t bytes)
{
    must(RAND_bytes(out, int_length(bytes)) == 1, "random");
}

/* ---- Digests --------------------------------------------------------------- */

static size_t digest_with(const struct algorithm *a, const void *data, size_t bytes,
                          unsigned char *out)
{
    unsigned written = 0;

    must(EVP_Digest(data, bytes, out, &written, a->digest, NULL) == 1, "digest");
    return written;
}

/* `out` has 64 bytes, or as many as `a` yields. */
static size_t hmac_with(const struct algorithm *a, struct crypto_part key,
                        const struct crypto_part *parts, size_t count, unsigned char *out)
{
    EVP_MAC_CTX *ctx = EVP_MAC_CTX_dup(a->hmac);
    const void  *key_bytes = key.bytes ? key.data : "";      /* NULL would mean "keep the key" */
    size_t       written = 0;
    bool         ok = ctx != NULL && EVP_MAC_init(ctx, key_bytes, key.bytes, NULL) == 1;

    for (size_t i = 0; ok && i < count; i++)
        ok = parts[i].bytes == 0 || EVP_MAC_update(ctx, parts[i].data, parts[i].bytes) == 1;
    ok = ok && EVP_MAC_final(ctx, out, &written, (size_t)EVP_MD_get_size(a->digest)) == 1;
    EVP_MAC_CTX_free(ctx);
    must(ok, "hmac");
    return written;
}

enum mh_err crypto_digest(const char *algorithm, const void *data, size_t bytes,
                          unsigned char out[64], size_t *out_bytes)
{
    const struct algorithm *a = algorithm_named(algorithm);

    if (a == NULL)
        return MH_INVALID;
    *out_bytes = digest_with(a, data, bytes, out);
    return MH_OK;
}

enum mh_err crypto_hmac(const char *algorithm, const void *key, size_t key_bytes,
                        const void *data, size_t bytes, unsigned char out[64],
                        size_t *out_bytes)
{
    const struct algorithm *a = algorithm_named(algorithm);

    if (a == NULL)
        return MH_INVALID;
    struct crypto_part part = { data, bytes };
    *out_bytes = hmac_with(a, (struct crypto_part){ key, key_bytes }, &part, 1, out);
    return MH_OK;
}

void crypto_sha256(const void *data, size_t bytes, unsigned char out[SHA256_BYTES])
{
    pthread_once(&fetched, fetch_algorithms);
    digest_with(sha256, data, bytes, out);
}

void crypto_hmac_sha256(const void *key, size_t key_bytes, const struct crypto_part *parts,
                        size_t count, unsigned char out[SHA256_BYTES])
{
    pthread_once(&fetched, fetch_algorithms);
    hmac_with(sha256, (struct crypto_part){ key, key_bytes }, parts, count, out);
}

/* ---- Ed25519 --------------------------------------------------------------- */

static EVP_PKEY *private_key_of(const unsigned char seed[ED25519_KEY_BYTES])
{
    EVP_PKEY *key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, ED25519_KEY_BYTES);

    must(key != NULL, "ed25519_key");       /* any 32 bytes are a seed */
    return key;
}

enum mh_err crypto_ed25519_sign(const unsigned char seed[ED25519_KEY_BYTES], const void *data,
                                size_t bytes, unsigned char out[ED25519_SIG_BYTES])
{
    EVP_PKEY   *key = private_key_of(seed);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    size_t      written = ED25519_SIG_BYTES;
    bool        ok = ctx != NULL && EVP_DigestSignInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestSign(ctx, out, &written, data, bytes) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    must(ok && written == ED25519_SIG_BYTES, "ed25519_sign");
    return MH_OK;
}

bool crypto_ed25519_verify(const unsigned char public_key[ED25519_KEY_BYTES], const void *data,
                           size_t bytes, const unsigned char signature[ED25519_SIG_BYTES])
{
    EVP_PKEY   *key =
        EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public_key, ED25519_KEY_BYTES);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool        ok = key != NULL && ctx != NULL &&
              EVP_DigestVerifyInit(ctx, NULL, NULL, NULL, key) == 1 &&
              EVP_DigestVerify(ctx, signature, ED25519_SIG_BYTES, data, bytes) == 1;

    EVP_MD_CTX_free(ctx);
    EVP_PKEY_free(key);
    if (!ok)
        ERR_clear_error();                  /* or libcurl's TLS would find it in the queue */
    return ok;
}

enum mh_err crypto_ed25519_public(const unsigned char seed[ED25519_KEY_BYTES],
                                  unsigned char public_key[ED25519_KEY_BYTES])
{
    EVP_PKEY *key = private_key_of(seed);
    size_t    written = ED25519_KEY_BYTES;
    bool      ok = EVP_PKEY_get_raw_public_key(key, public_key, &written) == 1;

    EVP_PKEY_free(key);
    must(ok && written == ED25519_KEY_BYTES, "ed25519_public");
    return MH_OK;
}

bool crypto_equal(const void *a, const void *b, size_t bytes)
{
    return CRYPTO_memcmp(a, b, bytes) == 0;
}

/* ---- Sealing ---------------------------------------------------------------- */

/* One pass over AES-256-GCM. A length of 0 is skipped: EVP would read it as
 * the end of the message. */
static bool gcm_update(EVP_CIPHER_CTX *ctx, unsigned char *out, const void *in, size_t bytes)
{
    int written;
    return bytes == 0 || EVP_CipherUpdate(ctx, out, &written, in, int_length(bytes)) == 1;
}

static EVP_CIPHER_CTX *gcm_start(const unsigned char key[SEAL_KEY_BYTES],
                                 const unsigned char nonce[NONCE_BYTES], const char *about,
                                 bool encrypt)
{
    pthread_once(&fetched, fetch_algorithms);
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();

    must(ctx != NULL && EVP_CipherInit_ex2(ctx, aes256_gcm, key, nonce, encrypt, NULL) == 1 &&
             gcm_update(ctx, NULL, about, strlen(about)),
         "gcm_start");
    return ctx;
}

void crypto_seal(const unsigned char key[SEAL_KEY_BYTES], const char *about, const void *data,
                 size_t bytes, unsigned char *out)
{
    unsigned char *text = out + NONCE_BYTES, *tag = text + bytes;
    int            rest;

    crypto_random(out, NONCE_BYTES);
    EVP_CIPHER_CTX *ctx = gcm_start(key, out, about, true);
    must(gcm_update(ctx, text, data, bytes) && EVP_CipherFinal_ex(ctx, tag, &rest) == 1 &&
             EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, tag) == 1,
         "gcm_seal");
    EVP_CIPHER_CTX_free(ctx);
}

enum mh_err crypto_open(const unsigned char key[SEAL_KEY_BYTES], const char *about,
                        const unsigned char *sealed, size_t bytes, unsigned char *out,
                        size_t *out_bytes)
{
    if (bytes < SEAL_EXTRA_BYTES || bytes > INT_MAX)
        return MH_DENIED;
    size_t               plain = bytes - SEAL_EXTRA_BYTES;
    const unsigned char *text = sealed + NONCE_BYTES;
    unsigned char        tag[TAG_BYTES], none[1];
    int                  rest;

    memcpy(tag, text + plain, TAG_BYTES);
    EVP_CIPHER_CTX *ctx = gcm_start(key, sealed, about, false);
    must(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, tag) == 1 &&
             gcm_update(ctx, out, text, plain),
         "gcm_open");
    bool genuine = EVP_CipherFinal_ex(ctx, none, &rest) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!genuine) {
        OPENSSL_cleanse(out, plain);        /* nobody gets to see unauthenticated text */
        ERR_clear_error();
        return MH_DENIED;
    }
    *out_bytes = plain;
    return MH_OK;
}

/* ---- Text forms ------------------------------------------------------------- */

void crypto_hex(const void *data, size_t bytes, char *out)
{
    static const char    digits[] = "0123456789abcdef";
    const unsigned char *in = data;

    for (size_t i = 0; i < bytes; i++) {
        *out++ = digits[in[i] >> 4];
        *out++ = digits[in[i] & 15];
    }
    *out = '\0';
}

void crypto_base64(const void *data, size_t bytes, char *out)
{
    EVP_EncodeBlock((unsigned char *)out, data, int_length(bytes));
}

/* EVP_DecodeBlock passes over blanks and counts padding as bytes, so strict
 * decoding is our own. */
static int base64_value(char c)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at ? (int)(at - alphabet) : -1;
}

/* How many bytes `text` stands for; MH_INVALID unless it is the one way to
 * write them: no stray character, no missing padding, no bits set in it. */
static enum mh_err base64_check(const char *text, size_t chars, size_t *bytes)
{
    size_t padding = 0;

    if (chars % 4 != 0)
        return MH_INVALID;
    while (padding < 2 && padding < chars && text[chars - 1 - padding] == '=')
        padding++;
    for (size_t i = 0; i < chars - padding; i++)
        if (base64_value(text[i]) < 0)
            return MH_INVALID;
    int unused = padding == 2 ? 15 : padding == 1 ? 3 : 0;
    if (padding > 0 && (base64_value(text[chars - padding - 1]) & unused) != 0)
        return MH_INVALID;
    *bytes = chars / 4 * 3 - padding;
    return MH_OK;
}

enum mh_err crypto_base64_decode(const char *text, size_t bytes, unsigned char *out,
                                 size_t out_max, size_t *out_bytes)
{
    size_t   count, done = 0;
    uint32_t bits = 0;

    if (base64_check(text, bytes, &count) != MH_OK)
        return MH_INVALID;
    if (count > out_max)
        return MH_TOO_LARGE;
    for (size_t i = 0; done < count; i++) {
        bits = bits << 6 | (uint32_t)base64_value(text[i]);
        if (i % 4 != 0)                     /* 2nd, 3rd and 4th complete a byte each */
            out[done++] = (unsigned char)(bits >> (6 - 2 * (i % 4)));
    }
    *out_bytes = count;
    return MH_OK;
}

void crypto_base64url(const void *data, size_t bytes, char *out)
{
    crypto_base64(data, bytes, out);
    for (char *c = out; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c;
    out[strcspn(out, "=")] = '\0';
}

enum mh_err crypto_base64url_decode(const char *text, size_t bytes, unsigned char *out,
                                    size_t out_max, size_t *out_bytes)
{
    size_t chars = (bytes + 3) / 4 * 4;

    if (bytes > INT_MAX)
        return MH_TOO_LARGE;
    for (size_t i = 0; i < bytes; i++)
        if (strchr("+/=", text[i]) != NULL)         /* NUL is refused with the others below */
            return MH_INVALID;
    char *padded = mem_alloc(chars + 1);
    memset(padded, '=', chars);
    for (size_t i = 0; i < bytes; i++)
        padded[i] = text[i] == '-' ? '+' : text[i] == '_' ? '/' : text[i];
    enum mh_err err = crypto_base64_decode(padded, chars, out, out_max, out_bytes);
    free(padded);
    return err;
}
