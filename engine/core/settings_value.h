/* settings_value.h - reads the text of one setting into its field, with checks.
 * Pure: knows nothing of where the text came from. */
#pragma once

#include "base/err.h"
#include "core/settings.h"

enum { PROBLEM_BYTES = 160 };

enum setting_kind {
    SETTING_TEXT, SETTING_DURATION, SETTING_SIZE, SETTING_COUNT, SETTING_FLAG, SETTING_LIST
};

struct setting {
    enum setting_kind kind;
    int64_t           min, max;             /* of numbers, in the unit of the field */
    const char       *value;                /* name of the value; "a|b" is all that is taken */
};

/* Sets the field of this kind at `field`, freeing what it held; `more` adds to a
 * list instead. MH_INVALID: `problem` says what is wrong, the field is as it was. */
MH_MUST_USE enum mh_err setting_set(void *field, const struct setting *setting, const char *text,
                                    bool more, char problem[PROBLEM_BYTES]);
void setting_clear(void *field, const struct setting *setting);
