#ifndef SERVER_BASE_LOOP_H
#define SERVER_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/* The event loop of a process, on libevent. Create it after the fork. Callbacks run on the loop,
 * never inside the call that armed them. They may stop, cancel and free anything. Functions that
 * return int: 0, or -1 when memory is short or libevent fails. */

struct loop;
struct event_base;

typedef void loop_fn(void *arg);
typedef void loop_fd_fn(int fd, unsigned what, void *arg);

#define LOOP_READ 1u
#define LOOP_WRITE 2u

struct loop *loop_new(void); /* NULL: out of memory */
/* NULL does nothing. Timers, posts and descriptors must be deinited before it. */
void loop_free(struct loop *loop);
int loop_run(struct loop *loop); /* until loop_stop */
void loop_stop(struct loop *loop);
/* For libraries that bring their own libevent glue (hiredis, libunbound). */
struct event_base *loop_base(struct loop *loop);

/* A one-shot timer. Embed it; a zeroed timer is valid. Init it once, then set and cancel it any
 * number of times. */
struct loop_timer {
	void *event;
};
/* Does not start the timer. */
int loop_timer_init(struct loop_timer *t, struct loop *loop, loop_fn *fn, void *arg);
void loop_timer_set(struct loop_timer *t, int64_t ms); /* from now; replaces the last set */
/* Both do nothing on a zeroed timer. deinit also cancels. */
void loop_timer_cancel(struct loop_timer *t);
void loop_timer_deinit(struct loop_timer *t);

/* A callback at the end of this loop turn, for example to send all requests of one turn as one
 * batch. Posting it again before it has run does nothing. */
struct loop_post {
	void *event;
	bool is_posted;
	loop_fn *fn;
	void *arg;
};
/* Does not post. deinit cancels; it does nothing on a zeroed value. */
int loop_post_init(struct loop_post *p, struct loop *loop, loop_fn *fn, void *arg);
void loop_post(struct loop_post *p);
void loop_post_deinit(struct loop_post *p);

/* A watched descriptor. fn gets the bits that are ready: LOOP_READ, LOOP_WRITE. Level-triggered. */
struct loop_fd {
	void *event;
	struct loop *loop;
	loop_fd_fn *fn;
	void *arg;
	int fd;
	unsigned want;
};
/* Watches nothing yet. The caller owns fd, and closes it after deinit. */
void loop_fd_init(struct loop_fd *w, struct loop *loop, int fd, loop_fd_fn *fn, void *arg);
int loop_fd_want(struct loop_fd *w, unsigned what); /* bits to watch from now on; 0 = none */
void loop_fd_deinit(struct loop_fd *w);             /* does not close fd */

/* Calls fn on the loop for each delivery of the signal, until the loop is freed. */
int loop_signal(struct loop *loop, int signal, loop_fn *fn, void *arg);

#endif
