/* The names of the lanes. */
#include "server/store/messages/lane.h"

const char *lane_name(enum lane lane)
{
	static const char *const names[LANES] = {"otp", "normal", "bulk"};

	return names[lane];
}
