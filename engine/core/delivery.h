/* delivery.h - event x target, and the story that it can tell (guarantee Q7).
 *
 * Identity: "<event id>~<target id>" within an org, so that nothing has to be
 * written to know it, and a replay has the same id. In Redis it is known by its
 * key "<org>/<event id>~<target id>"; none of the parts can hold '/' or '~'. */
#pragma once

#include "core/target.h"
#include "io/json_write.h"

enum { DELIVERY_KEY_BYTES = 3 * MH_ID_BYTES, DELIVERY_TEXT_MAX = 2048 };

struct queue;

/* released: nobody tried it; it is due again, its record as it was. */
enum verdict { VERDICT_DELIVERED, VERDICT_RETRY, VERDICT_DEAD, VERDICT_CANCELLED,
               VERDICT_RELEASED };

struct delivery {
    struct list    node;                    /* in its target's first or retries */
    char           key[DELIVERY_KEY_BYTES];
    struct event  *event;                   /* counted */
    struct target *target;                  /* counted */
    struct queue  *queue;                   /* the shard that it is of, once that owns it */
    unsigned       number;                  /* of the present attempt, from 1 */
    unsigned       round;                   /* attempts before an operator wanted it again, the
                                             * last time: the schedule goes by those since */
    unsigned       kills;                   /* ended attempts that ended a plugin's process */
    char          *attempts;                /* the ended ones: JSON objects, separated by commas;
                                             * NULL before the first */
    int64_t        started_ms, started_us;  /* of the present attempt: wall, monotonic */
    int64_t        next_ms;                 /* Unix time of the next one; 0: none planned */
    int64_t        next_mono_ms;            /* the same where there is one, by a clock that nobody sets */
    enum verdict   verdict;
    bool           waiting;                 /* in line: dispatch's own */
    bool           expected;                /* room was kept for it while it was read */
    bool           held;                    /* core/held's, like the next */
    size_t         held_bytes;
    void          *attempt_data;            /* of the target: its present attempt */
};

/* Takes a reference of each. */
struct delivery *delivery_new(struct event *event, struct target *target);
void             delivery_free(struct delivery *d);

/* The next attempt is to begin in `delay_ms`. */
void delivery_plan(struct delivery *d, int64_t delay_ms);

const char *delivery_id(const struct delivery *d);          /* the key without the org */

/* Writes "<org>/<event id>~<target id>". */
void delivery_key(const char *org, const char *event_id, const char *target_id,
                  char out[DELIVERY_KEY_BYTES]);

/* Splits a key: the parts' ends are found in place. MH_INVALID for another form. */
struct delivery_parts { char org[MH_ID_BYTES], event_id[MH_ID_BYTES], target_id[MH_ID_BYTES]; };
MH_MUST_USE enum mh_err delivery_split(const char *key, struct delivery_parts *out);

/* What a target tells about an attempt (error, response, result, logs): the members of
 * a JSON object as text, without its braces. Text, because a record is written for
 * every delivery and read for few. Steals `object`; the caller frees the text. */
char *delivery_facts(json_t *object);

/* Adds the attempt that just ended: its facts (taken; NULL for none), to which number,
 * times and status are added. */
void delivery_add_attempt(struct delivery *d, bool ok, char *facts);

/* The record as Redis keeps it: JSON text that the caller frees. What its key tells
 * (ids, org, target) is not in it; delivery_record_pending() has that. Its first "status"
 * is its own: scripts find and change it in the text. "round" is in it where not 0;
 * "again" means that an operator wanted it since and the next attempt begins a round. */
char *delivery_record(const struct delivery *d);

/* The record, as REST shows it, of a delivery that has made no attempt yet. */
json_t *delivery_record_pending(const struct event *e, const char *target_id, const char *kind);

/* Takes over the past attempts of a stored record (borrowed), and their rounds. */
void delivery_restore(struct delivery *d, const json_t *record);

/* Text for a record: at most DELIVERY_TEXT_MAX bytes of UTF-8, the rest cut; "(binary)" for
 * what is no text. */
json_t *delivery_text(const char *text, size_t bytes);
void    delivery_write_text(struct json_writer *w, const char *name, const char *text,
                            size_t bytes);
