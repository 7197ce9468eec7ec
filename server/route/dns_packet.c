/* Reads MX, A and AAAA records out of a DNS message. */
#include "server/route/dns_packet.h"

#include <arpa/nameser.h>
#include <ctype.h>
#include <resolv.h>
#include <stdlib.h>
#include <string.h>

#define HEADER_LEN 12
#define RECORD_FIXED_LEN 10 /* type, class, TTL, length of the data */
#define CLASS_IN 1

/* start: names are compressed by offsets from it (RFC 1035 4.1.4). */
struct message {
	const uint8_t *start;
	const uint8_t *end;
	const uint8_t *at;
};

struct record {
	unsigned type;
	unsigned class;
	uint32_t ttl_s;
	const uint8_t *data;
	size_t len;
};

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static size_t left(const struct message *m)
{
	return (size_t)(m->end - m->at);
}

static int skip_name(struct message *m)
{
	int used = dn_skipname(m->at, m->end);

	if (used < 0 || (size_t)used > left(m))
		return -1;
	m->at += used;
	return 0;
}

/* Each has a name, a type and a class. */
static int skip_questions(struct message *m, unsigned count)
{
	for (; count > 0; count--) {
		if (skip_name(m) < 0 || left(m) < 4)
			return -1;
		m->at += 4;
	}
	return 0;
}

/* Moves to the next record. -1: the message ends within this one. */
static int next_record(struct message *m, struct record *r)
{
	if (skip_name(m) < 0 || left(m) < RECORD_FIXED_LEN)
		return -1;
	r->type = get16(m->at);
	r->class = get16(m->at + 2);
	r->ttl_s = (uint32_t)get16(m->at + 4) << 16 | get16(m->at + 6);
	r->len = get16(m->at + 8);
	r->data = m->at + RECORD_FIXED_LEN;
	m->at = r->data;
	if (r->len > left(m))
		return -1;
	m->at += r->len;
	return 0;
}

/* A name that no host can have, because it is too long or has an escape, becomes "\\", which is not
 * a host name. */
static void copy_name(const char *from, char *to, size_t size)
{
	size_t len = strlen(from);

	if (len >= size || strchr(from, '\\')) {
		memcpy(to, "\\", 2);
		return;
	}
	for (size_t i = 0; i <= len; i++)
		to[i] = (char)tolower((unsigned char)from[i]);
}

static int read_mx(const struct message *m, const struct record *r, struct dns_mx *mx)
{
	char name[NS_MAXDNAME];

	if (r->len < 3)
		return -1;
	mx->preference = (uint16_t)get16(r->data);
	if (dn_expand(m->start, m->end, r->data + 2, name, sizeof(name)) < 0)
		return -1;
	copy_name(name, mx->name, sizeof(mx->name));
	return 0;
}

static int compare_mx(const struct dns_mx *a, const struct dns_mx *b)
{
	if (a->preference != b->preference)
		return a->preference < b->preference ? -1 : 1;
	return strcmp(a->name, b->name);
}

/* Keeps mx sorted. If it is full, the worst record is dropped. */
static void insert_mx(struct dns_answer *out, const struct dns_mx *mx)
{
	size_t i = out->n;

	if (i == DNS_RECORDS_MAX && compare_mx(mx, &out->mx[i - 1]) >= 0)
		return;
	if (i == DNS_RECORDS_MAX)
		i--;
	else
		out->n++;
	for (; i > 0 && compare_mx(mx, &out->mx[i - 1]) < 0; i--)
		out->mx[i] = out->mx[i - 1];
	out->mx[i] = *mx;
}

static int add_mx(const struct message *m, const struct record *r, struct dns_answer *out)
{
	struct dns_mx mx;

	if (read_mx(m, r, &mx) < 0)
		return -1;
	insert_mx(out, &mx);
	return 0;
}

static int add_address(const struct record *r, size_t len, struct dns_answer *out)
{
	if (r->len != len)
		return -1;
	/* More addresses than are tried are of no use. */
	if (out->n < DNS_RECORDS_MAX)
		memcpy(&out->addresses[out->n++], r->data, len);
	return 0;
}

static int add_record(const struct message *m, const struct record *r, enum dns_type type,
		      struct dns_answer *out)
{
	if (r->type != (unsigned)type || r->class != CLASS_IN)
		return 0;
	/* The set is valid as long as its shortest record. */
	if (out->n == 0 || r->ttl_s < out->ttl_s)
		out->ttl_s = r->ttl_s;
	switch (type) {
	case DNS_MX:
		return add_mx(m, r, out);
	case DNS_A:
		return add_address(r, sizeof(struct in_addr), out);
	case DNS_AAAA:
		return add_address(r, sizeof(struct in6_addr), out);
	}
	return -1;
}

static int read_answers(struct message *m, enum dns_type type, struct dns_answer *out)
{
	unsigned count = get16(m->start + 6);
	struct record r;

	m->at = m->start + HEADER_LEN;
	if (skip_questions(m, get16(m->start + 4)) < 0)
		return -1;
	for (; count > 0; count--) {
		if (next_record(m, &r) < 0 || add_record(m, &r, type, out) < 0)
			return -1;
	}
	return 0;
}

/* Copies the records from the stack to memory of their size. */
static int keep_records(struct dns_answer *a, enum dns_type type)
{
	size_t size = type == DNS_MX ? sizeof(*a->mx) : sizeof(*a->addresses);
	const void *from = type == DNS_MX ? (const void *)a->mx : (const void *)a->addresses;
	void *kept = a->n ? malloc(a->n * size) : NULL;

	if (a->n && !kept)
		return -1;
	if (kept)
		memcpy(kept, from, a->n * size);
	a->mx = type == DNS_MX ? kept : NULL;
	a->addresses = type == DNS_MX ? NULL : kept;
	return 0;
}

int dns_packet_read(const uint8_t *packet, size_t len, enum dns_type type, struct dns_answer *out)
{
	struct message m = {.start = packet, .end = packet + len};
	struct dns_mx mx[DNS_RECORDS_MAX];
	union dns_address addresses[DNS_RECORDS_MAX];
	struct dns_answer answer = {.mx = mx, .addresses = addresses};
	unsigned code;

	if (len < HEADER_LEN)
		return -1;
	/* RCODE (RFC 1035 4.1.1). All but these two say nothing about the name. */
	code = packet[3] & 0x0fu;
	if (code != ns_r_noerror && code != ns_r_nxdomain)
		return -1;
	if (code == ns_r_noerror && read_answers(&m, type, &answer) < 0)
		return -1;
	if (keep_records(&answer, type) < 0)
		return -1;
	if (code == ns_r_nxdomain)
		answer.status = DNS_NO_NAME;
	else
		answer.status = answer.n ? DNS_FOUND : DNS_NO_DATA;
	*out = answer;
	return 0;
}
