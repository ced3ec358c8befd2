/* redis_link.c - see redis_link.h. hiredis's asynchronous context on libuv.
 *
 * The glue between the two is written out here: the adapter that hiredis 0.14
 * brings ignores errors of uv_poll, and so never notices a refused connection.
 *
 * Life: hiredis frees its context by itself after an error, and at our word
 * otherwise, but never within one of its callbacks. Its cleanup hook is the one
 * place that always comes, so the end of a link is there. */
#include "io/redis_link.h"

#include "base/util.h"

#include <fcntl.h>
#include <hiredis/async.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TICK_MS = 1000 };

struct redis_link {
    const struct redis_link_ops *ops;       /* NULL: the owner does not listen any more */
    void              *owner;
    redisAsyncContext *ac;                  /* NULL once hiredis let it go */
    redisReplyObjectFunctions make;         /* hiredis's own, behind our limits */
    uv_poll_t          poll;
    int                events;              /* that the poll is started with */
    uv_prepare_t       flush;               /* runs while commands wait to be written */
    bool               flushing;
    struct timer       tick;
    struct list        unanswered;
    bool               up, heard;           /* heard: bytes came since the last tick */
    unsigned           silent_s;
    char               why[LINK_WHY_BYTES];
    unsigned           open_handles;
};

static void command_free(struct redis_command *c)
{
    free(c->text);
    free(c);
}

void redis_link_drop(struct redis_link *l, const char *why)
{
    if (l->why[0] == '\0')
        snprintf(l->why, sizeof l->why, "%s", why);
    if (l->ac != NULL)
        redisAsyncFree(l->ac);
}

/* ---- Limits on what Redis may send ------------------------------------------ */

/* hiredis asserts that somebody waits for each answer. That is for the peer to
 * break, so an answer to nothing is refused while it is read. An error passes:
 * hiredis ends the connection with it ("max number of clients reached"). */
static bool may_read(const redisReadTask *task)
{
    const struct redis_link *l = task->privdata;
    bool unasked = task->parent == NULL && l->ac->replies.head == NULL;
    return !unasked || task->type == REDIS_REPLY_ERROR;
}

static void *make_string(const redisReadTask *task, char *text, size_t bytes)
{
    const struct redis_link *l = task->privdata;
    return may_read(task) ? l->make.createString(task, text, bytes) : NULL;
}

static void *make_array(const redisReadTask *task, int elements)
{
    const struct redis_link *l = task->privdata;
    bool fits = elements <= LINK_MAX_REPLY_ELEMENTS;
    return fits && may_read(task) ? l->make.createArray(task, elements) : NULL;
}

static void *make_integer(const redisReadTask *task, long long n)
{
    const struct redis_link *l = task->privdata;
    return may_read(task) ? l->make.createInteger(task, n) : NULL;
}

static void *make_nil(const redisReadTask *task)
{
    const struct redis_link *l = task->privdata;
    return may_read(task) ? l->make.createNil(task) : NULL;
}

static void limit_replies(struct redis_link *l)
{
    static redisReplyObjectFunctions limited = {
        .createString = make_string, .createArray = make_array,
        .createInteger = make_integer, .createNil = make_nil, .freeObject = freeReplyObject,
    };

    l->make = *l->ac->c.reader->fn;
    l->ac->c.reader->fn = &limited;
    l->ac->c.reader->privdata = l;
}

static bool reply_too_large(const struct redis_link *l)
{
    const redisReader *reader = l->ac->c.reader;
    return reader->len - reader->pos > LINK_MAX_REPLY_BYTES;
}

/* ---- hiredis on libuv -------------------------------------------------------- */

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct redis_link *l = container_of(poll, struct redis_link, poll);

    if (status < 0) {               /* an error on the socket: libuv stopped, hiredis reads it */
        l->events = 0;
        events = UV_READABLE | UV_WRITABLE;
    }
    if (events & UV_READABLE)
        l->heard = true;
    if (l->ac != NULL && (events & UV_READABLE))
        redisAsyncHandleRead(l->ac);
    if (l->ac != NULL && (events & UV_WRITABLE))
        redisAsyncHandleWrite(l->ac);
    if (l->ac != NULL && reply_too_large(l))
        redis_link_drop(l, "an answer is larger than moonhook takes");
}

static void want(struct redis_link *l, int events)
{
    if (events == l->events)
        return;
    l->events = events;
    if (events == 0)
        uv_poll_stop(&l->poll);
    else
        uv_poll_start(&l->poll, events, on_poll);
}

static void add_read(void *arg)
{
    struct redis_link *l = arg;
    want(l, l->events | UV_READABLE);
}

static void del_read(void *arg)
{
    struct redis_link *l = arg;
    want(l, l->events & ~UV_READABLE);
}

/* Commands are written before the loop sleeps, without asking whether there is
 * room: there nearly always is, and starting and stopping the poll for that costs
 * four system calls. What did not fit, or a connection under way, is polled for. */
static void on_flush(uv_prepare_t *flush)
{
    struct redis_link *l = container_of(flush, struct redis_link, flush);

    uv_prepare_stop(flush);
    l->flushing = true;
    redisAsyncHandleWrite(l->ac);
    l->flushing = false;
}

static void add_write(void *arg)
{
    struct redis_link *l = arg;

    if (l->flushing || !(l->ac->c.flags & REDIS_CONNECTED))
        want(l, l->events | UV_WRITABLE);
    else if (!(l->events & UV_WRITABLE))
        uv_prepare_start(&l->flush, on_flush);
}

static void del_write(void *arg)
{
    struct redis_link *l = arg;
    want(l, l->events & ~UV_WRITABLE);
}

static void handle_closed(struct redis_link *l)
{
    if (--l->open_handles == 0)
        free(l);
}

static void poll_closed(uv_handle_t *handle)
{
    handle_closed(container_of((uv_poll_t *)handle, struct redis_link, poll));
}

static void flush_closed(uv_handle_t *handle)
{
    handle_closed(container_of((uv_prepare_t *)handle, struct redis_link, flush));
}

static void tick_closed(struct timer *tick)
{
    handle_closed(container_of(tick, struct redis_link, tick));
}

/* Of the commands that are left, ours end here; the owner's go to the owner. */
static void drop_greetings(struct redis_link *l)
{
    list_for_each(node, after, &l->unanswered) {
        struct redis_command *c = container_of(node, struct redis_command, node);
        if (c->greeting != NULL) {
            list_unlink(node);
            command_free(c);
        }
    }
}

static void cleanup(void *arg)
{
    struct redis_link *l = arg;
    const char *errstr = l->ac->c.errstr;

    if (l->why[0] == '\0')
        snprintf(l->why, sizeof l->why, "%s", errstr[0] != '\0' ? errstr : "connection lost");
    l->ac = NULL;
    drop_greetings(l);
    uv_close((uv_handle_t *)&l->poll, poll_closed);
    uv_close((uv_handle_t *)&l->flush, flush_closed);
    timer_close(&l->tick, tick_closed);
    if (l->ops != NULL)
        l->ops->lost(l->owner, l->why, &l->unanswered);
}

/* ---- Commands and answers ---------------------------------------------------- */

/* ROLE answers "master", or "slave" and where its master is. */
static bool is_master(const redisReply *role)
{
    return role->type == REDIS_REPLY_ARRAY && role->elements > 0 &&
           role->element[0]->type == REDIS_REPLY_STRING &&
           strcmp(role->element[0]->str, "master") == 0;
}

static void greeted(struct redis_link *l, const struct redis_command *c, const redisReply *reply)
{
    char why[LINK_WHY_BYTES];
    bool is_role = strcmp(c->greeting, "ROLE") == 0;

    /* Who may not ask for the role learns it from the first write. */
    if (reply->type == REDIS_REPLY_ERROR && !is_role) {
        snprintf(why, sizeof why, "%s was answered: %s", c->greeting, reply->str);
        redis_link_drop(l, why);
    } else if (is_role && reply->type != REDIS_REPLY_ERROR && !is_master(reply)) {
        redis_link_drop(l, "it is not the master (yet)");
    } else if (!l->up && strcmp(c->greeting, "PING") == 0) {
        l->up = true;
        l->ops->up(l->owner);
    }
}

static void on_answer(redisAsyncContext *ac, void *answer, void *arg)
{
    struct redis_link *l = arg;

    (void)ac;
    if (answer == NULL || l->ops == NULL)
        return;                             /* the link ends; the list tells who is left */
    struct list *node = list_pop_front(&l->unanswered);
    struct redis_command *c = container_of(node, struct redis_command, node);
    if (c->greeting == NULL) {
        l->ops->answered(l->owner, c, answer);
        return;
    }
    greeted(l, c, answer);
    command_free(c);
}

bool redis_link_send(struct redis_link *l, struct redis_command *command, const char *text,
                     size_t bytes)
{
    if (l->ac == NULL || sdslen(l->ac->c.obuf) + bytes > LINK_MAX_QUEUED_BYTES)
        return false;
    if (redisAsyncFormattedCommand(l->ac, on_answer, l, text, bytes) != REDIS_OK)
        return false;
    list_push_back(&l->unanswered, &command->node);
    return true;
}

/* A command of the link itself. */
static void greet(struct redis_link *l, int argc, const char **argv)
{
    struct redis_command *c = mem_alloc(sizeof *c);
    char *text = NULL;
    int   bytes = redisFormatCommandArgv(&text, argc, argv, NULL);

    c->greeting = argv[0];
    if (bytes < 0 || !redis_link_send(l, c, text, (size_t)bytes))
        command_free(c);
    if (bytes >= 0)
        redisFreeCommand(text);
}

static void ping(struct redis_link *l) { greet(l, 1, (const char *[]){ "PING" }); }

static void greet_all(struct redis_link *l, const struct redis_link_spec *spec)
{
    const struct redis_login *login = spec->login;
    char                      db[16];

    if (login->user != NULL)
        greet(l, 3, (const char *[]){ "AUTH", login->user, login->password });
    else if (login->password != NULL)
        greet(l, 2, (const char *[]){ "AUTH", login->password });
    snprintf(db, sizeof db, "%d", login->db);
    if (login->db != 0)
        greet(l, 2, (const char *[]){ "SELECT", db });
    if (spec->master)
        greet(l, 1, (const char *[]){ "ROLE" });
    ping(l);
}

/* Counted in ticks, not by the clock: when it is this engine that was stopped
 * for a while, the answers are there already and one tick is all that is lost. */
static void on_tick(struct timer *tick)
{
    struct redis_link *l = container_of(tick, struct redis_link, tick);

    if (list_empty(&l->unanswered))
        ping(l);
    else if (!l->heard && ++l->silent_s > LINK_SILENT_S) {
        redis_link_drop(l, "no answer for 5 s");
        return;
    }
    if (l->heard)
        l->silent_s = 0;
    l->heard = false;
    timer_start(&l->tick, TICK_MS);
}

/* ---- Opening and closing ------------------------------------------------------ */

static redisAsyncContext *dial(const struct sockaddr *to, const char *path)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (to == NULL)
        return redisAsyncConnectUnix(path);
    socklen_t bytes = to->sa_family == AF_INET ? sizeof(struct sockaddr_in)
                                               : sizeof(struct sockaddr_in6);
    if (getnameinfo(to, bytes, host, sizeof host, port, sizeof port,
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return NULL;
    return redisAsyncConnect(host, atoi(port));     /* a number: no name is looked up here */
}

static void attach(struct redis_link *l)
{
    l->ac->ev.data = l;
    l->ac->ev.addRead = add_read;
    l->ac->ev.delRead = del_read;
    l->ac->ev.addWrite = add_write;
    l->ac->ev.delWrite = del_write;
    l->ac->ev.cleanup = cleanup;
}

enum mh_err redis_link_open(uv_loop_t *loop, const struct redis_link_spec *spec,
                            const struct redis_link_ops *ops, void *owner,
                            char why[LINK_WHY_BYTES], struct redis_link **out)
{
    struct redis_link *l = mem_alloc(sizeof *l);

    l->ac = dial(spec->to, spec->path);
    if (l->ac == NULL || l->ac->err != 0 || uv_poll_init(loop, &l->poll, l->ac->c.fd) != 0) {
        bool told = l->ac != NULL && l->ac->c.errstr[0] != '\0';
        snprintf(why, LINK_WHY_BYTES, "%s", told ? l->ac->c.errstr : "cannot connect");
        if (l->ac != NULL)
            redisAsyncFree(l->ac);
        free(l);
        return MH_IO;
    }
    fcntl(l->ac->c.fd, F_SETFD, FD_CLOEXEC);
    l->ops = ops;
    l->owner = owner;
    l->open_handles = 3;
    list_init(&l->unanswered);
    uv_prepare_init(loop, &l->flush);
    timer_init(&l->tick, loop, on_tick);
    attach(l);
    limit_replies(l);
    greet_all(l, spec);
    timer_start(&l->tick, TICK_MS);
    *out = l;
    return MH_OK;
}

void redis_link_close(struct redis_link *l, struct list *unanswered)
{
    l->ops = NULL;
    drop_greetings(l);
    for (struct list *node; (node = list_pop_front(&l->unanswered)) != NULL;)
        list_push_back(unanswered, node);
    if (l->ac != NULL)
        redisAsyncFree(l->ac);
}
