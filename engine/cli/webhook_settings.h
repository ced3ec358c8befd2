/* webhook_settings.h - what an endpoint can be told on the command line, as the members that
 * POST and PATCH take. */
#pragma once

#include "base/options.h"
#include "io/json.h"

/* Puts what was given of the options of `webhook add` and `webhook update` into `body`. An enum
 * cli_exit; standard error has told why. */
int webhook_settings(const struct options *given, json_t *body);
