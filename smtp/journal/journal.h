#ifndef SMTP_JOURNAL_JOURNAL_H
#define SMTP_JOURNAL_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/base/err.h"

struct loop;

/* The journal of an owner (one relay process): the results of final dots, written by write(2)
 * before they go to the store. So no result is lost when the relay dies or the store is down. One
 * locked file for each owner: <data dir>/journal/<owner>. A helper thread calls fdatasync when an
 * entry has been unconfirmed for a second. The file is emptied when no entry is open, and rewritten
 * when it has grown. */

struct journal;

int journal_open(struct journal **j, struct loop *loop, const char *data_dir, const char *owner,
		 struct err *e);
/* Returns the number of the entry, from 1. 0: it could not be written (logged); then
 * journal_can_write is false until there is room. results: in the format of results_write. */
uint64_t journal_add(struct journal *j, const char *ref, int64_t epoch, int64_t retry_ms,
		     const char *results);
/* The store has confirmed the entry. */
void journal_confirm(struct journal *j, uint64_t entry);
/* False after a failed write, until there is room again. Meanwhile take no jobs. */
bool journal_can_write(const struct journal *j);
/* Entries that are not confirmed yet. */
size_t journal_n_open(const struct journal *j);
/* Removes the file when no entry is open and the owner holds no leases. Otherwise it stays: the
 * next start releases the leases of each owner that has a file. */
void journal_close(struct journal *j, bool holds_leases);

struct journal_entry {
	char ref[40];
	int64_t epoch;
	int64_t retry_ms;
	const char *results;
};

/* Reads the journal of a dead owner, under its lock. Calls fn for each entry. Skips what cannot be
 * read, such as an incomplete last entry; then it logs that, and keeps the file also as
 * "<owner>.damaged". The file stays until journal_remove. ERR_RETRY: the owner is alive and holds
 * the lock; ERR_NOT_FOUND: no file. */
typedef void journal_fn(const struct journal_entry *entry, void *arg);
int journal_read(const char *data_dir, const char *owner, journal_fn *fn, void *arg, struct err *e);
/* Fills in the owners that have a journal, at most max. Free each. Returns how many. */
size_t journal_owners(const char *data_dir, char **owners, size_t max);
/* Call it after all entries of journal_read are in the store. */
void journal_remove(const char *data_dir, const char *owner);

#endif
