#ifndef SERVER_BASE_LINKS_H
#define SERVER_BASE_LINKS_H

/* A doubly linked list of structs that have the members prev and next. first is the list: a pointer
 * to its first struct, NULL if it is empty. All take constant time. first and item are evaluated
 * more than once. A struct is in one list at most. For another list at the same time it has two
 * more members; the _BY macros take their names. */

/* Adds item at the beginning. */
#define LINKS_ADD(first, item) LINKS_ADD_BY(first, item, prev, next)
#define LINKS_ADD_BY(first, item, prev, next)                                                      \
	do {                                                                                       \
		(item)->prev = NULL;                                                               \
		(item)->next = (first);                                                            \
		if (first)                                                                         \
			(first)->prev = (item);                                                    \
		(first) = (item);                                                                  \
	} while (0)

/* Removes item, which is in the list. Its own links are left as they were. */
#define LINKS_REMOVE(first, item) LINKS_REMOVE_BY(first, item, prev, next)
#define LINKS_REMOVE_BY(first, item, prev, next)                                                   \
	do {                                                                                       \
		if ((item)->prev)                                                                  \
			(item)->prev->next = (item)->next;                                         \
		else                                                                               \
			(first) = (item)->next;                                                    \
		if ((item)->next)                                                                  \
			(item)->next->prev = (item)->prev;                                         \
	} while (0)

#endif
