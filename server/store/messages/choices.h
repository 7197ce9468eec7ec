#ifndef SERVER_STORE_MESSAGES_CHOICES_H
#define SERVER_STORE_MESSAGES_CHOICES_H

#include <stdbool.h>

/* The choices of a sender for one message. accept writes them into the head of the record; the
 * relay and transitions read them. They are one word: the names of the choices that are set, with
 * commas between them, or "-". Unknown names are ignored, so processes of two versions can share a
 * store. */

struct message_choices {
	bool fail_on_unknown; /* "fail": do not send again when the reply to the dot was lost */
};

#define CHOICES_WORD_MAX 128

void choices_write(const struct message_choices *o, char word[CHOICES_WORD_MAX]);
/* word NULL: no choice is set. */
void choices_read(const char *word, struct message_choices *o);

#endif
