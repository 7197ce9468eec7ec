#ifndef SERVER_MAIL_DKIM_H
#define SERVER_MAIL_DKIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct buf;
struct dkim_key;

/* DKIM signatures (RFC 6376; Ed25519 by RFC 8463; key sizes by RFC 8301), relaxed/relaxed, no l=,
 * no x=. Signed and oversigned: From, To, Cc, Subject, Date, Message-ID, Reply-To, MIME-Version,
 * Content-Type, Content-Transfer-Encoding, Content-Disposition, In-Reply-To, References,
 * List-Unsubscribe, List-Unsubscribe-Post, List-Id, Feedback-ID, Sender. */

/* Reads a PEM private key, RSA of 2048-4096 bits or Ed25519, without a password. domain and
 * selector are checked as DNS names. ERR_INPUT names file and reason, never key material. */
int dkim_key_load(struct dkim_key **key, const char *file, const char *domain, const char *selector,
		  struct err *e);
void dkim_key_free(struct dkim_key *key);
/* True if key may sign mail from this domain (A-labels): the key's domain or a subdomain of it, so
 * that the signature is aligned (RFC 7489 3.1.1). */
bool dkim_key_covers(const struct dkim_key *key, const char *from_domain);
/* The TXT record for <selector>._domainkey.<domain>: "v=DKIM1; k=...; p=...". */
int dkim_key_record(const struct dkim_key *key, struct buf *out, struct err *e);

#define DKIM_KEYS_MAX 4
#define DKIM_ITEM_MAX 1024

/* The keys of one domain. Each signs every mail. */
struct dkim_keys {
	size_t n;
	struct dkim_key *key[DKIM_KEYS_MAX]; /* RSA first */
};

/* files and selectors are comma-separated lists of the same length, at most DKIM_KEYS_MAX, each
 * selector once. Errors as dkim_key_load. */
int dkim_keys_init(struct dkim_keys *keys, const char *files, const char *domain,
		   const char *selectors, struct err *e);
void dkim_keys_deinit(struct dkim_keys *keys);
/* The next item of a comma-separated list, without the blanks around it, cut to DKIM_ITEM_MAX - 1
 * octets. Moves *list on. False at the end. */
bool dkim_keys_item(const char **list, char item[DKIM_ITEM_MAX]);
/* Two lines for each key: the name of its TXT record, and "  " and the record. */
int dkim_keys_records(const struct dkim_keys *keys, struct buf *out, struct err *e);

/* Appends one field "DKIM-Signature: ...\r\n", folded, for each key to out. mail is complete, with
 * CRLF line ends; t_s is the t= tag, fixed at accept, so that a second signing of the same mail
 * gives the same bytes (RSA PKCS#1 v1.5 and Ed25519 are deterministic). out is unchanged on
 * ERR_INPUT: a bare CR or LF, no From, a broken header line, more than four fields of one signed
 * name. Only one thread may use a key at a time, because the key has the working memory. */
int dkim_sign(const struct dkim_keys *keys, const char *mail, size_t len, int64_t t_s,
	      struct buf *out, struct err *e);

#endif
