#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/config/networks.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* First an address, then a list. Each address is in a list with ::/0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char all[] = ",::/0";
	uint8_t address[NETWORKS_ADDRESS];
	char *list;

	if (size < sizeof(address))
		return 0;
	memcpy(address, data, sizeof(address));
	size -= sizeof(address);
	list = calloc(size + sizeof(all), 1);
	assert(list);
	if (size)
		memcpy(list, data + sizeof(address), size);
	networks_have(list, address);
	if (!networks_check(list)) {
		memcpy(list + strlen(list), all, sizeof(all));
		assert(!networks_check(list));
		assert(networks_have(list, address));
	}
	free(list);
	return 0;
}
