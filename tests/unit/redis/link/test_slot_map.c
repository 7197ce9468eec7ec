/* Slots of a cluster: the slot of a key, the reply to CLUSTER SLOTS, MOVED and ASK. */
#include "server/redis/link/slot_map.h"

#include <stdio.h>
#include <string.h>

#include "server/base/id.h"
#include "server/redis/link/command.h"
#include "tests/unit/unit.h"

static void the_slot_of_a_key_is_that_of_redis(void **state)
{
	/* as CLUSTER KEYSLOT replies */
	static const struct {
		const char *key;
		unsigned slot;
	} rows[] = {
		{"123456789", 12739},    {"", 0},
		{"foo", 12182},          {"bar", 5061},
		{"foo{bar}", 5061},      {"{bar}foo", 5061},
		{"foo{}{bar}", 8363},    {"foo{{bar}}zap", 4015},
		{"foo{bar}{zap}", 5061}, {"foo{bar", 15278},
		{"pn:{g}:", 7233},       {"pn:{p0}:m:x", 15882},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (slot_of_key(rows[i].key, strlen(rows[i].key)) != rows[i].slot)
			fail_msg("%s: %u", rows[i].key,
				 slot_of_key(rows[i].key, strlen(rows[i].key)));
}

static void all_keys_of_a_partition_are_in_the_slot_of_its_root(void **state)
{
	char root[COMMAND_ROOT_MAX], key[64];
	size_t len;

	(void)state;
	for (unsigned p = 0; p < ID_PARTITIONS; p++) {
		len = command_root(p, root);
		snprintf(key, sizeof(key), "%sm:{x}", root);
		assert_int_equal(slot_of_key(root, len), slot_of_key(key, strlen(key)));
	}
}

/* Reads RESP, as it comes from Redis. */
static int read_map(const char *resp, struct slot_map *map, struct err *e)
{
	static const struct redis_host asked = {"10.0.0.9", 7000};
	redisReader *reader = redisReaderCreate();
	void *reply = NULL;
	int status;

	assert_int_equal(redisReaderFeed(reader, resp, strlen(resp)), REDIS_OK);
	assert_int_equal(redisReaderGetReply(reader, &reply), REDIS_OK);
	assert_non_null(reply);
	status = slot_map_read(map, reply, &asked, e);
	freeReplyObject(reply);
	redisReaderFree(reader);
	return status;
}

#define NODE(name, port) "*3\r\n" name ":" port "\r\n$2\r\nid\r\n"
#define RANGE(first, last, node) "*3\r\n:" first "\r\n:" last "\r\n" node

static void assert_primary(const struct slot_map *map, unsigned slot, const char *name, int port)
{
	const struct redis_host *host = slot_map_primary(map, slot);

	assert_non_null(host);
	assert_string_equal(host->name, name);
	assert_int_equal(host->port, port);
}

static void the_map_has_the_primary_of_each_slot(void **state)
{
	struct slot_map map;
	struct err e;

	(void)state;
	assert_int_equal(read_map("*4\r\n" RANGE("0", "100", NODE("$8\r\n10.0.0.1\r\n", "6379"))
				  /* with a replica, which is left out */
				  "*4\r\n:101\r\n:200\r\n" NODE("$3\r\n::1\r\n", "7001")
					  NODE("$8\r\n10.0.0.2\r\n", "6379")
				  /* nodes that do not know their own address */
				  RANGE("300", "300", NODE("$-1\r\n", "7000")) RANGE(
					  "16383", "16383", NODE("$8\r\n10.0.0.1\r\n", "6379")),
				  &map, &e),
			 0);
	assert_int_equal(map.n_primaries, 3);
	assert_int_equal(map.n_missing, SLOTS - 203);
	assert_primary(&map, 0, "10.0.0.1", 6379);
	assert_primary(&map, 100, "10.0.0.1", 6379);
	assert_primary(&map, 16383, "10.0.0.1", 6379);
	assert_primary(&map, 101, "::1", 7001);
	assert_primary(&map, 200, "::1", 7001);
	assert_primary(&map, 300, "10.0.0.9", 7000);
	assert_null(slot_map_primary(&map, 201));
	assert_null(slot_map_primary(&map, 299));
	assert_null(slot_map_primary(&map, 16382));
	slot_map_free(&map);
}

static void an_empty_map_has_no_primaries(void **state)
{
	struct slot_map map;
	struct err e;

	(void)state;
	assert_int_equal(read_map("*0\r\n", &map, &e), 0);
	assert_int_equal(map.n_missing, SLOTS);
	assert_null(slot_map_primary(&map, 0));
	slot_map_free(&map);
}

static void damaged_maps_are_refused(void **state)
{
	static const char *const rows[] = {
		"+OK\r\n",
		":1\r\n",
		"*1\r\n*0\r\n",
		"*1\r\n:1\r\n",
		"*1\r\n*2\r\n:0\r\n:1\r\n",
		"*1\r\n" RANGE("0", "16384", NODE("$1\r\na\r\n", "1")),
		"*1\r\n" RANGE("-1", "5", NODE("$1\r\na\r\n", "1")),
		"*1\r\n" RANGE("0", "5", NODE("$1\r\na\r\n", "0")),
		"*1\r\n" RANGE("0", "5", NODE("$1\r\na\r\n", "65536")),
		"*1\r\n" RANGE("0", "5", NODE("$3\r\na\nb\r\n", "1")),
		"*1\r\n" RANGE("0", "5", NODE("$3\r\na\"b\r\n", "1")),
		"*1\r\n" RANGE("0", "5", NODE("$2\r\na\\\r\n", "1")),
		"*1\r\n" RANGE("0", "5", "*1\r\n$1\r\na\r\n"),
		"*1\r\n" RANGE("0", "5", "$1\r\na\r\n"),
		"*1\r\n*3\r\n$1\r\n0\r\n$1\r\n5\r\n" NODE("$1\r\na\r\n", "1"),
		"*1\r\n*3\r\n:0\r\n:5\r\n*3\r\n$1\r\na\r\n$1\r\n1\r\n$2\r\nid\r\n",
		"*2\r\n" RANGE("0", "5", NODE("$1\r\na\r\n", "1")) ":5\r\n",
	};
	struct slot_map map;
	struct err e;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (read_map(rows[i], &map, &e) == 0)
			fail_msg("%s was read", rows[i]);
		assert_null(map.primaries);
		assert_string_equal(e.text, "unexpected reply to CLUSTER SLOTS");
	}
}

static void redirections_are_read(void **state)
{
	static const struct redis_host asked = {"10.0.0.9", 7000};
	static const struct {
		const char *error, *name;
		int port;
	} rows[] = {
		{"MOVED 3999 127.0.0.1:6381", "127.0.0.1", 6381},
		{"ASK 3999 redis-2.example:6381", "redis-2.example", 6381},
		{"MOVED 1 ::1:7000", "::1", 7000},
		{"MOVED 1 :7001", "10.0.0.9", 7001},
		{"MOVED 1 ?:7001", "10.0.0.9", 7001},
		{"MOVED 1 a:0", NULL, 0},
		{"MOVED 1 a", NULL, 0},
		{"MOVED 1 a b:1", NULL, 0},
		{"MOVED 1 a\"b:1", NULL, 0},
		{"MOVED 1", NULL, 0},
		{"MOVED ", NULL, 0},
		{"ERR 1 a:1", NULL, 0},
	};
	struct redis_host to;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status = slot_redirect_read(rows[i].error, &asked, &to);

		assert_int_equal(status, rows[i].name ? 0 : -1);
		if (status < 0)
			continue;
		assert_string_equal(to.name, rows[i].name);
		assert_int_equal(to.port, rows[i].port);
	}
}

UNIT_TESTS(cmocka_unit_test(the_slot_of_a_key_is_that_of_redis),
	   cmocka_unit_test(all_keys_of_a_partition_are_in_the_slot_of_its_root),
	   cmocka_unit_test(the_map_has_the_primary_of_each_slot),
	   cmocka_unit_test(an_empty_map_has_no_primaries),
	   cmocka_unit_test(damaged_maps_are_refused), cmocka_unit_test(redirections_are_read))
