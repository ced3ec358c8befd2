/* options.h - reads a command line along a table of options.
 *
 * Long options only: "--name value", "--name=value", "--flag". "--" ends the
 * options, "-" alone is a word (standard input, by custom), options and words
 * may be mixed. A value that starts with "--" needs the "=" form: without it a
 * forgotten value would swallow the next option. "--help" and "-h" are known
 * to every table. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

enum option_kind {
    OPTION_FLAG,                            /* --wait */
    OPTION_VALUE,                           /* --id ID, may be repeated */
    OPTION_MAYBE,                           /* --wait or --wait=MS */
};

struct option_spec {                        /* a table ends with a NULL name */
    const char      *name;
    enum option_kind kind;
    const char      *value;                 /* what the help calls the value; NULL for a flag */
    const char      *help;
};

struct option_given { const struct option_spec *spec; const char *value; };

struct options {                            /* all text is borrowed from argv */
    struct option_given *given;             /* in the order of the command line */
    size_t               given_count;
    const char         **word;              /* what is not an option */
    size_t               words;
    bool                 help;
};

/* `own` is searched before `common`; either may be NULL. On MH_INVALID, `why` has
 * one sentence and nothing is to be freed. */
MH_MUST_USE enum mh_err options_parse(int argc, char **argv, const struct option_spec *own,
                                      const struct option_spec *common, struct options *out,
                                      char *why, size_t why_bytes);
void options_free(struct options *o);

bool options_has(const struct options *o, const char *name);

/* The last value of an option that was given; `otherwise` if it was not, or
 * without a value. */
const char *options_text(const struct options *o, const char *name, const char *otherwise);

/* Walks the values of a repeated option: start with *at = 0; NULL at the end. */
const char *options_next(const struct options *o, const char *name, size_t *at);
