/* The choices of a message as one word of its record. */
#include "server/store/messages/choices.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

static const struct {
	const char *name;
	size_t at; /* of a bool */
} table[] = {
	{"fail", offsetof(struct message_choices, fail_on_unknown)},
};
#define CHOICES (sizeof(table) / sizeof(*table))

void choices_write(const struct message_choices *o, char word[CHOICES_WORD_MAX])
{
	size_t len = 0;

	for (size_t i = 0; i < CHOICES; i++)
		if (*(const bool *)((const char *)o + table[i].at))
			len += (size_t)snprintf(word + len, CHOICES_WORD_MAX - len, "%s%s",
						len ? "," : "", table[i].name);
	if (len == 0)
		snprintf(word, CHOICES_WORD_MAX, "-");
}

static void set_choice(const char *name, size_t len, struct message_choices *o)
{
	for (size_t i = 0; i < CHOICES; i++)
		if (strlen(table[i].name) == len && memcmp(table[i].name, name, len) == 0)
			*(bool *)((char *)o + table[i].at) = true;
}

void choices_read(const char *word, struct message_choices *o)
{
	*o = (struct message_choices){.fail_on_unknown = false};
	while (word && *word) {
		size_t len = strcspn(word, ",");

		set_choice(word, len, o);
		word += len;
		word += *word == ',';
	}
}
