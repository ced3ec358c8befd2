/* filter.h - which events an endpoint takes by what is in them. Pure.
 *
 *     [{"pointer":"/data/severity","op":"in","value":["critical","error"]},
 *      {"pointer":"/data/value","op":"gt","value":90}]
 *
 * Every condition must hold. A pointer (RFC 6901) is looked up in the envelope; where it leads
 * nowhere, only {"op":"exists","value":false} holds. Numbers are compared as numbers (1 and 1.0
 * are equal), two integers exactly; nothing else is converted: "5" is not 5. */
#pragma once

#include "io/json.h"

enum { FILTER_CONDITIONS = 20, FILTER_VALUES = 100, FILTER_POINTER_BYTES = 200,
       FILTER_TEXT_BYTES = 500, FILTER_WHY_BYTES = 512 };

/* MH_UNPROCESSABLE with a pointer below "/filter". */
MH_MUST_USE enum mh_err filter_check(const json_t *filter, struct json_fault *fault);

/* Does every condition hold? If not and `why` is not NULL, it gets one sentence about the first
 * that does not: `/data/severity is "info", which is not one of ["critical","error"]`. The
 * filter went through filter_check(). */
bool filter_matches(const json_t *filter, const json_t *envelope, char why[FILTER_WHY_BYTES]);
