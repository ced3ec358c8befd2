/* engine_settings.c - what settings mean to the engine: texts parsed, files read, programs
 * and folders found. A setting that means nothing is refused with what was wanted. */
#include "engine_internal.h"

#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum mh_err engine_bad_setting(const char *flag, const char *value, const char *wanted)
{
    LOG_ERROR("setting_invalid", "setting=--%s value=\"%s\" wanted=\"%s\"", flag, value, wanted);
    return MH_INVALID;
}

static enum mh_err read_pem(const char *flag, const char *path, char **out)
{
    enum { MAX_PEM = 1 << 20 };
    FILE  *file = fopen(path, "re");
    char  *text = mem_alloc(MAX_PEM + 1);
    size_t bytes = file ? fread(text, 1, MAX_PEM, file) : 0;

    if (file != NULL)
        fclose(file);
    if (bytes == 0) {
        free(text);
        return engine_bad_setting(flag, path, "a PEM file that can be read");
    }
    *out = text;
    return MH_OK;
}

static enum mh_err read_tls(struct engine *e)
{
    const struct settings *s = e->settings;

    if (s->tls_cert[0] == '\0' && s->tls_key[0] == '\0')
        return MH_OK;
    if (s->tls_cert[0] == '\0' || s->tls_key[0] == '\0')
        return engine_bad_setting("tls-cert", s->tls_cert, "--tls-cert and --tls-key together");
    enum mh_err err = read_pem("tls-cert", s->tls_cert, &e->cert_pem);
    return err == MH_OK ? read_pem("tls-key", s->tls_key, &e->key_pem) : err;
}

enum mh_err engine_read_settings(struct engine *e)
{
    const struct settings *s = e->settings;

    for (size_t i = 0; i < s->allow_private.count; i++)
        if (policy_ranges_add(&e->private_allowed, s->allow_private.item[i]) != MH_OK)
            return engine_bad_setting("allow-private", s->allow_private.item[i], "10.0.0.0/8, ::1/128, ...");
    if (schedule_parse(s->retry_schedule, &e->webhook_schedule) != MH_OK)
        return engine_bad_setting("retry-schedule", s->retry_schedule, "0s,5s,5m,...");
    if (schedule_parse(s->plugin_retry_schedule, &e->plugin_schedule) != MH_OK)
        return engine_bad_setting("plugin-retry-schedule", s->plugin_retry_schedule, "0s,2s,10s,...");
    if (listen_parse(s->listen, &e->address) != MH_OK)
        return engine_bad_setting("listen", s->listen, "ADDR:PORT");
    return read_tls(e);
}

static char *beside_program(const char *name)
{
    char    path[4096];
    ssize_t bytes = readlink("/proc/self/exe", path, sizeof path - 1);

    path[bytes > 0 ? bytes : 0] = '\0';
    char *slash = strrchr(path, '/');
    if (slash != NULL)
        *slash = '\0';
    return mem_printf("%s/%s", path, name);
}

/* The operator's folders first, then the shipped ones: installed, or of a build tree. */
void engine_find_programs(struct engine *e)
{
    const struct setting_list *given = &e->settings->plugins;

    e->sandbox_program = e->settings->sandbox[0] ? mem_strdup(e->settings->sandbox)
                                                 : beside_program("moonhook-sandbox");
    e->shipped_dir = beside_program("../share/moonhook/plugins");
    if (access(e->shipped_dir, R_OK) != 0) {
        free(e->shipped_dir);
        e->shipped_dir = beside_program("../plugins");
    }
    e->plugin_dirs = mem_alloc((given->count + 2) * sizeof(char *));
    for (size_t i = 0; i < given->count; i++)
        e->plugin_dirs[i] = given->item[i];
    e->plugin_dirs[given->count] = e->shipped_dir;
}
