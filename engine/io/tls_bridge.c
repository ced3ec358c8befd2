/* tls_bridge.c - see tls_bridge.h. Besides io/crypto.c the only file that
 * includes OpenSSL.
 *
 * One relay per connection: a local end (Unix socket), a remote end (TLS over
 * TCP) and a buffer for each direction. relay_pump() moves what can be moved and
 * then asks the loop for exactly the events that would let it move more. A
 * buffer is filled only when it is empty: that is the back-pressure. */
#include "io/tls_bridge.h"

#include "base/list.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

enum { BUFFER_BYTES = 64 * 1024, WHY_BYTES = 160, FOLDER_BYTES = 32, MAX_RELAYS = 8 };

struct tls_bridge {
    uv_loop_t              *loop;
    SSL_CTX                *ctx;
    char                   *host;
    struct sockaddr_storage to;
    char                    folder[FOLDER_BYTES];
    char                    path[FOLDER_BYTES + 8];
    int                     listener;
    uv_poll_t               poll;
    struct list             relays;
    unsigned                relay_count;    /* also those that are closing */
    bool                    closing, poll_closed;
    char                    why[WHY_BYTES];
    struct log_limit        log_limit;
};

struct chunk { char bytes[BUFFER_BYTES]; size_t from, to; };

struct end { int fd; int events; uv_poll_t poll; };

struct relay {
    struct list        node;
    struct tls_bridge *bridge;
    SSL               *ssl;
    struct end         local, remote;
    struct chunk       outbound, inbound;   /* toward the remote end, from it */
    bool               connected, secured, remote_ended;
    int                ssl_wants;           /* events that the SSL calls of this pump wait for */
    unsigned           open_handles;
};

static bool chunk_empty(const struct chunk *c) { return c->from == c->to; }

/* ---- Ends of relays and of the bridge ------------------------------------------- */

static void bridge_maybe_free(struct tls_bridge *b)
{
    if (!b->closing || !b->poll_closed || b->relay_count > 0)
        return;
    SSL_CTX_free(b->ctx);
    free(b->host);
    free(b);
}

static void relay_handle_closed(struct relay *relay)
{
    struct tls_bridge *b = relay->bridge;

    if (--relay->open_handles > 0)
        return;
    SSL_free(relay->ssl);
    close(relay->local.fd);
    close(relay->remote.fd);
    OPENSSL_cleanse(&relay->outbound, sizeof relay->outbound);
    free(relay);
    b->relay_count--;
    bridge_maybe_free(b);
}

static void local_closed(uv_handle_t *h)
{
    relay_handle_closed(container_of((uv_poll_t *)h, struct relay, local.poll));
}

static void remote_closed(uv_handle_t *h)
{
    relay_handle_closed(container_of((uv_poll_t *)h, struct relay, remote.poll));
}

static void relay_close(struct relay *relay)
{
    if (uv_is_closing((uv_handle_t *)&relay->local.poll))
        return;
    list_unlink(&relay->node);
    uv_close((uv_handle_t *)&relay->local.poll, local_closed);
    uv_close((uv_handle_t *)&relay->remote.poll, remote_closed);
}

/* Keeps the reason, for whoever connected to the bridge. */
static void relay_fail(struct relay *relay, const char *step, const char *why)
{
    struct tls_bridge *b = relay->bridge;
    char               quoted[WHY_BYTES * 2];

    snprintf(b->why, sizeof b->why, "%s: %s", step, why);
    if (log_allowed(&b->log_limit))
        LOG_ERROR("redis_tls_failed", "host=%s why=%s", b->host,
                  log_quote(b->why, quoted, sizeof quoted));
    relay_close(relay);
}

/* ---- Moving bytes: each returns false when the relay ended ------------------------ */

/* What an SSL call that gave no bytes means. */
static bool ssl_paused(struct relay *relay, int result)
{
    switch (SSL_get_error(relay->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        relay->ssl_wants |= UV_READABLE;
        return true;
    case SSL_ERROR_WANT_WRITE:
        relay->ssl_wants |= UV_WRITABLE;
        return true;
    default:
        return false;
    }
}

static bool handshake(struct relay *relay)
{
    ERR_clear_error();
    int result = SSL_connect(relay->ssl);
    if (result == 1) {
        relay->secured = true;
        relay->bridge->why[0] = '\0';
        return true;
    }
    if (ssl_paused(relay, result))
        return true;
    long verified = SSL_get_verify_result(relay->ssl);
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    if (verified != X509_V_OK)
        relay_fail(relay, "certificate refused", X509_verify_cert_error_string(verified));
    else
        relay_fail(relay, "TLS handshake failed",
                   reason != NULL ? reason : "the peer closed the connection");
    return false;
}

static bool read_local(struct relay *relay)
{
    struct chunk *c = &relay->outbound;

    if (!chunk_empty(c))
        return true;
    ssize_t n = recv(relay->local.fd, c->bytes, sizeof c->bytes, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
        relay_close(relay);
        return false;
    }
    c->from = 0;
    c->to = n > 0 ? (size_t)n : 0;
    return true;
}

/* All of it: one call takes no more than one TLS record, and says nothing then. */
static bool write_remote(struct relay *relay)
{
    struct chunk *c = &relay->outbound;

    while (!chunk_empty(c)) {
        size_t n = 0;
        ERR_clear_error();
        int result = SSL_write_ex(relay->ssl, c->bytes + c->from, c->to - c->from, &n);
        if (result != 1 && ssl_paused(relay, result))
            return true;
        if (result != 1) {
            relay_close(relay);
            return false;
        }
        c->from += n;
    }
    return true;
}

static bool read_remote(struct relay *relay)
{
    struct chunk *c = &relay->inbound;
    size_t        n = 0;

    if (!chunk_empty(c) || relay->remote_ended)
        return true;
    ERR_clear_error();
    int result = SSL_read_ex(relay->ssl, c->bytes, sizeof c->bytes, &n);
    c->from = 0;
    c->to = result == 1 ? n : 0;
    if (result != 1 && !ssl_paused(relay, result))
        relay->remote_ended = true;         /* its last bytes are with the local end by now */
    return true;
}

static bool write_local(struct relay *relay)
{
    struct chunk *c = &relay->inbound;

    if (!chunk_empty(c)) {
        ssize_t n = send(relay->local.fd, c->bytes + c->from, c->to - c->from,
                         MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0)
            c->from += (size_t)n;
        else if (n < 0 && errno != EAGAIN && errno != EINTR) {
            relay_close(relay);
            return false;
        }
    }
    if (relay->remote_ended && chunk_empty(c)) {
        relay_close(relay);
        return false;
    }
    return true;
}

static void on_local(uv_poll_t *poll, int status, int events);
static void on_remote(uv_poll_t *poll, int status, int events);

static void want(struct end *end, int events, uv_poll_cb callback)
{
    if (end->events == events)
        return;
    end->events = events;
    if (events == 0)
        uv_poll_stop(&end->poll);
    else
        uv_poll_start(&end->poll, events, callback);
}

/* TLS may hold decrypted bytes that the socket does not tell of: while there are
 * any and room for them, the loop must come back without waiting for the socket.
 * The local end is writable then, so waiting for that does it. */
static void ask_for_events(struct relay *relay)
{
    bool room_in = chunk_empty(&relay->inbound), room_out = chunk_empty(&relay->outbound);
    bool more = room_in && SSL_pending(relay->ssl) > 0;
    int  local = UV_DISCONNECT;             /* always: its owner may have given up */

    if (relay->secured && room_out)
        local |= UV_READABLE;
    if (!room_in || more)
        local |= UV_WRITABLE;
    want(&relay->local, local, on_local);
    want(&relay->remote, relay->ssl_wants, on_remote);
}

static void relay_pump(struct relay *relay)
{
    relay->ssl_wants = 0;
    if (!relay->secured && !handshake(relay))
        return;
    if (relay->secured) {
        bool goes_on = read_local(relay) && write_remote(relay) && read_remote(relay) &&
                       write_local(relay);
        if (!goes_on)
            return;
        if (chunk_empty(&relay->inbound))
            relay->ssl_wants |= UV_READABLE;
    }
    ask_for_events(relay);
}

static void on_local(uv_poll_t *poll, int status, int events)
{
    struct relay *relay = container_of(poll, struct relay, local.poll);

    if (status < 0 || (events & UV_DISCONNECT))
        relay_close(relay);
    else
        relay_pump(relay);
}

static bool connect_ended(struct relay *relay)
{
    int       err = 0;
    socklen_t bytes = sizeof err;

    getsockopt(relay->remote.fd, SOL_SOCKET, SO_ERROR, &err, &bytes);
    if (err != 0)
        relay_fail(relay, "connect", strerror(err));
    relay->connected = err == 0;
    return relay->connected;
}

static void on_remote(uv_poll_t *poll, int status, int events)
{
    struct relay *relay = container_of(poll, struct relay, remote.poll);

    (void)events;
    if (status < 0)                         /* libuv stopped it; reading will find the error */
        relay->remote.events = 0;
    if (relay->connected || connect_ended(relay))
        relay_pump(relay);
}

/* ---- Accepting ---------------------------------------------------------------------- */

static int dial(const struct tls_bridge *b)
{
    const struct sockaddr *to = (const struct sockaddr *)&b->to;
    socklen_t bytes = to->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                : sizeof(struct sockaddr_in);
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int on = 1;

    if (fd >= 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (fd >= 0 && connect(fd, to, bytes) != 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

/* Host name checked against the certificate; a name is also sent (SNI). */
static SSL *ssl_new(const struct tls_bridge *b, int fd)
{
    unsigned char address[sizeof(struct in6_addr)];
    SSL *ssl = SSL_new(b->ctx);

    if (ssl == NULL)
        return NULL;
    bool is_address = inet_pton(AF_INET, b->host, address) == 1 ||
                      inet_pton(AF_INET6, b->host, address) == 1;
    int ok = is_address ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), b->host)
                        : SSL_set1_host(ssl, b->host) &&
                              SSL_set_tlsext_host_name(ssl, b->host);
    if (ok != 1 || SSL_set_fd(ssl, fd) != 1) {
        SSL_free(ssl);
        return NULL;
    }
    return ssl;
}

static bool is_ours(int fd)
{
    struct ucred peer = { 0 };
    socklen_t    bytes = sizeof peer;

    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) == 0 && peer.pid == getpid();
}

/* Takes both descriptors. */
static void relay_new(struct tls_bridge *b, int local, int remote, SSL *ssl)
{
    struct relay *relay = mem_alloc(sizeof *relay);

    relay->bridge = b;
    relay->ssl = ssl;
    relay->open_handles = 2;
    relay->local.fd = local;
    relay->remote.fd = remote;
    uv_poll_init(b->loop, &relay->local.poll, local);
    uv_poll_init(b->loop, &relay->remote.poll, remote);
    b->relay_count++;
    list_push_back(&b->relays, &relay->node);
    want(&relay->local, UV_DISCONNECT, on_local);
    want(&relay->remote, UV_WRITABLE, on_remote);
}

static void on_connection(uv_poll_t *poll, int status, int events)
{
    struct tls_bridge *b = container_of(poll, struct tls_bridge, poll);
    int local = accept4(b->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    (void)status, (void)events;
    if (local < 0)
        return;
    int remote = is_ours(local) && b->relay_count < MAX_RELAYS ? dial(b) : -1;
    SSL *ssl = remote >= 0 ? ssl_new(b, remote) : NULL;
    if (ssl != NULL) {
        relay_new(b, local, remote, ssl);
        return;
    }
    snprintf(b->why, sizeof b->why, "connect: %s", strerror(errno));
    if (remote >= 0)
        close(remote);
    close(local);
}

/* ---- Opening and closing ---------------------------------------------------------------- */

static enum mh_err make_context(struct tls_bridge *b, const char *ca_file)
{
    char quoted[512];

    b->ctx = SSL_CTX_new(TLS_client_method());
    if (b->ctx == NULL)
        return MH_NOMEM;
    SSL_CTX_set_min_proto_version(b->ctx, TLS1_2_VERSION);
    SSL_CTX_set_verify(b->ctx, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_mode(b->ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                 SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_default_verify_paths(b->ctx);
    if (ca_file == NULL || SSL_CTX_load_verify_file(b->ctx, ca_file) == 1)
        return MH_OK;
    bool readable = access(ca_file, R_OK) == 0;
    LOG_ERROR("ca_file_invalid", "file=%s why=\"%s\"", log_quote(ca_file, quoted, sizeof quoted),
              readable ? "it holds no PEM certificate" : strerror(errno));
    ERR_clear_error();
    return MH_TLS;
}

static enum mh_err listen_privately(struct tls_bridge *b)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    snprintf(b->folder, sizeof b->folder, "/tmp/moonhook-tls-XXXXXX");
    b->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (b->listener >= 0 && mkdtemp(b->folder) != NULL) {       /* 0700 */
        snprintf(b->path, sizeof b->path, "%s/socket", b->folder);
        snprintf(address.sun_path, sizeof address.sun_path, "%s", b->path);
        if (bind(b->listener, (struct sockaddr *)&address, sizeof address) == 0 &&
            listen(b->listener, MAX_RELAYS) == 0)
            return MH_OK;
    }
    LOG_ERROR("tls_bridge_failed", "folder=%s why=\"%s\"", b->folder, strerror(errno));
    return MH_IO;
}

static void remove_socket(struct tls_bridge *b)
{
    if (b->listener >= 0)
        close(b->listener);
    if (b->path[0] != '\0') {
        unlink(b->path);
        rmdir(b->folder);
    }
}

enum mh_err tls_bridge_open(uv_loop_t *loop, const char *host, const char *ca_file,
                            struct tls_bridge **out)
{
    struct tls_bridge *b = mem_alloc(sizeof *b);

    b->loop = loop;
    b->listener = -1;
    list_init(&b->relays);
    enum mh_err err = make_context(b, ca_file);
    if (err == MH_OK)
        err = listen_privately(b);
    if (err != MH_OK) {
        remove_socket(b);
        SSL_CTX_free(b->ctx);
        free(b);
        return err;
    }
    b->host = mem_strdup(host);
    uv_poll_init(loop, &b->poll, b->listener);
    uv_poll_start(&b->poll, UV_READABLE, on_connection);
    *out = b;
    return MH_OK;
}

void tls_bridge_aim(struct tls_bridge *b, const struct sockaddr *to)
{
    b->to = (struct sockaddr_storage){ 0 };
    memcpy(&b->to, to, to->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6)
                                                 : sizeof(struct sockaddr_in));
}

const char *tls_bridge_path(const struct tls_bridge *b) { return b->path; }

const char *tls_bridge_why(const struct tls_bridge *b) { return b->why; }

static void listener_closed(uv_handle_t *h)
{
    struct tls_bridge *b = container_of((uv_poll_t *)h, struct tls_bridge, poll);

    b->poll_closed = true;
    bridge_maybe_free(b);
}

void tls_bridge_close(struct tls_bridge *b)
{
    b->closing = true;
    list_for_each(node, after, &b->relays)
        relay_close(container_of(node, struct relay, node));
    uv_close((uv_handle_t *)&b->poll, listener_closed);
    remove_socket(b);
}

bool tls_has_pending(const void *ssl) { return SSL_has_pending(ssl) == 1; }

void tls_save_memory(void *context) { SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS); }
