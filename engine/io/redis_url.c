/* redis_url.c - see redis_url.h. */
#include "io/redis_url.h"

#include "base/buf.h"
#include "base/util.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

enum { MAX_DB = 1 << 20 };

static const char BAD_ESCAPE[] = "user or password has a bad % escape";

static void wipe(char *secret)
{
    if (secret != NULL)
        explicit_bzero(secret, strlen(secret));
    free(secret);
}

static void login_deinit(struct redis_login *login)
{
    wipe(login->password);
    free(login->user);
}

void redis_url_deinit(struct redis_url *url)
{
    login_deinit(&url->login);
    login_deinit(&url->sentinel_login);
    for (size_t i = 0; i < url->host_count; i++)
        free(url->hosts[i].name);
    free(url->path);
    free(url->master);
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

static const char *read_credentials(const char *text, size_t bytes, struct redis_login *out)
{
    const char *colon = memchr(text, ':', bytes);

    if (colon == NULL)
        return "a user needs a password: redis://user:password@host";
    size_t user_bytes = (size_t)(colon - text);
    out->password = decoded(colon + 1, bytes - user_bytes - 1);
    if (user_bytes > 0)
        out->user = decoded(text, user_bytes);
    if (out->password == NULL || (user_bytes > 0 && out->user == NULL))
        return BAD_ESCAPE;
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
    long  port = out->kind == REDIS_SENTINEL ? SENTINEL_DEFAULT_PORT : REDIS_DEFAULT_PORT;

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
    struct redis_host *found = &out->hosts[out->host_count++];
    found->name = mem_strdup(host);
    snprintf(found->port, sizeof found->port, "%ld", port);
    return NULL;
}

/* "host,host:port"; one alone where the URL means one server. */
static const char *read_hosts(char *text, struct redis_url *out)
{
    const char *why = NULL;

    if (out->kind == REDIS_ONE && strchr(text, ',') != NULL)
        return "several hosts need redis+sentinel:// or redis+cluster://";
    for (char *next = text; why == NULL && next != NULL;) {
        char *host = strsep(&next, ",");
        why = out->host_count < REDIS_URL_MAX_HOSTS ? read_host(host, out) : "more than 16 hosts";
    }
    return why;
}

static const char *read_db(const char *text, struct redis_url *out)
{
    long db = 0;

    if (text[0] != '\0' && read_number(text, 0, MAX_DB, &db) != NULL)
        return "the database behind the last / must be a number";
    out->login.db = (int)db;
    return NULL;
}

/* "name=value&name=value", of sentinels' own users. */
static const char *read_query(char *query, struct redis_url *out)
{
    const struct { const char *name; char **value; } known[] = {
        { "sentinel_user=", &out->sentinel_login.user },
        { "sentinel_password=", &out->sentinel_login.password },
    };

    while (query != NULL) {
        char  *pair = strsep(&query, "&");
        char **value = NULL;
        for (size_t i = 0; i < ARRAY_LEN(known); i++)
            if (strncmp(pair, known[i].name, strlen(known[i].name)) == 0)
                value = known[i].value;
        if (value == NULL || *value != NULL)
            return "behind ? only sentinel_user and sentinel_password have a meaning, once each";
        const char *text = strchr(pair, '=') + 1;
        *value = decoded(text, strlen(text));
        if (*value == NULL || *value[0] == '\0')
            return "sentinel_user or sentinel_password is empty or has a bad % escape";
    }
    if (out->sentinel_login.user != NULL && out->sentinel_login.password == NULL)
        return "sentinel_user needs a sentinel_password";
    return NULL;
}

/* "master", "master/db"; behind the hosts of sentinels. */
static const char *read_master(char *text, struct redis_url *out)
{
    char       *query = text, *name = strsep(&query, "?");
    char       *db = name, *master = strsep(&db, "/");
    const char *why = NULL;

    if (master[0] == '\0')
        return "the master's name is missing: redis+sentinel://host,host/NAME";
    out->master = mem_strdup(master);
    if (db != NULL)
        why = read_db(db, out);
    return why == NULL && query != NULL ? read_query(query, out) : why;
}

/* What stands behind the hosts; NULL where nothing does. */
static const char *read_path(char *text, struct redis_url *out)
{
    switch (out->kind) {
    case REDIS_ONE:
        return text != NULL ? read_db(text, out) : NULL;
    case REDIS_SENTINEL:
        return read_master(text != NULL ? text : (char[]){ "" }, out);
    case REDIS_CLUSTER:
        return text != NULL && text[0] != '\0' ? "a cluster has no databases to choose from" : NULL;
    }
    return NULL;
}

/* The credentials end at the last @ before the path, so that one may stand in a query. */
static const char *read_tcp(const char *text, struct redis_url *out)
{
    size_t      server_bytes = out->kind == REDIS_SENTINEL ? strcspn(text, "?") : strlen(text);
    const char *at = memrchr(text, '@', server_bytes), *why = NULL;

    if (out->kind != REDIS_SENTINEL && strpbrk(at != NULL ? at : text, "?#") != NULL)
        return "? and # have no meaning here";
    if (at != NULL)
        why = read_credentials(text, (size_t)(at - text), &out->login);
    if (why != NULL)
        return why;
    char  *copy = mem_strdup(at != NULL ? at + 1 : text), *path = copy;
    size_t bytes = strlen(copy);
    why = read_hosts(strsep(&path, "/"), out);
    if (why == NULL)
        why = read_path(path, out);
    explicit_bzero(copy, bytes);
    free(copy);
    return why;
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
    const char     *prefix;
    const char   *(*read)(const char *rest, struct redis_url *out);
    enum redis_kind kind;
    bool            tls;
} schemes[] = {
    { "redis://", read_tcp, REDIS_ONE, false },
    { "rediss://", read_tcp, REDIS_ONE, true },
    { "redis+sentinel://", read_tcp, REDIS_SENTINEL, false },
    { "rediss+sentinel://", read_tcp, REDIS_SENTINEL, true },
    { "redis+cluster://", read_tcp, REDIS_CLUSTER, false },
    { "rediss+cluster://", read_tcp, REDIS_CLUSTER, true },
    { "unix:", read_unix, REDIS_ONE, false },
};

static void show_hosts(const struct redis_url *url, struct buf *out)
{
    enum mh_err err = MH_OK;

    for (size_t i = 0; i < url->host_count && err == MH_OK; i++) {
        const struct redis_host *host = &url->hosts[i];
        bool v6 = strchr(host->name, ':') != NULL;
        err = buf_printf(out, "%s%s%s%s:%s", i > 0 ? "," : "", v6 ? "[" : "", host->name,
                         v6 ? "]" : "", host->port);
    }
}

static char *shown(const struct redis_url *url, const char *prefix)
{
    enum { MAX_SHOWN = 16 * MH_KIB };
    const struct redis_login *login = &url->login;
    struct buf                hosts;

    if (url->path != NULL)
        return mem_printf("unix:%s", url->path);
    buf_init(&hosts, MAX_SHOWN);
    show_hosts(url, &hosts);
    char db[16] = "";
    if (url->kind != REDIS_CLUSTER)
        snprintf(db, sizeof db, "/%d", login->db);
    char *text = mem_printf("%s%s%s%s%s%s%s", prefix, login->user != NULL ? login->user : "",
                            login->password != NULL ? ":***@" : "", hosts.data,
                            url->master != NULL ? "/" : "",
                            url->master != NULL ? url->master : "", db);
    buf_deinit(&hosts);
    return text;
}

enum mh_err redis_url_parse(const char *text, struct redis_url *out,
                            char why[REDIS_URL_WHY_BYTES])
{
    const char *fault = "it must begin with redis://, rediss://, redis+sentinel://, "
                        "redis+cluster:// or unix:";
    const char *prefix = "";

    *out = (struct redis_url){ 0 };
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
        size_t bytes = strlen(schemes[i].prefix);
        if (strncmp(text, schemes[i].prefix, bytes) != 0)
            continue;
        prefix = schemes[i].prefix;
        out->kind = schemes[i].kind;
        out->tls = schemes[i].tls;
        fault = schemes[i].read(text + bytes, out);
    }
    if (fault != NULL) {
        snprintf(why, REDIS_URL_WHY_BYTES, "%s", fault);
        redis_url_deinit(out);
        return MH_INVALID;
    }
    out->shown = shown(out, prefix);
    return MH_OK;
}
