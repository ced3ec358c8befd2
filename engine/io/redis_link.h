/* redis_link.h - one connection to Redis, from the first byte to the last; private to
 * redis_node.c, which opens the next one when this is lost.
 *
 * A link first greets: AUTH, SELECT, perhaps ROLE, and PING in one go. Only then it is `up`.
 * From the start on it watches for silence: with nothing under way it sends a
 * PING every second, and a peer that owes an answer and sends no byte for
 * LINK_SILENT_S seconds is lost (a stopped process, a cable pulled).
 *
 * Redis answers in order, so commands wait in one list of our own. hiredis is
 * given no command to keep: its callbacks only say "the next answer is here",
 * and its way of ending (every callback called with NULL, from within itself)
 * never reaches a caller. */
#pragma once

#include "base/list.h"
#include "io/redis.h"
#include "io/redis_url.h"

#include <sys/socket.h>

enum {
    LINK_SILENT_S = 5,
    LINK_WHY_BYTES = 160,
    LINK_MAX_COMMAND_BYTES = 64 * 1024 * 1024,
    LINK_MAX_QUEUED_BYTES = 256 * 1024 * 1024,      /* not yet taken by the kernel */
    LINK_MAX_REPLY_BYTES = 256 * 1024 * 1024,
    LINK_MAX_REPLY_ELEMENTS = 1024 * 1024,          /* of one array */
};

struct redis_link;

/* One command on its way. Whoever has it in a list owns it. */
struct redis_command {
    struct list          node;
    redis_done          *done;              /* may be NULL */
    void                *arg;
    enum mh_err          err;               /* of one that ends without an answer */
    struct redis_script *script;            /* sent by its SHA-1, and may need its source */
    char                *text;              /* in Redis's protocol; kept while it may be resent */
    size_t               bytes;
    unsigned             redirects;         /* a cluster sent it elsewhere so often */
    bool                 waits;             /* WAIT: its answer is held against what was asked */
    const char          *greeting;          /* the link's own command: its name */
};

struct redis_link_ops {
    void (*up)(void *owner);
    /* `reply` is borrowed, `command` is given. The link may be closed inside. */
    void (*answered)(void *owner, struct redis_command *command, const redisReply *reply);
    /* Once, and the last call; the link is gone for the owner. `unanswered` is to be emptied. */
    void (*lost)(void *owner, const char *why, struct list *unanswered);
};

struct redis_link_spec {                    /* borrowed during the call */
    const struct sockaddr    *to;           /* to dial; NULL for the Unix socket `path` */
    const char               *path;
    const struct redis_login *login;
    bool                      master;       /* one that says that it is a replica is lost */
};

/* MH_IO with the reason in `why` when it fails at once. */
MH_MUST_USE enum mh_err redis_link_open(uv_loop_t *loop, const struct redis_link_spec *spec,
                                        const struct redis_link_ops *ops, void *owner,
                                        char why[LINK_WHY_BYTES], struct redis_link **out);

/* Takes `command` unless it returns false: the link is going, or has too much queued. */
MH_MUST_USE bool redis_link_send(struct redis_link *l, struct redis_command *command,
                                 const char *text, size_t bytes);

/* Ends it; `lost` comes, perhaps not inside this call. */
void redis_link_drop(struct redis_link *l, const char *why);

/* Ends it; nothing is called any more. `unanswered` gets what waits for an answer. */
void redis_link_close(struct redis_link *l, struct list *unanswered);
