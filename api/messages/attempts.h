#ifndef API_MESSAGES_ATTEMPTS_H
#define API_MESSAGES_ATTEMPTS_H

struct request;

/* GET /v1/messages/{id}/attempts */
void attempts_show(struct request *r);

#endif
