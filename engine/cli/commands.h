/* commands.h - the table of commands: what `moonhook` can do, in one place.
 *
 * The table is the single source of dispatch, of both levels of help and of
 * the check of options and words. */
#pragma once

#include "base/options.h"

struct command {                            /* the table ends with a NULL name */
    const char               *name;         /* "serve", "event send" */
    const char               *arguments;    /* behind the name in the usage line */
    const char               *help;         /* one line */
    const struct option_spec *options;      /* its own; may be NULL */
    const struct option_spec *common;       /* of all clients; NULL for the others */
    unsigned                  min_words, max_words;
    int                     (*run)(const struct options *given);
    /* For a command that reads its arguments itself; `run` is then NULL. */
    int                     (*run_raw)(int argc, char **argv);
    char                   *(*more_help)(void);                    /* malloc'ed; may be NULL */
};

extern const struct command commands[];
enum { ANY_WORDS = 10000 };

/* One file per first word of the name. All return an enum cli_exit. */
int cmd_serve_run(int argc, char **argv);

int cmd_event_send(const struct options *given);
int cmd_event_show(const struct options *given);

int cmd_webhook_add(const struct options *given);
int cmd_webhook_update(const struct options *given);
int cmd_webhook_list(const struct options *given);
int cmd_webhook_show(const struct options *given);
int cmd_webhook_remove(const struct options *given);
int cmd_webhook_rotate(const struct options *given);
int cmd_webhook_test(const struct options *given);
int cmd_webhook_deliveries(const struct options *given);
int cmd_webhook_retry(const struct options *given);
int cmd_webhook_filter_test(const struct options *given);       /* filter_test.c */
int cmd_webhook_replay(const struct options *given);            /* replay.c */
int cmd_webhook_replays(const struct options *given);
int cmd_webhook_replay_cancel(const struct options *given);

int cmd_plugin_available(const struct options *given);
int cmd_plugin_list(const struct options *given);
int cmd_plugin_install(const struct options *given);
int cmd_plugin_config(const struct options *given);
int cmd_plugin_remove(const struct options *given);
int cmd_plugin_reload(const struct options *given);
int cmd_plugin_rollback(const struct options *given);
int cmd_plugin_enable(const struct options *given);
int cmd_plugin_disable(const struct options *given);
int cmd_plugin_logs(const struct options *given);
int cmd_plugin_new(const struct options *given);

int cmd_key_create(const struct options *given);
int cmd_key_list(const struct options *given);
int cmd_key_revoke(const struct options *given);
int cmd_key_rotate_master(const struct options *given);

int cmd_listen_run(const struct options *given);
