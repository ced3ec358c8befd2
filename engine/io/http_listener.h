/* http_listener.h - one listening TCP socket for the HTTP server. */
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

/* `host`: an address or a name; of a name's addresses the first that can be bound.
 * The caller owns *fd. MH_CONFLICT: the address is in use. MH_IO: the log tells. */
MH_MUST_USE enum mh_err http_listener_open(const char *host, uint16_t port, bool reuse_port,
                                           int *fd);
/* The same, bound and not listening: nobody else gets it, unless both share it. */
MH_MUST_USE enum mh_err http_listener_reserve(const char *host, uint16_t port, bool reuse_port,
                                              int *fd);
/* The port in use, also where the kernel chose it. */
uint16_t http_listener_port(int fd);
