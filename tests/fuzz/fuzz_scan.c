/* fuzz_scan.c - the scan of what producers send against the parser that it stands in for.
 *
 * Invariants: what the scan takes, json_parse() takes, as the same kind; and an object's
 * fields are those that a walk over the tree finds, with the same strings, and an array's items
 * those that json_item_span() finds. */
#include "io/json_scan.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define INVARIANT(holds) do { if (!(holds)) abort(); } while (0)

static const struct json_field fields[] = {
    { "event",  JSON_IS_STRING,  true },
    { "data",   JSON_IS_OBJECT,  true },
    { "id",     JSON_IS_STRING,  false },
    { "n",      JSON_IS_INTEGER, false },
    { "list",   JSON_IS_ARRAY,   false },
    { "b",      JSON_IS_BOOL,    false },
    { "any",    JSON_IS_ANY,     false },
};
enum { FIELDS = sizeof fields / sizeof fields[0] };

static enum json_kind kind_of(const json_t *value)
{
    return json_is_string(value) ? JSON_IS_STRING : json_is_integer(value) ? JSON_IS_INTEGER
         : json_is_boolean(value) ? JSON_IS_BOOL : json_is_object(value) ? JSON_IS_OBJECT
         : json_is_array(value) ? JSON_IS_ARRAY : JSON_IS_ANY;
}

static void same_value(const struct json_span *span, const json_t *value)
{
    json_t *again = NULL;

    INVARIANT((span->text != NULL) == (value != NULL));
    if (value == NULL)
        return;
    if (json_is_string(value)) {
        INVARIANT(span->bytes == json_string_length(value));
        INVARIANT(memcmp(span->text, json_string_value(value), span->bytes) == 0);
        return;
    }
    again = json_loadb(span->text, span->bytes, JSON_DECODE_ANY, NULL);
    INVARIANT(json_equal(again, value));
    json_decref(again);
}

static void try_fields(struct json_span text)
{
    struct json_span  spans[FIELDS];
    struct json_fault fault;
    json_t           *tree = NULL;

    if (!json_scan_fields(text, fields, FIELDS, spans))
        return;
    INVARIANT(json_parse(text.text, text.bytes, &tree, &fault) == MH_OK);
    INVARIANT(json_check(tree, fields, FIELDS, &fault) == MH_OK);
    for (size_t i = 0; i < FIELDS; i++)
        same_value(&spans[i], json_object_get(tree, fields[i].name));
    json_decref(tree);
}

static void try_items(struct json_span text)
{
    enum { MOST = 3 };
    struct json_span  items[MOST], item;
    struct json_fault fault;
    json_t           *tree = NULL;
    size_t            count, at = 0;

    if (!json_scan_items(text, items, MOST, &count))
        return;
    INVARIANT(json_parse(text.text, text.bytes, &tree, &fault) == MH_OK);
    INVARIANT(json_array_size(tree) == count);
    for (size_t i = 0; i < count && i < MOST; i++) {
        INVARIANT(json_item_span(text.text, text.bytes, &at, &item) == MH_OK);
        INVARIANT(items[i].text == item.text && items[i].bytes == item.bytes);
    }
    json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct json_span  text = { (const char *)data, size };
    struct json_fault fault;
    enum json_kind    kind;
    json_t           *tree = NULL;

    if (json_scan(text, &kind)) {
        INVARIANT(json_parse(text.text, text.bytes, &tree, &fault) == MH_OK);
        INVARIANT(kind_of(tree) == kind);
        json_decref(tree);
    }
    try_fields(text);
    try_items(text);
    return 0;
}
