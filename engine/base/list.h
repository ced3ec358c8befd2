/* list.h - an intrusive, circular, doubly linked list.
 *
 * A node belongs to at most one list. A node that was unlinked points to
 * itself, so list_unlink() may be called twice. The list never owns memory. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct list { struct list *prev, *next; };

static inline void list_init(struct list *l) { l->prev = l->next = l; }
static inline bool list_empty(const struct list *l) { return l->next == l; }

static inline void list_push_back(struct list *head, struct list *node)
{
    node->prev = head->prev;
    node->next = head;
    head->prev->next = node;
    head->prev = node;
}

static inline void list_unlink(struct list *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

/* The first node, unlinked; NULL when the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
    if (list_empty(head))
        return NULL;
    struct list *node = head->next;
    list_unlink(node);
    return node;
}

/* `node` may be unlinked or freed inside the loop. */
#define list_for_each(node, after, head)                                                           \
    for (struct list *node = (head)->next, *after = node->next; node != (head);                    \
         node = after, after = node->next)
