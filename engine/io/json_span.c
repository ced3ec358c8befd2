/* json_span.c - finds values in JSON text without touching them. Declared in json.h.
 *
 * The text was accepted by json_parse() before, so this walks over it with no
 * more than brackets and quotes in mind; every step is bounded by the end all the
 * same. */
#include "io/json.h"

#include <string.h>

struct cursor { const char *at, *end; };

static bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

static void skip_blanks(struct cursor *c)
{
    while (c->at < c->end && is_blank(*c->at))
        c->at++;
}

static bool take(struct cursor *c, char wanted)
{
    skip_blanks(c);
    if (c->at == c->end || *c->at != wanted)
        return false;
    c->at++;
    return true;
}

static void skip_string(struct cursor *c)
{
    const char *at = c->at + 1;

    for (; at < c->end && *at != '"'; at++)
        if (*at == '\\')
            at++;
    c->at = at < c->end ? at + 1 : c->end;              /* an escape may have been the last */
}

/* To the end of a number, true, false or null, or of whatever brackets hold. */
static void skip_value(struct cursor *c)
{
    int depth = 0;

    skip_blanks(c);
    while (c->at < c->end) {
        char now = *c->at;
        if (depth == 0 && (now == ',' || now == '}' || now == ']'))
            return;
        if (now == '"') {
            skip_string(c);
            continue;
        }
        depth += (now == '{' || now == '[') - (now == '}' || now == ']');
        c->at++;
    }
}

static struct json_span span_of_value(struct cursor *c)
{
    skip_blanks(c);
    const char *begin = c->at;
    skip_value(c);
    const char *stop = c->at < c->end ? c->at : c->end;
    while (stop > begin && is_blank(stop[-1]))
        stop--;
    return (struct json_span){ begin, (size_t)(stop - begin) };
}

enum mh_err json_member_span(const char *text, size_t bytes, const char *name,
                             struct json_span *out)
{
    struct cursor c = { text, text + bytes };
    size_t        name_bytes = strlen(name);

    if (!take(&c, '{'))
        return MH_NOT_FOUND;
    do {
        skip_blanks(&c);
        const char *key = c.at + 1;
        if (c.at == c.end || *c.at != '"')
            break;
        skip_string(&c);
        bool same = (size_t)(c.at - key) == name_bytes + 1 && memcmp(key, name, name_bytes) == 0;
        if (!take(&c, ':'))
            break;
        struct json_span value = span_of_value(&c);
        if (same) {
            *out = value;
            return MH_OK;
        }
    } while (take(&c, ','));
    return MH_NOT_FOUND;
}

enum mh_err json_item_span(const char *text, size_t bytes, size_t *at, struct json_span *out)
{
    struct cursor c = { text + *at, text + bytes };

    if (!take(&c, *at == 0 ? '[' : ','))
        return MH_NOT_FOUND;
    struct json_span item = span_of_value(&c);
    if (item.bytes == 0)
        return MH_NOT_FOUND;
    *at = (size_t)(c.at - text);
    *out = item;
    return MH_OK;
}
