/* Reads the files that hold settings. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "server/base/buf.h"
#include "server/config/config_table.h"

#define FILE_MAX_BYTES ((size_t)1 << 20)

int config_file_read(const char *file, struct buf *out, struct err *e)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : 1;

	out->limit = FILE_MAX_BYTES;
	while (n > 0) {
		char *to = buf_reserve(out, 4096);

		n = to ? read(fd, to, 4096) : 0;
		if (n > 0)
			out->len += (size_t)n;
	}
	if (n < 0)
		err_set(e, ERR_INPUT, "%s: %s", file, strerror(errno));
	else if (out->failed)
		n = err_set(e, ERR_INPUT, "%s: the file is larger than 1 MB", file);
	if (fd >= 0)
		close(fd);
	return n < 0 ? -1 : 0;
}
