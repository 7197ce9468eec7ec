/* DKIM: keys that are taken and refused, known signatures, and what a signature covers. */
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/mail/dkim.h"
#include "tests/unit/unit.h"

/* The key of RFC 8463, appendix A.2. */
static const char rfc8463_pem[] =
	"-----BEGIN PRIVATE KEY-----\n"
	"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
	"-----END PRIVATE KEY-----\n";

static const char mail[] = "From: a@x.test\r\nTo: b@y.test\r\nSubject: hi\r\n"
			   "Received: by us\r\n\r\nbody\r\n";

static char file[] = "/tmp/postern-test-dkim-XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(file);

	(void)state;
	return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(file);
}

static void write_bytes(const char *bytes, size_t len)
{
	FILE *f = fopen(file, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static void write_key(EVP_PKEY *pkey, const EVP_CIPHER *cipher)
{
	FILE *f = fopen(file, "w");
	unsigned char password[] = "secret";

	assert_non_null(f);
	assert_non_null(pkey);
	assert_int_equal(
		PEM_write_PrivateKey(f, pkey, cipher, cipher ? password : NULL, 6, NULL, NULL), 1);
	assert_int_equal(fclose(f), 0);
	EVP_PKEY_free(pkey);
}

static struct dkim_key *load(void)
{
	struct dkim_key *key = NULL;
	struct err e = {0};

	if (dkim_key_load(&key, file, "Example.COM", "s1", &e))
		fail_msg("%s", e.text);
	return key;
}

static struct dkim_key *load_rfc8463(void)
{
	write_bytes(rfc8463_pem, sizeof(rfc8463_pem) - 1);
	return load();
}

static void check_refused(const char *name, const char *domain, const char *selector,
			  const char *reason)
{
	struct dkim_key *key = NULL;
	struct err e = {0};

	assert_int_equal(dkim_key_load(&key, name, domain, selector, &e), -1);
	assert_null(key);
	assert_int_equal(e.kind, ERR_INPUT);
	if (!strstr(e.text, reason))
		fail_msg("expected \"%s\", got \"%s\"", reason, e.text);
}

static void files_that_hold_no_usable_key_are_refused(void **state)
{
	static const char cut[] = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n";
	static char large[20000];

	(void)state;
	check_refused("/nonexistent/key.pem", "x.test", "s", "/nonexistent/key.pem: No such file");
	check_refused("/tmp", "x.test", "s", "not a file");
	check_refused("/dev/zero", "x.test", "s", "not a file");
	write_bytes("", 0);
	check_refused(file, "x.test", "s", "no PEM private key");
	write_bytes("not a key\n", 10);
	check_refused(file, "x.test", "s", "no PEM private key");
	write_bytes(cut, sizeof(cut) - 1);
	check_refused(file, "x.test", "s", "no PEM private key");
	write_bytes(large, sizeof(large));
	check_refused(file, "x.test", "s", "16 KB");
	write_key(EVP_RSA_gen(1024), NULL);
	check_refused(file, "x.test", "s", "RSA of 1024 bits");
	write_key(EVP_EC_gen("P-256"), NULL);
	check_refused(file, "x.test", "s", "RSA or Ed25519");
	write_key(EVP_RSA_gen(2048), EVP_aes_128_cbc());
	check_refused(file, "x.test", "s", "without a password");
}

static void a_pipe_in_place_of_a_key_does_not_block(void **state)
{
	static const char pipe_name[] = "/tmp/postern-test-dkim-pipe";

	(void)state;
	unlink(pipe_name);
	assert_int_equal(mkfifo(pipe_name, 0600), 0);
	check_refused(pipe_name, "x.test", "s", "not a file");
	unlink(pipe_name);
}

static void domain_and_selector_must_be_dns_names(void **state)
{
	static const char *const bad[] = {
		"a;b",
		"a=b",
		"a\r\nb",
		"a b",
		"",
		".a",
		"a.",
		"a..b",
		"a_b",
		"-a",
		"aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffgggg"};
	char long_name[300];

	(void)state;
	write_bytes(rfc8463_pem, sizeof(rfc8463_pem) - 1);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		check_refused(file, "x.test", bad[i], "selector");
		check_refused(file, bad[i], "s", "DKIM domain");
	}
	for (size_t i = 0; i < sizeof(long_name) - 1; i++)
		long_name[i] = i % 8 == 7 ? '.' : 'a';
	long_name[sizeof(long_name) - 1] = 0;
	check_refused(file, "x.test", long_name, "selector");
	long_name[236] = 0;
	check_refused(file, "x.test", long_name, "selector");
}

static void a_key_covers_its_domain_and_those_below_it(void **state)
{
	static const struct {
		const char *domain;
		bool is_covered;
	} rows[] = {
		{"example.com", true},        {"Example.COM", true}, {"news.example.com", true},
		{"a.b.example.com", true},    {"com", false},        {"notexample.com", false},
		{"example.com.evil", false},  {"xample.com", false}, {"", false},
		{"brand-two.example", false},
	};
	struct dkim_key *key = load_rfc8463();

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(dkim_key_covers(key, rows[i].domain), rows[i].is_covered);
	dkim_key_free(key);
}

static void the_record_carries_the_public_key(void **state)
{
	struct dkim_key *key = load_rfc8463();
	struct buf record = {0};

	(void)state;
	assert_int_equal(dkim_key_record(key, &record, NULL), 0);
	assert_string_equal(record.data, "v=DKIM1; k=ed25519; "
					 "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
	dkim_key_free(key);
	write_key(EVP_RSA_gen(2048), NULL);
	key = load();
	buf_reset(&record);
	assert_int_equal(dkim_key_record(key, &record, NULL), 0);
	assert_non_null(strstr(record.data, "v=DKIM1; k=rsa; p=MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"));
	dkim_key_free(key);
	buf_deinit(&record);
}

static void sign(struct dkim_key *key, const char *text, struct buf *out)
{
	struct err e = {0};

	buf_reset(out);
	if (dkim_sign(&(struct dkim_keys){1, {key}}, text, strlen(text), 1528637909, out, &e))
		fail_msg("%s", e.text);
}

/* dkimpy verified these bytes. */
static void a_known_mail_and_key_give_the_known_signature(void **state)
{
	struct dkim_key *key = load_rfc8463();
	struct buf out = {0};

	(void)state;
	sign(key, mail, &out);
	assert_string_equal(
		out.data,
		"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n"
		" d=example.com;\r\n"
		" s=s1; t=1528637909;\r\n"
		" h=From:From:To:To:Cc:Subject:Subject:Date:Message-ID:Reply-To:MIME-Version:\r\n"
		"  Content-Type:Content-Transfer-Encoding:In-Reply-To:References:\r\n"
		"  List-Unsubscribe:List-Unsubscribe-Post:List-Id:Feedback-ID:Sender:\r\n"
		"  Content-Disposition;\r\n"
		" bh=Ck5SoRNWUpSR4X0COv7R5ub2pUTtl6xz4dTFz++ji4M=;\r\n"
		" b=WCdP0KKntdvs8ZeNMXQD3R8a2ZWljRGb5fym3suRvEiKEBIXXWcajs7Oegh5dOKnAO6/jMZ9\r\n"
		"  bNo0Bez2CigyCw==\r\n");
	sign(key, "From: a@x.test\r\nTo: a@y.test\r\nTo: b@y.test\r\n\r\n", &out);
	assert_non_null(strstr(out.data, " b=uMVjWdRQWPZMOC3a5nS1EDPOLFwZ/uPf2wtt0HvS48kD+4ueJ"
					 "cojZ3Kjg8J+Bc6H2HmGsKlC\r\n  1haPey5Ok3XJCw=="));
	dkim_key_free(key);
	buf_deinit(&out);
}

static void list_of_keys(char *list, size_t size, const char *const order)
{
	*list = 0;
	for (size_t i = 0; order[i]; i++)
		snprintf(list + strlen(list), size - strlen(list), "%s %s%s ,", i ? "" : " ", file,
			 order[i] == 'r' ? ".rsa" : "");
}

/* In the given order: "r" an RSA key, "e" the Ed25519 key. Selectors s0, s1, ... */
static void every_key_signs_and_rsa_keys_go_first(void **state)
{
	static const struct {
		const char *order, *selectors, *found[4];
	} rows[] = {
		{"re", "s0,s1", {"s0", "s1"}},
		{"er", "s0, s1", {"s1", "s0"}},
		{"erer", "s0,s1,s2,s3", {"s1", "s3", "s0", "s2"}},
	};
	char own[] = "/tmp/postern-test-dkim-XXXXXX.rsa", files[400];

	(void)state;
	snprintf(own, sizeof(own), "%s.rsa", file);
	write_key(EVP_RSA_gen(2048), NULL);
	assert_int_equal(rename(file, own), 0);
	write_bytes(rfc8463_pem, sizeof(rfc8463_pem) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dkim_keys keys;
		struct buf out = {0};
		struct err e = {0};
		const char *p;

		list_of_keys(files, sizeof(files), rows[i].order);
		if (dkim_keys_init(&keys, files, "x.test", rows[i].selectors, &e))
			fail_msg("%s", e.text);
		assert_int_equal(keys.n, strlen(rows[i].order));
		assert_int_equal(dkim_sign(&keys, mail, strlen(mail), 1, &out, &e), 0);
		p = out.data;
		for (size_t k = 0; k < keys.n; k++) {
			char wanted[40];

			snprintf(wanted, sizeof(wanted), "s=%s;", rows[i].found[k]);
			assert_memory_equal(p, "DKIM-Signature: v=1; a=", 23);
			p = strstr(p, wanted);
			assert_non_null(p);
			p = strstr(p, "DKIM-Signature:");
			assert_true((p == NULL) == (k + 1 == keys.n));
		}
		dkim_keys_deinit(&keys);
		buf_deinit(&out);
	}
	unlink(own);
}

static void lists_of_keys_and_selectors_must_fit_together(void **state)
{
	static const struct {
		const char *order, *selectors, *reason;
	} rows[] = {
		{"ee", "s1", "2 files, but dkim_selector has 1 selectors"},
		{"e", "s1,s2", "1 files, but dkim_selector has 2 selectors"},
		{"ee", "s1,S1", "two keys have the selector"},
		{"eeeee", "a,b,c,d,e", "1 to 4 keys"},
		{"", "", "1 to 4 keys"},
		{"ee", "s1,a b", "DKIM selector"},
	};
	char files[400];

	(void)state;
	write_bytes(rfc8463_pem, sizeof(rfc8463_pem) - 1);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct dkim_keys keys = {0};
		struct err e = {0};

		list_of_keys(files, sizeof(files), rows[i].order);
		assert_int_equal(dkim_keys_init(&keys, files, "x.test", rows[i].selectors, &e), -1);
		assert_int_equal(keys.n, 0);
		assert_int_equal(e.kind, ERR_INPUT);
		if (!strstr(e.text, rows[i].reason))
			fail_msg("expected \"%s\", got \"%s\"", rows[i].reason, e.text);
	}
}

/* The determinism that a retry needs */
static void signing_again_gives_the_same_bytes_and_no_length_or_expiry(void **state)
{
	struct buf one = {0}, two = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct dkim_key *key;

		write_key(i ? EVP_RSA_gen(2048) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), NULL);
		key = load();
		sign(key, mail, &one);
		sign(key, "From: x@y.test\r\n\r\n", &two);
		sign(key, mail, &two);
		assert_string_equal(one.data, two.data);
		assert_null(strstr(one.data, " l="));
		assert_null(strstr(one.data, " x="));
		dkim_key_free(key);
	}
	buf_deinit(&one);
	buf_deinit(&two);
}

static void body_hashes_are_the_published_ones(void **state)
{
	static const struct {
		const char *body, *hash;
	} rows[] = {
		{"", "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;"},
		{"\r\n \r\n", "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;"},
		{"Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n",
		 "bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;"},
	};
	struct dkim_key *key = load_rfc8463();
	struct buf out = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char text[256];

		snprintf(text, sizeof(text), "From: a@x.test\r\n\r\n%s", rows[i].body);
		sign(key, text, &out);
		assert_non_null(strstr(out.data, rows[i].hash));
	}
	dkim_key_free(key);
	buf_deinit(&out);
}

/* The names in h=, without folds. */
static void names_of(const struct buf *signature, char *out)
{
	const char *p = strstr(signature->data, " h=") + 3;

	for (; *p != ';'; p++) {
		if (*p != '\r' && *p != '\n' && *p != ' ')
			*out++ = *p;
	}
	*out = 0;
}

static void each_field_is_named_once_more_than_it_is_there(void **state)
{
	static const char listed[] = "from: a@x.test\r\nFrom : b@x.test\r\nSubject: s\r\n\tt\r\n"
				     "List-Unsubscribe: <https://x.test>\r\n"
				     "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
				     "Fro: x\r\nFromm: x\r\n\r\n";
	struct dkim_key *key = load_rfc8463();
	struct buf out = {0};
	char found[512];

	(void)state;
	sign(key, listed, &out);
	names_of(&out, found);
	assert_string_equal(
		found, "From:From:From:To:Cc:Subject:Subject:Date:Message-ID:Reply-To:MIME-Version:"
		       "Content-Type:Content-Transfer-Encoding:In-Reply-To:References:"
		       "List-Unsubscribe:List-Unsubscribe:List-Unsubscribe-Post:"
		       "List-Unsubscribe-Post:List-Id:Feedback-ID:Sender:Content-Disposition");
	dkim_key_free(key);
	buf_deinit(&out);
}

static void a_mail_that_is_not_in_whole_lines_is_not_signed(void **state)
{
	static const char *const broken[] = {
		"",
		"\r\n",
		"From: a@x.test",
		"From: a@x.test\r\n",
		"From: a@x.test\r\n\r",
		"From: a@x.test\n\nbody",
		"From: a@x.test\r\n\r\na\nb\r\n",
		"From: a@x.test\r\n\r\na\rb\r\n",
		"From: a\rb@x.test\r\n\r\n",
		"From: a@x.test\r\n\nb: c\r\n\r\n",
		"From: a@x.test\r\nno colon\r\n\r\n",
		"From: a@x.test\r\n: c\r\n\r\n",
		"From: a@x.test\r\n \x01From x\r\n: d\r\n\r\n",
		"From\x01: a@x.test\r\n\r\n",
		"From\t x: a@x.test\r\n\r\n",
		"To: a@x.test\r\n\r\n",
		"From: a\r\nFrom: b\r\nFrom: c\r\nFrom: d\r\nFrom: e\r\n\r\n",
	};
	static const char with_nul[] = "From\0: a@x.test\r\n\r\n";
	struct dkim_keys keys = {1, {load_rfc8463()}};
	struct buf out = {0};

	(void)state;
	assert_int_equal(dkim_sign(&keys, with_nul, sizeof(with_nul) - 1, 1, &out, NULL), -1);
	for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++) {
		struct err e = {0};

		assert_int_equal(dkim_sign(&keys, broken[i], strlen(broken[i]), 1, &out, &e), -1);
		assert_int_equal(e.kind, ERR_INPUT);
		assert_int_equal(out.len, 0);
	}
	dkim_keys_deinit(&keys);
	buf_deinit(&out);
}

UNIT_TESTS_IN(make_file, remove_file, cmocka_unit_test(files_that_hold_no_usable_key_are_refused),
	      cmocka_unit_test(a_pipe_in_place_of_a_key_does_not_block),
	      cmocka_unit_test(domain_and_selector_must_be_dns_names),
	      cmocka_unit_test(a_key_covers_its_domain_and_those_below_it),
	      cmocka_unit_test(the_record_carries_the_public_key),
	      cmocka_unit_test(a_known_mail_and_key_give_the_known_signature),
	      cmocka_unit_test(every_key_signs_and_rsa_keys_go_first),
	      cmocka_unit_test(lists_of_keys_and_selectors_must_fit_together),
	      cmocka_unit_test(signing_again_gives_the_same_bytes_and_no_length_or_expiry),
	      cmocka_unit_test(body_hashes_are_the_published_ones),
	      cmocka_unit_test(each_field_is_named_once_more_than_it_is_there),
	      cmocka_unit_test(a_mail_that_is_not_in_whole_lines_is_not_signed))
