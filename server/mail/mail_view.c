/* Reads a received mail into JSON for developers: subject, text, html, headers. */
#include "server/mail/mail_view.h"

#include <string.h>
#include <strings.h>

#include "server/base/json_text.h"
#include "server/mail/mail_decode.h"
#include "server/base/buf.h"

#define FIELDS_MAX 200
#define DEPTH_MAX 8
#define PARTS_MAX 100

struct view {
	struct buf text, html;
	bool has_text, has_html;
	size_t n_parts;
};

/* ---- header ---- */

/* Takes a field with its folded lines. False at the end, or at the empty line, which is taken, too.
 */
static bool next_field(struct slice *in, struct slice *field)
{
	struct slice line;

	if (!slice_line(in, &line) || !line.len)
		return false;
	*field = line;
	while (in->len && (*in->p == ' ' || *in->p == '\t')) {
		slice_line(in, &line);
		field->len = (size_t)(line.p + line.len - field->p);
	}
	return true;
}

static bool split_field(struct slice field, struct slice *name, struct slice *value)
{
	const char *colon = memchr(field.p, ':', field.len);

	if (!colon)
		return false;
	*name = slice_trim((struct slice){field.p, (size_t)(colon - field.p)});
	*value = slice_trim((struct slice){colon + 1, (size_t)(field.p + field.len - colon - 1)});
	return true;
}

/* Unfolding removes the line ends and keeps the white space (RFC 5322 2.2.3). */
static void append_unfolded(struct slice value, struct buf *out)
{
	size_t i;

	for (i = 0; i < value.len; i++)
		if (value.p[i] != '\r' && value.p[i] != '\n')
			buf_char(out, value.p[i]);
}

/* Appends the unfolded value of the first field with this name. False if there is none. */
static bool find_field(struct slice in, const char *wanted, struct buf *out)
{
	struct slice field, name, value;
	size_t n;

	for (n = 0; n < FIELDS_MAX && next_field(&in, &field); n++) {
		if (!split_field(field, &name, &value) || !slice_is(name, wanted))
			continue;
		append_unfolded(value, out);
		return true;
	}
	return false;
}

static struct slice body_of(struct slice entity)
{
	struct slice field;

	while (next_field(&entity, &field))
		;
	return entity;
}

/* ---- Content-Type and its like ---- */

/* The value before the first ";". */
static struct slice main_value(const struct buf *value)
{
	return slice_trim((struct slice){buf_text(value), strcspn(buf_text(value), ";")});
}

/* Takes the next parameter (RFC 2045 5.1) from p, which begins with ";". */
static bool next_parameter(struct slice *p, struct slice *name, struct buf *value)
{
	size_t i = 1, begin = 1;
	bool is_quoted;

	if (!p->len || *p->p != ';')
		return false;
	while (i < p->len && p->p[i] != '=' && p->p[i] != ';')
		i++;
	*name = slice_trim((struct slice){p->p + begin, i - begin});
	i += i < p->len && p->p[i] == '=' ? 1 : 0;
	is_quoted = i < p->len && p->p[i] == '"';
	for (i += is_quoted ? 1 : 0; i < p->len && p->p[i] != (is_quoted ? '"' : ';'); i++) {
		if (is_quoted && p->p[i] == '\\' && i + 1 < p->len)
			i++;
		buf_char(value, p->p[i]);
	}
	while (i < p->len && p->p[i] != ';')
		i++;
	p->p += i;
	p->len -= i;
	return true;
}

static bool find_parameter(const struct buf *header, const char *wanted, struct buf *out)
{
	size_t begin = strcspn(buf_text(header), ";");
	struct slice p = {buf_text(header) + begin, header->len - begin}, name;

	while (next_parameter(&p, &name, out)) {
		if (slice_is(name, wanted))
			return true;
		buf_reset(out);
	}
	return false;
}

/* ---- parts ---- */

static void view_entity(struct view *v, struct slice entity, size_t depth);

/* 0: no delimiter, 1: a part begins, 2: the last one ended (RFC 2046 5.1.1). */
static int delimiter(struct slice line, const struct buf *boundary)
{
	if (line.len < boundary->len + 2 || memcmp(line.p, "--", 2) != 0 ||
	    memcmp(line.p + 2, buf_text(boundary), boundary->len) != 0)
		return 0;
	line.p += boundary->len + 2;
	line.len -= boundary->len + 2;
	if (line.len >= 2 && memcmp(line.p, "--", 2) == 0)
		return 2;
	return slice_trim(line).len ? 0 : 1;
}

/* The part from begin to the delimiter line, whose leading line end belongs to the delimiter. */
static struct slice part_between(const char *begin, const char *delimiter_line)
{
	size_t len = (size_t)(delimiter_line - begin);

	if (len && begin[len - 1] == '\n')
		len--;
	if (len && begin[len - 1] == '\r')
		len--;
	return (struct slice){begin, len};
}

static void view_parts(struct view *v, struct slice body, const struct buf *boundary, size_t depth)
{
	const char *begin = NULL;
	struct slice line;
	int kind = 0;

	while (kind != 2 && slice_line(&body, &line)) {
		kind = delimiter(line, boundary);
		if (!kind)
			continue;
		if (begin)
			view_entity(v, part_between(begin, line.p), depth + 1);
		begin = body.p;
	}
	if (kind != 2 && begin)
		view_entity(v, (struct slice){begin, (size_t)(body.p - begin)}, depth + 1);
}

static bool is_attachment(struct slice entity)
{
	struct buf value = {0};
	bool is;

	find_field(entity, "Content-Disposition", &value);
	is = slice_is(main_value(&value), "attachment");
	buf_deinit(&value);
	return is;
}

static void view_text(struct slice entity, struct buf *out, bool *has)
{
	struct buf encoding = {0};

	if (*has || is_attachment(entity))
		return;
	find_field(entity, "Content-Transfer-Encoding", &encoding);
	mail_decode_body(body_of(entity), main_value(&encoding), out);
	*has = true;
	buf_deinit(&encoding);
}

static void view_entity(struct view *v, struct slice entity, size_t depth)
{
	struct buf type = {0}, boundary = {0};
	bool has_type = find_field(entity, "Content-Type", &type);
	struct slice name = main_value(&type);

	if (depth > DEPTH_MAX || v->n_parts++ >= PARTS_MAX)
		;
	else if (!has_type || slice_is(name, "text/plain"))
		view_text(entity, &v->text, &v->has_text);
	else if (slice_is(name, "text/html"))
		view_text(entity, &v->html, &v->has_html);
	else if (name.len > 10 && strncasecmp(name.p, "multipart/", 10) == 0 &&
		 find_parameter(&type, "boundary", &boundary) && boundary.len)
		view_parts(v, body_of(entity), &boundary, depth);
	buf_deinit(&type);
	buf_deinit(&boundary);
}

/* ---- JSON ---- */

static json_t *header_pair(struct slice name, struct slice value)
{
	struct buf unfolded = {0};
	json_t *pair;

	append_unfolded(value, &unfolded);
	pair = json_pack("[o, o]", json_text(name.p, name.len),
			 json_text(buf_text(&unfolded), unfolded.len));
	buf_deinit(&unfolded);
	return pair;
}

static json_t *headers(struct slice mail)
{
	struct slice field, name, value;
	json_t *list = json_array();
	size_t n;

	for (n = 0; n < FIELDS_MAX && next_field(&mail, &field); n++) {
		if (!split_field(field, &name, &value))
			continue;
		if (json_array_append_new(list, header_pair(name, value)) < 0) {
			json_decref(list);
			return NULL;
		}
	}
	return list;
}

static json_t *subject(struct slice mail)
{
	struct buf value = {0}, words = {0};
	json_t *json;

	if (find_field(mail, "Subject", &value)) {
		mail_decode_words((struct slice){buf_text(&value), value.len}, &words);
		json = json_text(buf_text(&words), words.len);
	} else {
		json = json_null();
	}
	buf_deinit(&value);
	buf_deinit(&words);
	return json;
}

static json_t *body_json(const struct buf *body, bool has)
{
	return has ? json_text(buf_text(body), body->len) : json_null();
}

json_t *mail_view(const char *mail, size_t len)
{
	struct slice all = {mail, len};
	struct view v = {0};
	json_t *json;

	view_entity(&v, all, 0);
	json = json_pack("{s:o, s:o, s:o, s:o, s:o}", "subject", subject(all), "text",
			 body_json(&v.text, v.has_text), "html", body_json(&v.html, v.has_html),
			 "headers", headers(all), "raw", json_text(mail, len));
	buf_deinit(&v.text);
	buf_deinit(&v.html);
	return json;
}
