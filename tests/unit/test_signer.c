/* test_signer.c - signatures, against the official vectors: A and B are those of the
 * Standard Webhooks 1.0.0 specification's own library tests. */
#include "base/util.h"
#include "io/crypto.h"
#include "webhook/signer.h"

#include "unit.h"

#include <stdio.h>
#include <string.h>

struct vector { const char *secret, *id; int64_t sent_at_s; const char *body, *signature; };

static const struct vector vectors[] = {
    { "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
      "{\"test\": 2432232314}", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" },
    { "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1649367553,
      "{\"email\":\"test@example.com\",\"username\":\"test_user\"}",
      "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=" },
};
static const struct vector *const A = &vectors[0];

static struct signed_bytes bytes_of(const struct vector *v)
{
    return (struct signed_bytes){ v->id, v->sent_at_s, v->body, strlen(v->body) };
}

/* Verifies vector A's bytes against `header` at the second it was sent. */
static enum mh_err verify_a(const char *header)
{
    struct signed_bytes what = bytes_of(A);
    return signer_verify(A->secret, &what, header, A->sent_at_s);
}

/* ---- Signing -------------------------------------------------------------------- */

TEST(signatures_match_the_official_vectors)
{
    for (size_t i = 0; i < ARRAY_LEN(vectors); i++) {
        struct signed_bytes what = bytes_of(&vectors[i]);
        struct signature    sig;
        assert_int_equal(signer_sign(vectors[i].secret, &what, &sig), MH_OK);
        assert_string_equal(sig.text, vectors[i].signature);
        assert_int_equal(signer_verify(vectors[i].secret, &what, sig.text, what.sent_at_s), MH_OK);
    }
}

/* "whsec_" + base64 of `count` bytes of 'k'. */
static const char *secret_of(size_t count)
{
    static char text[160];
    char        key[100] = { 0 };
    memset(key, 'k', count);
    snprintf(text, sizeof text, "whsec_");
    crypto_base64(key, count, text + strlen(text));
    return text;
}

TEST(keys_of_24_to_64_bytes_sign)
{
    struct signed_bytes what = bytes_of(A);
    struct signature    sig;
    assert_int_equal(signer_sign(secret_of(24), &what, &sig), MH_OK);
    assert_int_equal(signer_sign(secret_of(64), &what, &sig), MH_OK);
}

TEST(a_key_that_is_too_short_or_too_long_is_refused_and_writes_nothing)
{
    struct signed_bytes what = bytes_of(A);
    struct signature    sig = { "untouched" };
    assert_int_equal(signer_sign(secret_of(0), &what, &sig), MH_INVALID);
    assert_int_equal(signer_sign(secret_of(23), &what, &sig), MH_INVALID);
    assert_int_equal(signer_sign(secret_of(65), &what, &sig), MH_INVALID);
    assert_string_equal(sig.text, "untouched");
}

TEST(a_secret_that_is_not_whsec_and_base64_is_refused)
{
    static const char *const secrets[] = {
        "", "whsec_", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec-MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "WHSEC_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS",
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS*", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n",
        " whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw====",
    };
    struct signed_bytes what = bytes_of(A);
    struct signature    sig = { "untouched" };
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        assert_int_equal(signer_sign(secrets[i], &what, &sig), MH_INVALID);
        assert_int_equal(signer_verify(secrets[i], &what, A->signature, A->sent_at_s), MH_INVALID);
    }
    assert_string_equal(sig.text, "untouched");
}

TEST(an_id_that_would_make_the_signed_text_ambiguous_is_refused)
{
    struct signed_bytes what = bytes_of(A);
    struct signature    sig = { "untouched" };
    what.id = "msg.1";
    assert_int_equal(signer_sign(A->secret, &what, &sig), MH_INVALID);
    what.id = "";
    assert_int_equal(signer_sign(A->secret, &what, &sig), MH_INVALID);
    assert_string_equal(sig.text, "untouched");
}

TEST(an_empty_body_and_one_with_nul_bytes_are_signed_as_they_are)
{
    struct signed_bytes empty = { "msg_1", 1700000000, NULL, 0 };
    struct signed_bytes binary = { "msg_1", 1700000000, "a\0b", 3 };
    struct signature    one, two;
    assert_int_equal(signer_sign(A->secret, &empty, &one), MH_OK);
    assert_int_equal(signer_sign(A->secret, &binary, &two), MH_OK);
    assert_string_not_equal(one.text, two.text);
    binary.body_bytes = 1;
    assert_int_equal(signer_verify(A->secret, &binary, two.text, 1700000000), MH_DENIED);
}

/* ---- Verifying -------------------------------------------------------------------- */

TEST(one_matching_signature_among_several_is_enough)
{
    static const char *const headers[] = {
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= v1,AAAA",
        "v1,AAAA v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v2,zzz v1a,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= "
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw= "
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE= nonsense",
        "  v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=  ",
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        if (verify_a(headers[i]) != MH_OK)
            fail_msg("\"%s\" was refused", headers[i]);
}

TEST(a_header_without_a_matching_signature_is_denied)
{
    static const char *const headers[] = {
        "", " ", "v1", "v1,", "v1, v1,",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE",             /* truncated */
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ",
        "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE==",           /* too long */
        "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",            /* unknown version */
        "g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=",            /* of vector B */
        "v1,AAAA,v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",    /* not a blank */
    };
    for (size_t i = 0; i < ARRAY_LEN(headers); i++)
        if (verify_a(headers[i]) != MH_DENIED)
            fail_msg("\"%s\" was taken", headers[i]);
}

TEST(a_changed_id_time_or_body_is_denied)
{
    struct signed_bytes what = bytes_of(A);
    what.id = "msg_other";
    assert_int_equal(signer_verify(A->secret, &what, A->signature, A->sent_at_s), MH_DENIED);
    what = bytes_of(A);
    what.sent_at_s++;
    assert_int_equal(signer_verify(A->secret, &what, A->signature, A->sent_at_s), MH_DENIED);
    what = bytes_of(A);
    what.body_bytes--;
    assert_int_equal(signer_verify(A->secret, &what, A->signature, A->sent_at_s), MH_DENIED);
}

TEST(three_hundred_seconds_either_way_are_tolerated_and_one_more_is_not)
{
    static const struct { int64_t off_s; enum mh_err err; } cases[] = {
        { 0, MH_OK }, { 300, MH_OK }, { -300, MH_OK }, { 301, MH_DENIED }, { -301, MH_DENIED },
    };
    struct signed_bytes what = bytes_of(A);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(signer_verify(A->secret, &what, A->signature,
                                       A->sent_at_s + cases[i].off_s), cases[i].err);
}

TEST(a_time_from_the_ends_of_the_world_is_denied)
{
    struct signature sig;
    for (int i = 0; i < 2; i++) {
        struct signed_bytes what = { "msg_1", i == 0 ? INT64_MIN : INT64_MAX, "", 0 };
        assert_int_equal(signer_sign(A->secret, &what, &sig), MH_OK);
        assert_int_equal(signer_verify(A->secret, &what, sig.text, 1700000000), MH_DENIED);
    }
}

/* ---- Ed25519 --------------------------------------------------------------------------- */

static const char PRIVATE_C[] = 
    "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMK"
    "kioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
static const char PUBLIC_C[] = "whpk_1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=";
static const char SIGNATURE_C[] = 
    "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFy"
    "mVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==";

TEST(an_ed25519_signature_matches_the_official_vector)
{
    struct signed_bytes what = bytes_of(A);
    struct signature    sig;
    char                public_key[SIGNER_KEY_BYTES];
    assert_int_equal(signer_sign_ed25519(PRIVATE_C, &what, &sig), MH_OK);
    assert_string_equal(sig.text, SIGNATURE_C);
    assert_int_equal(signer_public_key(PRIVATE_C, public_key), MH_OK);
    assert_string_equal(public_key, PUBLIC_C);
}

TEST(an_ed25519_signature_is_found_among_others_and_within_its_time)
{
    struct signed_bytes what = bytes_of(A);
    char                header[300];
    snprintf(header, sizeof header, "v1,AAAA v2,x %s", SIGNATURE_C);
    assert_int_equal(signer_verify_ed25519(PUBLIC_C, &what, header, A->sent_at_s), MH_OK);
    assert_int_equal(signer_verify_ed25519(PUBLIC_C, &what, SIGNATURE_C, A->sent_at_s + 300), MH_OK);
    assert_int_equal(signer_verify_ed25519(PUBLIC_C, &what, SIGNATURE_C, A->sent_at_s + 301), MH_DENIED);
    assert_int_equal(signer_verify_ed25519(PUBLIC_C, &what, "v1a, v1a,AAAA", A->sent_at_s), MH_DENIED);
    assert_int_equal(signer_verify_ed25519(PUBLIC_C, &what, A->signature, A->sent_at_s), MH_DENIED);
    what.body_bytes--;
    assert_int_equal(signer_verify_ed25519(PUBLIC_C, &what, SIGNATURE_C, A->sent_at_s), MH_DENIED);
}

TEST(what_is_no_ed25519_key_is_refused)
{
    static const char *const keys[] = {
        "", "whsk_", "whsk_AAAA", PUBLIC_C, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        /* a public key that is not the seed's */
        "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvw==",
    };
    struct signed_bytes what = bytes_of(A);
    struct signature    sig = { "untouched" };
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        assert_int_equal(signer_sign_ed25519(keys[i], &what, &sig), MH_INVALID);
    assert_int_equal(signer_verify_ed25519(PRIVATE_C, &what, SIGNATURE_C, A->sent_at_s), MH_INVALID);
    assert_string_equal(sig.text, "untouched");
}

TEST(new_ed25519_keys_belong_together)
{
    char                one[SIGNER_KEY_BYTES], two[SIGNER_KEY_BYTES], public_key[SIGNER_KEY_BYTES];
    struct signed_bytes what = bytes_of(A);
    struct signature    sig;
    signer_new_keys(one, public_key);
    assert_int_equal(signer_sign_ed25519(one, &what, &sig), MH_OK);
    assert_int_equal(signer_verify_ed25519(public_key, &what, sig.text, A->sent_at_s), MH_OK);
    signer_new_keys(two, public_key);
    assert_string_not_equal(one, two);
}

/* ---- Secrets and the product's own header -------------------------------------------- */

TEST(a_new_secret_signs_and_is_never_the_same)
{
    char one[SECRET_TEXT_BYTES], two[SECRET_TEXT_BYTES];
    struct signed_bytes what = bytes_of(A);
    struct signature    sig;
    signer_new_secret(one);
    signer_new_secret(two);
    assert_memory_equal(one, "whsec_", 6);
    assert_int_equal(strlen(one), 6 + 44);
    assert_string_not_equal(one, two);
    assert_int_equal(signer_sign(one, &what, &sig), MH_OK);
}

TEST(the_body_signature_is_keyed_by_the_secret_as_shown)
{
    char out[65];
    /* GitHub's documented example: the same construction. */
    assert_int_equal(signer_body_hex("It's a Secret to Everybody", "Hello, World!", 13, out),
                     MH_OK);
    assert_string_equal(out, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

TEST(an_empty_secret_is_refused_and_writes_nothing)
{
    char out[65] = "untouched";
    assert_int_equal(signer_body_hex("", "{}", 2, out), MH_INVALID);
    assert_string_equal(out, "untouched");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(signatures_match_the_official_vectors),
        RUN(keys_of_24_to_64_bytes_sign),
        RUN(a_key_that_is_too_short_or_too_long_is_refused_and_writes_nothing),
        RUN(a_secret_that_is_not_whsec_and_base64_is_refused),
        RUN(an_id_that_would_make_the_signed_text_ambiguous_is_refused),
        RUN(an_empty_body_and_one_with_nul_bytes_are_signed_as_they_are),
        RUN(one_matching_signature_among_several_is_enough),
        RUN(a_header_without_a_matching_signature_is_denied),
        RUN(a_changed_id_time_or_body_is_denied),
        RUN(three_hundred_seconds_either_way_are_tolerated_and_one_more_is_not),
        RUN(a_time_from_the_ends_of_the_world_is_denied),
        RUN(an_ed25519_signature_matches_the_official_vector),
        RUN(an_ed25519_signature_is_found_among_others_and_within_its_time),
        RUN(what_is_no_ed25519_key_is_refused),
        RUN(new_ed25519_keys_belong_together),
        RUN(a_new_secret_signs_and_is_never_the_same),
        RUN(the_body_signature_is_keyed_by_the_secret_as_shown),
        RUN(an_empty_secret_is_refused_and_writes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
