/* test_crypto.c - against published vectors: FIPS 180, RFC 2202, RFC 4231, RFC 4648,
 * RFC 8032, and case 16 of the GCM specification. */
#include "base/util.h"
#include "io/crypto.h"

#include "unit.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* Reads hex text; returns the count of bytes. */
static size_t unhex(const char *text, unsigned char *out)
{
    size_t count = strlen(text) / 2;
    for (size_t i = 0; i < count; i++) {
        unsigned byte;
        assert_int_equal(sscanf(text + 2 * i, "%2x", &byte), 1);
        out[i] = (unsigned char)byte;
    }
    return count;
}

static void assert_hex(const unsigned char *bytes, size_t count, const char *expected)
{
    char text[2 * 128 + 1];
    crypto_hex(bytes, count, text);
    assert_string_equal(text, expected);
}

/* ---- Digests -------------------------------------------------------------------- */

TEST(digests_match_their_published_vectors)
{
    static const struct { const char *algorithm, *data, *hex; } cases[] = {
        { "md5", "abc", "900150983cd24fb0d6963f7d28e17f72" },
        { "sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d" },
        { "sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
        { "sha256", "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" },
        { "sha512", "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
                           "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char out[64];
        size_t        bytes;
        assert_int_equal(crypto_digest(cases[i].algorithm, cases[i].data, strlen(cases[i].data),
                                       out, &bytes), MH_OK);
        assert_hex(out, bytes, cases[i].hex);
    }
}

TEST(an_unknown_digest_is_refused_and_writes_nothing)
{
    static const char *const names[] = { "", "SHA256", "sha-256", "sha224", "md4", "sha256 " };
    unsigned char out[64] = { 42 };
    size_t        bytes = 7;
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        assert_int_equal(crypto_digest(names[i], "x", 1, out, &bytes), MH_INVALID);
        assert_int_equal(crypto_hmac(names[i], "k", 1, "x", 1, out, &bytes), MH_INVALID);
    }
    assert_int_equal(bytes, 7);
    assert_int_equal(out[0], 42);
}

TEST(sha256_of_nothing_takes_a_null_pointer)
{
    unsigned char out[SHA256_BYTES];
    crypto_sha256(NULL, 0, out);
    assert_hex(out, sizeof out, "e3b0c44298fc1c149afbf4c8996fb924"
                                "27ae41e4649b934ca495991b7852b855");
}

/* ---- HMAC ------------------------------------------------------------------------ */

TEST(hmacs_match_their_published_vectors)
{
    static const char long_key[] = "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa"
        "\xaa\xaa\xaa\xaa\xaa\xaa";
    static const struct { const char *algorithm, *key, *data, *hex; } cases[] = {
        { "md5", "Jefe", "what do ya want for nothing?", "750c783e6ab0b503eaa86e310a5db738" },
        { "sha1", "Jefe", "what do ya want for nothing?",
          "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79" },
        { "sha256", "Jefe", "what do ya want for nothing?",
          "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
        { "sha256", long_key, "Test Using Larger Than Block-Size Key - Hash Key First",
          "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
        { "sha512", "Jefe", "what do ya want for nothing?",
          "164b7a7bfcf819e2e395fbe73b56e0a387bd64222e831fd610270cd7ea250554"
          "9758bf75c05a994a6d034f65f8f0e6fdcaeab1a34d4a6b4b636e070a38bce737" },
        { "sha256", "", "",
          "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
    };
    assert_int_equal(strlen(long_key), 131);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char out[64];
        size_t        bytes;
        assert_int_equal(crypto_hmac(cases[i].algorithm, cases[i].key, strlen(cases[i].key),
                                     cases[i].data, strlen(cases[i].data), out, &bytes), MH_OK);
        assert_hex(out, bytes, cases[i].hex);
    }
}

TEST(the_github_example_of_vectors_md_matches)
{
    static const char key[] = "It's a Secret to Everybody", body[] = "Hello, World!";
    unsigned char out[64];
    size_t        bytes;
    assert_int_equal(crypto_hmac("sha256", key, strlen(key), body, strlen(body), out, &bytes),
                     MH_OK);
    assert_hex(out, bytes, "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
}

TEST(the_parts_of_an_hmac_read_as_one_text)
{
    const struct crypto_part parts[] = { { "what do ya ", 11 }, { NULL, 0 }, { "want for ", 9 },
                                         { "nothing?", 8 } };
    unsigned char out[SHA256_BYTES];
    crypto_hmac_sha256("Jefe", 4, parts, ARRAY_LEN(parts), out);
    assert_hex(out, sizeof out,
               "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    crypto_hmac_sha256(NULL, 0, NULL, 0, out);
    assert_hex(out, sizeof out,
               "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

static void *hmac_often(void *wrong)
{
    const struct crypto_part part = { "what do ya want for nothing?", 28 };
    unsigned char expected[SHA256_BYTES], out[SHA256_BYTES];
    unhex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843", expected);
    for (int i = 0; i < 2000; i++) {
        crypto_hmac_sha256("Jefe", 4, &part, 1, out);
        *(int *)wrong += memcmp(out, expected, sizeof out) != 0;
    }
    return NULL;
}

TEST(hmacs_of_several_threads_do_not_disturb_each_other)
{
    pthread_t threads[4];
    int       wrong[ARRAY_LEN(threads)] = { 0 };
    for (size_t i = 0; i < ARRAY_LEN(threads); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, hmac_often, &wrong[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(threads); i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(wrong[i], 0);
    }
}

/* ---- Ed25519 ---------------------------------------------------------------------- */

struct ed25519_case { const char *seed, *public_key, *message, *signature; };

static const struct ed25519_case rfc_8032[] = {
    { "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
      "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
      "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701c"
      "f9b46bd25bf5f0595bbe24655141438e7a100b" },
    { "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
      "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
      "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f76098"
      "4dc6594a7c15e9716ed28dc027beceea1ec40a" },
};

TEST(ed25519_matches_rfc_8032)
{
    for (size_t i = 0; i < ARRAY_LEN(rfc_8032); i++) {
        unsigned char seed[32], key[32], message[8], out[64];
        unhex(rfc_8032[i].seed, seed);
        size_t bytes = unhex(rfc_8032[i].message, message);
        assert_int_equal(crypto_ed25519_public(seed, key), MH_OK);
        assert_hex(key, sizeof key, rfc_8032[i].public_key);
        assert_int_equal(crypto_ed25519_sign(seed, message, bytes, out), MH_OK);
        assert_hex(out, sizeof out, rfc_8032[i].signature);
        assert_true(crypto_ed25519_verify(key, message, bytes, out));
    }
}

TEST(a_changed_message_signature_or_key_does_not_verify)
{
    unsigned char seed[32], key[32], message[8], signature[64];
    unhex(rfc_8032[1].seed, seed);
    unhex(rfc_8032[1].public_key, key);
    size_t bytes = unhex(rfc_8032[1].message, message);
    unhex(rfc_8032[1].signature, signature);

    assert_false(crypto_ed25519_verify(key, message, bytes - 1, signature));
    signature[63] ^= 1;
    assert_false(crypto_ed25519_verify(key, message, bytes, signature));
    signature[63] ^= 1;
    key[0] ^= 1;
    assert_false(crypto_ed25519_verify(key, message, bytes, signature));
    memset(key, 0xff, sizeof key);          /* not a point of the curve */
    assert_false(crypto_ed25519_verify(key, message, bytes, signature));
}

TEST(the_ed25519_vector_of_vectors_md_matches)
{
    /* Vector C of Standard Webhooks 1.0: "v1a" over id.timestamp.body. */
    static const char text[] = "msg_p5jXN8AQM9LWM0D4loKWxJek.1614265330.{\"test\": 2432232314}";
    static const char private_key[] = "6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKk"
                                      "ioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==";
    unsigned char key[64], public_key[32], signature[64];
    char          out[100];
    size_t        bytes;

    assert_int_equal(crypto_base64_decode(private_key, strlen(private_key), key, sizeof key,
                                          &bytes), MH_OK);
    assert_int_equal(bytes, 64);
    assert_int_equal(crypto_ed25519_public(key, public_key), MH_OK);
    assert_memory_equal(public_key, key + 32, 32);
    crypto_base64(public_key, sizeof public_key, out);
    assert_string_equal(out, "1SiA4o9hyqTCpIqC5V9HUakiiaeACeqfZTInDBbOir4=");
    assert_int_equal(crypto_ed25519_sign(key, text, strlen(text), signature), MH_OK);
    crypto_base64(signature, sizeof signature, out);
    assert_string_equal(out, "hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZ"
                             "dpXwVLPo3mNl8EM+m7TBAg==");
}

/* ---- Sealing ----------------------------------------------------------------------- */

static const unsigned char seal_key[SEAL_KEY_BYTES] = { 1, 2, 3 };

TEST(what_was_sealed_opens_with_the_same_key_and_purpose)
{
    static const char secrets[][24] = { "", "x", "xoxb-0123456789-secret" };
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) {
        unsigned char sealed[64], opened[64];
        size_t        bytes = strlen(secrets[i]), count = 99;
        crypto_seal(seal_key, "plugin:slack", secrets[i], bytes, sealed);
        assert_int_equal(crypto_open(seal_key, "plugin:slack", sealed, bytes + SEAL_EXTRA_BYTES,
                                     opened, &count), MH_OK);
        assert_int_equal(count, bytes);
        assert_memory_equal(opened, secrets[i], bytes);
    }
}

TEST(sealing_twice_gives_different_bytes)
{
    unsigned char one[32], two[32];
    crypto_seal(seal_key, "", "abcd", 4, one);
    crypto_seal(seal_key, "", "abcd", 4, two);
    assert_memory_not_equal(one, two, 12);
    assert_memory_not_equal(one + 12, two + 12, 4);
}

TEST(any_changed_byte_is_noticed_and_no_text_comes_out)
{
    static const unsigned char zeroes[4];
    unsigned char sealed[4 + SEAL_EXTRA_BYTES], opened[4];
    size_t        count = 99;
    crypto_seal(seal_key, "a", "abcd", 4, sealed);
    for (size_t i = 0; i < sizeof sealed; i++) {
        sealed[i] ^= 0x80;
        assert_int_equal(crypto_open(seal_key, "a", sealed, sizeof sealed, opened, &count),
                         MH_DENIED);
        assert_memory_equal(opened, zeroes, 4);
        sealed[i] ^= 0x80;
    }
    assert_int_equal(count, 99);
}

TEST(another_key_or_purpose_does_not_open)
{
    unsigned char sealed[4 + SEAL_EXTRA_BYTES], opened[4], other[SEAL_KEY_BYTES] = { 1, 2, 4 };
    size_t        count;
    crypto_seal(seal_key, "plugin:slack", "abcd", 4, sealed);
    assert_int_equal(crypto_open(other, "plugin:slack", sealed, sizeof sealed, opened, &count),
                     MH_DENIED);
    assert_int_equal(crypto_open(seal_key, "plugin:slac", sealed, sizeof sealed, opened, &count),
                     MH_DENIED);
    assert_int_equal(crypto_open(seal_key, "", sealed, sizeof sealed, opened, &count), MH_DENIED);
}

TEST(what_is_too_short_to_be_sealed_does_not_open)
{
    unsigned char sealed[SEAL_EXTRA_BYTES], opened[1];
    size_t        count;
    crypto_seal(seal_key, "", NULL, 0, sealed);
    for (size_t bytes = 0; bytes < SEAL_EXTRA_BYTES; bytes++)
        assert_int_equal(crypto_open(seal_key, "", sealed, bytes, opened, &count), MH_DENIED);
}

TEST(case_16_of_the_gcm_specification_opens)
{
    unsigned char key[32], sealed[128], opened[64];
    char          about[21] = "";
    size_t        count;

    unhex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308", key);
    unhex("feedfacedeadbeeffeedfacedeadbeefabaddad2", (unsigned char *)about);
    size_t bytes = unhex("cafebabefacedbaddecaf888"
                         "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                         "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                         "76fc6ece0f4e1768cddf8853bb2d551b", sealed);
    assert_int_equal(crypto_open(key, about, sealed, bytes, opened, &count), MH_OK);
    assert_hex(opened, count, "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
                              "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
}

/* ---- Text, randomness, comparison --------------------------------------------------- */

TEST(base64_matches_rfc_4648_both_ways)
{
    static const struct { const char *plain, *text; } cases[] = {
        { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" }, { "foobar", "Zm9vYmFy" }, { "\xfb\xff\xbf", "+/+/" },
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char          text[16];
        unsigned char plain[8];
        size_t        bytes = 99;
        crypto_base64(cases[i].plain, strlen(cases[i].plain), text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(crypto_base64_decode(text, strlen(text), plain, sizeof plain, &bytes),
                         MH_OK);
        assert_int_equal(bytes, strlen(cases[i].plain));
        assert_memory_equal(plain, cases[i].plain, bytes);
    }
}

TEST(base64_that_is_not_strict_is_refused)
{
    static const char *const cases[] = {
        "Z", "Zg", "Zg=", "Zg===", "=", "==", "====", "Z===", "Zg==Zg==", "Zm9v\n", "Zm 9v",
        " Zm9", "Zm9v ", "Zm-_", "Zm9!", "Zh==", "Zm9=", "Z=g=", "=Zg=", "Zm9\xc3",
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned char out[16];
        size_t        bytes = 99;
        if (crypto_base64_decode(cases[i], strlen(cases[i]), out, sizeof out, &bytes) !=
                MH_INVALID || bytes != 99)
            fail_msg("\"%s\" was taken", cases[i]);
    }
    unsigned char out[4];
    size_t        bytes;
    assert_int_equal(crypto_base64_decode("Zm\0v", 4, out, sizeof out, &bytes), MH_INVALID);
}

TEST(base64_past_the_room_is_too_large_and_writes_nothing)
{
    unsigned char out[3] = { 7, 7, 7 };
    size_t        bytes = 99;
    assert_int_equal(crypto_base64_decode("Zm9v", 4, out, 2, &bytes), MH_TOO_LARGE);
    assert_int_equal(out[0], 7);
    assert_int_equal(bytes, 99);
    assert_int_equal(crypto_base64_decode("Zm8=", 4, out, 2, &bytes), MH_OK);
    assert_int_equal(bytes, 2);
    assert_int_equal(out[2], 7);
    assert_int_equal(crypto_base64_decode("", 0, NULL, 0, &bytes), MH_OK);
}

TEST(base64url_has_its_own_alphabet_and_no_padding)
{
    static const unsigned char bytes[] = { 0xfb, 0xef, 0xff, 0xfe };
    unsigned char out[8];
    char          text[16];
    size_t        count = 0;

    crypto_base64url(bytes, sizeof bytes, text);
    assert_string_equal(text, "--___g");
    assert_int_equal(crypto_base64url_decode(text, strlen(text), out, sizeof out, &count), MH_OK);
    assert_int_equal(count, sizeof bytes);
    assert_memory_equal(out, bytes, sizeof bytes);
}

TEST(base64url_that_is_not_strict_is_refused)
{
    static const char *const cases[] = { "++", "--___g==", "--___h", "-", "--_ _g", "--___g\n", "a=" };
    unsigned char out[8];
    size_t        count = 0;

    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(crypto_base64url_decode(cases[i], strlen(cases[i]), out, sizeof out, &count),
                         MH_INVALID);
    assert_int_equal(crypto_base64url_decode("ab\0d", 4, out, sizeof out, &count), MH_INVALID);
}

TEST(random_bytes_survive_base64)
{
    for (size_t count = 0; count < 100; count++) {
        unsigned char data[100], back[100];
        char          text[140];
        size_t        bytes;
        crypto_random(data, count);
        crypto_base64(data, count, text);
        assert_int_equal(strlen(text), 4 * ((count + 2) / 3));
        assert_int_equal(crypto_base64_decode(text, strlen(text), back, count, &bytes), MH_OK);
        assert_int_equal(bytes, count);
        assert_memory_equal(back, data, count);
    }
}

TEST(hex_is_lower_case_and_terminated)
{
    char out[9] = "????????";
    crypto_hex("\x00\x9f\xff", 3, out);
    assert_string_equal(out, "009fff");
    crypto_hex(NULL, 0, out);
    assert_string_equal(out, "");
}

TEST(random_bytes_are_not_repeated)
{
    unsigned char one[32] = { 0 }, two[32] = { 0 };
    crypto_random(one, sizeof one);
    crypto_random(two, sizeof two);
    assert_memory_not_equal(one, two, sizeof one);
}

TEST(equal_compares_every_byte)
{
    assert_true(crypto_equal("abc", "abc", 3));
    assert_true(crypto_equal("abc", "xyz", 0));
    assert_false(crypto_equal("abc", "abd", 3));
    assert_false(crypto_equal("abc", "xbc", 3));
    assert_true(crypto_equal("a\0b", "a\0b", 3));
    assert_false(crypto_equal("a\0b", "a\0c", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(digests_match_their_published_vectors),
        RUN(an_unknown_digest_is_refused_and_writes_nothing),
        RUN(sha256_of_nothing_takes_a_null_pointer),
        RUN(hmacs_match_their_published_vectors),
        RUN(the_github_example_of_vectors_md_matches),
        RUN(the_parts_of_an_hmac_read_as_one_text),
        RUN(hmacs_of_several_threads_do_not_disturb_each_other),
        RUN(ed25519_matches_rfc_8032),
        RUN(a_changed_message_signature_or_key_does_not_verify),
        RUN(the_ed25519_vector_of_vectors_md_matches),
        RUN(what_was_sealed_opens_with_the_same_key_and_purpose),
        RUN(sealing_twice_gives_different_bytes),
        RUN(any_changed_byte_is_noticed_and_no_text_comes_out),
        RUN(another_key_or_purpose_does_not_open),
        RUN(what_is_too_short_to_be_sealed_does_not_open),
        RUN(case_16_of_the_gcm_specification_opens),
        RUN(base64_matches_rfc_4648_both_ways),
        RUN(base64_that_is_not_strict_is_refused),
        RUN(base64_past_the_room_is_too_large_and_writes_nothing),
        RUN(base64url_has_its_own_alphabet_and_no_padding),
        RUN(base64url_that_is_not_strict_is_refused),
        RUN(random_bytes_survive_base64),
        RUN(hex_is_lower_case_and_terminated),
        RUN(random_bytes_are_not_repeated),
        RUN(equal_compares_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
