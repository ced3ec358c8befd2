/* test_keyring.c - live secrets under a clock of the test's own. */
#include "webhook/keyring.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int64_t START_MS = 1769076000000, DAY_MS = 86400000;

static struct keyring fresh(void)
{
    struct keyring k;
    keyring_init(&k);
    return k;
}

/* How many signatures the header has at `now_ms`; each secret that is to live verifies. */
static size_t signatures(const struct keyring *k, int64_t now_ms)
{
    struct signed_bytes what = { "msg_1", now_ms / 1000, "{}", 2 };
    char                header[KEYRING_HEADER_BYTES];
    size_t              count = 1;

    assert_int_equal(keyring_sign(k, &what, now_ms, header), MH_OK);
    for (const char *c = header; *c; c++)
        count += *c == ' ';
    for (size_t i = 0; i < k->count; i++) {
        bool lives = k->secret[i].until_ms == 0 || k->secret[i].until_ms > now_ms;
        enum mh_err err = signer_verify(k->secret[i].text, &what, header, now_ms / 1000);
        assert_int_equal(err, lives ? MH_OK : MH_DENIED);
    }
    return count;
}

TEST(a_rotation_keeps_the_old_secret_for_its_overlap_and_no_longer)
{
    struct keyring k = fresh();
    assert_int_equal(signatures(&k, START_MS), 1);
    assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS), MH_OK);
    assert_int_equal(signatures(&k, START_MS), 2);
    assert_int_equal(signatures(&k, START_MS + DAY_MS - 1), 2);
    assert_int_equal(signatures(&k, START_MS + DAY_MS), 1);
}

TEST(the_newest_secret_signs_first)
{
    struct keyring      k = fresh();
    struct signed_bytes what = { "msg_1", START_MS / 1000, "{}", 2 };
    struct signature    newest;
    char                header[KEYRING_HEADER_BYTES];
    assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS), MH_OK);
    assert_int_equal(keyring_sign(&k, &what, START_MS, header), MH_OK);
    assert_int_equal(signer_sign(k.secret[0].text, &what, &newest), MH_OK);
    assert_memory_equal(header, newest.text, strlen(newest.text));
}

TEST(a_rotation_that_would_end_a_live_secret_early_is_refused)
{
    struct keyring k = fresh();
    for (int i = 1; i < KEYRING_SECRETS; i++)
        assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS + i), MH_OK);
    struct keyring before = k;
    assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS + 10), MH_CONFLICT);
    assert_memory_equal(&k, &before, sizeof k);
    assert_int_equal(signatures(&k, START_MS + 10), KEYRING_SECRETS);
    assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS + 1 + DAY_MS), MH_OK);
    assert_int_equal(signatures(&k, START_MS + 1 + DAY_MS), KEYRING_SECRETS);
}

TEST(an_overlap_of_nothing_ends_every_older_secret_at_once)
{
    struct keyring k = fresh();
    assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS), MH_OK);
    assert_int_equal(keyring_rotate(&k, 0, START_MS), MH_OK);
    assert_int_equal(signatures(&k, START_MS), 1);
}

TEST(an_older_secret_never_lives_longer_by_a_later_rotation)
{
    struct keyring k = fresh();
    assert_int_equal(keyring_rotate(&k, 1000, START_MS), MH_OK);
    assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS), MH_OK);
    assert_int_equal(signatures(&k, START_MS), 3);
    assert_int_equal(signatures(&k, START_MS + 1000), 2);
}

TEST(an_ed25519_key_adds_one_signature_until_it_is_given_up)
{
    struct keyring k = fresh();
    keyring_set_ed25519(&k, true);
    char first[SIGNER_KEY_BYTES];
    memcpy(first, k.public_key, sizeof first);
    assert_int_equal(signatures(&k, START_MS), 2);
    keyring_set_ed25519(&k, true);
    assert_string_equal(k.public_key, first);
    keyring_set_ed25519(&k, false);
    assert_int_equal(signatures(&k, START_MS), 1);
    assert_string_equal(k.private_key, "");
    keyring_set_ed25519(&k, true);
    assert_string_not_equal(k.public_key, first);
}

TEST(every_signature_that_there_can_be_fits_the_header)
{
    struct keyring      k = fresh();
    struct signed_bytes what = { "msg_1", START_MS / 1000, "{}", 2 };
    char                header[KEYRING_HEADER_BYTES];
    keyring_set_ed25519(&k, true);
    for (int i = 1; i < KEYRING_SECRETS; i++)
        assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS), MH_OK);
    assert_int_equal(keyring_sign(&k, &what, START_MS, header), MH_OK);
    assert_int_equal(signer_verify_ed25519(k.public_key, &what, header, START_MS / 1000), MH_OK);
    assert_int_equal(signer_verify(k.secret[KEYRING_SECRETS - 1].text, &what, header,
                                   START_MS / 1000), MH_OK);
}

/* ---- At rest ----------------------------------------------------------------------- */

static struct vault *vault_in(char *dir)
{
    struct vault *v = NULL;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(vault_open(dir, &v), MH_OK);
    return v;
}

static void remove_vault(struct vault *v, const char *dir)
{
    char path[64];
    vault_close(v);
    snprintf(path, sizeof path, "%s/master.key", dir);
    unlink(path);
    rmdir(dir);
}

TEST(what_is_stored_is_sealed_and_loads_as_it_was)
{
    char           dir[] = "/tmp/mh-keyring-XXXXXX";
    struct vault  *v = vault_in(dir);
    struct keyring k = fresh(), loaded;
    json_t        *stored = json_object();
    keyring_set_ed25519(&k, true);
    assert_int_equal(keyring_rotate(&k, DAY_MS, START_MS), MH_OK);
    keyring_store(&k, v, "wh_1", stored);
    char *text = json_text(stored, &(size_t){ 0 });
    assert_null(strstr(text, "whsec_"));
    assert_null(strstr(text, "whsk_"));
    free(text);
    assert_int_equal(keyring_load(&loaded, v, "wh_1", stored), MH_OK);
    assert_int_equal(loaded.count, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(loaded.secret[i].text, k.secret[i].text);
        assert_true(loaded.secret[i].until_ms == k.secret[i].until_ms);
    }
    assert_string_equal(loaded.private_key, k.private_key);
    assert_string_equal(loaded.public_key, k.public_key);
    assert_int_equal(keyring_load(&loaded, v, "wh_2", stored), MH_DENIED);
    json_decref(stored);
    remove_vault(v, dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_rotation_keeps_the_old_secret_for_its_overlap_and_no_longer),
        RUN(the_newest_secret_signs_first),
        RUN(a_rotation_that_would_end_a_live_secret_early_is_refused),
        RUN(an_overlap_of_nothing_ends_every_older_secret_at_once),
        RUN(an_older_secret_never_lives_longer_by_a_later_rotation),
        RUN(an_ed25519_key_adds_one_signature_until_it_is_given_up),
        RUN(every_signature_that_there_can_be_fits_the_header),
        RUN(what_is_stored_is_sealed_and_loads_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
