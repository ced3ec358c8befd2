/* metrics.c - see metrics.h. A page that does not fit is cut, never refused. */
#include "core/metrics.h"

static void ignore(enum mh_err err) { (void)err; }

void metrics_begin(struct buf *out, const char *name, const char *type, const char *help)
{
    ignore(buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type));
}

void metrics_sample(struct buf *out, const char *name, const char *labels, double value)
{
    if (labels != NULL && labels[0] != '\0')
        ignore(buf_printf(out, "%s{%s} %.17g\n", name, labels, value));
    else
        ignore(buf_printf(out, "%s %.17g\n", name, value));
}
