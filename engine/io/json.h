/* json.h - JSON in the engine; the only place that includes jansson.h. */
#pragma once

#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

enum { JSON_MAX_NESTING = 64, JSON_STORED_NESTING = 80 };

struct json_fault { char pointer[128]; char text[160]; };

/* Strict: UTF-8, no duplicate keys, no NUL, at most JSON_MAX_NESTING deep. On
 * MH_INVALID, fault->text says what and at which line and column. The caller
 * owns *out (json_decref). */
MH_MUST_USE enum mh_err json_parse(const char *text, size_t bytes, json_t **out,
                                   struct json_fault *fault);

/* The same for what moonhook wrote itself, which may hold foreign values inside its own:
 * at most JSON_STORED_NESTING deep. */
MH_MUST_USE enum mh_err json_parse_stored(const char *text, size_t bytes, json_t **out,
                                          struct json_fault *fault);

/* The text of a member of an object, or of each item of an array, in a text that
 * json_parse() accepted: bytes as they were sent, numbers with the digits that they
 * had. Borrows from `text`. */
struct json_span { const char *text; size_t bytes; };
/* MH_NOT_FOUND when there is no such member, or its name is written with escapes. */
MH_MUST_USE enum mh_err json_member_span(const char *text, size_t bytes, const char *name,
                                         struct json_span *out);
/* The next item behind *at (0 at first) of an array; MH_NOT_FOUND behind the last. */
MH_MUST_USE enum mh_err json_item_span(const char *text, size_t bytes, size_t *at,
                                       struct json_span *out);

/* Compact text, keys in their order, reals with 15 digits; the caller frees it. NULL
 * out of memory. */
char *json_text(const json_t *value, size_t *bytes);

/* The same text for equal values: keys sorted, reals with all digits that they have. */
char *json_canonical(const json_t *value, size_t *bytes);

/* Steals `value`; a NULL value becomes JSON null. */
void json_put(json_t *object, const char *key, json_t *value);

/* Text of a string member, or `otherwise` if it is missing or not a string. */
const char *json_text_of(const json_t *object, const char *key, const char *otherwise);
int64_t     json_int_of(const json_t *object, const char *key, int64_t otherwise);
bool        json_bool_of(const json_t *object, const char *key, bool otherwise);

/* ---- Reading a request: a table says which members it may have ---------- */

enum json_kind { JSON_IS_STRING, JSON_IS_INTEGER, JSON_IS_BOOL, JSON_IS_OBJECT, JSON_IS_ARRAY,
                 JSON_IS_ANY };

struct json_field { const char *name; enum json_kind kind; bool required; };

/* Checks that `object` is an object, holds what is required, has the right
 * kinds and nothing that `fields` does not name. MH_UNPROCESSABLE with the
 * member's JSON pointer (RFC 6901) in *fault. */
MH_MUST_USE enum mh_err json_check(const json_t *object, const struct json_field *fields,
                                   size_t count, struct json_fault *fault);

/* Fills *fault and returns MH_UNPROCESSABLE, so that a check reads
 *     return json_fault(fault, "/url", "must be an http or https address"); */
enum mh_err json_fault(struct json_fault *fault, const char *pointer, const char *format, ...)
    MH_PRINTF(3, 4);
