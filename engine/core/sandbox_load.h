/* sandbox_load.h - the first frames to a process: the plugin's files, then LOAD. */
#pragma once

#include "core/sandbox.h"

/* As channel_send(). */
MH_MUST_USE enum mh_err sandbox_send_plugin(struct channel *channel, const struct sandbox_spec *spec);
