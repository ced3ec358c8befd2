/* tls_bridge.h - TLS for a library that has none: a private Unix socket on this
 * side, a verified TLS connection on the other.
 *
 * Debian's hiredis 0.14 speaks no TLS. For rediss:// it connects to the socket
 * of a bridge, which relays every connection to the TLS peer. The socket is in a
 * folder of its own (0700) and takes connections of this process only. The
 * certificate and its host name are always verified, TLS 1.2 is the least.
 * Each direction holds one buffer; what does not fit waits in the kernel. */
#pragma once

#include "io/loop.h"

#include <sys/socket.h>

struct tls_bridge;

/* host: name or address that the certificate must be for. ca_file: PEM added to
 * the system's; NULL for none. MH_TLS: ca_file cannot be used. MH_IO. The log
 * says why. */
MH_MUST_USE enum mh_err tls_bridge_open(uv_loop_t *loop, const char *host, const char *ca_file,
                                        struct tls_bridge **out);

/* Connections accepted from now on go to this address (copied). */
void tls_bridge_aim(struct tls_bridge *b, const struct sockaddr *to);

const char *tls_bridge_path(const struct tls_bridge *b);        /* of the Unix socket */

/* Why the last connection could not be made; "" if it could. */
const char *tls_bridge_why(const struct tls_bridge *b);

/* Ends all connections, removes the socket; frees on a later turn of the loop. */
void tls_bridge_close(struct tls_bridge *b);

/* Whether a connection (OpenSSL's SSL, of whoever made it) holds bytes that were received and
 * not read yet. Borrows; does no I/O. */
bool tls_has_pending(const void *ssl);

/* Has the connections of a context (OpenSSL's SSL_CTX) hold no buffers, 34 KiB each, while
 * there is nothing in them. */
void tls_save_memory(void *context);
