/* vault.c - secrets at rest: the master key, sealing and unsealing. */
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
enum { KEY_TEXT_BYTES = 4 * ((SEAL_KEY_BYTES + 2) / 3) };

struct vault { unsigned char key[SEAL_KEY_BYTES]; };

static enum mh_err parse_key(const char *text, size_t bytes, struct vault *v)
{
    size_t key_bytes = 0;
    while (bytes > 0 && (text[bytes - 1] == '\n' || text[bytes - 1] == ' '))
        bytes--;
    if (crypto_base64_decode(text, bytes, v->key, sizeof v->key, &key_bytes) != MH_OK)
        return MH_INVALID;
    return key_bytes == sizeof v->key ? MH_OK : MH_INVALID;
}

static bool write_whole(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    if (fd < 0)
        return false;
    bool written = write(fd, text, strlen(text)) == (ssize_t)strlen(text) && fsync(fd) == 0;
    return close(fd) == 0 && written;
}

/* Written aside first: a key that was cut short would lose every secret. link() leaves
 * alone what is there already. */
static enum mh_err make_key(const char *path, struct vault *v)
{
    char  text[KEY_TEXT_BYTES + 2];
    char *aside = mem_printf("%s.new", path);

    crypto_random(v->key, sizeof v->key);
    crypto_base64(v->key, sizeof v->key, text);
    bool made = write_whole(aside, text) && link(aside, path) == 0;
    unlink(aside);
    free(aside);
    return made ? MH_OK : MH_IO;
}

static enum mh_err read_key(const char *path, struct vault *v)
{
    char        text[KEY_TEXT_BYTES + 16];
    struct stat st;
    int         fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return errno == ENOENT ? MH_NOT_FOUND : MH_IO;
    ssize_t bytes = read(fd, text, sizeof text);
    bool    open_to_others = fstat(fd, &st) != 0 || (st.st_mode & 077) != 0;
    close(fd);
    if (open_to_others) {
        LOG_ERROR("master_key_open", "file=%s mode=%o do=\"chmod 600\"", path,
                  (unsigned)st.st_mode & 0777);
        return MH_INVALID;
    }
    return bytes > 0 ? parse_key(text, (size_t)bytes, v) : MH_INVALID;
}

static enum mh_err load_key(const char *data_dir, struct vault *v)
{
    const char *given = getenv("MOONHOOK_MASTER_KEY");
    char       *path = mem_printf("%s/master.key", data_dir);
    enum mh_err err = given ? parse_key(given, strlen(given), v) : read_key(path, v);

    if (err == MH_NOT_FOUND)
        err = make_key(path, v);
    if (err != MH_OK)
        LOG_ERROR("master_key_unusable", "from=%s error=%s wanted=\"base64 of 32 bytes\"",
                  given ? "MOONHOOK_MASTER_KEY" : path, err_code(err));
    free(path);
    return err;
}

enum mh_err vault_open(const char *data_dir, struct vault **out)
{
    struct vault *v = mem_alloc(sizeof *v);
    enum mh_err   err = load_key(data_dir, v);

    if (err == MH_OK)
        *out = v;
    else
        vault_close(v);
    return err;
}

void vault_close(struct vault *v)
{
    explicit_bzero(v, sizeof *v);
    free(v);
}

char *vault_seal(const struct vault *v, const char *about, const char *secret)
{
    size_t         bytes = strlen(secret), sealed_bytes = bytes + SEAL_EXTRA_BYTES;
    unsigned char *sealed = mem_alloc(sealed_bytes);
    char          *text = mem_alloc(sizeof PREFIX + 4 * ((sealed_bytes + 2) / 3));

    crypto_seal(v->key, about, secret, bytes, sealed);
    memcpy(text, PREFIX, sizeof PREFIX - 1);
    crypto_base64(sealed, sealed_bytes, text + sizeof PREFIX - 1);
    free(sealed);
    return text;
}

enum mh_err vault_unseal(const struct vault *v, const char *about, const char *sealed, char **out)
{
    size_t length = strlen(sealed), bytes = 0, plain_bytes = 0;

    if (length > 2 * VAULT_SECRET_BYTES || strncmp(sealed, PREFIX, sizeof PREFIX - 1) != 0)
        return MH_DENIED;
    unsigned char *raw = mem_alloc(length);
    char          *plain = mem_alloc(length);
    enum mh_err    err = crypto_base64_decode(sealed + sizeof PREFIX - 1,
                                              length - (sizeof PREFIX - 1), raw, length, &bytes);
    if (err == MH_OK)
        err = crypto_open(v->key, about, raw, bytes, (unsigned char *)plain, &plain_bytes);
    free(raw);
    if (err != MH_OK) {
        free(plain);
        return MH_DENIED;
    }
    plain[plain_bytes] = '\0';
    *out = plain;
    return MH_OK;
}
