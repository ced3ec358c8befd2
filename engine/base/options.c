/* options.c - see options.h. */
#include "base/options.h"

#include "base/nearest.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {                             /* one command line while it is read */
    int                       argc, at;
    char                    **argv;
    const struct option_spec *tables[2];
    struct options           *out;
    char                     *why;
    size_t                    why_bytes;
};

static const struct option_spec *find(const struct reader *r, const char *name, size_t letters)
{
    for (size_t t = 0; t < ARRAY_LEN(r->tables); t++)
        for (const struct option_spec *s = r->tables[t]; s && s->name; s++)
            if (strlen(s->name) == letters && memcmp(s->name, name, letters) == 0)
                return s;
    return NULL;
}

static enum mh_err unknown(const struct reader *r, const char *text, size_t letters)
{
    char           name[64];
    struct nearest near = { .word = name };

    snprintf(name, sizeof name, "%.*s", (int)(letters < 60 ? letters : 60), text);
    for (size_t t = 0; t < ARRAY_LEN(r->tables); t++)
        for (const struct option_spec *s = r->tables[t]; s && s->name; s++)
            nearest_offer(&near, s->name);
    if (near.best)
        snprintf(r->why, r->why_bytes, "there is no option --%s; did you mean --%s?", name,
                 near.best);
    else
        snprintf(r->why, r->why_bytes, "there is no option --%s", name);
    return MH_INVALID;
}

/* The value behind the option at r->at, which has none behind an "=". */
static enum mh_err next_value(struct reader *r, const struct option_spec *spec, const char **value)
{
    const char *next = r->at + 1 < r->argc ? r->argv[r->at + 1] : NULL;

    if (next == NULL || strncmp(next, "--", 2) == 0) {
        snprintf(r->why, r->why_bytes, "--%s needs a value: --%s %s", spec->name, spec->name,
                 spec->value);
        return MH_INVALID;
    }
    r->at++;
    *value = next;
    return MH_OK;
}

static enum mh_err read_option(struct reader *r, const char *text)
{
    const char               *equals = strchr(text, '=');
    const char               *value = equals ? equals + 1 : NULL;
    size_t                    letters = equals ? (size_t)(equals - text) : strlen(text);
    const struct option_spec *spec = find(r, text, letters);

    if (spec == NULL)
        return unknown(r, text, letters);
    if (spec->kind == OPTION_FLAG && value) {
        snprintf(r->why, r->why_bytes, "--%s takes no value", spec->name);
        return MH_INVALID;
    }
    if (spec->kind == OPTION_VALUE && value == NULL) {
        enum mh_err err = next_value(r, spec, &value);
        if (err != MH_OK)
            return err;
    }
    r->out->given[r->out->given_count++] = (struct option_given){ spec, value };
    return MH_OK;
}

static enum mh_err read_argument(struct reader *r, bool *ended)
{
    const char *text = r->argv[r->at];

    if (*ended || text[0] != '-' || text[1] == '\0') {
        r->out->word[r->out->words++] = text;
        return MH_OK;
    }
    if (strcmp(text, "--help") == 0 || strcmp(text, "-h") == 0) {
        r->out->help = true;
        return MH_OK;
    }
    if (text[1] != '-') {
        snprintf(r->why, r->why_bytes, "there is no option %.40s; options are written --name",
                 text);
        return MH_INVALID;
    }
    *ended = text[2] == '\0';
    return *ended ? MH_OK : read_option(r, text + 2);
}

enum mh_err options_parse(int argc, char **argv, const struct option_spec *own,
                          const struct option_spec *common, struct options *out, char *why,
                          size_t why_bytes)
{
    struct options read = { 0 };
    struct reader  r = { argc, 0, argv, { own, common }, &read, why, why_bytes };
    enum mh_err    err = MH_OK;
    bool           ended = false;

    read.given = mem_alloc((size_t)argc * sizeof *read.given);
    read.word = mem_alloc((size_t)argc * sizeof *read.word);
    for (; r.at < argc && err == MH_OK; r.at++)
        err = read_argument(&r, &ended);
    if (err != MH_OK)
        options_free(&read);
    else
        *out = read;
    return err;
}

void options_free(struct options *o)
{
    free(o->given);
    free(o->word);
    *o = (struct options){ 0 };
}

bool options_has(const struct options *o, const char *name)
{
    for (size_t i = 0; i < o->given_count; i++)
        if (strcmp(o->given[i].spec->name, name) == 0)
            return true;
    return false;
}

const char *options_text(const struct options *o, const char *name, const char *otherwise)
{
    const char *value;

    for (size_t at = 0; (value = options_next(o, name, &at)) != NULL;)
        otherwise = value;
    return otherwise;
}

const char *options_next(const struct options *o, const char *name, size_t *at)
{
    while (*at < o->given_count) {
        const struct option_given *given = &o->given[(*at)++];
        if (strcmp(given->spec->name, name) == 0 && given->value)
            return given->value;
    }
    return NULL;
}
