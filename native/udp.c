/*
 * The UDP engine of Viaduct for Linux: sockets on the event loop, batches to JavaScript, what JavaScript wrote to the
 * wire. docs/decisions/0014-native-udp.md says why it is there, 0015-wakeup-moderation.md how it decides when to read.
 *
 *   a socket is readable, or a tick of the moderation
 *     -> recvmmsg into the slab -> onBatch() in JavaScript -> its microtasks -> sendmmsg
 *   timers, promises and whatever else ran in this turn of the loop
 *     -> before the loop sleeps (prepare): sendmmsg
 *
 * Everything runs on the thread of its own event loop; nothing is shared between worker threads.
 */
#define _GNU_SOURCE
#define NAPI_VERSION 8
#include "bursts.h"
#include "datagrams.h"
#include "digest.h"
#include "scan.h"

#include <errno.h>
#include <node_api.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum {
  /* Raised whenever the functions or the records change: native-udp.ts loads no other. */
  INTERFACE = 7,
  /* Batches of so many are read on at once: who is that busy does not need to wait for more. */
  LARGE_BATCH = 16,
  /* Milliseconds over which wake-ups are counted before anything is decided. */
  WINDOW_MS = 8,
  /* Rounds of telling errors and sending what that led to; the rest waits for the next turn. */
  ROUNDS = 4,
};

/*
 * Direct: sockets wake the loop. Collecting: a timer does, and each tick reads all sockets. What is counted since
 * `window_start` decides between them.
 */
typedef struct {
  uint32_t microseconds;
  bool is_collecting;
  uint64_t window_start;
  uint32_t wakeups, datagrams;
  int timer;
  uv_poll_t poll;
} Moderation;

struct Engine {
  napi_env env;
  napi_ref memory, on_batch, on_errors;
  napi_async_cleanup_hook_handle cleanup;
  uv_loop_t *loop;
  uv_prepare_t prepare;
  /* Active for one turn when there is more to do than this one does: the loop does not sleep then. */
  uv_idle_t more;
  Moderation moderation;
  Tables tables;
  bool is_reading, is_closed;
  /* Handles that the loop still knows, and whether JavaScript does: the last one frees all. */
  uint32_t handles;
  bool is_held;
};

static void on_readable(uv_poll_t *poll, int status, int events);

/* JavaScript. */

static void call(Engine *engine, napi_ref callback) {
  napi_env env = engine->env;
  napi_handle_scope scope;
  napi_value function, global, error;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  if (napi_get_reference_value(env, callback, &function) == napi_ok && function != NULL &&
      napi_get_global(env, &global) == napi_ok) {
    const napi_status status = napi_make_callback(env, NULL, global, function, 0, NULL, NULL);
    /* As from any other callback: an uncaughtException, and the engine goes on if the process does. */
    if (status == napi_pending_exception && napi_get_and_clear_last_exception(env, &error) == napi_ok)
      napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

/* Waking up. */

static void watch(Engine *engine, Socket *socket) {
  const bool reads = engine->is_reading && !engine->moderation.is_collecting;
  const int events = (reads ? UV_READABLE : 0) | (socket->kept ? UV_WRITABLE : 0);
  if (events) uv_poll_start(&socket->poll, events, on_readable);
  else uv_poll_stop(&socket->poll);
}

static void watch_all(Engine *engine) {
  for (uint32_t i = 0; i < engine->tables.sockets_count; i++) watch(engine, engine->tables.sockets[i]);
}

static void send_waiting(Engine *engine) {
  Tables *tables = &engine->tables;
  if (tables->state[WAITING] == 0) return;
  datagrams_send(tables);
  for (uint32_t i = 0; i < tables->sockets_count; i++)
    if (tables->sockets[i]->kept) watch(engine, tables->sockets[i]);
}

static void on_more(uv_idle_t *more);

/* Sends what JavaScript wrote, tells it the errors, and sends what it wrote to that. */
static void settle(Engine *engine) {
  for (int round = 0; round < ROUNDS; round++) {
    send_waiting(engine);
    if (engine->tables.state[ERRORS] == 0) return;
    call(engine, engine->on_errors);
    /* The tables are JavaScript's again. */
    if (engine->is_closed) return;
    engine->tables.state[ERRORS] = 0;
  }
  send_waiting(engine);
  uv_idle_start(&engine->more, on_more);
}

static void deliver(Engine *engine) {
  if (engine->tables.state[RECEIVED] > 0) call(engine, engine->on_batch);
  if (engine->is_closed) return;
  engine->tables.state[RECEIVED] = engine->tables.in_used = 0;
  settle(engine);
}

/* Moderation: docs/decisions/0015-wakeup-moderation.md. */

static void set_timer(Moderation *it, uint32_t microseconds) {
  const struct timespec time = {microseconds / 1000000, microseconds % 1000000 * 1000L};
  const struct itimerspec interval = {time, time};
  timerfd_settime(it->timer, 0, &interval, NULL);
}

static void on_tick(uv_poll_t *poll, int status, int events);

static void start_window(Moderation *it, uint64_t now) {
  it->window_start = now;
  it->wakeups = it->datagrams = 0;
}

static void set_collecting(Engine *engine, bool is_collecting) {
  Moderation *it = &engine->moderation;
  if (it->is_collecting == is_collecting) return;
  it->is_collecting = is_collecting;
  set_timer(it, is_collecting ? it->microseconds : 0);
  if (is_collecting) uv_poll_start(&it->poll, UV_READABLE, on_tick);
  else uv_poll_stop(&it->poll);
  watch_all(engine);
}

/*
 * A tick costs about as much as any other wake-up. So ticks begin where they are fewer than the wake-ups that were
 * counted, with something to spare, and end where most of them find nothing.
 */
static void moderate(Engine *engine, uint32_t datagrams) {
  Moderation *it = &engine->moderation;
  if (it->microseconds == 0 || engine->is_closed) return;
  it->wakeups++;
  it->datagrams += datagrams;
  const uint64_t elapsed = uv_now(engine->loop) - it->window_start;
  if (elapsed < WINDOW_MS) return;
  const uint64_t ticks = elapsed * 1000 / it->microseconds;
  if (it->is_collecting) set_collecting(engine, it->datagrams >= ticks);
  else set_collecting(engine, it->wakeups * 2 > ticks * 3);
  start_window(it, uv_now(engine->loop));
}

/* Reads all sockets, as far as the slab goes; true if it is worth to read again at once. */
static bool collect(Engine *engine) {
  Tables *tables = &engine->tables;
  for (uint32_t i = 0; i < tables->sockets_count; i++) datagrams_receive(tables, tables->sockets[i]);
  const uint32_t count = tables->state[RECEIVED];
  deliver(engine);
  moderate(engine, count);
  return count >= LARGE_BATCH;
}

static void on_more(uv_idle_t *more) {
  Engine *engine = more->data;
  uv_idle_stop(more);
  if (engine->is_reading && engine->moderation.is_collecting && collect(engine) && !engine->is_closed)
    uv_idle_start(more, on_more);
}

static void on_tick(uv_poll_t *poll, int status, int events) {
  Engine *engine = poll->data;
  uint64_t ticks;
  if (read(engine->moderation.timer, &ticks, sizeof ticks) != sizeof ticks || !engine->is_reading) return;
  if (uv_is_active((uv_handle_t *)&engine->more)) return;
  if (collect(engine) && !engine->is_closed) uv_idle_start(&engine->more, on_more);
}

/* Readable, writable, or an error that waits: libuv stops to watch then. */
static void on_readable(uv_poll_t *poll, int status, int events) {
  Socket *socket = poll->data;
  Engine *engine = socket->engine;
  Tables *tables = &engine->tables;
  if (status < 0) datagrams_read_errors(tables, socket);
  if (events & UV_WRITABLE) datagrams_send_kept(tables, socket);
  if (status < 0 || (events & UV_WRITABLE)) watch(engine, socket);
  if (engine->is_reading && (events & UV_READABLE)) datagrams_receive(tables, socket);
  const uint32_t count = tables->state[RECEIVED];
  deliver(engine);
  if (count > 0) moderate(engine, count);
}

static void on_prepare(uv_prepare_t *prepare) {
  settle(prepare->data);
}

/* Opening and closing. */

static void release(Engine *engine) {
  if (engine->handles > 0 || engine->is_held) return;
  vectors_free(&engine->tables.in_vectors);
  vectors_free(&engine->tables.out_vectors);
  bursts_free(engine->tables.bursts);
  for (uint32_t i = 0; i < engine->tables.sockets_count; i++) free(engine->tables.sockets[i]);
  free(engine->tables.sockets);
  free(engine);
}

static void on_handle_closed(uv_handle_t *handle) {
  Engine *engine = handle->data;
  /* A worker thread that ends waits for the last one. */
  if (--engine->handles == 0 && engine->cleanup) napi_remove_async_cleanup_hook(engine->cleanup);
  release(engine);
}

static void on_socket_closed(uv_handle_t *handle) {
  Socket *socket = handle->data;
  handle->data = socket->engine;
  on_handle_closed(handle);
}

static void close_engine(Engine *engine) {
  if (engine->is_closed) return;
  engine->is_closed = true;
  engine->is_reading = false;
  for (uint32_t i = 0; i < engine->tables.sockets_count; i++) {
    uv_close((uv_handle_t *)&engine->tables.sockets[i]->poll, on_socket_closed);
    socket_close(engine->tables.sockets[i]);
  }
  uv_close((uv_handle_t *)&engine->moderation.poll, on_handle_closed);
  close(engine->moderation.timer);
  uv_close((uv_handle_t *)&engine->more, on_handle_closed);
  uv_close((uv_handle_t *)&engine->prepare, on_handle_closed);
}

/* The thread ends while the engine is open. */
static void on_cleanup(napi_async_cleanup_hook_handle hook, void *data) {
  close_engine(data);
}

static void on_collected(napi_env env, void *data, void *hint) {
  Engine *engine = data;
  engine->is_held = false;
  release(engine);
}

/* The surface: functions of JavaScript. */

static napi_value throw_code(napi_env env, int code) {
  napi_throw_error(env, uv_err_name(code), uv_strerror(code));
  return NULL;
}

static Engine *engine_of(napi_env env, napi_callback_info info, size_t count, napi_value *values) {
  napi_value all[8];
  size_t given = 8;
  void *engine = NULL;
  if (napi_get_cb_info(env, info, &given, all, NULL, NULL) != napi_ok || given < count + 1) return NULL;
  if (napi_get_value_external(env, all[0], &engine) != napi_ok) return NULL;
  memcpy(values, all + 1, count * sizeof *values);
  return engine;
}

static uint32_t number(napi_env env, napi_value object, const char *name) {
  napi_value value;
  uint32_t result = 0;
  napi_get_named_property(env, object, name, &value);
  napi_get_value_uint32(env, value, &result);
  return result;
}

/* The memory of a typed array, and how many elements it has. */
static void *memory(napi_env env, napi_value object, const char *name, size_t *length) {
  napi_value value;
  void *data = NULL;
  *length = 0;
  napi_get_named_property(env, object, name, &value);
  napi_get_typedarray_info(env, value, NULL, length, &data, NULL, NULL);
  return data;
}

static void read_slab(napi_env env, napi_value options, Slab *slab, const char *octets, const char *records) {
  size_t words;
  slab->octets = memory(env, options, octets, &slab->octets_length);
  slab->records = memory(env, options, records, &words);
  slab->records_max = words / RECORD_WORDS;
}

static int allocate(Tables *tables, uint32_t stride, uint32_t datagram_bytes_max, bool bursts) {
  if (!tables->in.octets || !tables->out.octets || !tables->in.records || !tables->out.records ||
      !tables->errors || !tables->state || stride < datagram_bytes_max ||
      (uint64_t)stride * tables->in.records_max > tables->in.octets_length)
    return -EINVAL;
  if (vectors_allocate(&tables->in_vectors, tables->in.records_max)) return -ENOMEM;
  if (vectors_allocate(&tables->out_vectors, tables->out.records_max)) return -ENOMEM;
  if (bursts && !(tables->bursts = bursts_allocate(tables->out.records_max))) return -ENOMEM;
  for (uint32_t i = 0; i < tables->in.records_max; i++)
    tables->in_vectors.octets[i] =
        (struct iovec){.iov_base = tables->in.octets + (size_t)stride * i, .iov_len = datagram_bytes_max};
  return 0;
}

static int start_handles(Engine *engine) {
  Moderation *moderation = &engine->moderation;
  moderation->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
  if (moderation->timer == -1) return -errno;
  const int failed = uv_poll_init(engine->loop, &moderation->poll, moderation->timer);
  if (failed) {
    close(moderation->timer);
    return failed;
  }
  uv_idle_init(engine->loop, &engine->more);
  uv_prepare_init(engine->loop, &engine->prepare);
  engine->handles = 3;
  engine->prepare.data = engine->more.data = moderation->poll.data = engine;
  /* What keeps the process running, as an open socket does, is `prepare`: it is active until the engine is closed. */
  uv_unref((uv_handle_t *)&engine->more);
  uv_unref((uv_handle_t *)&moderation->poll);
  return uv_prepare_start(&engine->prepare, on_prepare);
}

/* open({ inSlab, inRecords, inStride, outSlab, outRecords, errors, state, ... }, onBatch, onErrors): the engine. */
static napi_value js_open(napi_env env, napi_callback_info info) {
  napi_value arguments[3], result;
  size_t count = 3, words, scan_words, state_words;
  if (napi_get_cb_info(env, info, &count, arguments, NULL, NULL) != napi_ok || count < 3)
    return throw_code(env, UV_EINVAL);
  Engine *engine = calloc(1, sizeof *engine);
  if (!engine) return throw_code(env, UV_ENOMEM);
  engine->env = env;
  engine->is_held = true;
  if (napi_create_external(env, engine, on_collected, NULL, &result) != napi_ok) {
    engine->is_held = false;
    release(engine);
    return throw_code(env, UV_ENOMEM);
  }
  Tables *tables = &engine->tables;
  read_slab(env, arguments[0], &tables->in, "inSlab", "inRecords");
  tables->in.scans = memory(env, arguments[0], "inScans", &scan_words);
  read_slab(env, arguments[0], &tables->out, "outSlab", "outRecords");
  tables->errors = memory(env, arguments[0], "errors", &words);
  tables->errors_max = words / RECORD_WORDS;
  tables->state = memory(env, arguments[0], "state", &state_words);
  tables->kept_bytes_max = number(env, arguments[0], "keptBytesMax");
  engine->moderation.microseconds = number(env, arguments[0], "moderationMicroseconds");
  const uint32_t stride = number(env, arguments[0], "inStride");
  int failed = state_words < STATE_WORDS || scan_words < (size_t)SCAN_WORDS * tables->in.records_max
                   ? UV_EINVAL
                   : allocate(tables, stride, number(env, arguments[0], "datagramBytesMax"),
                              number(env, arguments[0], "bursts") != 0);
  if (!failed && napi_get_uv_event_loop(env, &engine->loop) != napi_ok) failed = UV_EINVAL;
  if (!failed) failed = start_handles(engine);
  if (failed) return throw_code(env, failed);
  napi_create_reference(env, arguments[0], 1, &engine->memory);
  napi_create_reference(env, arguments[1], 1, &engine->on_batch);
  napi_create_reference(env, arguments[2], 1, &engine->on_errors);
  napi_add_async_cleanup_hook(env, on_cleanup, engine, &engine->cleanup);
  return result;
}

static int add_socket(Engine *engine, Socket *socket) {
  Tables *tables = &engine->tables;
  Socket **sockets = realloc(tables->sockets, (tables->sockets_count + 1) * sizeof *sockets);
  if (!sockets) return UV_ENOMEM;
  tables->sockets = sockets;
  const int failed = uv_poll_init(engine->loop, &socket->poll, socket->fd);
  if (failed) return failed;
  uv_unref((uv_handle_t *)&socket->poll);
  socket->poll.data = socket;
  socket->engine = engine;
  socket->index = tables->sockets_count++;
  sockets[socket->index] = socket;
  engine->handles++;
  return 0;
}

/* bind(engine, address, port, reusePort, receiveBufferBytes): the port. Sockets count from 0 in this order. */
static napi_value js_bind(napi_env env, napi_callback_info info) {
  napi_value arguments[4], result;
  char address[128];
  int32_t port = 0, receive_buffer_bytes = 0;
  bool reuse_port = false;
  Engine *engine = engine_of(env, info, 4, arguments);
  if (!engine || engine->is_closed) return throw_code(env, UV_EBADF);
  if (napi_get_value_string_latin1(env, arguments[0], address, sizeof address, NULL) != napi_ok ||
      napi_get_value_int32(env, arguments[1], &port) != napi_ok ||
      napi_get_value_bool(env, arguments[2], &reuse_port) != napi_ok ||
      napi_get_value_int32(env, arguments[3], &receive_buffer_bytes) != napi_ok)
    return throw_code(env, UV_EINVAL);
  Socket *socket = calloc(1, sizeof *socket);
  if (!socket) return throw_code(env, UV_ENOMEM);
  int failed = socket_open(socket, address, port, reuse_port, receive_buffer_bytes);
  if (!failed) {
    port = socket_port(socket);
    failed = port < 0 ? port : add_socket(engine, socket);
    if (failed) socket_close(socket);
  }
  if (failed) {
    free(socket);
    return throw_code(env, failed);
  }
  napi_create_int32(env, port, &result);
  return result;
}

/* read(engine, on): begins or stops to read. */
static napi_value js_read(napi_env env, napi_callback_info info) {
  napi_value on;
  Engine *engine = engine_of(env, info, 1, &on);
  if (!engine || engine->is_closed) return NULL;
  napi_get_value_bool(env, on, &engine->is_reading);
  start_window(&engine->moderation, uv_now(engine->loop));
  if (!engine->is_reading) set_collecting(engine, false);
  watch_all(engine);
  return NULL;
}

/* flush(engine): sends what waits, for a slab that is full. Its errors are told later: nobody is called from here. */
static napi_value js_flush(napi_env env, napi_callback_info info) {
  Engine *engine = engine_of(env, info, 0, NULL);
  if (engine && !engine->is_closed) send_waiting(engine);
  return NULL;
}

/* kept(engine): octets that the kernel could not take yet. */
static napi_value js_kept(napi_env env, napi_callback_info info) {
  napi_value result;
  int64_t bytes = 0;
  Engine *engine = engine_of(env, info, 0, NULL);
  for (uint32_t i = 0; engine && i < engine->tables.sockets_count; i++)
    bytes += engine->tables.sockets[i]->kept_bytes;
  napi_create_int64(env, bytes, &result);
  return result;
}

static napi_value js_close(napi_env env, napi_callback_info info) {
  Engine *engine = engine_of(env, info, 0, NULL);
  if (!engine || engine->is_closed) return NULL;
  close_engine(engine);
  napi_delete_reference(env, engine->memory);
  napi_delete_reference(env, engine->on_batch);
  napi_delete_reference(env, engine->on_errors);
  return NULL;
}

/* parse(text, isIpv6, words): an address as five words; false if it is none. */
static napi_value js_parse(napi_env env, napi_callback_info info) {
  napi_value arguments[3], result;
  size_t count = 3, length = 0, words = 0;
  char text[128];
  bool is_six = false;
  void *data = NULL;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  const bool is_given =
      napi_get_value_string_latin1(env, arguments[0], text, sizeof text, &length) == napi_ok &&
      napi_get_value_bool(env, arguments[1], &is_six) == napi_ok &&
      napi_get_typedarray_info(env, arguments[2], NULL, &words, &data, NULL, NULL) == napi_ok && words >= 5;
  const bool is_cut = length >= sizeof text - 1 || strlen(text) != length;
  napi_get_boolean(env, is_given && !is_cut && address_parse(text, is_six ? AF_INET6 : AF_INET, data) == 0, &result);
  return result;
}

/* The 16 octets of a key; NULL if it has another length. */
static const uint8_t *key_of(napi_env env, napi_value value) {
  size_t length = 0;
  void *octets = NULL;
  if (napi_get_typedarray_info(env, value, NULL, &length, &octets, NULL, NULL) != napi_ok) return NULL;
  return length == 16 ? octets : NULL;
}

/* identifyBy(engine, key): from the next datagram on, records have the identity. */
static napi_value js_identify_by(napi_env env, napi_callback_info info) {
  napi_value key;
  Engine *engine = engine_of(env, info, 1, &key);
  const uint8_t *octets = engine ? key_of(env, key) : NULL;
  if (!octets) return throw_code(env, UV_EINVAL);
  memcpy(engine->tables.identity_key, octets, sizeof engine->tables.identity_key);
  engine->tables.has_identity_key = true;
  return NULL;
}

/* scan(octets, record, key): what each datagram goes through; false if the record is too short or the message not usual. */
static napi_value js_scan(napi_env env, napi_callback_info info) {
  napi_value arguments[3], result;
  size_t count = 3, length = 0, words = 0;
  void *octets = NULL, *record = NULL;
  napi_get_cb_info(env, info, &count, arguments, NULL, NULL);
  const bool is_given =
      napi_get_typedarray_info(env, arguments[0], NULL, &length, &octets, NULL, NULL) == napi_ok &&
      napi_get_typedarray_info(env, arguments[1], NULL, &words, &record, NULL, NULL) == napi_ok &&
      words >= SCAN_WORDS;
  napi_get_boolean(env, is_given && scan_usual(octets, length, record, key_of(env, arguments[2])), &result);
  return result;
}

/* The memory of digest.h, which the only argument is; NULL if it is none. */
static uint8_t *digest_memory(napi_env env, napi_callback_info info) {
  napi_value argument;
  size_t count = 1, length = 0;
  void *memory = NULL;
  napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
  const bool is_given =
      napi_get_typedarray_info(env, argument, NULL, &length, &memory, NULL, NULL) == napi_ok && length >= DIGEST_OCTETS;
  return is_given ? memory : NULL;
}

/* readDigest(memory), proveDigest(memory): what they find stands in the memory. */
static napi_value js_read_digest(napi_env env, napi_callback_info info) {
  uint8_t *memory = digest_memory(env, info);
  if (memory) digest_read(memory);
  return NULL;
}

static napi_value js_prove_digest(napi_env env, napi_callback_info info) {
  uint8_t *memory = digest_memory(env, info);
  if (memory) digest_prove(memory);
  return NULL;
}

/* issueNonce(memory): the nonce, with what is around it. */
static napi_value js_issue_nonce(napi_env env, napi_callback_info info) {
  napi_value result = NULL;
  char line[CHALLENGE_OCTETS];
  const uint8_t *memory = digest_memory(env, info);
  if (memory) napi_create_string_latin1(env, line, digest_challenge(memory, line), &result);
  return result;
}

static void set_function(napi_env env, napi_value exports, const char *name, napi_callback callback) {
  napi_value function;
  napi_create_function(env, name, NAPI_AUTO_LENGTH, callback, NULL, &function);
  napi_set_named_property(env, exports, name, function);
}

NAPI_MODULE_INIT() {
  napi_value version;
  napi_create_int32(env, INTERFACE, &version);
  napi_set_named_property(env, exports, "interface", version);
  set_function(env, exports, "open", js_open);
  set_function(env, exports, "bind", js_bind);
  set_function(env, exports, "read", js_read);
  set_function(env, exports, "flush", js_flush);
  set_function(env, exports, "kept", js_kept);
  set_function(env, exports, "close", js_close);
  set_function(env, exports, "parse", js_parse);
  set_function(env, exports, "scan", js_scan);
  set_function(env, exports, "identifyBy", js_identify_by);
  set_function(env, exports, "readDigest", js_read_digest);
  set_function(env, exports, "proveDigest", js_prove_digest);
  set_function(env, exports, "issueNonce", js_issue_nonce);
  return exports;
}
