/* deliveries.h - a page of deliveries, for the routes of webhooks and of plugins. */
#pragma once

#include "api/routes.h"

/* Answers the call with an org's deliveries to a target: ?limit= ?cursor= ?status=. */
void deliveries_page(struct api_call *c, const char *org, const char *target_id);
