/* source.c - see source.h. */
#include "core/source.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_DEPTH = 4 };

struct reading {
    json_t *files;
    size_t  bytes;
    char   *why;
    size_t  why_bytes;
};

static enum mh_err fail(struct reading *r, enum mh_err err, const char *what, const char *path)
{
    snprintf(r->why, r->why_bytes, "%s: %s", path, what);
    return err;
}

static bool is_lua(const char *name)
{
    size_t len = strlen(name);
    return len > 4 && strcmp(name + len - 4, ".lua") == 0;
}

static enum mh_err read_all(int fd, char *text, size_t bytes)
{
    size_t got = 0;
    while (got < bytes) {
        ssize_t n = read(fd, text + got, bytes - got);
        if (n <= 0)
            return MH_IO;
        got += (size_t)n;
    }
    return MH_OK;
}

static enum mh_err read_file(struct reading *r, int dir, const char *name, const char *path)
{
    struct stat st;
    int         fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode)) {
        if (fd >= 0)
            close(fd);
        return fail(r, MH_IO, "cannot be read, or is no plain file", path);
    }
    r->bytes += (size_t)st.st_size;
    if (r->bytes > SOURCE_MAX_BYTES || json_object_size(r->files) == SOURCE_MAX_FILES) {
        close(fd);
        return fail(r, MH_TOO_LARGE, "a plugin has at most 64 files and 1 MiB of Lua", path);
    }
    char       *text = mem_alloc((size_t)st.st_size);
    enum mh_err err = read_all(fd, text, (size_t)st.st_size);
    json_t     *value = err == MH_OK ? json_stringn(text, (size_t)st.st_size) : NULL;
    free(text);
    close(fd);
    if (value == NULL)
        return fail(r, MH_INVALID, "is not UTF-8 text", path);
    json_put(r->files, path, value);
    return MH_OK;
}

static enum mh_err read_folder(struct reading *r, int dir, const char *prefix, int depth);

static enum mh_err read_entry(struct reading *r, int dir, const struct dirent *entry,
                              const char *prefix, int depth)
{
    char       *path = mem_printf("%s%s", prefix, entry->d_name);
    enum mh_err err = MH_OK;

    if (entry->d_type == DT_DIR && depth < MAX_DEPTH) {
        char *below = mem_printf("%s/", path);
        int   fd = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            err = read_folder(r, fd, below, depth + 1);
        free(below);
    } else if (is_lua(entry->d_name) && strcmp(path, "test.lua") != 0) {
        err = read_file(r, dir, entry->d_name, path);
    }
    free(path);
    return err;
}

/* Takes `dir`. */
static enum mh_err read_folder(struct reading *r, int dir, const char *prefix, int depth)
{
    DIR           *stream = fdopendir(dir);
    struct dirent *entry;
    enum mh_err    err = MH_OK;

    if (stream == NULL) {
        close(dir);
        return fail(r, MH_IO, strerror(errno), prefix);
    }
    while (err == MH_OK && (entry = readdir(stream)) != NULL)
        if (entry->d_name[0] != '.')
            err = read_entry(r, dir, entry, prefix, depth);
    closedir(stream);
    return err;
}

enum mh_err source_read(const char *folder, json_t **out, char *why, size_t why_bytes)
{
    struct reading r = { json_object(), 0, why, why_bytes };
    int            dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    enum mh_err    err = dir < 0 ? fail(&r, MH_NOT_FOUND, strerror(errno), folder)
                                 : read_folder(&r, dir, "", 0);

    if (err == MH_OK && json_object_get(r.files, "plugin.lua") == NULL)
        err = fail(&r, MH_NOT_FOUND, "there is no plugin.lua in it", folder);
    if (err == MH_OK)
        *out = r.files;
    else
        json_decref(r.files);
    return err;
}

static int is_plugin(const char *dir, const char *name)
{
    char *path = mem_printf("%s/%s/plugin.lua", dir, name);
    int   found = name[0] != '.' && access(path, R_OK) == 0;
    free(path);
    return found;
}

char *source_folder(const char *const *dirs, const char *source)
{
    if (strncmp(source, "file:", 5) == 0)
        return mem_strdup(source + 5);
    for (; *dirs != NULL; dirs++)
        if (strchr(source, '/') == NULL && is_plugin(*dirs, source))
            return mem_printf("%s/%s", *dirs, source);
    return NULL;
}

json_t *source_list(const char *dir)
{
    struct dirent **entries;
    json_t         *names = json_array();
    int             count = scandir(dir, &entries, NULL, alphasort);

    for (int i = 0; i < count; i++) {
        if (is_plugin(dir, entries[i]->d_name))
            json_array_append_new(names, json_string(entries[i]->d_name));
        free(entries[i]);
    }
    if (count >= 0)
        free(entries);
    return names;
}
