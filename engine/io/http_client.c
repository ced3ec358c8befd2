/* http_client.c - see http_client.h: one exchange from call to result. The pump
 * between libcurl and the loop is in http_pump.c. */
#include "io/http_client_internal.h"

#include "io/http_overflow.h"
#include "io/tls_bridge.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

/* By hash, so that OpenSSL reads the few that it needs. libcurl's default is a bundle of
 * all, which it parses anew for each connection (25 ms). */
#define SYSTEM_CERTIFICATES "/etc/ssl/certs"

/* What is undone on arrival; http_head.h refuses everything else. */
#define CODINGS "gzip, deflate"

enum { CONNECT_TIMEOUT_MS = 10000, MAX_IDLE_HANDLES = 256,
       RECEIVE_BYTES = 4 * 1024 };          /* libcurl's own buffer, one for each exchange */

struct http_exchange {
    struct list         node;               /* in client->active or client->idle */
    struct http_client *client;
    CURL               *easy;
    struct curl_slist  *headers;
    struct http_head    head;
    struct buf          body;
    char                blocked[64];        /* the address that was refused */
    bool                dialled, body_too_large;
    bool                crowded;            /* others have the room that it needed */
    bool                exhausted;          /* there was no descriptor for a socket */
    bool                unclean;            /* the connection was given up before the request */
    size_t             *room_bytes;
    char                error[CURL_ERROR_SIZE];
    void              (*done)(void *arg, const struct http_result *);
    void               *arg;
};

/* ---- What libcurl asks --------------------------------------------------------- */

static void print_address(const struct sockaddr *address, char out[64])
{
    char        host[INET6_ADDRSTRLEN] = "?";
    const void *four = &((const struct sockaddr_in *)(const void *)address)->sin_addr;
    const void *six = &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr;

    inet_ntop(address->sa_family, address->sa_family == AF_INET6 ? six : four, host, sizeof host);
    snprintf(out, 64, "%s", host);
}

static curl_socket_t on_open_socket(void *arg, curlsocktype purpose, struct curl_sockaddr *address)
{
    struct http_exchange *x = arg;
    struct http_client   *c = x->client;

    if (purpose != CURLSOCKTYPE_IPCXN)
        return CURL_SOCKET_BAD;
    if (c->spec.allow != NULL && !c->spec.allow(c->spec.arg, &address->addr)) {
        print_address(&address->addr, x->blocked);
        return CURL_SOCKET_BAD;
    }
    x->dialled = true;
    curl_socket_t fd = socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
    x->exhausted = fd == CURL_SOCKET_BAD ? errno == EMFILE || errno == ENFILE
                                         : http_overflow_is_last(fd);
    if (x->exhausted) {
        http_overflow_log();
        if (fd != CURL_SOCKET_BAD)
            close(fd);
        return CURL_SOCKET_BAD;
    }
    if (fd != CURL_SOCKET_BAD)
        http_socket_opened(c, x->easy, fd);
    return fd;
}

static int on_request(void *arg, char *peer, char *own, int peer_port, int own_port)
{
    struct http_exchange *x = arg;

    (void)peer, (void)own;
    x->unclean = http_connection_is_unclean(x->client, x->easy, own_port, peer_port);
    return x->unclean ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static CURLcode on_tls(CURL *easy, void *context, void *arg)
{
    (void)easy, (void)arg;
    tls_save_memory(context);
    return CURLE_OK;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_exchange *x = arg;
    size_t                room = x->body.max_bytes - x->body.len;
    size_t                length = size * count, taken = length < room ? length : room;

    if (x->room_bytes != NULL && taken > *x->room_bytes) {
        x->crowded = true;
        return 0;
    }
    enum mh_err err = buf_append(&x->body, bytes, taken);
    if (err == MH_OK && x->room_bytes != NULL)
        *x->room_bytes -= taken;
    x->body_too_large = err != MH_OK || taken < length;
    return x->body_too_large ? 0 : length;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_exchange *x = arg;

    return http_head_line(&x->head, bytes, size * count) ? size * count : 0;
}

/* ---- Handles: made once, used again -------------------------------------------- */

/* HTTP/2 would save connections to one host, but one stalled connection would then
 * hold back every delivery to it, and its limits are harder to bound. */
static void set_constants(struct http_exchange *x)
{
    struct http_client *c = x->client;
    CURL               *easy = x->easy;

    curl_easy_setopt(easy, CURLOPT_PRIVATE, x);
    curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, x->error);
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);     /* never wait for a resolver thread */
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, (long)RECEIVE_BYTES);
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_HTTP09_ALLOWED, 0L);
    curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, CODINGS);
    curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(easy, CURLOPT_CAINFO, c->ca_file);     /* read in addition to CAPATH */
    curl_easy_setopt(easy, CURLOPT_CAPATH, SYSTEM_CERTIFICATES);
    curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, on_tls);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, on_open_socket);
    curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, x);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETFUNCTION, http_socket_close);
    curl_easy_setopt(easy, CURLOPT_CLOSESOCKETDATA, c);     /* may outlive the exchange */
    curl_easy_setopt(easy, CURLOPT_PREREQFUNCTION, on_request);
    curl_easy_setopt(easy, CURLOPT_PREREQDATA, x);
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, x);
    curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl_easy_setopt(easy, CURLOPT_HEADERDATA, x);
}

static struct http_exchange *take_handle(struct http_client *c)
{
    struct list *node = list_pop_front(&c->idle);

    if (node != NULL) {
        c->idle_count--;
        return container_of(node, struct http_exchange, node);
    }
    struct http_exchange *x = mem_alloc(sizeof *x);
    list_init(&x->node);
    x->client = c;
    x->easy = curl_easy_init();
    if (x->easy == NULL)
        abort();                            /* out of memory */
    http_head_init(&x->head);
    set_constants(x);
    return x;
}

static void exchange_free(struct http_exchange *x)
{
    curl_slist_free_all(x->headers);
    curl_easy_cleanup(x->easy);
    http_head_deinit(&x->head);
    buf_deinit(&x->body);
    free(x);
}

static void leave_room(struct http_exchange *x)
{
    if (x->room_bytes != NULL)
        *x->room_bytes += x->body.len;
    x->room_bytes = NULL;
}

static void give_back(struct http_exchange *x)
{
    struct http_client *c = x->client;

    leave_room(x);
    list_unlink(&x->node);
    curl_slist_free_all(x->headers);
    x->headers = NULL;
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, NULL);
    curl_easy_setopt(x->easy, CURLOPT_COPYPOSTFIELDS, NULL);    /* the body's copy goes */
    http_head_reset(&x->head);
    buf_deinit(&x->body);
    if (c->idle_count == MAX_IDLE_HANDLES) {
        exchange_free(x);
        return;
    }
    list_push_back(&c->idle, &x->node);
    c->idle_count++;
}

/* ---- Starting ------------------------------------------------------------------ */

/* RFC 9110, 5.6.2: what methods and names of headers are made of. */
static bool is_token(const char *text, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        if (!isalnum((unsigned char)text[i]) && strchr("!#$%&'*+-.^_`|~", text[i]) == NULL)
            return false;
    return bytes > 0;
}

static enum mh_err append_header(struct http_exchange *x, const char *line)
{
    struct curl_slist *grown = curl_slist_append(x->headers, line);

    if (grown == NULL)
        return MH_NOMEM;
    x->headers = grown;
    return MH_OK;
}

/* A caller's line. libcurl would take "Name:" as "leave that header out", and sends an
 * empty one for "Name;". */
static enum mh_err add_header(struct http_exchange *x, const char *line)
{
    const char *colon = strchr(line, ':');

    if (strpbrk(line, "\r\n") != NULL || colon == NULL || !is_token(line, (size_t)(colon - line)))
        return MH_INVALID;
    if (colon[1 + strspn(colon + 1, " \t")] != '\0')
        return append_header(x, line);
    char       *empty = mem_printf("%.*s;", (int)(colon - line), line);
    enum mh_err err = append_header(x, empty);
    free(empty);
    return err;
}

/* "Expect:" and "Content-Type:" without a value keep libcurl from adding its own. */
static enum mh_err set_headers(struct http_exchange *x, const struct http_call *call)
{
    bool        typed = false;
    enum mh_err err = append_header(x, "Expect:");

    for (size_t i = 0; err == MH_OK && call->headers != NULL && call->headers[i] != NULL; i++) {
        typed = typed || strncasecmp(call->headers[i], "content-type:", 13) == 0;
        err = add_header(x, call->headers[i]);
    }
    if (err == MH_OK && !typed)
        err = append_header(x, "Content-Type:");
    curl_easy_setopt(x->easy, CURLOPT_HTTPHEADER, x->headers);
    return err;
}

static void set_method(struct http_exchange *x, const struct http_call *call)
{
    bool post = call->body != NULL || strcmp(call->method, "POST") == 0 ||
                strcmp(call->method, "PUT") == 0 || strcmp(call->method, "PATCH") == 0;

    curl_easy_setopt(x->easy, CURLOPT_NOBODY, 0L);
    if (post) {
        curl_easy_setopt(x->easy, CURLOPT_POST, 1L);
        curl_easy_setopt(x->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)call->body_bytes);
        curl_easy_setopt(x->easy, CURLOPT_COPYPOSTFIELDS, call->body ? call->body : "");
    } else {
        curl_easy_setopt(x->easy, CURLOPT_HTTPGET, 1L);
    }
    if (strcmp(call->method, "HEAD") == 0)
        curl_easy_setopt(x->easy, CURLOPT_NOBODY, 1L);
    curl_easy_setopt(x->easy, CURLOPT_CUSTOMREQUEST, call->method);
}

static void set_rest(struct http_exchange *x, const struct http_call *call)
{
    long timeout = (long)(call->timeout_ms > 0 ? call->timeout_ms : 1);

    curl_easy_setopt(x->easy, CURLOPT_TIMEOUT_MS, timeout);
    curl_easy_setopt(x->easy, CURLOPT_CONNECTTIMEOUT_MS,
                     timeout < CONNECT_TIMEOUT_MS ? timeout : CONNECT_TIMEOUT_MS);
    curl_easy_setopt(x->easy, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
    curl_easy_setopt(x->easy, CURLOPT_USERNAME, call->user);
    curl_easy_setopt(x->easy, CURLOPT_PASSWORD, call->password);
}

static void begin(struct http_exchange *x, bool fresh)
{
    curl_easy_setopt(x->easy, CURLOPT_FRESH_CONNECT, (long)fresh);
    if (curl_multi_add_handle(x->client->multi, x->easy) != CURLM_OK)
        abort();                            /* out of memory */
}

enum mh_err http_client_start(struct http_client *c, const struct http_call *call,
                              void (*done)(void *arg, const struct http_result *), void *arg,
                              struct http_exchange **out)
{
    if (c->closing)
        return MH_CANCELLED;
    if (!is_token(call->method, strlen(call->method)))
        return MH_INVALID;
    struct http_exchange *x = take_handle(c);
    x->done = done;
    x->arg = arg;
    x->dialled = x->body_too_large = x->crowded = x->exhausted = x->unclean = false;
    x->room_bytes = call->room_bytes;
    x->blocked[0] = x->error[0] = '\0';
    buf_init(&x->body, call->max_response_bytes);
    enum mh_err err = set_headers(x, call);
    if (err == MH_OK && curl_easy_setopt(x->easy, CURLOPT_URL, call->url) != CURLE_OK)
        err = MH_INVALID;
    if (err != MH_OK) {
        give_back(x);
        return err;
    }
    set_method(x, call);
    set_rest(x, call);
    list_push_back(&c->active, &x->node);
    begin(x, false);
    *out = x;
    return MH_OK;
}

static int64_t time_of(CURL *easy, CURLINFO info)
{
    curl_off_t us = 0;
    curl_easy_getinfo(easy, info, &us);
    return (int64_t)us;
}

bool http_exchange_resolving(const struct http_exchange *x)
{
    return time_of(x->easy, CURLINFO_NAMELOOKUP_TIME_T) == 0;
}

void http_exchange_abandon(struct http_exchange *x)
{
    curl_multi_remove_handle(x->client->multi, x->easy);
    give_back(x);
}

/* ---- Ending -------------------------------------------------------------------- */

/* Whatever is not listed here is the other side's way of not speaking HTTP. */
static const struct { CURLcode code; enum mh_err err; } meanings[] = {
    { CURLE_OK,                       MH_OK },
    { CURLE_URL_MALFORMAT,            MH_INVALID },
    { CURLE_UNSUPPORTED_PROTOCOL,     MH_INVALID },
    { CURLE_COULDNT_RESOLVE_HOST,     MH_DNS },
    { CURLE_COULDNT_CONNECT,          MH_CONNECT },
    { CURLE_OPERATION_TIMEDOUT,       MH_TIMEOUT },
    { CURLE_FILESIZE_EXCEEDED,        MH_TOO_LARGE },
    { CURLE_OUT_OF_MEMORY,            MH_NOMEM },
    { CURLE_SSL_CONNECT_ERROR,        MH_TLS },
    { CURLE_PEER_FAILED_VERIFICATION, MH_TLS },
    { CURLE_SSL_CERTPROBLEM,          MH_TLS },
    { CURLE_SSL_CACERT_BADFILE,       MH_TLS },
    { CURLE_SSL_CIPHER,               MH_TLS },
    { CURLE_SSL_ISSUER_ERROR,         MH_TLS },
    { CURLE_SSL_CRL_BADFILE,          MH_TLS },
    { CURLE_SSL_INVALIDCERTSTATUS,    MH_TLS },
    { CURLE_SSL_ENGINE_INITFAILED,    MH_TLS },
    { CURLE_USE_SSL_FAILED,           MH_TLS },
};

/* BLOCKED only where no address was left to dial: of a name with several addresses
 * the allowed ones are tried, and then it is their failure that counts. Of a peer that
 * speaks HTTP/0.9 libcurl says what it says of a scheme that it does not know, and of a
 * header line over 100 KiB that memory is out. A head that ends early is fine by it. */
static enum mh_err classify(const struct http_exchange *x, CURLcode code, bool connected)
{
    bool answered = x->head.complete;

    if (x->crowded || (x->exhausted && code != CURLE_OK))
        return MH_BUSY;
    if (x->body_too_large || x->head.too_large)
        return MH_TOO_LARGE;
    if (x->head.fault != NULL)
        return MH_PROTOCOL;
    if (code != CURLE_OK && x->blocked[0] != '\0' && !x->dialled)
        return MH_BLOCKED;
    if (connected && !answered && (code == CURLE_UNSUPPORTED_PROTOCOL || code == CURLE_OK))
        return MH_PROTOCOL;
    if (connected && !answered && code == CURLE_OUT_OF_MEMORY)
        return MH_TOO_LARGE;
    for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
        if (meanings[i].code == code)
            return meanings[i].err;
    return MH_PROTOCOL;
}

static const char *reason(const struct http_exchange *x, CURLcode code)
{
    if (x->head.fault != NULL)
        return x->head.fault;
    if (x->exhausted)
        return "moonhook has no file descriptor left; raise its limit (ulimit -n, LimitNOFILE)";
    if (code == CURLE_OK)
        return "the answer ended in the middle of its headers";
    return x->error[0] ? x->error : curl_easy_strerror(code);
}

static void explain(const struct http_exchange *x, CURLcode code, struct http_result *r)
{
    if (r->err == MH_BLOCKED)
        snprintf(r->detail, sizeof r->detail,
                 "the address %s is private; --allow-private would allow it", x->blocked);
    else if (x->crowded)
        snprintf(r->detail, sizeof r->detail,
                 "other answers under way take all the room that there is; try again later");
    else if (r->err == MH_TOO_LARGE)
        snprintf(r->detail, sizeof r->detail, "the response%s larger than allowed",
                 x->head.complete ? " is" : "'s headers are");
    else if (r->err != MH_OK)
        snprintf(r->detail, sizeof r->detail, "%.190s", reason(x, code));
}

static void measure(CURL *easy, struct http_result *r)
{
    char *ip = NULL;
    long  port = 0;

    r->timing = (struct http_timing){
        .dns_us = time_of(easy, CURLINFO_NAMELOOKUP_TIME_T),
        .connect_us = time_of(easy, CURLINFO_CONNECT_TIME_T),
        .tls_us = time_of(easy, CURLINFO_APPCONNECT_TIME_T),
        .first_byte_us = time_of(easy, CURLINFO_STARTTRANSFER_TIME_T),
        .total_us = time_of(easy, CURLINFO_TOTAL_TIME_T),
    };
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip);
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_PORT, &port);
    if (ip != NULL && ip[0] != '\0')
        snprintf(r->address, sizeof r->address, strchr(ip, ':') ? "[%s]:%ld" : "%s:%ld", ip, port);
}

static void tell(struct http_exchange *x, const struct http_result *r)
{
    x->done(x->arg, r);
    give_back(x);
}

static void finish(struct http_exchange *x, CURLcode code)
{
    struct http_result r = { .err = MH_OK };

    measure(x->easy, &r);
    r.err = classify(x, code, r.address[0] != '\0');
    explain(x, code, &r);
    if (x->head.complete) {
        r.status = x->head.status;
        r.headers_bytes = x->head.lines.len;
    }
    r.headers = r.headers_bytes ? x->head.lines.data : "";
    r.body = x->body.len ? x->body.data : "";
    r.body_bytes = x->body.len;
    curl_multi_remove_handle(x->client->multi, x->easy);
    leave_room(x);                          /* its owner may be gone after this */
    tell(x, &r);
}

/* Of an unclean connection nothing was lost, least of all time: it is the first that an
 * exchange looks at, and the second one is fresh. */
void http_exchange_end(struct http_client *c, CURL *easy, CURLcode code)
{
    struct http_exchange *x = NULL;

    curl_easy_getinfo(easy, CURLINFO_PRIVATE, (char **)&x);
    if (!x->unclean) {
        finish(x, code);
        return;
    }
    curl_multi_remove_handle(c->multi, easy);
    x->unclean = false;
    begin(x, true);
}

void http_client_cancel_all(struct http_client *c)
{
    struct list *node;

    while (!list_empty(&c->active)) {
        struct http_exchange *x = container_of(c->active.next, struct http_exchange, node);
        struct http_result    r = { .err = MH_CANCELLED, .headers = "", .body = "",
                                    .detail = "moonhook is closing its connections" };
        curl_multi_remove_handle(c->multi, x->easy);
        tell(x, &r);
    }
    while ((node = list_pop_front(&c->idle)) != NULL)
        exchange_free(container_of(node, struct http_exchange, node));
    c->idle_count = 0;
}

bool http_result_header(const struct http_result *r, const char *name, char *out, size_t size)
{
    size_t      name_bytes = strlen(name);
    const char *line = r->headers, *end = r->headers + r->headers_bytes;

    while (line < end) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));
        if (stop == NULL)
            stop = end;
        if ((size_t)(stop - line) > name_bytes && memcmp(line, name, name_bytes) == 0 &&
            line[name_bytes] == ':') {
            const char *value = line + name_bytes + 1;
            while (value < stop && *value == ' ')
                value++;
            snprintf(out, size, "%.*s", (int)(stop - value), value);
            return true;
        }
        line = stop + 1;
    }
    return false;
}
