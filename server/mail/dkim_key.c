/* Private keys for DKIM: reads and checks them, makes the DNS record, signs hashes. */
#include "server/mail/dkim_key.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "server/mail/address.h"
#include "server/base/base64.h"

#define FILE_MAX 16384
#define RSA_BITS_MIN 2048
#define RSA_BITS_MAX 4096
#define PUBLIC_MAX 1024 /* SubjectPublicKeyInfo of RSA-4096: 550 octets */

/* Reads the whole file. O_NONBLOCK: the file may be a pipe, which must not block. */
static int read_file(const char *file, char *bytes, size_t *len, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n;

	if (fd < 0)
		return err_set(e, ERR_INPUT, "%s: %s", file, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		close(fd);
		return err_set(e, ERR_INPUT, "%s: not a file of at most 16 KB", file);
	}
	n = read(fd, bytes, FILE_MAX);
	close(fd);
	if (n < 0)
		return err_set(e, ERR_INPUT, "%s: %s", file, strerror(errno));
	*len = (size_t)n;
	return 0;
}

/* Without it OpenSSL would ask for a password at the terminal. */
static int no_password(char *text, int size, int is_writing, void *arg)
{
	(void)text;
	(void)size;
	(void)is_writing;
	(void)arg;
	return -1;
}

static EVP_PKEY *parse_pem(const char *bytes, size_t len)
{
	BIO *bio = BIO_new_mem_buf(bytes, (int)len);
	EVP_PKEY *pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;

	BIO_free(bio);
	ERR_clear_error();
	return pkey;
}

static int read_key(struct dkim_key *key, const char *file, struct err *e)
{
	char bytes[FILE_MAX];
	size_t len = 0;
	int rc = read_file(file, bytes, &len, e);

	if (!rc)
		key->pkey = parse_pem(bytes, len);
	OPENSSL_cleanse(bytes, sizeof(bytes));
	if (!rc && !key->pkey)
		return err_set(e, ERR_INPUT, "%s: has no PEM private key without a password", file);
	return rc;
}

static int check_kind(struct dkim_key *key, const char *file, struct err *e)
{
	int bits = EVP_PKEY_get_bits(key->pkey);

	key->is_rsa = EVP_PKEY_get_base_id(key->pkey) == EVP_PKEY_RSA;
	if (!key->is_rsa && EVP_PKEY_get_base_id(key->pkey) != EVP_PKEY_ED25519)
		return err_set(e, ERR_INPUT, "%s: a DKIM key is RSA or Ed25519", file);
	if (key->is_rsa && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX))
		return err_set(e, ERR_INPUT,
			       "%s: RSA of %d bits; verifiers need %d, and take no more than %d",
			       file, bits, RSA_BITS_MIN, RSA_BITS_MAX);
	return 0;
}

/* Both become part of a header field and of the DNS name <selector>._domainkey.<domain>. That name
 * is checked, with "x" for the underscore. */
static int set_names(struct dkim_key *key, const char *domain, const char *selector, struct err *e)
{
	static const char between[] = ".xdomainkey.";
	char whole[1024];

	if (address_domain_to_ascii(domain, strlen(domain), key->domain, e))
		return err_prefix(e, "DKIM domain");
	if (!*selector || strlen(selector) > sizeof(key->selector) - 1)
		return err_set(e, ERR_INPUT, "a DKIM selector has 1 to 255 characters");
	snprintf(whole, sizeof(whole), "%s%s%s", selector, between, key->domain);
	if (address_domain_to_ascii(whole, strlen(whole), whole, e))
		return err_prefix(e, "DKIM selector");
	memcpy(key->selector, whole, strlen(whole) - strlen(between) - strlen(key->domain));
	return 0;
}

static int make_work(struct dkim_key *key, struct err *e)
{
	struct dkim_work *work = calloc(1, sizeof(*work));

	key->work = work;
	key->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
	if (!work || !key->sha256)
		return err_oom(e);
	work->digest = EVP_MD_CTX_new();
	work->ed25519 = EVP_MD_CTX_new();
	work->rsa = key->is_rsa ? EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL) : NULL;
	if (!work->digest || !work->ed25519 || (key->is_rsa && !work->rsa))
		return err_oom(e);
	if (!key->is_rsa)
		return 0;
	if (EVP_PKEY_sign_init(work->rsa) <= 0 ||
	    EVP_PKEY_CTX_set_rsa_padding(work->rsa, RSA_PKCS1_PADDING) <= 0 ||
	    EVP_PKEY_CTX_set_signature_md(work->rsa, key->sha256) <= 0) {
		ERR_clear_error();
		return err_set(e, ERR_INTERNAL, "this key cannot sign");
	}
	return 0;
}

int dkim_key_load(struct dkim_key **key, const char *file, const char *domain, const char *selector,
		  struct err *e)
{
	struct dkim_key *made = calloc(1, sizeof(*made));

	if (!made)
		return err_oom(e);
	if (set_names(made, domain, selector, e) || read_key(made, file, e) ||
	    check_kind(made, file, e) || make_work(made, e)) {
		dkim_key_free(made);
		return -1;
	}
	*key = made;
	return 0;
}

void dkim_key_free(struct dkim_key *key)
{
	if (!key)
		return;
	if (key->work) {
		EVP_MD_CTX_free(key->work->digest);
		EVP_MD_CTX_free(key->work->ed25519);
		EVP_PKEY_CTX_free(key->work->rsa);
		buf_deinit(&key->work->canonical);
		buf_deinit(&key->work->field);
		free(key->work);
	}
	EVP_MD_free(key->sha256);
	EVP_PKEY_free(key->pkey);
	free(key);
}

bool dkim_key_covers(const struct dkim_key *key, const char *from_domain)
{
	size_t len = strlen(from_domain), own = strlen(key->domain);
	const char *end = from_domain + (len > own ? len - own : 0);

	return strcasecmp(end, key->domain) == 0 && (end == from_domain || end[-1] == '.');
}

/* SubjectPublicKeyInfo for RSA, the bare 32 octets for Ed25519 (RFC 8463 section 4). */
static size_t public_bytes(const struct dkim_key *key, unsigned char out[PUBLIC_MAX])
{
	unsigned char *end = out;
	size_t len = PUBLIC_MAX;
	int n;

	if (!key->is_rsa)
		return EVP_PKEY_get_raw_public_key(key->pkey, out, &len) ? len : 0;
	n = i2d_PUBKEY(key->pkey, NULL);
	if (n <= 0 || n > PUBLIC_MAX)
		return 0;
	return (size_t)i2d_PUBKEY(key->pkey, &end);
}

int dkim_key_record(const struct dkim_key *key, struct buf *out, struct err *e)
{
	unsigned char bytes[PUBLIC_MAX];
	char text[BASE64_LEN(PUBLIC_MAX)];
	size_t len = public_bytes(key, bytes);

	if (!len) {
		ERR_clear_error();
		return err_set(e, ERR_INTERNAL, "the public key cannot be written");
	}
	len = base64_encode(text, bytes, len);
	buf_fmt(out, "v=DKIM1; k=%s; p=%.*s", key->is_rsa ? "rsa" : "ed25519", (int)len, text);
	return out->failed ? err_oom(e) : 0;
}

int dkim_key_sign(const struct dkim_key *key, const unsigned char hash[DKIM_HASH_LEN],
		  unsigned char *out, size_t *len, struct err *e)
{
	struct dkim_work *work = key->work;
	int ok;

	if (key->is_rsa)
		ok = EVP_PKEY_sign(work->rsa, out, len, hash, DKIM_HASH_LEN);
	else
		ok = EVP_DigestSignInit(work->ed25519, NULL, NULL, NULL, key->pkey) == 1 &&
		     EVP_DigestSign(work->ed25519, out, len, hash, DKIM_HASH_LEN) == 1;
	if (ok == 1)
		return 0;
	ERR_clear_error();
	return err_set(e, ERR_INTERNAL, "DKIM signing failed");
}
