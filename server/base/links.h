#ifndef SERVER_BASE_LINKS_H
#define SERVER_BASE_LINKS_H

/* A doubly linked list of structs that have the members prev and next. first is the list: a pointer
 * to its first struct, NULL if it is empty. A struct is in one list at most. Both take constant
 * time. first and item are evaluated more than once. */

/* Adds item at the beginning. */
#define LINKS_ADD(first, item)                                                                     \
	do {                                                                                       \
		(item)->prev = NULL;                                                               \
		(item)->next = (first);                                                            \
		if (first)                                                                         \
			(first)->prev = (item);                                                    \
		(first) = (item);                                                                  \
	} while (0)

/* Removes item, which is in the list. Its own links are left as they were. */
#define LINKS_REMOVE(first, item)                                                                  \
	do {                                                                                       \
		if ((item)->prev)                                                                  \
			(item)->prev->next = (item)->next;                                         \
		else                                                                               \
			(first) = (item)->next;                                                    \
		if ((item)->next)                                                                  \
			(item)->next->prev = (item)->prev;                                         \
	} while (0)

#endif
