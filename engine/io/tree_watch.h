/* tree_watch.h - tells when something in a folder, or in the folders in it, changed.
 *
 * Folders are watched, not files: many editors save by putting a new file in the old
 * one's place. Changes close together are told once. A folder that goes away is looked
 * for until it is back, which is a change, too. What changed is not told: who needs to
 * know compares. */
#pragma once

#include "io/loop.h"

enum { TREE_WATCH_DEPTH = 4, TREE_WATCH_FOLDERS = 64 };     /* the rest is not watched */

struct tree_watch;

/* `folder` is copied. `changed` comes when nothing has changed for a moment (20 ms), or
 * after the first change and three such moments, with whatever happens later told again. */
struct tree_watch *tree_watch_start(uv_loop_t *loop, const char *folder,
                                    void (*changed)(void *arg), void *arg);
/* No callback comes after this. Frees on a later turn of the loop. */
void tree_watch_stop(struct tree_watch *w);
