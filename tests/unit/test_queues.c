/* test_queues.c - which shard of the queue an org has (Q8), and its keys. */
#include "unit.h"

#include "core/queues.h"

#include <stdio.h>
#include <stdlib.h>

/* What was stored must be found by every later engine: these numbers may never change. */
TEST(an_org_has_the_same_shard_for_ever)
{
    static const struct { const char *org; size_t of_3, of_4, of_64; } known[] = {
        { "default", 0, 2, 22 }, { "acme", 0, 0, 40 }, { "org1", 2, 3, 27 }, { "Org-2:x", 1, 1, 29 },
    };

    for (size_t i = 0; i < ARRAY_LEN(known); i++) {
        assert_int_equal(queues_shard_of(known[i].org, 1), 0);
        assert_int_equal(queues_shard_of(known[i].org, 3), known[i].of_3);
        assert_int_equal(queues_shard_of(known[i].org, 4), known[i].of_4);
        assert_int_equal(queues_shard_of(known[i].org, 64), known[i].of_64);
    }
}

/* None has a tenth more or less than its part of 20,000 orgs with names such as people give. */
TEST(orgs_are_spread_evenly_over_the_shards)
{
    enum { ORGS = 20000 };
    static const size_t numbers[] = { 2, 3, 4, 7, 16 };
    char                org[32];

    for (size_t n = 0; n < ARRAY_LEN(numbers); n++) {
        size_t shards = numbers[n], count[16] = { 0 };
        for (int i = 0; i < ORGS; i++) {
            snprintf(org, sizeof org, "customer-%d", i);
            count[queues_shard_of(org, shards)]++;
        }
        for (size_t s = 0; s < shards; s++)
            assert_in_range(count[s], ORGS / shards * 9 / 10, ORGS / shards * 11 / 10);
    }
}

static void assert_keys(size_t shard, size_t shards, const char *expected)
{
    char *keys = queues_keys("mh", shard, shards);

    assert_string_equal(keys, expected);
    free(keys);
}

TEST(the_keys_of_an_only_shard_are_those_from_before_there_were_several)
{
    assert_keys(0, 1, "mh:{q}");
}

TEST(each_of_several_shards_has_a_tag_of_its_own)
{
    assert_keys(0, 2, "mh:{q0}");
    assert_keys(63, 64, "mh:{q63}");
}

TEST(an_engines_name_tells_of_how_many_shards_it_knows)
{
    char kind[QUEUES_KIND_BYTES];

    queues_engine_kind(1, kind);
    assert_string_equal(kind, "eng");
    queues_engine_kind(64, kind);
    assert_string_equal(kind, "eng64");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RUN(an_org_has_the_same_shard_for_ever),
        RUN(orgs_are_spread_evenly_over_the_shards),
        RUN(the_keys_of_an_only_shard_are_those_from_before_there_were_several),
        RUN(each_of_several_shards_has_a_tag_of_its_own),
        RUN(an_engines_name_tells_of_how_many_shards_it_knows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
