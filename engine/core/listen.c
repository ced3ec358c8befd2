/* listen.c - see listen.h. */
#include "core/listen.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum mh_err listen_parse(const char *text, struct listen_address *out)
{
    const char *colon = strrchr(text, ':');
    char       *end;

    if (colon == NULL || colon[1] == '\0')
        return MH_INVALID;
    unsigned long port = strtoul(colon + 1, &end, 10);
    size_t        length = (size_t)(colon - text);
    if (*end != '\0' || port > 65535 || length >= sizeof out->host)
        return MH_INVALID;
    if (length > 1 && text[0] == '[' && colon[-1] == ']')
        snprintf(out->host, sizeof out->host, "%.*s", (int)length - 2, text + 1);
    else
        snprintf(out->host, sizeof out->host, "%.*s", (int)length, text);
    if (out->host[0] == '\0')
        snprintf(out->host, sizeof out->host, "0.0.0.0");
    out->port = (uint16_t)port;
    return MH_OK;
}

const char *listen_format(const struct listen_address *a, char out[LISTEN_TEXT_BYTES])
{
    bool v6 = strchr(a->host, ':') != NULL;

    snprintf(out, LISTEN_TEXT_BYTES, "%s%s%s:%u", v6 ? "[" : "", a->host, v6 ? "]" : "", a->port);
    return out;
}
