/* sender.h - one attempt to deliver an event to a webhook endpoint: sign, post, judge. */
#pragma once

#include "webhook/endpoint.h"

/* A target_ops.attempt. */
void sender_attempt(struct target *t, struct delivery *d);
