/* with_redis_client.h - what every test of redis.c has: a loop, a Redis, a client and
 * its answers. */
#pragma once

#include "with_redis.h"

#include "io/redis.h"

static uv_loop_t         loop;
static struct test_redis server;
static struct redis     *client;
static unsigned          ups, downs;
static char              last_why[256];

struct answer { unsigned count; enum mh_err err; char text[64]; long long integer; };

static inline void on_state(void *arg, bool up, const char *why)
{
    (void)arg;
    *(up ? &ups : &downs) += 1;
    snprintf(last_why, sizeof last_why, "%s", why);
}

static inline void on_done(void *arg, enum mh_err err, const redisReply *reply)
{
    struct answer *a = arg;

    a->count++;
    a->err = err;
    if (reply != NULL && reply->str != NULL)
        snprintf(a->text, sizeof a->text, "%s", reply->str);
    if (reply != NULL)
        a->integer = reply->integer;
}

static inline void open_client(const char *url, const char *ca_file)
{
    struct redis_spec spec = { .url = url, .ca_file = ca_file, .state = on_state };

    ups = downs = 0;
    assert_int_equal(redis_open(&loop, &spec, &client), MH_OK);
}

static inline void begin(void)
{
    uv_loop_init(&loop);
    test_redis_start(&server);
    open_client(server.url, NULL);
    RUN_UNTIL(&loop, ups == 1);
}

static inline void end(void)
{
    redis_close(client);
    test_redis_end(&server);
    loop_end(&loop);
}

/* One command, awaited. */
#define ASK(to, ...)                                                                               \
    do {                                                                                           \
        *(to) = (struct answer){ 0 };                                                              \
        redis_sendf(client, on_done, (to), __VA_ARGS__);                                           \
        assert_int_equal((to)->count, 0);                                                          \
        RUN_UNTIL(&loop, (to)->count > 0);                                                         \
    } while (0)
