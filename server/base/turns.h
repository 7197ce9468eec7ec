#ifndef SERVER_BASE_TURNS_H
#define SERVER_BASE_TURNS_H

#include <stddef.h>

/* Items that wait, in one line for each tenant. The lines take turns, so a tenant with many items
 * delays the others by one item at a time. Items are members of structs of the owner. */

#define TURNS_TENANT_MAX 16 /* octets of a tenant's name, with the NUL */

struct turns_line;

struct turns_item {
	struct turns_item *next; /* of its line */
};

/* Zeroed: nothing waits. */
struct turns {
	struct turns_line *last; /* the next one is the first, whose turn it is */
	size_t n_lines;
};

/* The item waits after the others of its tenant. -1: out of memory. */
int turns_add(struct turns *t, struct turns_item *item, const char *tenant);
/* The item whose turn it is. NULL: nothing waits. */
struct turns_item *turns_first(const struct turns *t);
/* Removes this item. Its line goes to the end. */
struct turns_item *turns_take(struct turns *t);
/* The line of this item goes to the end, and the item stays its first. */
void turns_pass(struct turns *t);
/* Removes an item. Does nothing if it does not wait. */
void turns_remove(struct turns *t, struct turns_item *item, const char *tenant);

#endif
