/* data_lock.h - one engine per data directory: an flock on DATA/lock.
 *
 * The kernel drops the lock with the process, however it ends. The descriptor is
 * close-on-exec and child.c passes nothing on: a child that outlives its engine
 * (redis-server, after a crash) does not hold the lock. */
#pragma once

#include "base/err.h"

/* Makes the directory (0700) where it is missing. MH_IO; the log says what to do. */
MH_MUST_USE enum mh_err data_dir_make(const char *data_dir);

/* *fd is the lock; closing it gives it up. MH_CONFLICT: another engine has it.
 * MH_IO. The log says what to do. */
MH_MUST_USE enum mh_err data_lock(const char *data_dir, int *fd);
