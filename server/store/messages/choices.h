#ifndef SERVER_STORE_MESSAGES_CHOICES_H
#define SERVER_STORE_MESSAGES_CHOICES_H

#include <stdbool.h>

/* The choices of a sender that a message keeps: written into the head of its record at accept, read
 * by the relay and by transitions. One word: the names of those that are set, with commas between
 * them, or "-". Names that are not known count for nothing, so processes of two versions can share
 * a store.
 */

struct message_choices {
	bool fail_on_unknown; /* "fail": do not send again when the reply to the dot was lost */
};

#define CHOICES_WORD_MAX 128

void choices_write(const struct message_choices *o, char word[CHOICES_WORD_MAX]);
/* word NULL: none is set. */
void choices_read(const char *word, struct message_choices *o);

#endif
