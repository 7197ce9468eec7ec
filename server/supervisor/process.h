#ifndef SERVER_SUPERVISOR_PROCESS_H
#define SERVER_SUPERVISOR_PROCESS_H

#include <stdint.h>

/* What every postern process wants from the kernel: no core dumps and no peeking (secrets), as many
 * descriptors as it may have, no SIGPIPE, files for the owner only, the C locale. */
void process_prepare(void);

/* Processors this process may use, by affinity and by cgroup quota; at least 1. */
unsigned process_cores(void);
/* Memory of this machine, or what the cgroup leaves of it. */
int64_t process_memory_bytes(void);

#endif
