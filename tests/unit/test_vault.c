/* test_vault.c - the master key on disk, and what is sealed under it. */
#include "core/vault.h"

#include "unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    unsetenv("MOONHOOK_MASTER_KEY");
    snprintf(dir, sizeof dir, "/tmp/mh-vault-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static const char *key_path(void)
{
    static char path[96];
    snprintf(path, sizeof path, "%s/master.key", dir);
    return path;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(key_path());
    return rmdir(dir);                      /* fails if anything else was left there */
}

static struct vault *opened(void)
{
    struct vault *v = NULL;
    assert_int_equal(vault_open(dir, &v), MH_OK);
    return v;
}

TEST(the_first_start_makes_a_key_that_only_its_owner_reads)
{
    struct stat st;

    vault_close(opened());
    assert_int_equal(stat(key_path(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

TEST(what_was_sealed_before_a_restart_opens_after_it)
{
    struct vault *v = opened();
    char         *sealed = vault_seal(v, "wh_1", "whsec_x"), *plain = NULL;

    vault_close(v);
    v = opened();
    assert_int_equal(vault_unseal(v, "wh_1", sealed, &plain), MH_OK);
    assert_string_equal(plain, "whsec_x");
    vault_close(v);
    free(sealed);
    free(plain);
}

TEST(what_was_sealed_about_one_thing_does_not_open_about_another)
{
    struct vault *v = opened();
    char         *sealed = vault_seal(v, "wh_1", "whsec_x"), *plain = NULL;

    assert_int_equal(vault_unseal(v, "wh_2", sealed, &plain), MH_DENIED);
    assert_null(plain);
    vault_close(v);
    free(sealed);
}

TEST(a_key_that_others_may_read_is_refused)
{
    struct vault *v = NULL;

    vault_close(opened());
    assert_int_equal(chmod(key_path(), 0644), 0);
    assert_int_equal(vault_open(dir, &v), MH_INVALID);
}

TEST(a_key_that_was_cut_short_is_refused_and_left_as_it_is)
{
    struct vault *v = NULL;
    struct stat   st;

    vault_close(opened());
    assert_int_equal(truncate(key_path(), 10), 0);
    assert_int_equal(vault_open(dir, &v), MH_INVALID);
    assert_int_equal(stat(key_path(), &st), 0);
    assert_int_equal(st.st_size, 10);
}

TEST(a_folder_that_cannot_be_written_to_is_an_error_of_the_disk)
{
    struct vault *v = NULL;

    assert_int_equal(vault_open("/proc/nowhere", &v), MH_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(the_first_start_makes_a_key_that_only_its_owner_reads),
        RUN(what_was_sealed_before_a_restart_opens_after_it),
        RUN(what_was_sealed_about_one_thing_does_not_open_about_another),
        RUN(a_key_that_others_may_read_is_refused),
        RUN(a_key_that_was_cut_short_is_refused_and_left_as_it_is),
        RUN(a_folder_that_cannot_be_written_to_is_an_error_of_the_disk),
    };
    struct CMUnitTest each[sizeof tests / sizeof tests[0]];

    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        each[i] = tests[i];
        each[i].setup_func = make_dir;
        each[i].teardown_func = remove_dir;
    }
    return cmocka_run_group_tests(each, NULL, NULL);
}
