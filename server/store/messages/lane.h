#ifndef SERVER_STORE_MESSAGES_LANE_H
#define SERVER_STORE_MESSAGES_LANE_H

/* The priority class of a message: one-time passwords first, newsletters last. */

enum lane { LANE_OTP, LANE_NORMAL, LANE_BULK };
#define LANES 3

/* As in the API: "otp", "normal", "bulk". */
const char *lane_name(enum lane lane);

#endif
