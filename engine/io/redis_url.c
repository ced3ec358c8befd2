/* redis_url.c - see redis_url.h. */
#include "io/redis_url.h"

#include "base/util.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { MAX_DB = 1 << 20 };

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

void redis_url_deinit(struct redis_url *url)
{
    wipe(url->password);
    free(url->user);
    free(url->host);
    free(url->path);
    free(url->shown);
    *url = (struct redis_url){ 0 };
}

static int hex(char c)
{
    if (!isxdigit((unsigned char)c))
        return -1;
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

/* Percent-decoded copy; NULL for a bad escape and for %00. */
static char *decoded(const char *text, size_t bytes)
{
    char *out = mem_strndup(text, bytes), *to = out;

    for (size_t i = 0; i < bytes; i++) {
        int c = (unsigned char)text[i];
        if (c == '%') {
            int high = i + 2 < bytes ? hex(text[i + 1]) : -1;
            int low = high >= 0 ? hex(text[i + 2]) : -1;
            c = low >= 0 ? high * 16 + low : 0;
            i += 2;
        }
        if (c == 0) {
            wipe(out);
            return NULL;
        }
        *to++ = (char)c;
    }
    *to = '\0';
    return out;
}

/* Each reader takes its part of the URL and returns NULL or what is wrong. */

static const char *read_credentials(const char *text, size_t bytes, struct redis_url *out)
{
    const char *colon = memchr(text, ':', bytes);

    if (colon == NULL)
        return "a user needs a password: redis://user:password@host";
    size_t user_bytes = (size_t)(colon - text);
    out->password = decoded(colon + 1, bytes - user_bytes - 1);
    if (user_bytes > 0)
        out->user = decoded(text, user_bytes);
    if (out->password == NULL || (user_bytes > 0 && out->user == NULL))
        return "user or password has a bad % escape";
    if (out->password[0] == '\0')
        return "the password is empty";
    return NULL;
}

static const char *read_number(const char *text, long min, long max, long *out)
{
    char *end = NULL;

    if (!isdigit((unsigned char)text[0]))
        return "not a number";
    errno = 0;
    long n = strtol(text, &end, 10);
    if (*end != '\0' || errno != 0 || n < min || n > max)
        return "not a number in range";
    *out = n;
    return NULL;
}

/* "host", "host:port", "[::1]", "[::1]:port" */
static const char *read_host(char *text, struct redis_url *out)
{
    char *end = text + strcspn(text, ":"), *host = text;
    long  port = REDIS_DEFAULT_PORT;

    if (text[0] == '[') {
        host++;
        end = strchr(text, ']');
        if (end == NULL)
            return "the IPv6 address has no closing bracket";
        *end++ = '\0';
    }
    if (*end == ':') {
        *end++ = '\0';
        if (read_number(end, 1, 65535, &port) != NULL)
            return "the port must be a number from 1 to 65535";
    } else if (*end != '\0')
        return "unexpected text behind the IPv6 address";
    if (host[0] == '\0')
        return "the host is missing";
    out->host = mem_strdup(host);
    snprintf(out->port, sizeof out->port, "%ld", port);
    return NULL;
}

static const char *read_db(const char *text, struct redis_url *out)
{
    long db = 0;

    if (text[0] != '\0' && read_number(text, 0, MAX_DB, &db) != NULL)
        return "the database behind the last / must be a number";
    out->db = (int)db;
    return NULL;
}

static const char *read_tcp(const char *text, struct redis_url *out)
{
    const char *at = strrchr(text, '@'), *why = NULL;

    if (strpbrk(at != NULL ? at : text, "?#") != NULL)
        return "? and # have no meaning here";
    if (at != NULL)
        why = read_credentials(text, (size_t)(at - text), out);
    if (why != NULL)
        return why;
    char *host = mem_strdup(at != NULL ? at + 1 : text);
    char *slash = strchr(host, '/');
    if (slash != NULL)
        *slash = '\0';
    why = read_host(host, out);
    if (why == NULL && slash != NULL)
        why = read_db(slash + 1, out);
    free(host);
    return why;
}

static const char *read_tls(const char *text, struct redis_url *out)
{
    out->tls = true;
    return read_tcp(text, out);
}

static const char *read_unix(const char *text, struct redis_url *out)
{
    struct sockaddr_un address;

    if (text[0] == '\0')
        return "the path of the socket is missing";
    if (strlen(text) >= sizeof address.sun_path)
        return "the path is too long for a Unix socket (107 bytes)";
    out->path = mem_strdup(text);
    return NULL;
}

static const struct {
    const char *prefix;
    const char *(*read)(const char *rest, struct redis_url *out);
} schemes[] = {
    { "redis://", read_tcp },
    { "rediss://", read_tls },
    { "unix:", read_unix },
};

static char *shown(const struct redis_url *url)
{
    if (url->path != NULL)
        return mem_printf("unix:%s", url->path);
    bool v6 = strchr(url->host, ':') != NULL;
    return mem_printf("redis%s://%s%s%s%s%s:%s/%d", url->tls ? "s" : "",
                      url->user != NULL ? url->user : "",
                      url->password != NULL ? ":***@" : "", v6 ? "[" : "", url->host,
                      v6 ? "]" : "", url->port, url->db);
}

enum mh_err redis_url_parse(const char *text, struct redis_url *out,
                            char why[REDIS_URL_WHY_BYTES])
{
    const char *fault = "it must begin with redis://, rediss:// or unix:";

    *out = (struct redis_url){ 0 };
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t bytes = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, bytes) == 0)
            fault = schemes[i].read(text + bytes, out);
    }
    if (fault != NULL) {
        snprintf(why, REDIS_URL_WHY_BYTES, "%s", fault);
        redis_url_deinit(out);
        return MH_INVALID;
    }
    out->shown = shown(out);
    return MH_OK;
}
