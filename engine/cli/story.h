/* story.h - an event and its deliveries, told to people (guarantee Q7). */
#pragma once

#include "io/json.h"

/* The answers of GET /api/events/{id} and GET /api/deliveries/{id}. */
void story_print_event(const json_t *event);
void story_print_delivery(const json_t *delivery);
