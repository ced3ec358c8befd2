/* redis_cluster.c - which node of a Redis Cluster has a slot, and a way to each.
 *
 * The table of slots comes from CLUSTER SLOTS, asked of a node that is up: every second,
 * and at once when a node is lost, says MOVED, or sees the cluster down; then another
 * node is asked, for the one before may be cut off from the rest. Every master in the
 * table has a node of ours, and so have the seeds (the URL's hosts) for as long as we
 * live. The client is up while the masters of all slots that its owner needs are; while
 * some are not, the owner is told whenever others are, and what goes to the rest goes on. */
#include "io/redis_internal.h"

#include "base/clock.h"
#include "base/util.h"
#include "io/redis_slots.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000, LOOK_DOWN_MS = 200, MAX_NODES = 256, KEEP_ASKED_MS = 10000, PORT_BYTES = 8 };

/* One that has no slot yet is known by ASK, while slots are moved to it. */
struct member { struct redis_node *node; bool seed, listed; int64_t asked_ms; };

struct redis_cluster {
    struct redis      *r;
    struct member      members[MAX_NODES];
    size_t             count;
    struct redis_node *slots[REDIS_SLOTS];  /* NULL: nobody has it, as far as we know */
    size_t             turn;                /* which member is asked */
    struct redis_node *asked;               /* CLUSTER SLOTS went there last */
    bool               asking;              /* and its answer is awaited */
    bool               reached[REDIS_MAX_NEEDS];    /* of the owner's needs, as it was told */
    struct timer       look;
    struct log_limit   log;
};

/* ---- Members ---------------------------------------------------------------------- */

static struct member *member_of(struct redis_cluster *c, const char *host, const char *port)
{
    for (size_t i = 0; i < c->count; i++)
        if (redis_node_is(c->members[i].node, host, port))
            return &c->members[i];
    if (c->count == MAX_NODES)
        return NULL;
    struct redis_node *node = redis_open_node(c->r, host, port, &c->r->url.login, false);
    if (node == NULL)
        return NULL;
    c->members[c->count] = (struct member){ .node = node };
    return &c->members[c->count++];
}

static void forget_member(struct redis_cluster *c, size_t i)
{
    redis_close_node(c->r, c->members[i].node);
    c->members[i] = c->members[--c->count];
}

/* No slot is theirs. */
static void forget_unlisted(struct redis_cluster *c)
{
    int64_t now_ms = clock_mono_ms();

    for (size_t i = c->count; i-- > 0;) {
        const struct member *m = &c->members[i];
        bool asked = m->asked_ms > 0 && now_ms - m->asked_ms < KEEP_ASKED_MS;
        if (!m->seed && !m->listed && !asked)
            forget_member(c, i);
    }
}

/* ---- Up or down --------------------------------------------------------------------- */

static void look_soon(struct redis_cluster *c, int64_t delay_ms)
{
    c->turn++;
    timer_hasten(&c->look, delay_ms);
}

static bool slot_is_reached(const struct redis_cluster *c, int slot)
{
    return c->slots[slot] != NULL && redis_node_is_up(c->slots[slot]);
}

/* The first slot that is needed and whose node is not up; REDIS_NO_SLOT: all are there.
 * `changed`: of some slot that is no longer so, or so again. */
static int missing_slot(struct redis_cluster *c, bool *changed)
{
    const char *const *needs = c->r->spec.needs;
    int                missing = REDIS_NO_SLOT;

    *changed = false;
    for (size_t i = 0; needs != NULL && needs[i] != NULL && i < REDIS_MAX_NEEDS; i++) {
        int  slot = redis_key_slot(needs[i], strlen(needs[i]));
        bool reached = slot_is_reached(c, slot);
        *changed = *changed || reached != c->reached[i];
        c->reached[i] = reached;
        if (!reached && missing == REDIS_NO_SLOT)
            missing = slot;
    }
    return missing;
}

static void tell_state(struct redis_cluster *c, const char *why)
{
    char text[LINK_WHY_BYTES + 32];
    bool changed, was_up = c->r->up;
    int  slot = missing_slot(c, &changed);

    snprintf(text, sizeof text, "slot %d: %s", slot, why);
    if (slot != REDIS_NO_SLOT)
        look_soon(c, LOOK_DOWN_MS);
    redis_set_up(c->r, slot == REDIS_NO_SLOT, text);
    if (changed && was_up == c->r->up)
        redis_tell_state(c->r, text);
}

/* ---- The table ------------------------------------------------------------------------ */

/* {first, last, {host, port, ..}, replicas..}. A host that is not known is the one that
 * was asked. */
static bool read_range(const redisReply *range, const char *asked_host, const char **host,
                       char port[PORT_BYTES])
{
    if (range->type != REDIS_REPLY_ARRAY || range->elements < 3)
        return false;
    const redisReply *first = range->element[0], *last = range->element[1];
    const redisReply *master = range->element[2];
    if (first->type != REDIS_REPLY_INTEGER || last->type != REDIS_REPLY_INTEGER ||
        first->integer < 0 || last->integer >= REDIS_SLOTS ||
        master->type != REDIS_REPLY_ARRAY || master->elements < 2 ||
        master->element[1]->type != REDIS_REPLY_INTEGER)
        return false;
    bool named = master->element[0]->type == REDIS_REPLY_STRING && master->element[0]->len > 0;
    *host = named ? master->element[0]->str : asked_host;
    snprintf(port, PORT_BYTES, "%u", (unsigned)master->element[1]->integer & 0xffffu);
    return true;
}

static void take_range(struct redis_cluster *c, const redisReply *range)
{
    const char *host;
    char        port[PORT_BYTES];

    if (!read_range(range, redis_node_host(c->asked), &host, port))
        return;
    struct member *m = member_of(c, host, port);
    if (m == NULL)
        return;
    m->listed = true;
    for (long long slot = range->element[0]->integer; slot <= range->element[1]->integer; slot++)
        c->slots[slot] = m->node;
}

static void take_table(struct redis_cluster *c, const redisReply *ranges)
{
    for (size_t i = 0; i < c->count; i++)
        c->members[i].listed = false;
    for (size_t i = 0; i < REDIS_SLOTS; i++)
        c->slots[i] = NULL;
    for (size_t i = 0; i < ranges->elements; i++)
        take_range(c, ranges->element[i]);
    forget_unlisted(c);
}

static void on_slots(void *arg, enum mh_err err, const redisReply *reply)
{
    struct redis_cluster *c = arg;

    c->asking = false;
    if (c->r->closing)
        return;
    if (err == MH_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements > 0) {
        take_table(c, reply);
        tell_state(c, "its node is not reached");
        return;
    }
    look_soon(c, LOOK_DOWN_MS);
    if (err == MH_IO && log_allowed(&c->log))
        LOG_WARN("redis_cluster_unknown", "redis=%s hint=\"is --redis a Redis Cluster?\"",
                 c->r->url.shown);
}

static void ask(struct redis_cluster *c)
{
    const char *argv[] = { "CLUSTER", "SLOTS" };

    for (size_t i = 0; i < c->count && !c->asking; i++) {
        c->asked = c->members[(c->turn + i) % c->count].node;
        c->asking = redis_node_is_up(c->asked);
    }
    if (c->asking)
        redis_tell_node(c->r, c->asked, ARRAY_LEN(argv), argv, on_slots, c);
}

static void on_look(struct timer *look)
{
    struct redis_cluster *c = container_of(look, struct redis_cluster, look);

    if (!c->asking)
        ask(c);
    timer_start(&c->look, c->r->up ? LOOK_MS : LOOK_DOWN_MS);
}

/* ---- What the client asks and tells ----------------------------------------------------- */

void redis_cluster_node_changed(struct redis *r, struct redis_node *n, const char *why)
{
    char text[LINK_WHY_BYTES];

    if (redis_node_is_up(n))
        timer_hasten(&r->cluster->look, 0);
    snprintf(text, sizeof text, "%s: %s", redis_node_name(n), why);
    tell_state(r->cluster, text);
}

void redis_cluster_doubt(struct redis *r) { look_soon(r->cluster, 0); }

struct redis_node *redis_cluster_node(const struct redis *r, const struct redis_command *command)
{
    const struct redis_cluster *c = r->cluster;
    int slot = redis_command_slot(command->text, command->bytes);
    return slot != REDIS_NO_SLOT ? c->slots[slot] : c->members[0].node;
}

bool redis_cluster_reaches(const struct redis *r, const char *key)
{
    return slot_is_reached(r->cluster, redis_key_slot(key, strlen(key)));
}

struct redis_node *redis_cluster_redirect(struct redis *r, const struct redis_node *from,
                                          const char *answer)
{
    struct redis_cluster *c = r->cluster;
    char                  host[256];
    int                   slot = 0, used = 0;

    if (sscanf(answer, "%*5s %5d %n", &slot, &used) != 1 || slot < 0 || slot >= REDIS_SLOTS)
        return NULL;
    snprintf(host, sizeof host, "%s", answer + used);
    char *colon = strrchr(host, ':');
    if (colon == NULL)
        return NULL;
    *colon = '\0';
    struct member *m = member_of(c, colon > host ? host : redis_node_host(from), colon + 1);
    if (m == NULL)
        return NULL;
    m->asked_ms = clock_mono_ms();
    struct redis_node *to = m->node;
    if (answer[0] == 'M') {
        c->slots[slot] = to;
        look_soon(c, 0);
        tell_state(c, "its node is not reached yet");
    }
    return to;
}

/* ---- Opening and closing ---------------------------------------------------------------- */

void redis_cluster_open(struct redis *r)
{
    struct redis_cluster *c = mem_alloc(sizeof *c);

    c->r = r;
    r->cluster = c;
    r->open_handles++;
    timer_init(&c->look, r->loop, on_look);
    timer_start(&c->look, LOOK_DOWN_MS);
    for (size_t i = 0; i < r->url.host_count; i++) {
        struct member *m = member_of(c, r->url.hosts[i].name, r->url.hosts[i].port);
        if (m != NULL)
            m->seed = true;
    }
}

static void look_closed(struct timer *look)
{
    struct redis_cluster *c = container_of(look, struct redis_cluster, look);

    redis_part_closed(c->r);
    free(c);
}

void redis_cluster_close(struct redis *r, struct list *unanswered)
{
    struct redis_cluster *c = r->cluster;

    for (size_t i = 0; i < c->count; i++)
        redis_node_close(c->members[i].node, unanswered);
    c->count = 0;
    timer_close(&c->look, look_closed);
}
