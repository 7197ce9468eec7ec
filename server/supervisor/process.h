#ifndef SERVER_SUPERVISOR_PROCESS_H
#define SERVER_SUPERVISOR_PROCESS_H

#include <stdint.h>

/* Prepares this process and its children: no core dumps and no ptrace (they would show secrets),
 * the highest allowed number of descriptors, SIGPIPE ignored, umask 077, the C locale. */
void process_prepare(void);

/* Number of processors by affinity and cgroup quota; at least 1. */
unsigned process_cores(void);
/* Bytes of memory of the machine, or the limit of the cgroup if that is lower. */
int64_t process_memory_bytes(void);

#endif
