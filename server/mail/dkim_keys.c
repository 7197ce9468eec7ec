/* The DKIM keys of the configuration: reads their lists, orders them, writes their DNS records. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "server/base/buf.h"
#include "server/mail/dkim.h"
#include "server/mail/dkim_key.h"

/* Cuts blanks around the item; a path may have blanks inside. */
bool dkim_keys_item(const char **list, char item[DKIM_ITEM_MAX])
{
	size_t len;

	*list += strspn(*list, ", \t");
	len = strcspn(*list, ",");
	snprintf(item, DKIM_ITEM_MAX, "%.*s", (int)(len < DKIM_ITEM_MAX ? len : DKIM_ITEM_MAX - 1),
		 *list);
	*list += len;
	for (len = strlen(item); len > 0 && strchr(" \t", item[len - 1]);)
		item[--len] = 0;
	return len > 0;
}

static size_t count_items(const char *list)
{
	char item[DKIM_ITEM_MAX];
	size_t n = 0;

	while (dkim_keys_item(&list, item))
		n++;
	return n;
}

static int check_lists(const char *files, const char *selectors, struct err *e)
{
	size_t n_files = count_items(files), n_selectors = count_items(selectors);

	if (n_files != n_selectors)
		return err_set(e, ERR_INPUT,
			       "%zu files, but dkim_selector has %zu selectors: each key needs its "
			       "own",
			       n_files, n_selectors);
	if (n_files < 1 || n_files > DKIM_KEYS_MAX)
		return err_set(e, ERR_INPUT, "1 to %d keys are expected", DKIM_KEYS_MAX);
	return 0;
}

/* RSA keys go before Ed25519 keys: some verifiers look at the first signature alone, and many
 * cannot verify Ed25519. */
static int add_key(struct dkim_keys *keys, struct dkim_key *added, struct err *e)
{
	size_t at = keys->n;

	for (size_t i = 0; i < keys->n; i++) {
		if (strcasecmp(keys->key[i]->selector, added->selector) == 0)
			return err_set(e, ERR_INPUT, "two keys have the selector %s",
				       added->selector);
	}
	for (; added->is_rsa && at > 0 && !keys->key[at - 1]->is_rsa; at--)
		keys->key[at] = keys->key[at - 1];
	keys->key[at] = added;
	keys->n++;
	return 0;
}

static int load_keys(struct dkim_keys *keys, const char *files, const char *domain,
		     const char *selectors, struct err *e)
{
	char file[DKIM_ITEM_MAX], selector[DKIM_ITEM_MAX];

	while (dkim_keys_item(&files, file) && dkim_keys_item(&selectors, selector)) {
		struct dkim_key *key;

		if (dkim_key_load(&key, file, domain, selector, e))
			return -1;
		if (add_key(keys, key, e)) {
			dkim_key_free(key);
			return -1;
		}
	}
	return 0;
}

int dkim_keys_init(struct dkim_keys *keys, const char *files, const char *domain,
		   const char *selectors, struct err *e)
{
	/* *keys is written only if all keys are usable. */
	struct dkim_keys made = {0};

	if (check_lists(files, selectors, e))
		return -1;
	if (load_keys(&made, files, domain, selectors, e)) {
		dkim_keys_deinit(&made);
		return -1;
	}
	*keys = made;
	return 0;
}

void dkim_keys_deinit(struct dkim_keys *keys)
{
	for (size_t i = 0; i < keys->n; i++)
		dkim_key_free(keys->key[i]);
	keys->n = 0;
}

int dkim_keys_records(const struct dkim_keys *keys, struct buf *out, struct err *e)
{
	for (size_t i = 0; i < keys->n; i++) {
		buf_fmt(out, "%s._domainkey.%s\n  ", keys->key[i]->selector, keys->key[i]->domain);
		if (dkim_key_record(keys->key[i], out, e))
			return -1;
		buf_char(out, '\n');
	}
	return out->failed ? err_oom(e) : 0;
}
