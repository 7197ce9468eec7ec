/* Signing hostile bytes as a mail: refused, or a field in whole lines that is the same each time.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/mail/dkim.h"

static void require(int claim)
{
	if (!claim)
		abort();
}

/* The key of RFC 8463, appendix A.2. */
static void load_key(struct dkim_keys *keys)
{
	static const char pem[] =
		"-----BEGIN PRIVATE KEY-----\n"
		"MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
		"-----END PRIVATE KEY-----\n";
	char file[] = "/tmp/postern-fuzz-dkim-XXXXXX";
	int fd = mkstemp(file);

	require(fd >= 0 && write(fd, pem, sizeof(pem) - 1) == (ssize_t)sizeof(pem) - 1);
	close(fd);
	require(dkim_keys_init(keys, file, "x.test", "s", NULL) == 0);
	unlink(file);
}

static void check(const struct buf *out)
{
	require(strncmp(out->data, "DKIM-Signature: v=1;", 20) == 0);
	require(memcmp(out->data + out->len - 2, "\r\n", 2) == 0);
	for (size_t i = 0; i + 2 < out->len; i++) {
		require(out->data[i] > 0);
		require((out->data[i] == '\r') == (out->data[i + 1] == '\n'));
		require(out->data[i] != '\n' || out->data[i + 1] == ' ');
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dkim_keys keys;
	struct buf one = {0}, two = {0};
	struct err e;

	if (!keys.n)
		load_key(&keys);
	if (dkim_sign(&keys, (const char *)data, size, 1, &one, &e) == 0) {
		check(&one);
		require(dkim_sign(&keys, (const char *)data, size, 1, &two, &e) == 0);
		require(one.len == two.len && memcmp(one.data, two.data, one.len) == 0);
	}
	buf_deinit(&one);
	buf_deinit(&two);
	return 0;
}
