/* err.c - reads the table of errors in err.h. */
#include "base/err.h"

#include <string.h>

struct err_row { int status; const char *code; const char *text; };

static const struct err_row rows[MH_ERR_COUNT] = {
#define X(name, status, code, text) [MH_##name] = { status, code, text },
    MH_ERRORS(X)
#undef X
};

static const struct err_row *row_of(enum mh_err err)
{
    return &rows[(unsigned)err < MH_ERR_COUNT ? err : MH_INTERNAL];
}

int         err_http_status(enum mh_err err) { return row_of(err)->status; }
const char *err_code(enum mh_err err)        { return row_of(err)->code; }
const char *err_text(enum mh_err err)        { return row_of(err)->text; }

enum mh_err err_from_code(const char *code)
{
    for (unsigned i = 0; i < MH_ERR_COUNT; i++)
        if (strcmp(rows[i].code, code) == 0)
            return (enum mh_err)i;
    return MH_INTERNAL;
}
