/* watch.h - --watch: a plugin whose files change on the disk is reloaded, as by
 * POST /api/plugins/{name}/reload. */
#pragma once

#include "core/plugins.h"

struct watch;

/* Watches `folder`, where the plugin `name` was installed from; both are copied. `seen`
 * (borrowed): the files as they were read last; NULL: as they are now. Every change of a
 * file that the plugin has, or gets, is one reload, after whatever is under way with that
 * plugin; the log says what changed, and how it went. */
struct watch *watch_start(struct plugins *ps, uv_loop_t *loop, const char *name,
                          const char *folder, json_t *seen);
/* No reload of it is under way (the plugins end theirs first). */
void watch_stop(struct watch *w);
