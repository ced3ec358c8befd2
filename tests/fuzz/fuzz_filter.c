/* fuzz_filter.c - filter_check() and filter_matches() over foreign filters and events: the first
 * line is a filter, the rest an envelope.
 *
 * Invariants: a refusal names a place below /filter; a filter that was taken fits its bounds; it
 * matches where each of its conditions does alone; the sentence about one that does not is UTF-8,
 * bounded, and asking for it changes no answer; nothing changes the filter or the event. */
#include "webhook/filter.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)

static json_t *parsed(const uint8_t *data, size_t bytes)
{
    struct json_fault fault;
    json_t           *value = NULL;

    return json_parse((const char *)data, bytes, &value, &fault) == MH_OK ? value : NULL;
}

static void check_refusal(const struct json_fault *fault)
{
    INVARIANT(strncmp(fault->pointer, "/filter", 7) == 0);
    INVARIANT(fault->text[0] != '\0' && memchr(fault->text, '\0', sizeof fault->text) != NULL);
}

static void check_bounds(const json_t *filter)
{
    INVARIANT(json_is_array(filter) && json_array_size(filter) <= FILTER_CONDITIONS);
    for (size_t i = 0; i < json_array_size(filter); i++) {
        const json_t *condition = json_array_get(filter, i);
        INVARIANT(json_object_size(condition) == 3);
        INVARIANT(strlen(json_text_of(condition, "pointer", NULL)) <= FILTER_POINTER_BYTES);
        INVARIANT(json_array_size(json_object_get(condition, "value")) <= FILTER_VALUES);
    }
}

/* One condition, by itself; as an endpoint would have it that has no other. */
static bool matches_alone(json_t *condition, const json_t *event)
{
    struct json_fault fault;
    json_t           *one = json_pack("[O]", condition);

    INVARIANT(filter_check(one, &fault) == MH_OK);
    bool matches = filter_matches(one, event, NULL);
    json_decref(one);
    return matches;
}

static void check_why(const char why[FILTER_WHY_BYTES])
{
    INVARIANT(why[0] != '\0' && memchr(why, '\0', FILTER_WHY_BYTES) != NULL);
    json_t *text = json_string(why);        /* NULL where it is not UTF-8 */
    INVARIANT(text != NULL);
    json_decref(text);
}

static void check_matching(const json_t *filter, const json_t *event)
{
    char why[FILTER_WHY_BYTES] = "";
    bool each = true, all = filter_matches(filter, event, why);

    for (size_t i = 0; i < json_array_size(filter); i++)
        each = matches_alone(json_array_get(filter, i), event) && each;
    INVARIANT(all == each);
    INVARIANT(filter_matches(filter, event, NULL) == all);
    if (!all)
        check_why(why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t    *end = memchr(data, '\n', size);
    size_t            line = end ? (size_t)(end - data) : size;
    json_t           *filter = parsed(data, line);
    json_t           *event = end ? parsed(end + 1, size - line - 1) : NULL;
    json_t           *before = json_pack("[O?, O?]", filter, event), *same = json_deep_copy(before);
    struct json_fault fault = { .pointer = "", .text = "" };

    if (filter != NULL && filter_check(filter, &fault) != MH_OK) {
        check_refusal(&fault);
    } else if (filter != NULL) {
        check_bounds(filter);
        check_matching(filter, event);      /* NULL: as if nothing were there */
    }
    INVARIANT(json_equal(before, same));
    json_decref(same);
    json_decref(before);
    json_decref(event);
    json_decref(filter);
    return 0;
}
