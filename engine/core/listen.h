/* listen.h - the address of --listen. Pure. */
#pragma once

#include "base/err.h"

#include <stdint.h>

enum { LISTEN_HOST_BYTES = 256, LISTEN_TEXT_BYTES = LISTEN_HOST_BYTES + 16 };

struct listen_address { char host[LISTEN_HOST_BYTES]; uint16_t port; };

/* "127.0.0.1:8420", "[::1]:8420", ":8420" (every address). MH_INVALID. */
MH_MUST_USE enum mh_err listen_parse(const char *text, struct listen_address *out);

/* "127.0.0.1:8420", as it stands in a URL. Returns `out`. */
const char *listen_format(const struct listen_address *a, char out[LISTEN_TEXT_BYTES]);
