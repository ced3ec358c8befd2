/* metrics.h - Prometheus text, written line by line. */
#pragma once

#include "base/buf.h"

/* "# HELP", "# TYPE" and the first sample. `type`: "counter" or "gauge". */
void metrics_begin(struct buf *out, const char *name, const char *type, const char *help);
void metrics_sample(struct buf *out, const char *name, const char *labels, double value);
