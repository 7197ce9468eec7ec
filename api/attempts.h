#ifndef API_ATTEMPTS_H
#define API_ATTEMPTS_H

struct request;

/* GET /v1/messages/{id}/attempts */
void attempts_show(struct request *r);

#endif
