/* test_map.c - the sorted map. */
#include "base/map.h"

#include "unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct thing { char name[16]; int number; };

static int released;

static void release(void *value)
{
    released++;
    free(value);
}

static struct thing *thing_new(const char *name, int number)
{
    struct thing *t = calloc(1, sizeof *t);
    assert_non_null(t);
    snprintf(t->name, sizeof t->name, "%s", name);
    t->number = number;
    return t;
}

static void put(struct map *m, const char *name, int number)
{
    struct thing *t = thing_new(name, number);
    assert_null(map_put(m, t->name, t));
}

static int collect(void *value, void *arg)
{
    char *names = arg;
    size_t used = strlen(names);
    snprintf(names + used, 64 - used, "%s,", ((struct thing *)value)->name);
    return 0;
}

static int stop_at_two(void *value, void *arg)
{
    (*(int *)arg)++;
    return ((struct thing *)value)->number == 2 ? 42 : 0;
}

TEST(an_empty_map_has_nothing)
{
    struct map m = { 0 };
    int        visits = 0;
    assert_null(map_get(&m, "a"));
    assert_null(map_remove(&m, "a"));
    assert_int_equal(map_each(&m, stop_at_two, &visits), 0);
    assert_int_equal(visits, 0);
    map_clear(&m, release);
}

TEST(what_was_put_is_found_by_equal_text)
{
    struct map m = { 0 };
    char       key[] = "slack";
    put(&m, "slack", 1);
    put(&m, "Slack", 2);
    assert_int_equal(m.count, 2);
    assert_int_equal(((struct thing *)map_get(&m, key))->number, 1);
    assert_null(map_get(&m, "slac"));
    map_clear(&m, release);
}

TEST(a_replaced_value_comes_back_and_may_be_freed_at_once)
{
    struct map    m = { 0 };
    struct thing *second = thing_new("a", 2);
    put(&m, "a", 1);
    struct thing *first = map_put(&m, second->name, second);
    assert_int_equal(first->number, 1);
    free(first);                            /* with it goes the key that the map had borrowed */
    assert_int_equal(m.count, 1);
    assert_ptr_equal(map_get(&m, "a"), second);
    map_clear(&m, release);
}

TEST(a_removed_value_comes_back_and_is_gone)
{
    struct map m = { 0 };
    put(&m, "a", 1);
    put(&m, "b", 2);
    struct thing *a = map_remove(&m, "a");
    assert_int_equal(a->number, 1);
    free(a);
    assert_null(map_get(&m, "a"));
    assert_int_equal(m.count, 1);
    map_clear(&m, release);
}

TEST(values_are_visited_in_the_order_of_their_keys)
{
    struct map m = { 0 };
    char       names[64] = "";
    put(&m, "m", 1), put(&m, "c", 2), put(&m, "z", 3), put(&m, "a", 4), put(&m, "d", 5);
    assert_int_equal(map_each(&m, collect, names), 0);
    assert_string_equal(names, "a,c,d,m,z,");
    map_clear(&m, release);
}

TEST(a_visit_that_returns_something_ends_the_walk)
{
    struct map m = { 0 };
    int        visits = 0;
    put(&m, "a", 1), put(&m, "b", 2), put(&m, "c", 3);
    assert_int_equal(map_each(&m, stop_at_two, &visits), 42);
    assert_int_equal(visits, 2);
    map_clear(&m, release);
}

TEST(clear_releases_every_value_once)
{
    struct map m = { 0 };
    released = 0;
    for (int i = 0; i < 1000; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i * 7919 % 1000);
        put(&m, name, i);
    }
    assert_int_equal(m.count, 1000);
    map_clear(&m, release);
    assert_int_equal(released, 1000);
    assert_int_equal(m.count, 0);
    assert_null(m.root);
}

TEST(clear_without_release_only_forgets)
{
    struct map   m = { 0 };
    struct thing t = { "a", 1 };
    assert_null(map_put(&m, t.name, &t));
    map_clear(&m, NULL);
    assert_null(map_get(&m, "a"));
}

TEST(a_thousand_keys_can_come_and_go_in_any_order)
{
    struct map m = { 0 };
    char       name[16];
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i * 7919 % 1000);
        put(&m, name, i);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, "%d", i * 613 % 1000);
        free(map_remove(&m, name));
        assert_null(map_get(&m, name));
        assert_int_equal(m.count, 999 - i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_empty_map_has_nothing),
        RUN(what_was_put_is_found_by_equal_text),
        RUN(a_replaced_value_comes_back_and_may_be_freed_at_once),
        RUN(a_removed_value_comes_back_and_is_gone),
        RUN(values_are_visited_in_the_order_of_their_keys),
        RUN(a_visit_that_returns_something_ends_the_walk),
        RUN(clear_releases_every_value_once),
        RUN(clear_without_release_only_forgets),
        RUN(a_thousand_keys_can_come_and_go_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
