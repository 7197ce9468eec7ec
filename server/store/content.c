/* Packs and unpacks the bytes of mails. */
#include "server/store/content.h"

#include <zstd.h>

#include "server/base/buf.h"

#define LEVEL 1 /* measured on 4 KB mails: a third of the time of level 3 for 4 % more bytes */

int content_pack(const char *mail, size_t len, struct buf *out, struct err *e)
{
	static ZSTD_CCtx *ctx; /* one a process: it is single-threaded */
	size_t bound = ZSTD_compressBound(len), n;
	char *to;

	if (!ctx)
		ctx = ZSTD_createCCtx();
	to = ctx ? buf_reserve(out, bound + 1) : NULL;
	if (!to)
		return err_oom(e);
	n = ZSTD_compressCCtx(ctx, to + 1, bound, mail, len, LEVEL);
	if (ZSTD_isError(n) || n >= len) {
		buf_char(out, 'r');
		buf_append(out, mail, len);
		return out->failed ? err_oom(e) : 0;
	}
	*to = 'z';
	out->len += n + 1;
	out->data[out->len] = 0;
	return 0;
}

int content_unpack(const char *packed, size_t len, size_t limit, struct buf *out, struct err *e)
{
	static ZSTD_DCtx *ctx;
	unsigned long long size;
	char *to;

	if (len > 0 && packed[0] == 'r' && len - 1 <= limit) {
		buf_append(out, packed + 1, len - 1);
		return out->failed ? err_oom(e) : 0;
	}
	size = len > 1 && packed[0] == 'z' ? ZSTD_getFrameContentSize(packed + 1, len - 1)
					   : ZSTD_CONTENTSIZE_ERROR;
	if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > limit)
		return err_set(e, ERR_INTERNAL, "the content is damaged");
	if (!ctx)
		ctx = ZSTD_createDCtx();
	to = ctx ? buf_reserve(out, (size_t)size) : NULL;
	if (!to)
		return err_oom(e);
	if (ZSTD_decompressDCtx(ctx, to, (size_t)size, packed + 1, len - 1) != size)
		return err_set(e, ERR_INTERNAL, "the content is damaged");
	out->len += (size_t)size;
	out->data[out->len] = 0;
	return 0;
}
