/* test_tree_watch.c - changes in a folder, however they are made. */
#include "unit.h"
#include "with_loop.h"

#include "io/tree_watch.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uv_loop_t          loop;
static struct tree_watch *watch;
static char               dir[64];
static unsigned           told;

static void on_changed(void *arg)
{
    assert_ptr_equal(arg, &told);
    told++;
}

static const char *at(const char *name)
{
    static char paths[2][128];
    static int  turn;
    char       *path = paths[turn ^= 1];

    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(at(name), "we");

    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
}

/* The folder "p" in a folder of the test's own, watched. */
static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/mh-test-XXXXXX");
    assert_non_null(mkdtemp(dir));
    assert_int_equal(mkdir(at("p"), 0700), 0);
    write_file("p/plugin.lua", "1");
    uv_loop_init(&loop);
    told = 0;
    watch = tree_watch_start(&loop, at("p"), on_changed, &told);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tree_watch_stop(watch);
    loop_end(&loop);
    remove_tree(dir);
    return 0;
}

/* Each is a change of its own: what came before has been told. */
#define ASSERT_TOLD() do { RUN_UNTIL(&loop, told > 0); told = 0; } while (0)

TEST(a_file_that_is_written_is_a_change)
{
    write_file("p/plugin.lua", "2");
    ASSERT_TOLD();
}

TEST(a_file_put_in_the_old_ones_place_is_a_change_each_time)
{
    for (int i = 0; i < 3; i++) {
        write_file("p/new", "2");
        assert_int_equal(rename(at("p/new"), at("p/plugin.lua")), 0);
        ASSERT_TOLD();
    }
}

TEST(changes_close_together_are_told_once)
{
    for (int i = 0; i < 50; i++)
        write_file("p/plugin.lua", "2");
    RUN_UNTIL(&loop, told > 0);
    assert_int_equal(told, 1);
}

TEST(a_folder_that_came_is_watched)
{
    assert_int_equal(mkdir(at("p/lib"), 0700), 0);
    ASSERT_TOLD();
    write_file("p/lib/a.lua", "1");
    ASSERT_TOLD();
    assert_int_equal(mkdir(at("p/lib/deeper"), 0700), 0);
    ASSERT_TOLD();
    write_file("p/lib/deeper/b.lua", "1");
    ASSERT_TOLD();
}

TEST(a_file_that_goes_is_a_change)
{
    assert_int_equal(unlink(at("p/plugin.lua")), 0);
    ASSERT_TOLD();
}

TEST(another_folder_in_its_place_is_a_change_and_is_watched)
{
    assert_int_equal(mkdir(at("q"), 0700), 0);
    assert_int_equal(rename(at("p"), at("old")), 0);
    assert_int_equal(rename(at("q"), at("p")), 0);
    ASSERT_TOLD();
    write_file("p/plugin.lua", "2");
    ASSERT_TOLD();
}

TEST(a_folder_that_is_gone_is_waited_for)
{
    assert_int_equal(rename(at("p"), at("away")), 0);
    for (int i = 0; i < 20; i++)
        uv_run(&loop, UV_RUN_NOWAIT);
    assert_int_equal(told, 0);
    assert_int_equal(rename(at("away"), at("p")), 0);
    ASSERT_TOLD();
    write_file("p/plugin.lua", "2");
    ASSERT_TOLD();
}

int main(void)
{
#define WATCHED(sentence) cmocka_unit_test_setup_teardown(sentence, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WATCHED(a_file_that_is_written_is_a_change),
        WATCHED(a_file_put_in_the_old_ones_place_is_a_change_each_time),
        WATCHED(changes_close_together_are_told_once),
        WATCHED(a_folder_that_came_is_watched),
        WATCHED(a_file_that_goes_is_a_change),
        WATCHED(another_folder_in_its_place_is_a_change_and_is_watched),
        WATCHED(a_folder_that_is_gone_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
