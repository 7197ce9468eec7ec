#ifndef SMTP_RELAY_JOURNAL_H
#define SMTP_RELAY_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct loop;

/* The owner's journal: what mail servers answered to the dot, written by write(2) before the store
 * hears of it, so that neither a dead relay nor a lost store forgets a delivery. One locked file an
 * owner: <data dir>/journal/<owner>. An entry that the store has not confirmed within a second is
 * fdatasynced by a helper thread. The file is emptied whenever nothing is open, and rewritten when
 * it has grown. */

struct journal;

int journal_open(struct journal **j, struct loop *loop, const char *data_dir, const char *owner,
		 struct err *e);
/* 0 < entry number; 0: it could not be written (logged): take no more work until it can be. */
uint64_t journal_add(struct journal *j, const char *ref, int64_t epoch, int64_t retry_ms,
		     const char *results);
void journal_confirm(struct journal *j, uint64_t entry);
/* False after a write failed, until there is room again. */
bool journal_can_write(const struct journal *j);
size_t journal_n_open(const struct journal *j);
/* Removes the file when nothing is open and the owner holds no leases: by the file the next start
 * knows whose leases to release. */
void journal_close(struct journal *j, bool holds_leases);

struct journal_entry {
	char ref[40];
	int64_t epoch;
	int64_t retry_ms;
	const char *results;
};

/* Reads the journal of a dead owner, under its lock. fn gets each entry; a torn last one is
 * dropped. The file stays until journal_remove. ERR_RETRY: the owner still has it locked;
 * ERR_NOT_FOUND: none. */
typedef void journal_fn(const struct journal_entry *entry, void *arg);
int journal_read(const char *data_dir, const char *owner, journal_fn *fn, void *arg, struct err *e);
/* The owners that have a journal here, at most max of them, each to be freed. */
size_t journal_owners(const char *data_dir, char **owners, size_t max);
void journal_remove(const char *data_dir, const char *owner);

#endif
