/* load.h - from source files to a plugin that says what it is. */
#pragma once

#include "host.h"

void load_take_file(struct host *h, const struct frame *f);

/* Runs plugin.lua and answers LOADED or FAILED. After FAILED the process waits for
 * its end. */
void load_take_load(struct host *h, const struct frame *f);
