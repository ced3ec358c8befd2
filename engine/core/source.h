/* source.h - plugin folders on disk. */
#pragma once

#include "io/json.h"

enum { SOURCE_MAX_FILES = 64, SOURCE_MAX_BYTES = 1 << 20 };

/* The .lua files of a plugin's folder (and of folders in it), but test.lua, as an
 * object of relative path to text. Symbolic links are not followed. The caller owns
 * *out. MH_NOT_FOUND (no folder, or no plugin.lua in it), MH_TOO_LARGE, MH_INVALID (a
 * file is not UTF-8 text), MH_IO; a sentence in `why`. */
MH_MUST_USE enum mh_err source_read(const char *folder, json_t **out, char *why, size_t why_bytes);

/* The folder that a source names: "file:FOLDER", or the first folder of that name in
 * `dirs` (NULL at the end) with a plugin.lua in it. Malloc'ed; NULL where there is none. */
char *source_folder(const char *const *dirs, const char *source);

/* The names of the folders in `dir` that hold a plugin.lua, sorted; the caller owns
 * the array. Empty for a folder that cannot be read. */
json_t *source_list(const char *dir);
