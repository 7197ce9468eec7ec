/* Projects and keys against a real Redis: made, found, remembered for a second, revoked. */
#include "tests/unit/redis/redis_fixture.h"

#include <errno.h>

#include <event2/event.h>
#include <jansson.h>
#include <openssl/crypto.h>

#include "server/base/log.h"
#include "server/store/projects/keys.h"
#include "server/store/projects/projects.h"

/* What was hashed and compared, with lengths. */
static char trace[1000];

static void note(const char *what, long long n)
{
	snprintf(trace + strlen(trace), sizeof(trace) - strlen(trace), "%s %lld\n", what, n);
}

/* The linker sends all calls of these two here (see the Makefile).
 * NOLINTBEGIN(bugprone-reserved-identifier) */
int __real_CRYPTO_memcmp(const void *a, const void *b, size_t len);
int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t len);
void __real_sha256(const void *bytes, size_t len, unsigned char *out);
void __wrap_sha256(const void *bytes, size_t len, unsigned char *out);

int __wrap_CRYPTO_memcmp(const void *a, const void *b, size_t len)
{
	note("compare", (long long)len);
	return __real_CRYPTO_memcmp(a, b, len);
}

void __wrap_sha256(const void *bytes, size_t len, unsigned char *out)
{
	note("hash", (long long)len);
	__real_sha256(bytes, len, out);
}
/* NOLINTEND(bugprone-reserved-identifier) */

struct made {
	int calls;
	struct key key;
	char text[KEY_TEXT_MAX];
	struct err why;
};

static void on_made(const struct key *key, const char *text, const struct err *why, void *arg)
{
	struct made *m = arg;

	m->calls++;
	m->key = key ? *key : (struct key){0};
	snprintf(m->text, sizeof(m->text), "%s", text ? text : "");
	m->why = why ? *why : (struct err){0};
}

static struct made create(struct fixture *f, const char *project, unsigned scopes, bool is_test)
{
	struct made m = {0};

	keys_create(f->store, &(struct key_draft){project, "a name", scopes, is_test, NULL, NULL},
		    on_made, &m);
	wait_call(f, &m.calls);
	return m;
}

static struct made import(struct fixture *f, const char *project, const char *text)
{
	struct made m = {0};

	keys_create(f->store, &(struct key_draft){project, "kept", SCOPE_SEND, true, NULL, text},
		    on_made, &m);
	assert_true(becomes(f, was_called, &m.calls));
	return m;
}

struct found {
	int calls;
	bool is_found;
	struct key key;
	struct err why;
};

static void on_found(const struct key *key, const struct err *why, void *arg)
{
	struct found *d = arg;

	d->calls++;
	d->is_found = key;
	d->key = key ? *key : (struct key){0};
	d->why = why ? *why : (struct err){0};
}

static struct found find(struct fixture *f, const char *text)
{
	struct found d = {0};

	keys_find(f->store, text, strlen(text), on_found, &d);
	assert_true(becomes(f, was_called, &d.calls));
	assert_int_equal(d.calls, 1);
	return d;
}

static enum err_kind revoke_key(struct fixture *f, const char *id)
{
	struct finished d = {0};

	keys_revoke(f->store, &(struct keys_of){0}, id, on_finished, &d);
	return wait_finished(f, &d);
}

static void on_projects(const struct project *list, size_t n, const struct err *why, void *arg)
{
	assert_int_equal(n, why ? 0 : 1);
	if (n)
		assert_true(id_valid("prj", list->id));
	on_finished(why, arg);
}

static enum err_kind make_project(struct fixture *f, const char *name)
{
	struct finished d = {0};

	projects_create(f->store, NULL, name, on_projects, &d);
	assert_true(becomes(f, was_called, &d.calls));
	return d.why.kind;
}

static void a_new_key_is_found_with_all_it_has(void **state)
{
	struct fixture *f = *state;
	struct made live = create(f, "default", SCOPE_SEND | SCOPE_READ, false);
	struct made test = create(f, live.key.project_id, SCOPE_MANAGE, true);
	struct found d = find(f, live.text);

	assert_memory_equal(live.text, "pn_live_", 8);
	assert_memory_equal(test.text, "pn_test_", 8);
	assert_int_equal(strlen(live.text), 48);
	assert_string_not_equal(live.text + 8, test.text + 8);
	assert_true(id_valid("key", live.key.id));
	assert_true(id_valid("prj", live.key.project_id));
	assert_true(d.is_found);
	assert_string_equal(d.key.id, live.key.id);
	assert_string_equal(d.key.name, "a name");
	assert_string_equal(d.key.tenant, "1");
	assert_int_equal(d.key.scopes, SCOPE_SEND | SCOPE_READ);
	assert_false(d.key.is_test);
	d = find(f, test.text);
	assert_true(d.is_found && d.key.is_test);
	assert_int_equal(d.key.scopes, SCOPE_MANAGE);
	assert_string_equal(d.key.project_id, live.key.project_id);
}

static void the_store_does_not_hold_the_text_of_a_key(void **state)
{
	struct fixture *f = *state;
	struct made m = create(f, "default", SCOPE_SEND, false);
	char path[160], line[4096];
	FILE *file;

	snprintf(path, sizeof(path), "grep -rl %s %s | wc -l", m.text, f->redis_dir);
	file = popen(path, "r");
	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	pclose(file);
	assert_int_equal(atoi(line), 0);
	assert_int_equal(redis_do(f, "HEXISTS pn:{g}:keys %s", m.text), 0);
	assert_int_equal(redis_do(f, "HLEN pn:{g}:keys"), 1);
}

static void a_known_key_is_found_in_memory_and_then_read_again(void **state)
{
	struct fixture *f = *state;
	struct made m = create(f, "default", SCOPE_SEND, false);
	struct found d = {0};

	assert_true(find(f, m.text).is_found);
	keys_find(f->store, m.text, strlen(m.text), on_found, &d);
	assert_int_equal(d.calls, 1); /* from within: no question to Redis */
	assert_true(d.is_found);
	usleep(1100000);
	d = (struct found){0};
	keys_find(f->store, m.text, strlen(m.text), on_found, &d);
	wait_call(f, &d.calls);
	assert_true(d.is_found);
}

static void a_text_that_is_not_a_key_is_not_found(void **state)
{
	static const char *const texts[] = {"", "pn_live_", "pn_live_unknown", "x y\r\nGET z"};
	struct fixture *f = *state;
	struct made m = create(f, "default", SCOPE_SEND, false);
	struct found d = {0};

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		d = find(f, texts[i]);
		assert_false(d.is_found);
		assert_int_equal(d.why.kind, ERR_NOT_FOUND);
	}
	d = (struct found){0};
	keys_find(f->store, m.text, strlen(m.text) - 1, on_found, &d);
	assert_true(becomes(f, was_called, &d.calls));
	assert_false(d.is_found);
}

/* How often Redis was asked for a key. */
static long long lookups(struct fixture *f)
{
	return redis_info(f, "commandstats", "cmdstat_hget:calls=");
}

/* All that is done to find out about a key: never seen before, and once it is remembered. */
static bool trace_find(struct fixture *f, const char *text, char out[1000])
{
	long long before = lookups(f);
	bool is_found;

	trace[0] = 0;
	is_found = find(f, text).is_found;
	note("lookups", lookups(f) - before);
	is_found = find(f, text).is_found || is_found;
	note("lookups", lookups(f) - before);
	snprintf(out, 1000, "%s", trace);
	return is_found;
}

static void every_key_takes_the_same_way_whatever_is_wrong_with_it(void **state)
{
	static const size_t places[] = {0, 8, 47};
	struct fixture *f = *state;
	struct made m = create(f, "default", SCOPE_SEND, false);
	char right[1000], wrong[1000], text[KEY_TEXT_MAX];

	assert_true(trace_find(f, m.text, right));
	assert_string_equal(right, "hash 48\nlookups 2\nhash 48\ncompare 32\nlookups 2\n");
	for (size_t i = 0; i < 4; i++) {
		snprintf(text, sizeof(text), "%s", m.text);
		if (i < 3)
			text[places[i]] ^= 1;
		else
			memset(text, 'x', 48); /* not even the beginning of a key */
		close_store(f);                /* remembers none */
		open_store(f, REDIS_SCRIPTS);
		wait_ready(f);
		assert_false(trace_find(f, text, wrong));
		assert_string_equal(wrong, right);
	}
}

static bool is_refused(struct fixture *f, void *arg)
{
	struct found d = {0};

	keys_find(f->store, arg, strlen(arg), on_found, &d);
	while (d.calls == 0)
		event_base_loop(loop_base(f->loop), EVLOOP_ONCE);
	return !d.is_found && d.why.kind == ERR_NOT_FOUND;
}

static void a_revoked_key_is_refused_within_a_second_everywhere(void **state)
{
	struct fixture *f = *state;
	struct made m = create(f, "default", SCOPE_SEND, false);
	struct fixture other = *f; /* another process has its own memory */
	int64_t began;

	open_store(&other, REDIS_SCRIPTS);
	wait_ready(&other);
	assert_true(find(f, m.text).is_found);
	assert_true(find(&other, m.text).is_found);
	assert_int_equal(revoke_key(&other, m.key.id), ERR_NONE);
	began = clock_mono_ms();
	while (!is_refused(f, m.text) || !is_refused(&other, m.text))
		usleep(20000);
	assert_in_range(clock_mono_ms() - began, 0, 2500);
	assert_int_equal(revoke_key(f, m.key.id), ERR_NOT_FOUND);
	assert_int_equal(revoke_key(f, "key_nonsense"), ERR_NOT_FOUND);
	close_store(&other);
}

static void a_key_that_is_imported_twice_is_the_same(void **state)
{
	static const char text[] = "pn_test_00000000000000000000000000000000000000aa";
	struct fixture *f = *state;
	struct made first = import(f, "default", text), again = import(f, "default", text);

	assert_int_equal(first.why.kind, ERR_NONE);
	assert_string_equal(first.text, text);
	assert_true(id_valid("key", first.key.id));
	assert_string_equal(first.key.id, again.key.id);
	assert_string_equal(find(f, text).key.id, first.key.id);
	assert_int_equal(redis_do(f, "HLEN pn:{g}:keys"), 1);
}

static void a_key_needs_a_project_that_exists(void **state)
{
	struct fixture *f = *state;
	struct made m = create(f, "nobody", SCOPE_SEND, false);

	assert_int_equal(m.why.kind, ERR_NOT_FOUND);
	assert_string_equal(m.text, "");
	assert_int_equal(import(f, "prj_none", "pn_live_x").why.kind, ERR_NOT_FOUND);
	assert_int_equal(redis_do(f, "EXISTS pn:{g}:keys"), 0);
}

static void a_project_has_a_name_of_its_own(void **state)
{
	struct fixture *f = *state;
	struct made m;

	assert_int_equal(make_project(f, "shop \"\\ \xc3\xbc"), ERR_NONE);
	assert_int_equal(make_project(f, "shop \"\\ \xc3\xbc"), ERR_INPUT);
	assert_int_equal(make_project(f, "default"), ERR_INPUT);
	m = create(f, "shop \"\\ \xc3\xbc", SCOPE_SEND, false);
	assert_int_equal(m.why.kind, ERR_NONE);
	assert_string_equal(find(f, m.text).key.tenant, "2");
}

static void while_the_store_is_away_known_keys_stay_known_and_others_wait(void **state)
{
	struct fixture *f = *state;
	struct made m = create(f, "default", SCOPE_SEND, false);
	struct found d;

	assert_true(find(f, m.text).is_found);
	kill_redis(f);
	assert_true(becomes(f, is_unready, NULL));
	usleep(1100000);
	assert_true(find(f, m.text).is_found);
	d = find(f, "pn_live_never_seen");
	assert_false(d.is_found);
	assert_int_equal(d.why.kind, ERR_RETRY);
	assert_int_equal(revoke_key(f, m.key.id), ERR_RETRY);
	assert_int_equal(create(f, "default", SCOPE_SEND, false).why.kind, ERR_RETRY);
}

static void questions_about_keys_end_with_the_process(void **state)
{
	struct fixture *f = *state;
	struct found d = {0};
	struct made m = {0};
	struct finished r = {0};

	kill(f->redis, SIGSTOP);
	keys_find(f->store, "x", 1, on_found, &d);
	keys_create(f->store, &(struct key_draft){"default", "n", SCOPE_SEND, false, NULL, NULL},
		    on_made, &m);
	keys_revoke(f->store, &(struct keys_of){0}, "key_x", on_finished, &r);
	redis_abandon(f->store);
	assert_int_equal(d.calls, 1);
	assert_int_equal(d.why.kind, ERR_RETRY);
	assert_int_equal(m.calls, 1);
	assert_int_equal(m.why.kind, ERR_RETRY);
	assert_int_equal(r.calls, 1);
	assert_int_equal(r.why.kind, ERR_RETRY);
}

static void *no_memory(size_t size)
{
	(void)size;
	errno = ENOMEM;
	return NULL;
}

static void a_key_that_cannot_be_read_for_lack_of_memory_is_not_taken_for_unknown(void **state)
{
	struct fixture *f = *state;
	struct made m = create(f, "default", SCOPE_SEND, false);
	struct found d;

	json_set_alloc_funcs(no_memory, free);
	d = find(f, m.text);
	json_set_alloc_funcs(malloc, free);
	assert_false(d.is_found);
	assert_true(err_is_oom(&d.why));
	assert_true(find(f, m.text).is_found);
}

UNIT_TESTS(READY(a_new_key_is_found_with_all_it_has),
	   READY(the_store_does_not_hold_the_text_of_a_key),
	   READY(a_known_key_is_found_in_memory_and_then_read_again),
	   READY(a_text_that_is_not_a_key_is_not_found),
	   READY(every_key_takes_the_same_way_whatever_is_wrong_with_it),
	   READY(a_key_that_cannot_be_read_for_lack_of_memory_is_not_taken_for_unknown),
	   READY(a_revoked_key_is_refused_within_a_second_everywhere),
	   READY(a_key_that_is_imported_twice_is_the_same),
	   READY(a_key_needs_a_project_that_exists), READY(a_project_has_a_name_of_its_own),
	   READY(while_the_store_is_away_known_keys_stay_known_and_others_wait),
	   READY(questions_about_keys_end_with_the_process))
