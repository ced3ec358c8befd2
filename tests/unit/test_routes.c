/* test_routes.c - a method and a path find their route, and nothing else does. */
#include "unit.h"

#include "api/routes.h"

#include <string.h>

struct found { enum mh_err err; const struct route *route; char id[16], allow[64]; };

static struct found find(const char *method, const char *path)
{
    struct found f = { .route = NULL };

    f.err = route_find(method, path, &f.route, f.id, sizeof f.id, f.allow, sizeof f.allow);
    return f;
}

TEST(a_plain_path_finds_its_route)
{
    struct found f = find("POST", "/api/events");

    assert_int_equal(f.err, MH_OK);
    assert_string_equal(f.route->path, "/api/events");
}

TEST(an_id_in_a_path_is_handed_over)
{
    struct found f = find("GET", "/api/events/evt_1");

    assert_int_equal(f.err, MH_OK);
    assert_string_equal(f.id, "evt_1");
}

TEST(an_id_may_be_followed_by_more)
{
    struct found f = find("POST", "/api/webhooks/wh_1/test");

    assert_int_equal(f.err, MH_OK);
    assert_string_equal(f.route->path, "/api/webhooks/{id}/test");
    assert_string_equal(f.id, "wh_1");
}

TEST(an_id_holds_no_slash_and_is_not_empty)
{
    assert_int_equal(find("GET", "/api/events/").err, MH_NOT_FOUND);
    assert_int_equal(find("GET", "/api/events/a/b").err, MH_NOT_FOUND);
    assert_int_equal(find("POST", "/api/webhooks//test").err, MH_NOT_FOUND);
}

TEST(an_id_that_is_too_long_is_not_cut)
{
    assert_int_equal(find("GET", "/api/events/a12345678901234").err, MH_OK);
    assert_int_equal(find("GET", "/api/events/a123456789012345").err, MH_NOT_FOUND);
}

TEST(head_is_answered_where_get_is)
{
    assert_int_equal(find("HEAD", "/healthz").err, MH_OK);
    assert_int_equal(find("HEAD", "/api/plugins/install").err, MH_METHOD);
}

TEST(a_method_that_a_path_does_not_take_is_answered_with_those_it_takes)
{
    struct found f = find("PUT", "/api/webhooks/wh_1");

    assert_int_equal(f.err, MH_METHOD);
    assert_string_equal(f.allow, "GET, PATCH, DELETE");
}

TEST(a_method_is_upper_case)
{
    assert_int_equal(find("get", "/healthz").err, MH_METHOD);
}

TEST(a_path_that_is_not_there_is_not_found)
{
    assert_int_equal(find("GET", "").err, MH_NOT_FOUND);
    assert_int_equal(find("GET", "/api").err, MH_NOT_FOUND);
    assert_int_equal(find("GET", "/healthz/").err, MH_NOT_FOUND);
    assert_int_equal(find("GET", "/api/eventsx").err, MH_NOT_FOUND);
}

TEST(every_route_below_api_needs_a_scope_that_keys_can_have)
{
    for (size_t i = 0; i < route_count; i++)
        if (strncmp(routes[i].path, "/api/", 5) == 0) {
            assert_non_null(routes[i].scope);
            assert_true(keys_scope_known(routes[i].scope));
        }
}

TEST(a_route_that_changes_something_needs_a_scope_to_write)
{
    for (size_t i = 0; i < route_count; i++)
        if (strcmp(routes[i].method, "GET") != 0 && strcmp(routes[i].scope, "admin") != 0)
            assert_non_null(strstr(routes[i].scope, ":write"));
}

TEST(no_two_routes_are_the_same)
{
    for (size_t i = 0; i < route_count; i++)
        for (size_t j = 0; j < i; j++)
            assert_false(strcmp(routes[i].path, routes[j].path) == 0 &&
                         strcmp(routes[i].method, routes[j].method) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_plain_path_finds_its_route),
        RUN(an_id_in_a_path_is_handed_over),
        RUN(an_id_may_be_followed_by_more),
        RUN(an_id_holds_no_slash_and_is_not_empty),
        RUN(an_id_that_is_too_long_is_not_cut),
        RUN(head_is_answered_where_get_is),
        RUN(a_method_that_a_path_does_not_take_is_answered_with_those_it_takes),
        RUN(a_method_is_upper_case),
        RUN(a_path_that_is_not_there_is_not_found),
        RUN(every_route_below_api_needs_a_scope_that_keys_can_have),
        RUN(a_route_that_changes_something_needs_a_scope_to_write),
        RUN(no_two_routes_are_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
