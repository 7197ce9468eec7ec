/* Relaxed canonical form: the examples of RFC 6376 and the edges of bodies. */
#include <openssl/evp.h>
#include <string.h>

#include "server/base/buf.h"
#include "server/mail/canon.h"
#include "tests/unit/unit.h"

static int hash_canonical(const char *body, unsigned char hash[32])
{
	EVP_MD_CTX *digest = EVP_MD_CTX_new();
	int rc;

	assert_int_equal(EVP_DigestInit_ex(digest, EVP_sha256(), NULL), 1);
	rc = canon_body(digest, body, strlen(body));
	EVP_DigestFinal_ex(digest, hash, NULL);
	EVP_MD_CTX_free(digest);
	return rc;
}

static void bodies_hash_as_their_canonical_form(void **state)
{
	static const struct {
		const char *body, *canonical;
	} rows[] = {
		{"", ""},
		{"\r\n", ""},
		{"\r\n\r\n\r\n", ""},
		{" \t\r\n \r\n", ""},
		{" ", ""},
		{"a", "a\r\n"},
		{"a\r\n", "a\r\n"},
		{"a\r\n\r\n", "a\r\n"},
		{"a \t\r\n \t\r\n  ", "a\r\n"},
		{" C \r\nD \t E\r\n\r\n\r\n", " C\r\nD E\r\n"},
		{"\r\n\r\na\r\n", "\r\n\r\na\r\n"},
		{"a\tb\r\n", "a b\r\n"},
		{"a b c\r\n", "a b c\r\n"},
		{"\t\ta  b \r\n \r\n\tc\r\n", " a b\r\n\r\n c\r\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		unsigned char hash[32], wanted[32];

		assert_int_equal(hash_canonical(rows[i].body, hash), 0);
		EVP_Digest(rows[i].canonical, strlen(rows[i].canonical), wanted, NULL, EVP_sha256(),
			   NULL);
		assert_memory_equal(hash, wanted, sizeof(hash));
	}
}

static void a_bare_cr_or_lf_is_refused_wherever_it_stands(void **state)
{
	static const char *const bodies[] = {"\n",       "\r",       "a\n",     "a\r",
					     "a\nb\r\n", "a\rb\r\n", "a\r\r\n", "a\n\r\n",
					     "a\r\n\n",  "a\r\n\r",  "a \n b"};

	(void)state;
	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		unsigned char hash[32];

		assert_int_equal(hash_canonical(bodies[i], hash), -1);
	}
}

static void fields_lose_folds_case_and_superfluous_space(void **state)
{
	static const struct {
		const char *field, *canonical;
	} rows[] = {
		{"A: X\r\n", "a:X"},
		{"B : Y\t\r\n\tZ  \r\n", "b:Y Z"},
		{"SUBJect:AbC\r\n", "subject:AbC"},
		{"S:\r\n", "s:"},
		{"S: \r\n \t\r\n", "s:"},
		{"S:\r\n a\r\n  b:c\r\n", "s:a b:c"},
		{"no colon", "nocolon:"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf out = {0};

		canon_field(&out, rows[i].field, strlen(rows[i].field));
		assert_string_equal(buf_text(&out), rows[i].canonical);
		buf_deinit(&out);
	}
}

UNIT_TESTS(cmocka_unit_test(bodies_hash_as_their_canonical_form),
	   cmocka_unit_test(a_bare_cr_or_lf_is_refused_wherever_it_stands),
	   cmocka_unit_test(fields_lose_folds_case_and_superfluous_space))
