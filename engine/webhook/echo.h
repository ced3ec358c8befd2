/* echo.h - an endpoint's secrets, taken out of what its receiver answered before that is recorded: its
 * signing secrets, which the receiver knows and may show ("expected whsec_..."), and the values of its
 * own headers, which it was just sent. They are found as a plugin's secrets are (core/conceal.c), in all
 * writings; also without the scheme before them ("Bearer"), and the password of Basic credentials. They
 * become "***". A value of less than 4 bytes is not looked for.
 *
 * It costs an attempt next to nothing: what is looked for is only made where the endpoint has headers
 * of its own, or where the text has a word as long as a signing secret. */
#pragma once

#include "io/json_write.h"
#include "webhook/keyring.h"

struct echo {
    const struct keyring *keys;
    const json_t         *headers;          /* those that were sent */
    struct seals          seals;
};

/* Borrows both until echo_deinit(). */
void echo_init(struct echo *x, const struct keyring *keys, const json_t *headers);
void echo_deinit(struct echo *x);           /* wipes what it made */

/* Writes text of the receiver's for a record, as delivery_write_text() does. */
void echo_write(struct echo *x, struct json_writer *w, const char *name, const char *text, size_t bytes);
