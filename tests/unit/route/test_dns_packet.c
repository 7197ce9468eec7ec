/* DNS messages by the byte: what is read, and that no cut or changed byte is read past the end. */
#include "server/route/dns_packet.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* a.b MX: 20 "c.b" (compressed), 10 "D.b", class CH 5 "x", TXT. */
static const uint8_t mx_packet[] = {
	0x12, 0x34, 0x81, 0x80, 0,  1,  0,  4, 0, 0, 0, 0, 1, 'a', 1, 'b', 0,  0,
	15,   0,    1,    0xc0, 12, 0,  15, 0, 1, 0, 0, 1, 0, 0,   6, 0,   20, 1,
	'c',  0xc0, 14,   0xc0, 12, 0,  15, 0, 1, 0, 0, 0, 9, 0,   6, 0,   10, 1,
	'D',  0xc0, 14,   0xc0, 12, 0,  15, 0, 3, 0, 0, 0, 1, 0,   5, 0,   5,  1,
	'x',  0,    0xc0, 12,   0,  16, 0,  1, 0, 0, 0, 2, 0, 2,   1, 'y',
};

static void release(struct dns_answer *a)
{
	free(a->mx);
	free(a->addresses);
	*a = (struct dns_answer){0};
}

/* In a block of its own size, so that ASan sees a read past the end. */
static int read_exact(const uint8_t *bytes, size_t len, enum dns_type type, struct dns_answer *out)
{
	uint8_t *copy = malloc(len ? len : 1);
	int rc;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	rc = dns_packet_read(copy, len, type, out);
	free(copy);
	return rc;
}

static void mx_records_come_sorted_with_the_smallest_ttl(void **state)
{
	struct dns_answer a = {0};

	(void)state;
	assert_int_equal(read_exact(mx_packet, sizeof(mx_packet), DNS_MX, &a), 0);
	assert_int_equal(a.status, DNS_FOUND);
	assert_int_equal(a.n, 2);
	assert_int_equal(a.ttl_s, 9);
	assert_int_equal(a.mx[0].preference, 10);
	assert_string_equal(a.mx[0].name, "d.b");
	assert_string_equal(a.mx[1].name, "c.b");
	assert_null(a.addresses);
	release(&a);
	assert_int_equal(read_exact(mx_packet, sizeof(mx_packet), DNS_A, &a), 0);
	assert_int_equal(a.status, DNS_NO_DATA);
	release(&a);
}

static void a_cut_message_is_refused(void **state)
{
	struct dns_answer a = {0};

	(void)state;
	for (size_t len = 0; len < sizeof(mx_packet); len++)
		assert_int_equal(read_exact(mx_packet, len, DNS_MX, &a), -1);
	assert_null(a.mx);
}

static void changed_bytes_stay_inside_the_message(void **state)
{
	uint8_t bytes[sizeof(mx_packet)];
	struct dns_answer a = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		for (unsigned value = 0; value < 256; value++) {
			memcpy(bytes, mx_packet, sizeof(bytes));
			bytes[i] = (uint8_t)value;
			if (read_exact(bytes, sizeof(bytes), DNS_MX, &a) == 0)
				assert_true(a.n <= 3 && (a.status == DNS_FOUND) == (a.n > 0));
			release(&a);
		}
	}
}

static void the_code_decides(void **state)
{
	uint8_t bytes[sizeof(mx_packet)];
	struct dns_answer a = {0};

	(void)state;
	memcpy(bytes, mx_packet, sizeof(bytes));
	for (unsigned code = 1; code < 16; code++) {
		bytes[3] = (uint8_t)(0x80 | code);
		assert_int_equal(read_exact(bytes, sizeof(bytes), DNS_MX, &a), code == 3 ? 0 : -1);
	}
	bytes[3] = 0x83;
	assert_int_equal(read_exact(bytes, sizeof(bytes), DNS_MX, &a), 0);
	assert_int_equal(a.status, DNS_NO_NAME);
	release(&a);
}

static void odd_names_become_one_that_no_host_has(void **state)
{
	static const uint8_t odd[] = {0, 0, 0x81, 0x80, 0,   0,   0,    1,   0, 0, 0,
				      0, 0, 0,    15,   0,   1,   0,    0,   0, 9, 0,
				      8, 0, 10,   4,    'a', '.', 0x00, ' ', 0};
	struct dns_answer a = {0};

	(void)state;
	assert_int_equal(read_exact(odd, sizeof(odd), DNS_MX, &a), 0);
	assert_string_equal(a.mx[0].name, "\\");
	release(&a);
}

static size_t append_mx(uint8_t *at, unsigned preference)
{
	const uint8_t record[] = {
		0, 0,   15, 0, 1, 0, 0, 0, 9, 0, 5, (uint8_t)(preference >> 8), (uint8_t)preference,
		1, 'h', 0};

	memcpy(at, record, sizeof(record));
	return sizeof(record);
}

static void of_4000_records_the_best_are_kept(void **state)
{
	enum { N = 4000 };
	uint8_t *bytes = calloc(1, 65536);
	size_t len = 12;
	struct dns_answer a = {0};

	(void)state;
	bytes[3] = 0x80;
	bytes[6] = N >> 8;
	bytes[7] = N & 0xff;
	for (unsigned i = 0; i < N; i++)
		len += append_mx(bytes + len, (i * 7919 + 17) % N);
	assert_int_equal(read_exact(bytes, len, DNS_MX, &a), 0);
	assert_int_equal(a.n, DNS_RECORDS_MAX);
	for (unsigned i = 0; i < DNS_RECORDS_MAX; i++)
		assert_int_equal(a.mx[i].preference, i);
	release(&a);
	free(bytes);
}

UNIT_TESTS(cmocka_unit_test(mx_records_come_sorted_with_the_smallest_ttl),
	   cmocka_unit_test(a_cut_message_is_refused),
	   cmocka_unit_test(changed_bytes_stay_inside_the_message),
	   cmocka_unit_test(the_code_decides),
	   cmocka_unit_test(odd_names_become_one_that_no_host_has),
	   cmocka_unit_test(of_4000_records_the_best_are_kept))
