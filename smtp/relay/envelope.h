#ifndef SMTP_RELAY_ENVELOPE_H
#define SMTP_RELAY_ENVELOPE_H

struct delivery;
struct err;

/* Sender, recipients and signature of a delivery. */

/* Fills in sender, the open recipients of the job, and room for their results. ERR_INTERNAL. */
int envelope_address(struct delivery *d, struct err *e) __attribute__((warn_unused_result));
/* Fills in dkim at the first call. It stays empty without a key, or if the key is not for the From
 * domain; the latter is counted and logged. */
int envelope_sign(struct delivery *d, struct err *e) __attribute__((warn_unused_result));
void envelope_free(struct delivery *d);

#endif
