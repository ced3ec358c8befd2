/* vault.h - secrets at rest, and secrets that a plugin may use but never see.
 *
 * At rest: AES-256-GCM under a master key that lives in DATA/master.key (0600) or
 * in MOONHOOK_MASTER_KEY (base64), bound to what it is the secret of.
 *
 * Sealed: where a plugin's configuration marks a field `secret`, Lua gets a token
 * ("mhs_" + 32 hex digits, new at each start) instead of the value. On the way
 * out the broker puts the value in place, escaped for where it stands; on the way
 * back it puts the token in place of the value. */
#pragma once

#include "base/buf.h"
#include "io/json.h"

#include <stdbool.h>
#include <stddef.h>

enum { VAULT_TOKEN_CHARS = 4 + 32, VAULT_MAX_SECRETS = 64, VAULT_SECRET_BYTES = 64 * 1024 };

struct vault;

/* Reads the master key, or makes it at the first start. MH_IO, MH_INVALID: the log
 * says which file and what to do. */
MH_MUST_USE enum mh_err vault_open(const char *data_dir, struct vault **out);
void vault_close(struct vault *v);

/* "enc:" + base64; malloc'ed. `about` names what it belongs to. A secret has at most
 * VAULT_SECRET_BYTES: a longer one does not open again. */
char *vault_seal(const struct vault *v, const char *about, const char *secret);
/* Malloc'ed. MH_DENIED when it was sealed under another key or about another thing. */
MH_MUST_USE enum mh_err vault_unseal(const struct vault *v, const char *about,
                                     const char *sealed, char **out);

/* ---- Tokens of one plugin ----------------------------------------------------------- */

struct seal { char token[VAULT_TOKEN_CHARS + 1]; char *value; };
struct seals { struct seal item[VAULT_MAX_SECRETS]; size_t count; };

/* A fresh token for `value` (copied). NULL past VAULT_MAX_SECRETS. */
const char *seals_add(struct seals *s, const char *value);
void        seals_deinit(struct seals *s);  /* wipes the values */

/* Where a token stands decides how its value is written. A URL that begins with
 * a token is that value, as it is; elsewhere in a URL, and in a form, the value is
 * percent-encoded; in JSON it is escaped as in a JSON string; raw is raw. */
enum seal_place { SEAL_RAW, SEAL_URL, SEAL_JSON, SEAL_FORM };

/* Appends `text` with every token replaced. MH_TOO_LARGE, MH_NOMEM. */
MH_MUST_USE enum mh_err seals_reveal(const struct seals *s, enum seal_place place,
                                     const char *text, size_t bytes, struct buf *out);

/* Appends `text` with every value (of 4 bytes or more) replaced by its token, as
 * written in each place. */
MH_MUST_USE enum mh_err seals_conceal(const struct seals *s, const char *text, size_t bytes,
                                      struct buf *out);
