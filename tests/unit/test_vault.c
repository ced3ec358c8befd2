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

/* ---- Changing the key ------------------------------------------------------------------- */

static size_t read_key_file(char *out, size_t size)
{
    FILE *file = fopen(key_path(), "re");
    assert_non_null(file);
    size_t bytes = fread(out, 1, size - 1, file);
    out[bytes] = '\0';
    fclose(file);
    return bytes;
}

static void write_key_file(const char *text)
{
    int fd = open(key_path(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void assert_opens(const struct vault *v, const char *sealed, const char *wanted)
{
    char *plain = NULL;

    assert_int_equal(vault_unseal(v, "wh_1", sealed, &plain), MH_OK);
    assert_string_equal(plain, wanted);
    free(plain);
}

static void assert_does_not_open(const struct vault *v, const char *sealed)
{
    char *plain = NULL;

    assert_int_equal(vault_unseal(v, "wh_1", sealed, &plain), MH_DENIED);
    assert_null(plain);
}

TEST(a_changed_key_opens_what_the_former_one_sealed)
{
    struct vault *v = opened();
    char         *sealed = vault_seal(v, "wh_1", "whsec_x");

    assert_int_equal(vault_begin_change(v), MH_OK);
    assert_opens(v, sealed, "whsec_x");
    vault_close(v);
    free(sealed);
}

TEST(both_keys_are_in_a_file_of_two_lines_until_the_change_ends)
{
    char          before[128], during[128], after[128];
    struct vault *v = opened();
    struct stat   st;

    size_t one = read_key_file(before, sizeof before);
    assert_int_equal(vault_begin_change(v), MH_OK);
    assert_int_equal(read_key_file(during, sizeof during), 2 * one + 1);
    assert_string_equal(strchr(during, '\n') + 1, before);
    assert_int_equal(stat(key_path(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(vault_end_change(v), MH_OK);
    assert_int_equal(read_key_file(after, sizeof after), one);
    assert_memory_equal(after, during, one);
    assert_string_not_equal(after, before);
    vault_close(v);
}

TEST(a_change_that_was_interrupted_is_known_after_a_restart)
{
    struct vault *v = opened();
    char         *old = vault_seal(v, "wh_1", "old"), *fresh = NULL;

    assert_int_equal(vault_begin_change(v), MH_OK);
    fresh = vault_seal(v, "wh_1", "new");
    vault_close(v);
    v = opened();
    assert_true(vault_has_former(v));
    assert_opens(v, old, "old");
    assert_opens(v, fresh, "new");
    vault_close(v);
    free(old);
    free(fresh);
}

TEST(a_second_change_waits_for_the_end_of_the_first)
{
    struct vault *v = opened();

    assert_int_equal(vault_begin_change(v), MH_OK);
    assert_int_equal(vault_begin_change(v), MH_CONFLICT);
    vault_close(v);
}

TEST(after_a_change_the_former_key_opens_nothing)
{
    struct vault *v = opened();
    char         *sealed = vault_seal(v, "wh_1", "whsec_x");

    assert_int_equal(vault_begin_change(v), MH_OK);
    assert_int_equal(vault_end_change(v), MH_OK);
    assert_false(vault_has_former(v));
    assert_does_not_open(v, sealed);
    vault_close(v);
    free(sealed);
}

TEST(what_the_former_key_sealed_is_sealed_anew_and_the_rest_stays)
{
    struct vault *v = opened();
    char         *old = vault_seal(v, "wh_1", "whsec_x"), *fresh = NULL, *again = old;

    assert_int_equal(vault_begin_change(v), MH_OK);
    assert_int_equal(vault_reseal(v, "wh_1", old, &fresh), MH_OK);
    assert_int_equal(vault_reseal(v, "wh_1", fresh, &again), MH_OK);
    assert_null(again);
    assert_int_equal(vault_end_change(v), MH_OK);
    assert_opens(v, fresh, "whsec_x");
    vault_close(v);
    free(old);
    free(fresh);
}

TEST(what_no_key_opens_is_not_sealed_anew)
{
    struct vault *v = opened();
    char         *sealed = vault_seal(v, "wh_2", "whsec_x"), *fresh = NULL;

    assert_int_equal(vault_reseal(v, "wh_1", sealed, &fresh), MH_DENIED);
    assert_int_equal(vault_reseal(v, "wh_1", "enc:", &fresh), MH_DENIED);
    assert_int_equal(vault_reseal(v, "wh_1", "enc:AAAA", &fresh), MH_DENIED);
    assert_null(fresh);
    vault_close(v);
    free(sealed);
}

TEST(a_key_that_was_left_aside_by_a_crash_is_removed)
{
    char  aside[120];
    FILE *file = NULL;

    vault_close(opened());
    snprintf(aside, sizeof aside, "%s.new", key_path());
    file = fopen(aside, "we");
    assert_non_null(file);
    fputs("half a ke", file);
    fclose(file);
    vault_close(opened());
    assert_int_equal(access(aside, F_OK), -1);
}

#define KEY_1 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
#define KEY_2 "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="

TEST(a_file_of_keys_is_read_only_if_it_is_whole)
{
    static const struct { const char *text; enum mh_err err; } cases[] = {
        { KEY_1, MH_OK }, { KEY_1 "\n", MH_OK }, { KEY_1 "\n" KEY_2, MH_OK },
        { KEY_1 "\n" KEY_2 "\n", MH_OK }, { "", MH_INVALID }, { "\n" KEY_2, MH_INVALID },
        { KEY_1 "\nAQEBAQ==", MH_INVALID }, { KEY_1 "\nAQEBA", MH_INVALID },
        { KEY_1 "," KEY_2, MH_INVALID }, { KEY_1 "\n" KEY_2 "\n" KEY_1, MH_INVALID },
        { KEY_1 KEY_2, MH_INVALID },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct vault *v = NULL;
        write_key_file(cases[i].text);
        assert_int_equal(vault_open(dir, &v), cases[i].err);
        if (v != NULL)
            vault_close(v);
    }
}

TEST(the_environment_may_give_a_new_key_and_the_former_one)
{
    struct vault *v = NULL;

    setenv("MOONHOOK_MASTER_KEY", KEY_1, 1);
    v = opened();
    char *sealed = vault_seal(v, "wh_1", "whsec_x"), *fresh = NULL;
    assert_int_equal(vault_begin_change(v), MH_CONFLICT);
    vault_close(v);
    setenv("MOONHOOK_MASTER_KEY", KEY_2 "," KEY_1, 1);
    v = opened();
    assert_true(vault_is_given(v));
    assert_int_equal(vault_reseal(v, "wh_1", sealed, &fresh), MH_OK);
    vault_close(v);
    setenv("MOONHOOK_MASTER_KEY", KEY_2, 1);
    v = opened();
    assert_opens(v, fresh, "whsec_x");
    vault_close(v);
    free(sealed);
    free(fresh);
}

TEST(the_key_is_wiped_from_the_environment_that_gave_it)
{
    setenv("MOONHOOK_MASTER_KEY", KEY_1, 1);
    const char *there = getenv("MOONHOOK_MASTER_KEY");

    vault_close(opened());
    assert_null(getenv("MOONHOOK_MASTER_KEY"));
    assert_string_equal(there, "");
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
        RUN(a_changed_key_opens_what_the_former_one_sealed),
        RUN(both_keys_are_in_a_file_of_two_lines_until_the_change_ends),
        RUN(a_change_that_was_interrupted_is_known_after_a_restart),
        RUN(a_second_change_waits_for_the_end_of_the_first),
        RUN(after_a_change_the_former_key_opens_nothing),
        RUN(what_the_former_key_sealed_is_sealed_anew_and_the_rest_stays),
        RUN(what_no_key_opens_is_not_sealed_anew),
        RUN(a_key_that_was_left_aside_by_a_crash_is_removed),
        RUN(a_file_of_keys_is_read_only_if_it_is_whole),
        RUN(the_environment_may_give_a_new_key_and_the_former_one),
        RUN(the_key_is_wiped_from_the_environment_that_gave_it),
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
