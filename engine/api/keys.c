/* keys.c - see keys.h. */
#include "api/keys.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/util.h"
#include "io/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct keys { struct store *store; struct map all; };       /* by hash */

struct keys *keys_new(struct store *store)
{
    struct keys *ks = mem_alloc(sizeof *ks);
    ks->store = store;
    return ks;
}

void key_unref(struct api_key *k)
{
    if (k == NULL || --k->refs > 0)
        return;
    json_decref(k->json);
    free(k);
}

static void release_key(void *value) { key_unref(value); }

void keys_free(struct keys *ks)
{
    map_clear(&ks->all, release_key);
    free(ks);
}

static void hash_key(const char *key, char out[65])
{
    unsigned char digest[SHA256_BYTES];

    crypto_sha256(key, strlen(key), digest);
    crypto_hex(digest, sizeof digest, out);
}

/* "mh_" + base64url of 32 random bytes. */
static void make_key(char out[API_KEY_BYTES])
{
    unsigned char random[32];
    char          text[48];

    crypto_random(random, sizeof random);
    crypto_base64(random, sizeof random, text);
    for (char *c = text; *c != '\0'; c++)
        *c = *c == '+' ? '-' : *c == '/' ? '_' : *c == '=' ? '\0' : *c;
    snprintf(out, API_KEY_BYTES, "mh_%s", text);
}

bool keys_scope_known(const char *scope)
{
    static const char *const known[] = {
#define X(name, what) name,
        API_SCOPES(X)
#undef X
    };
    for (size_t i = 0; i < ARRAY_LEN(known); i++)
        if (strcmp(known[i], scope) == 0)
            return true;
    return false;
}

static bool has_scope(const struct api_key *k, const char *scope)
{
    const json_t *scopes = json_object_get(k->json, "scopes");

    for (size_t i = 0; i < json_array_size(scopes); i++) {
        const char *held = json_string_value(json_array_get(scopes, i));
        if (held != NULL && strcmp(held, scope) == 0)
            return true;
    }
    return false;
}

bool key_allows(const struct api_key *k, const char *scope)
{
    return k->admin || has_scope(k, scope);
}

static struct api_key *add_key(struct keys *ks, const char *hash, json_t *json)
{
    struct api_key *k = mem_alloc(sizeof *k);

    k->refs = 1;
    snprintf(k->hash, sizeof k->hash, "%s", hash);
    snprintf(k->id, sizeof k->id, "%s", json_text_of(json, "id", ""));
    snprintf(k->org, sizeof k->org, "%s", json_text_of(json, "org_id", "default"));
    k->json = json_incref(json);
    k->admin = has_scope(k, "admin");
    struct api_key *old = map_put(&ks->all, k->hash, k);
    key_unref(old);
    return k;
}

struct api_key *keys_find(struct keys *ks, const char *authorization)
{
    char hash[65];

    if (authorization == NULL || strncasecmp(authorization, "Bearer ", 7) != 0 ||
        strlen(authorization) > 7 + API_KEY_BYTES)
        return NULL;
    hash_key(authorization + 7, hash);
    struct api_key *k = map_get(&ks->all, hash);
    if (k != NULL) {
        k->refs++;
        k->last_used_ms = clock_now_ms();
    }
    return k;
}

/* ---- Creating and revoking -------------------------------------------------------------- */

struct op {
    struct keys *ks;
    char         hash[65];
    json_t      *json;                      /* NULL: a revocation */
    json_t      *answer;
    keys_done   *done;
    void        *arg;
};

static void op_end(struct op *op, enum mh_err err)
{
    if (op->done != NULL)
        op->done(op->arg, err, err == MH_OK ? op->answer : NULL);
    json_decref(op->json);
    json_decref(op->answer);
    free(op);
}

static void on_stored(void *arg, enum mh_err err)
{
    struct op *op = arg;

    if (err == MH_OK && op->json != NULL)
        add_key(op->ks, op->hash, op->json);
    struct api_key *gone = err == MH_OK && op->json == NULL ? map_remove(&op->ks->all, op->hash)
                                                            : NULL;
    key_unref(gone);
    op_end(op, err);
}

static json_t *key_json(const char *org, const char *name, const json_t *scopes)
{
    char id[MH_ID_BYTES], at[CLOCK_TEXT_BYTES];

    id_new("key", id);
    clock_format(clock_now_ms(), at);
    return json_pack("{s:s, s:s, s:s, s:O, s:s}", "id", id, "org_id", org, "name", name, "scopes",
                     scopes, "created_at", at);
}

static void store_key(struct keys *ks, const char *key, json_t *json, keys_done *done, void *arg)
{
    struct op *op = mem_alloc(sizeof *op);

    *op = (struct op){ .ks = ks, .json = json, .answer = json_copy(json), .done = done, .arg = arg };
    json_put(op->answer, "key", json_string(key));
    hash_key(key, op->hash);
    store_put(ks->store, "keys", op->hash, json, on_stored, op);
}

void keys_create(struct keys *ks, const char *org, const char *name, const json_t *scopes,
                 keys_done *done, void *arg)
{
    char key[API_KEY_BYTES];

    make_key(key);
    store_key(ks, key, key_json(org, name, scopes), done, arg);
}

struct search { const char *org, *id; struct api_key *found; };

static int match_id(void *value, void *arg)
{
    struct api_key *k = value;
    struct search  *s = arg;

    if (strcmp(k->id, s->id) == 0 &&
        (s->org == NULL || (strcmp(s->org, k->org) == 0 && !k->admin)))
        s->found = k;
    return s->found != NULL;
}

void keys_revoke(struct keys *ks, const char *org, const char *id, keys_done *done, void *arg)
{
    struct search s = { org, id, NULL };

    map_each(&ks->all, match_id, &s);
    if (s.found == NULL) {
        done(arg, MH_NOT_FOUND, NULL);
        return;
    }
    struct op *op = mem_alloc(sizeof *op);
    *op = (struct op){ .ks = ks, .answer = json_pack("{s:b}", "revoked", 1), .done = done,
                       .arg = arg };
    snprintf(op->hash, sizeof op->hash, "%s", s.found->hash);
    store_remove(ks->store, "keys", op->hash, on_stored, op);
}

struct listing { const char *org; json_t *all; };

static int describe_one(void *value, void *arg)
{
    const struct api_key *k = value;
    struct listing       *l = arg;
    char                  at[CLOCK_TEXT_BYTES];

    if (l->org != NULL && strcmp(l->org, k->org) != 0)
        return 0;
    json_t *described = json_copy(k->json);
    clock_format(k->last_used_ms, at);
    json_put(described, "last_used_at", k->last_used_ms ? json_string(at) : json_null());
    json_array_append_new(l->all, described);
    return 0;
}

json_t *keys_describe(const struct keys *ks, const char *org)
{
    struct listing l = { org, json_array() };

    map_each(&ks->all, describe_one, &l);
    return l.all;
}

/* ---- The admin key ---------------------------------------------------------------------------- */

static bool read_admin(const char *path, char key[API_KEY_BYTES])
{
    int     fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t bytes = fd < 0 ? -1 : read(fd, key, API_KEY_BYTES - 1);

    if (fd >= 0)
        close(fd);
    if (bytes <= 0)
        return false;
    key[bytes] = '\0';
    key[strcspn(key, "\r\n ")] = '\0';
    return strncmp(key, "mh_", 3) == 0;
}

static enum mh_err write_admin(const char *path, const char *key)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return MH_IO;
    bool written = dprintf(fd, "%s\n", key) > 0;
    close(fd);
    return written ? MH_OK : MH_IO;
}

static enum mh_err admin_key(const char *data_dir, char key[API_KEY_BYTES])
{
    char       *path = mem_printf("%s/admin.token", data_dir);
    enum mh_err err = MH_OK;

    if (!read_admin(path, key)) {
        make_key(key);
        err = write_admin(path, key);
    }
    if (err != MH_OK)
        LOG_ERROR("admin_token_not_written", "file=%s reason=\"%s\"", path, strerror(errno));
    free(path);
    return err;
}

struct loading { struct keys *ks; char *data_dir; store_done *done; void *arg; };

static void loading_end(struct loading *l, enum mh_err err)
{
    l->done(l->arg, err);
    free(l->data_dir);
    free(l);
}

static void on_admin_stored(void *arg, enum mh_err err, json_t *answer)
{
    (void)answer;
    loading_end(arg, err);
}

static void see_to_admin(struct loading *l)
{
    char        key[API_KEY_BYTES], hash[65];
    enum mh_err err = admin_key(l->data_dir, key);

    hash_key(key, hash);
    if (err != MH_OK || map_get(&l->ks->all, hash) != NULL) {
        loading_end(l, err);
        return;
    }
    json_t *scopes = json_pack("[s]", "admin");
    store_key(l->ks, key, key_json("default", "admin.token", scopes), on_admin_stored, l);
    json_decref(scopes);
}

static void load_key(void *arg, const char *hash, const json_t *json, int64_t revision)
{
    struct loading *l = arg;

    (void)revision;                         /* a key never changes */
    if (strlen(hash) == 64 && json_is_object(json))
        add_key(l->ks, hash, (json_t *)json);
}

static void on_loaded(void *arg, enum mh_err err)
{
    if (err == MH_OK)
        see_to_admin(arg);
    else
        loading_end(arg, err);
}

bool keys_heard(void *arg, const char *hash, const json_t *json, int64_t revision)
{
    struct keys          *ks = arg;
    const struct api_key *k = map_get(&ks->all, hash);

    (void)revision;
    if (json == NULL)
        key_unref(map_remove(&ks->all, hash));
    else if (strlen(hash) == 64 && json_is_object(json) && (k == NULL || !json_equal(k->json, json)))
        add_key(ks, hash, (json_t *)json);
    return true;
}

void keys_load(struct keys *ks, const char *data_dir, store_done *done, void *arg)
{
    struct loading *l = mem_alloc(sizeof *l);

    *l = (struct loading){ ks, mem_strdup(data_dir), done, arg };
    store_load(ks->store, "keys", load_key, on_loaded, l);
}
