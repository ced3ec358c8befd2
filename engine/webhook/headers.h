/* headers.h - the headers of an endpoint's own, whose values may be passwords: sealed in Redis, shown
 * as HEADERS_MASK, plain in memory only. Names are shown. Not what is in a value decides, but that it is
 * one: nobody has to guess which are harmless.
 *
 * Sealed is the object as a whole, about the endpoint's id and "headers", so that no other secret of
 * the endpoint can be put in its place. Where there are none, and in what was stored before they were
 * sealed, the object stands as it is. */
#pragma once

#include "core/vault.h"

#define HEADERS_MASK "***"

/* The same names, masked; caller owns. */
json_t *headers_masked(const json_t *headers);

/* `given` with the value that `before` (NULL: none) has for each that is HEADERS_MASK; the name's case
 * does not matter. MH_UNPROCESSABLE with a pointer where it has none. The caller owns *out. */
MH_MUST_USE enum mh_err headers_keep(const json_t *given, const json_t *before, json_t **out,
                                     struct json_fault *fault);

/* What headers of endpoint `id` are sealed about. */
void headers_about(const char *id, char out[VAULT_ABOUT_BYTES]);

/* As Redis keeps them, and back; caller owns. MH_DENIED: not readable with this master key. */
json_t *headers_seal(const struct vault *v, const char *id, const json_t *headers);
MH_MUST_USE enum mh_err headers_unseal(const struct vault *v, const char *id, const json_t *stored,
                                       json_t **out);

/* Stored before they were sealed, and there are some. */
bool headers_stored_plain(const json_t *stored);
