/* vault.h - secrets at rest, and secrets that a plugin may use but never see.
 *
 * At rest: AES-256-GCM under a master key that lives in DATA/master.key (0600) or
 * in MOONHOOK_MASTER_KEY (base64), bound to what it is the secret of.
 *
 * While the master key is being changed (core/rotation.h) there are two: the current
 * one, which seals, and the former, which only opens. The file then has two lines,
 * the variable is "NEW,FORMER". There is no moment at which a key that anything in
 * Redis may still be sealed under is in no file.
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

enum { VAULT_TOKEN_CHARS = 4 + 32, VAULT_MAX_SECRETS = 64, VAULT_SECRET_BYTES = 64 * 1024,
       VAULT_SHORTEST_SECRET = 4, VAULT_ABOUT_BYTES = 160 };

struct vault;

/* Reads the master key, or makes it at the first start. What MOONHOOK_MASTER_KEY held
 * is wiped from the environment: no child inherits it. MH_IO, MH_INVALID: the log says
 * which file and what to do. */
MH_MUST_USE enum mh_err vault_open(const char *data_dir, struct vault **out);
void vault_close(struct vault *v);          /* wipes the keys */

/* ---- Changing the key ----------------------------------------------------------------- */

bool vault_is_given(const struct vault *v);         /* by the environment, not by the file */
bool vault_has_former(const struct vault *v);

/* A new current key; what was current is the former. Both are on the disk when this
 * returns. MH_CONFLICT where there is a former key already or the environment gives
 * the key; MH_IO (logged): the vault is as it was. */
MH_MUST_USE enum mh_err vault_begin_change(struct vault *v);
/* Everything is sealed under the current key: the file loses the former one, and so
 * does the vault. A key that the environment gives stays. MH_IO (logged). */
MH_MUST_USE enum mh_err vault_end_change(struct vault *v);

/* What is to stand in place of `sealed`: malloc'ed, NULL if it is under the current key
 * already. MH_DENIED when no key opens it about that. */
MH_MUST_USE enum mh_err vault_reseal(const struct vault *v, const char *about, const char *sealed,
                                     char **out);

/* ---- Sealing ---------------------------------------------------------------------------- */

bool vault_looks_sealed(const char *text);          /* begins as what vault_seal() gives */

/* "enc:" + base64; malloc'ed. `about` names what it belongs to. A secret has at most
 * VAULT_SECRET_BYTES: a longer one does not open again. */
char *vault_seal(const struct vault *v, const char *about, const char *secret);
/* Malloc'ed. MH_DENIED when it was sealed under neither key or about another thing. */
MH_MUST_USE enum mh_err vault_unseal(const struct vault *v, const char *about,
                                     const char *sealed, char **out);

/* ---- Tokens of one plugin ----------------------------------------------------------- */

struct seal { char token[VAULT_TOKEN_CHARS + 1]; char *value; };
struct seals {
    struct seal       item[VAULT_MAX_SECRETS];
    size_t            count;
    struct spellings *spellings;            /* what seals_conceal() looks for: spelling.h */
};

/* A fresh token for `value` (copied). NULL past VAULT_MAX_SECRETS. *s begins as zeroes and
 * is not to be moved. */
const char *seals_add(struct seals *s, const char *value);
/* Only to be concealed: what stands for it is "***". MH_TOO_LARGE past VAULT_MAX_SECRETS. */
MH_MUST_USE enum mh_err seals_add_mask(struct seals *s, const char *value);
void        seals_deinit(struct seals *s);  /* wipes the values */

/* Where a token stands decides how its value is written. A URL that begins with
 * a token is that value, as it is; elsewhere in a URL, and in a form, the value is
 * percent-encoded; in JSON it is escaped as in a JSON string; raw is raw. */
enum seal_place { SEAL_RAW, SEAL_URL, SEAL_JSON, SEAL_FORM };

/* Appends `text` with every token replaced. MH_TOO_LARGE, MH_NOMEM. */
MH_MUST_USE enum mh_err seals_reveal(const struct seals *s, enum seal_place place,
                                     const char *text, size_t bytes, struct buf *out);

/* Appends `text` without the values, whatever they are written in: as they are, taken for
 * ISO 8859-1, in percent, in JSON, in HTML, in any mix of plain and escaped characters, the longer ones
 * in upper or lower case; those become their token. Of values of 8 bytes or more also
 * hex, base64 of them or of what they are a part of ("user:secret"), and the path and the
 * query of a value that is a URL, and what is long in these; those become "***". A value
 * of less than VAULT_SHORTEST_SECRET bytes stays. MH_TOO_LARGE, MH_NOMEM. */
MH_MUST_USE enum mh_err seals_conceal(const struct seals *s, const char *text, size_t bytes,
                                      struct buf *out);

/* The same in parts: a text of some MiB would hold the loop up. Begin with the first three set and
 * the others zero; all three are borrowed until it is done or given up. */
struct concealing {
    const struct seals *seals;
    const char         *text;
    size_t              bytes, at, copied;
    bool                done;
};
/* Goes on for about so much `work`, of which a byte of ordinary text takes one. When all is
 * done, c->copied > 0 says that something was found and `out` is the text without it; else nothing
 * was appended to `out`: `text` is as it should be. MH_TOO_LARGE, MH_NOMEM: no use going on. */
MH_MUST_USE enum mh_err conceal_some(struct concealing *c, size_t work, struct buf *out);

/* Of seals.c and spelling.c only. */
void spellings_add(struct seals *s, unsigned seal);
void spellings_free(struct spellings *all);         /* wipes them; NULL is fine */
