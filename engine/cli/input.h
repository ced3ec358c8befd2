/* input.h - arguments that may stand for something to read. */
#pragma once

#include "base/buf.h"
#include "io/json.h"

/* "@FILE" reads the file, "-" and "@-" standard input, anything else is the text
 * itself. `out` must be initialized; the caller frees it. An enum cli_exit;
 * standard error has told why. */
int input_read(const char *argument, struct buf *out);

/* input_read(), then JSON; `what` is how the sentence about a fault calls it. */
int input_json(const char *argument, const char *what, json_t **out);

/* Adds "KEY=VALUE" to the object `config`; the value is JSON if it reads as JSON,
 * else text. "@FILE" adds every member of the file's object. */
int input_config(const char *argument, json_t *config);
