/* vault.c - secrets at rest: the master key, sealing and unsealing. Every buffer that
 * held a key is wiped before it goes. */
#include "core/vault.h"

#include "base/log.h"
#include "base/util.h"
#include "io/crypto.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PREFIX "enc:"
#define VARIABLE "MOONHOOK_MASTER_KEY"
enum { KEY_TEXT_BYTES = 4 * ((SEAL_KEY_BYTES + 2) / 3), TWO_KEYS_BYTES = 2 * KEY_TEXT_BYTES + 2 };

struct vault {
    unsigned char current[SEAL_KEY_BYTES], former[SEAL_KEY_BYTES];
    bool          has_former, given;
    char         *path;                     /* of the file */
};

bool vault_is_given(const struct vault *v) { return v->given; }
bool vault_has_former(const struct vault *v) { return v->has_former; }

/* ---- Reading --------------------------------------------------------------------------- */

static enum mh_err parse_key(const char *text, size_t bytes, unsigned char key[SEAL_KEY_BYTES])
{
    size_t key_bytes = 0;

    if (crypto_base64_decode(text, bytes, key, SEAL_KEY_BYTES, &key_bytes) != MH_OK)
        return MH_INVALID;
    return key_bytes == SEAL_KEY_BYTES ? MH_OK : MH_INVALID;
}

/* The current key, or the current and the former one with `between` between them. */
static enum mh_err parse_keys(const char *text, size_t bytes, char between, struct vault *v)
{
    while (bytes > 0 && (text[bytes - 1] == '\n' || text[bytes - 1] == ' '))
        bytes--;
    const char *at = memchr(text, between, bytes);
    size_t      first = at != NULL ? (size_t)(at - text) : bytes;
    enum mh_err err = parse_key(text, first, v->current);

    if (err == MH_OK && at != NULL)
        err = parse_key(at + 1, bytes - first - 1, v->former);
    v->has_former = err == MH_OK && at != NULL;
    return err;
}

static enum mh_err read_file(struct vault *v)
{
    char        text[TWO_KEYS_BYTES + 16];
    struct stat st;
    int         fd = open(v->path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? MH_NOT_FOUND : MH_IO;
    ssize_t bytes = read(fd, text, sizeof text);
    bool    open_to_others = fstat(fd, &st) != 0 || (st.st_mode & 077) != 0;
    close(fd);
    enum mh_err err = bytes > 0 ? parse_keys(text, (size_t)bytes, '\n', v) : MH_INVALID;
    explicit_bzero(text, sizeof text);
    if (!open_to_others)
        return err;
    LOG_ERROR("master_key_open", "file=%s mode=%o do=\"chmod 600\"", v->path,
              (unsigned)st.st_mode & 0777);
    return MH_INVALID;
}

/* The environment can be read from outside (/proc/PID/environ) and goes to children. */
static enum mh_err read_environment(struct vault *v, char *given)
{
    enum mh_err err = parse_keys(given, strlen(given), ',', v);

    v->given = true;
    explicit_bzero(given, strlen(given));
    unsetenv(VARIABLE);
    return err;
}

/* ---- Writing ------------------------------------------------------------------------------ */

/* Also what a directory says is in memory only until it is told otherwise. */
static bool sync_folder_of(const char *path)
{
    char *folder = mem_strndup(path, (size_t)(strrchr(path, '/') - path));
    int   fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool  synced = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0)
        close(fd);
    free(folder);
    return synced;
}

static bool write_whole(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
    return close(fd) == 0 && written;
}

static void print_keys(const struct vault *v, char text[TWO_KEYS_BYTES])
{
    crypto_base64(v->current, sizeof v->current, text);
    if (!v->has_former)
        return;
    text[KEY_TEXT_BYTES] = '\n';
    crypto_base64(v->former, sizeof v->former, text + KEY_TEXT_BYTES + 1);
}

/* Written aside, then put in place as a whole: a key that was cut short would lose every
 * secret. `place` is rename(), or link(), which leaves alone what is there already. */
static enum mh_err write_file(const struct vault *v, int (*place)(const char *, const char *))
{
    char  text[TWO_KEYS_BYTES];
    char *aside = mem_printf("%s.new", v->path);

    unlink(aside);                          /* left by an engine that was killed here */
    print_keys(v, text);
    bool written = write_whole(aside, text) && place(aside, v->path) == 0;
    int  why = errno;
    unlink(aside);
    written = written && sync_folder_of(v->path);
    if (!written)
        LOG_ERROR("master_key_not_written", "file=%s why=\"%s\"", v->path, strerror(why));
    explicit_bzero(text, sizeof text);
    free(aside);
    return written ? MH_OK : MH_IO;
}

static enum mh_err make_key(struct vault *v)
{
    crypto_random(v->current, sizeof v->current);
    return write_file(v, link);
}

/* ---- Opening ------------------------------------------------------------------------------- */

static void remove_leftover(const struct vault *v)
{
    char *aside = mem_printf("%s.new", v->path);
    unlink(aside);
    free(aside);
}

static enum mh_err load_keys(struct vault *v)
{
    char       *given = getenv(VARIABLE);
    enum mh_err err = given ? read_environment(v, given) : read_file(v);

    if (err == MH_NOT_FOUND)
        err = make_key(v);
    if (err != MH_OK)
        LOG_ERROR("master_key_unusable", "from=%s error=%s wanted=\"base64 of 32 bytes%s\"",
                  v->given ? VARIABLE : v->path, err_code(err),
                  v->given ? ", or two of them: NEW,FORMER" : "");
    return err;
}

enum mh_err vault_open(const char *data_dir, struct vault **out)
{
    struct vault *v = mem_alloc(sizeof *v);

    v->path = mem_printf("%s/master.key", data_dir);
    remove_leftover(v);
    enum mh_err err = load_keys(v);
    if (err == MH_OK)
        *out = v;
    else
        vault_close(v);
    return err;
}

void vault_close(struct vault *v)
{
    free(v->path);
    explicit_bzero(v, sizeof *v);
    free(v);
}

/* ---- Changing the key ------------------------------------------------------------------------ */

/* Takes over what `next` says, once it is on the disk. */
static enum mh_err become(struct vault *v, struct vault *next)
{
    enum mh_err err = write_file(next, rename);

    if (err == MH_OK)
        *v = *next;
    explicit_bzero(next, sizeof *next);
    return err;
}

enum mh_err vault_begin_change(struct vault *v)
{
    struct vault next = *v;

    if (v->given || v->has_former)
        return MH_CONFLICT;
    memcpy(next.former, v->current, sizeof next.former);
    next.has_former = true;
    crypto_random(next.current, sizeof next.current);
    return become(v, &next);
}

enum mh_err vault_end_change(struct vault *v)
{
    struct vault next = *v;

    if (v->given || !v->has_former)
        return MH_OK;
    explicit_bzero(next.former, sizeof next.former);
    next.has_former = false;
    return become(v, &next);
}

/* ---- Sealing ---------------------------------------------------------------------------------- */

bool vault_looks_sealed(const char *text) { return strncmp(text, PREFIX, sizeof PREFIX - 1) == 0; }

char *vault_seal(const struct vault *v, const char *about, const char *secret)
{
    size_t         bytes = strlen(secret), sealed_bytes = bytes + SEAL_EXTRA_BYTES;
    unsigned char *sealed = mem_alloc(sealed_bytes);
    char          *text = mem_alloc(sizeof PREFIX + 4 * ((sealed_bytes + 2) / 3));

    crypto_seal(v->current, about, secret, bytes, sealed);
    memcpy(text, PREFIX, sizeof PREFIX - 1);
    crypto_base64(sealed, sealed_bytes, text + sizeof PREFIX - 1);
    free(sealed);
    return text;
}

/* `raw` is what base64 hid. On MH_OK `plain` holds the secret, with a NUL behind it. */
static enum mh_err open_under(const unsigned char *key, const char *about,
                              const unsigned char *raw, size_t bytes, char *plain)
{
    size_t      plain_bytes = 0;
    enum mh_err err = crypto_open(key, about, raw, bytes, (unsigned char *)plain, &plain_bytes);

    if (err == MH_OK)
        plain[plain_bytes] = '\0';
    return err;
}

/* *former: the former key opened it. */
static enum mh_err unseal(const struct vault *v, const char *about, const char *sealed, char **out,
                          bool *former)
{
    size_t length = strlen(sealed), bytes = 0;

    if (length > 2 * VAULT_SECRET_BYTES || !vault_looks_sealed(sealed))
        return MH_DENIED;
    unsigned char *raw = mem_alloc(length);
    char          *plain = mem_alloc(length);
    enum mh_err    err = crypto_base64_decode(sealed + sizeof PREFIX - 1,
                                              length - (sizeof PREFIX - 1), raw, length, &bytes);
    if (err == MH_OK)
        err = open_under(v->current, about, raw, bytes, plain);
    *former = err != MH_OK && bytes > 0 && v->has_former;
    if (*former)
        err = open_under(v->former, about, raw, bytes, plain);
    free(raw);
    if (err != MH_OK) {
        free(plain);
        return MH_DENIED;
    }
    *out = plain;
    return MH_OK;
}

enum mh_err vault_unseal(const struct vault *v, const char *about, const char *sealed, char **out)
{
    return unseal(v, about, sealed, out, &(bool){ false });
}

enum mh_err vault_reseal(const struct vault *v, const char *about, const char *sealed, char **out)
{
    char       *plain = NULL;
    bool        former = false;
    enum mh_err err = unseal(v, about, sealed, &plain, &former);

    if (err != MH_OK)
        return err;
    *out = former ? vault_seal(v, about, plain) : NULL;
    explicit_bzero(plain, strlen(plain));
    free(plain);
    return MH_OK;
}
