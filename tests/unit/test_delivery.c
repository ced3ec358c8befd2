/* test_delivery.c - keys of deliveries, and text that goes into their records. */
#include "unit.h"

#include "core/delivery.h"

#include <string.h>

TEST(a_key_comes_apart_as_it_was_put_together)
{
    char                  key[DELIVERY_KEY_BYTES];
    struct delivery_parts parts;

    delivery_key("acme", "evt_1:a", "wh_2", key);
    assert_string_equal(key, "acme/evt_1:a~wh_2");
    assert_int_equal(delivery_split(key, &parts), MH_OK);
    assert_string_equal(parts.org, "acme");
    assert_string_equal(parts.event_id, "evt_1:a");
    assert_string_equal(parts.target_id, "wh_2");
}

TEST(parts_of_the_greatest_length_fit)
{
    char                  longest[65], key[DELIVERY_KEY_BYTES];
    struct delivery_parts parts;

    memset(longest, 'a', 64);
    longest[64] = '\0';
    delivery_key(longest, longest, longest, key);
    assert_int_equal(strlen(key), 3 * 64 + 2);
    assert_int_equal(delivery_split(key, &parts), MH_OK);
    assert_string_equal(parts.target_id, longest);
}

TEST(what_is_no_key_is_refused)
{
    static const char *const texts[] = { "", "/", "~", "/~", "a/b", "a~b", "a~b/c", "/b~c", "a/~c",
                                         "a/b~", "a/b~c~d", "a/b/c~d", "a/b.c~d", "a b/c~d" };
    struct delivery_parts parts;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(delivery_split(texts[i], &parts), MH_INVALID);
}

TEST(a_part_that_is_too_long_is_refused_and_not_cut)
{
    char                  key[DELIVERY_KEY_BYTES + 16] = "a/";
    struct delivery_parts parts;

    memset(key + 2, 'b', 65);
    memcpy(key + 67, "~c", 3);
    assert_int_equal(delivery_split(key, &parts), MH_INVALID);
}

static void assert_text(const char *bytes, size_t count, const char *wanted)
{
    json_t *text = delivery_text(bytes, count);

    assert_string_equal(json_string_value(text), wanted);
    json_decref(text);
}

TEST(short_text_is_kept_whole)
{
    assert_text("", 0, "");
    assert_text("h\xc3\xa9", 3, "h\xc3\xa9");
}

TEST(long_text_is_cut_between_characters)
{
    char text[DELIVERY_TEXT_MAX + 2], wanted[DELIVERY_TEXT_MAX];

    memset(text, 'a', sizeof text);
    memcpy(text + DELIVERY_TEXT_MAX - 1, "\xc3\xa9", 2);
    memset(wanted, 'a', sizeof wanted);
    wanted[DELIVERY_TEXT_MAX - 1] = '\0';
    assert_text(text, sizeof text, wanted);
}

TEST(what_is_no_text_is_called_binary)
{
    assert_text("\xff\xfe\x00\x01", 4, "(binary)");
    assert_text("a\0b", 3, "(binary)");
}

static void release(struct target *t) { (void)t; }

/* What a record says of the attempts before the present round, when it is restored. */
static void assert_round(const char *text, unsigned number, unsigned round)
{
    static const struct target_ops ops = { .release = release };
    struct target     target;
    struct event      event = { .refs = 2, .id = "evt_1", .org = "acme" };
    struct json_fault fault;
    json_t           *record = NULL;

    target_init(&target, &ops, "wh_1", "acme");
    struct delivery *d = delivery_new(&event, &target);
    assert_int_equal(json_parse_stored(text, strlen(text), &record, &fault), MH_OK);
    delivery_restore(d, record);
    assert_int_equal(d->number, number);
    assert_int_equal(d->round, round);
    json_decref(record);
    delivery_free(d);
}

TEST(a_round_begins_where_an_operator_wanted_it_again)
{
    assert_round("{\"attempts\":[]}", 1, 0);
    assert_round("{\"attempts\":[{\"number\":1}]}", 2, 0);
    assert_round("{\"attempts\":[{},{},{}],\"again\":true}", 4, 3);
    assert_round("{\"round\":2,\"attempts\":[{},{},{}]}", 4, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(a_key_comes_apart_as_it_was_put_together),
        RUN(parts_of_the_greatest_length_fit),
        RUN(what_is_no_key_is_refused),
        RUN(a_part_that_is_too_long_is_refused_and_not_cut),
        RUN(short_text_is_kept_whole),
        RUN(long_text_is_cut_between_characters),
        RUN(what_is_no_text_is_called_binary),
        RUN(a_round_begins_where_an_operator_wanted_it_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
