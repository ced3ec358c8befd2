/* json_scan.h - reads JSON where it stands: no tree, no copy, no memory.
 *
 * For what comes with every event: json_parse() would cost more than all the rest of
 * accepting it. The scan says yes only to what json_parse() surely takes (tests/fuzz/fuzz_scan
 * holds it to that). A no is no complaint: json_parse() then has the word, and the words. */
#pragma once

#include "io/json.h"

/* Is it surely one value? *kind is set then: JSON_IS_ANY of a real or null. */
bool json_scan(struct json_span text, enum json_kind *kind);

/* Is it surely an array? Its first `max` items are then in `items`, as they stand, and *count
 * tells how many there are. Borrows from `text`. */
bool json_scan_items(struct json_span text, struct json_span *items, size_t max, size_t *count);

/* Is it surely an object with what `fields` requires, of the kinds that it says, and with
 * nothing else? spans[i] is then the value of fields[i] as it stands, a string's without its
 * quotes and without escapes; its text is NULL where there is none. Borrows from `text`. */
bool json_scan_fields(struct json_span text, const struct json_field *fields, size_t count,
                      struct json_span *spans);
