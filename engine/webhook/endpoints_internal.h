/* endpoints_internal.h - what endpoints.c (all endpoints, and what is told of them) and
 * endpoints_change.c (changes on their way to Redis) share. */
#pragma once

#include "base/map.h"
#include "webhook/endpoints.h"

struct endpoints { struct endpoints_spec spec; struct map all; struct endpoints_counts counts; };

/* `json` (counted) and `keys` (copied) are in Redis under `revision`: memory has them from
 * now on. `anew` as in endpoints_update(). */
void endpoints_take_over(struct endpoint *e, json_t *json, const struct keyring *keys, bool anew,
                         int64_t revision);
