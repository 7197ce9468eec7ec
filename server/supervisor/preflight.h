#ifndef SERVER_SUPERVISOR_PREFLIGHT_H
#define SERVER_SUPERVISOR_PREFLIGHT_H

#include "server/base/err.h"
#include "server/config/config.h"

struct buf;

/* Checks that config_load() cannot make: whether addresses, URLs, certificates and key files are
 * usable. So a start that would fail in a child fails here, with a sentence. ERR_INPUT. */
int preflight_check(const struct config *config, struct err *e);

/* Appends the DNS records to publish for the DKIM keys, as dkim_keys_records(). Nothing without
 * keys. Errors as preflight_check. */
int preflight_records(const struct config *config, struct buf *out, struct err *e);

/* Logs warnings about settings that are allowed but probably not intended: settings without effect,
 * key files that everybody can read, no secret for webhooks. */
void preflight_warn(const struct config *config);

#endif
