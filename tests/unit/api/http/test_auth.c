/* The root key is compared whole, by its hash, whatever is wrong with the key that is given. */
#define ROOT_KEY "pn_root_0123456789abcdef0123456789abcdef01234567"
#include "tests/unit/api/http/client.h"

#include <sys/mman.h>

#include <openssl/crypto.h>

#define KEY_LEN (sizeof(ROOT_KEY) - 1)

/* What was hashed and compared, with lengths; shared with the child. */
static char *trace;

static void note(const char *what, size_t len)
{
	snprintf(trace + strlen(trace), 1000 - strlen(trace), "%s %zu\n", what, len);
}

/* The linker sends all calls of these two here (see the Makefile).
 * NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_CRYPTO_memcmp(const void *a, const void *b, size_t len);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t len);
void __real_sha256(const void *bytes, size_t len, unsigned char *out);
void __wrap_sha256(const void *bytes, size_t len, unsigned char *out);

int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
	note("compare", len);
	return __real_CRYPTO_memcmp(a, b, len);
}

void __wrap_sha256(const void *bytes, size_t len, unsigned char *out)
{
	note("hash", len);
	__real_sha256(bytes, len, out);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static int ask(const char *key)
{
	char request[300], answer[4000];
	int fd = dial(&shared), status;

	trace[0] = 0;
	snprintf(request, sizeof(request),
		 "GET /v1/things/msg_01arz3ndektsv4rrffq69g5fav HTTP/1.1\r\n" HOST
		 "Authorization: Bearer %s\r\n\r\n",
		 key);
	say(fd, request, strlen(request));
	status = hear(fd, answer, sizeof(answer), true);
	close(fd);
	return status;
}

static void every_key_of_its_length_takes_the_same_way(void **state)
{
	char key[] = ROOT_KEY, want[100];

	(void)state;
	snprintf(want, sizeof(want), "hash %zu\nhash %zu\ncompare 32\n", KEY_LEN, KEY_LEN);
	assert_int_not_equal(ask(ROOT_KEY), 401);
	assert_string_equal(trace, want);
	for (size_t i = 0; i < KEY_LEN; i++) {
		key[i] ^= 1;
		assert_int_equal(ask(key), 401);
		assert_string_equal(trace, want);
		key[i] ^= 1;
	}
	memset(key, 'x', KEY_LEN);
	assert_int_equal(ask(key), 401);
	assert_string_equal(trace, want);
}

static int start_with_trace(void **state)
{
	trace = mmap(NULL, 1000, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return trace == MAP_FAILED ? -1 : start_shared(state);
}

UNIT_TESTS_IN(start_with_trace, stop_shared,
	      cmocka_unit_test(every_key_of_its_length_takes_the_same_way))
