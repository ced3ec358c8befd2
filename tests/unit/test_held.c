/* test_held.c - bytes of deliveries in memory: counted once, and never below what is there. */
#include "core/held.h"

#include "unit.h"

#include <stdlib.h>
#include <string.h>

enum { MIB = 1 << 20 };

static void release(struct target *t) { (void)t; }
static const struct target_ops ops = { .release = release };

static struct event *event_of(size_t bytes)
{
    struct event *e = event_unread("acme", "evt_1");
    e->envelope = calloc(1, bytes + 1);
    e->envelope_bytes = bytes;
    return e;
}

TEST(an_event_counts_once_however_many_deliveries_share_it)
{
    struct held      h = { .most_bytes = 4 * MIB };
    struct target    one, other;
    target_init(&one, &ops, "wh_one", "acme");
    target_init(&other, &ops, "wh_other", "acme");
    struct event    *e = event_of(MIB);
    struct delivery *a = delivery_new(e, &one), *b = delivery_new(e, &other);

    held_add(&h, a);
    held_add(&h, b);
    held_add(&h, b);
    assert_int_equal(held_free_bytes(&h), 3 * MIB);
    held_remove(&h, a);
    held_remove(&h, a);
    assert_int_equal(held_free_bytes(&h), 3 * MIB);
    held_remove(&h, b);
    assert_int_equal(held_free_bytes(&h), 4 * MIB);
    delivery_free(a);
    delivery_free(b);
    event_unref(e);
}

TEST(the_attempts_of_a_delivery_count_as_they_were_when_it_came)
{
    struct held      h = { .most_bytes = 4 * MIB };
    struct target    t;
    target_init(&t, &ops, "wh_one", "acme");
    struct event    *e = event_of(100);
    struct delivery *d = delivery_new(e, &t);

    d->attempts = strdup("{},{}");
    held_add(&h, d);
    assert_int_equal(h.bytes, 105);
    free(d->attempts);
    d->attempts = strdup("{},{},{}");
    held_remove(&h, d);
    assert_int_equal(h.bytes, 0);
    delivery_free(d);
    event_unref(e);
}

TEST(what_is_promised_is_not_free)
{
    struct held h = { .most_bytes = 4 * MIB, .promised_bytes = 3 * MIB + 1 };

    assert_int_equal(held_free_bytes(&h), MIB - 1);
    assert_int_equal(held_free_events(&h), 0);
    h.promised_bytes = 5 * MIB;
    assert_int_equal(held_free_bytes(&h), 0);
}

TEST(it_is_full_when_as_much_waits_to_be_accepted_as_it_may_hold)
{
    struct held h = { .most_bytes = 4 * MIB, .arriving_bytes = 4 * MIB - 1 };

    assert_false(held_is_full(&h));
    h.arriving_bytes++;
    assert_true(held_is_full(&h));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_event_counts_once_however_many_deliveries_share_it),
        RUN(the_attempts_of_a_delivery_count_as_they_were_when_it_came),
        RUN(what_is_promised_is_not_free),
        RUN(it_is_full_when_as_much_waits_to_be_accepted_as_it_may_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
