/* Threads that share the pieces of a call, where nobody waits for a thread that has not come.
 *
 * Design
 * ------
 * A call is cut into numbered pieces whose results do not depend on who computes them. The calling
 * thread publishes them in a slot and takes pieces itself; workers that are awake take others, each
 * by a compare-and-swap of the slot's ticket:
 *
 *     generation of the slot (32 bits) | seats (8 bits) | pieces left (24 bits)
 *
 * The call is over when all PIECES are done. A worker that comes late finds none left and is not
 * missed; the caller waits only for pieces that others have begun. A worker takes a seat together
 * with its first piece, so that no more threads take part than were asked for. The generation lets
 * the next call use the slot at once: a worker with an old ticket cannot swap it, and it reads the
 * rest of the slot only while it has a piece; the call cannot end before that piece does.
 *
 * Waiting. A worker without work looks for some for SPIN nanoseconds, then sleeps until a call
 * wakes it; a caller waits for the last pieces in the same way. A thread about to sleep says so, then
 * looks once more; a thread that brings or ends work does so, then looks for sleepers. Sequentially
 * consistent atomics keep these orders, so that no sleeper is forgotten.
 *
 * A busy machine takes threads off their processors for milliseconds, also in the middle of a piece.
 * Two rules keep that from costing more than the threads gain:
 *
 * - A worker that finds itself on the processor of the caller moves to another one. The system
 *   would leave it there, since all processors are busy, and the two would only take turns.
 * - Calls compare the time that they take with what the same work took when it was done alone, and
 *   keep a balance of what they save. When it becomes negative, calls do their work alone for PAUSE
 *   nanoseconds, and for twice as long each time, up to LONGEST_PAUSE, until sharing pays again.
 *   Work alone is timed for each kind of pieces: in the pauses, after the first call, and for MEASURE
 *   nanoseconds every second, since neighbours come and go.
 *
 * Threads are started here and nowhere else: when a call first has work for them, and for as long as
 * the process lives. They own nothing and hold no lock while they compute, so the process may exit
 * at any time. Where none can be had the caller does the work alone. They block signals, which are
 * for the threads of Python. A forked child has none of its parent's threads: its pool begins empty.
 *
 * Several threads may call at once, each with a slot of its own, or alone when all are taken. Without
 * POSIX threads (Windows) all calls work alone.
 */
#ifndef CRNN_POOL_H
#define CRNN_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "flush.h"

/* Computes piece i of ``work`` into ``out``. */
typedef void (*crnn_piece)(const void *work, void *out, ptrdiff_t i);

static void crnn_work_alone(crnn_piece piece, const void *work, void *out, ptrdiff_t n) {
    for (ptrdiff_t i = 0; i < n; i++) piece(work, out, i);
}

#if defined(__GNUC__) && !defined(_WIN32)

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>

enum { CRNN_THREADS = 1 };

enum {
    SLOTS = 16,
    MOST_PIECES = (1 << 24) - 1,
    MOST_HELPERS = (1 << 8) - 1,
    STACK_BYTES = 1 << 20,
    /* Nanoseconds. */
    SPIN = 100 * 1000,
    PAUSE = 20 * 1000 * 1000,
    LONGEST_PAUSE = 16 * PAUSE,
    CREDIT = 8 * 1000 * 1000, /* the highest balance */
    REMEMBERED = 40 * 1000 * 1000, /* work alone beyond which what is older counts half */
    MEASURE = 10 * 1000 * 1000, /* to work alone, to measure its speed ... */
    EVERY = 1000 * 1000 * 1000, /* ... so long after the last time */
    RETRY = 1000 * 1000 * 1000, /* from a failure to start a thread to the next try */
    KINDS = 32, /* of pieces, whose speeds are kept */
    /* Multiply-adds that take longer than to hand work to a thread that is awake, and than to wake
     * one: some microseconds and some tens of them. */
    WORTH_SHARING = 1 << 18,
    WORTH_WAKING = 1 << 20
};

#define LOAD(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define STORE(x, value) __atomic_store_n(&(x), value, __ATOMIC_SEQ_CST)
#define ADD(x, value) __atomic_add_fetch(&(x), value, __ATOMIC_SEQ_CST)
#define SWAP(x, old, new)                                                                        \
    __atomic_compare_exchange_n(&(x), &(old), new, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

/* Where threads sleep, and how many do. */
typedef struct {
    pthread_mutex_t mutex;
    pthread_cond_t condition;
    int sleepers;
} crnn_bed;

typedef struct {
    _Alignas(64) uint64_t ticket; /* on cache lines of their own, as all threads write to them */
    _Alignas(64) ptrdiff_t done;
    _Alignas(64) crnn_piece piece;
    const void *work;
    void *out;
    ptrdiff_t n;
    int processor; /* of the caller */
    int taken;
    crnn_bed bed; /* of the caller */
} crnn_slot;

/* How long pieces of one kind took alone. */
typedef struct {
    crnn_piece piece;
    int64_t time, cost; /* nanoseconds for so many multiply-adds */
} crnn_speed;

static struct {
    crnn_slot slots[SLOTS];
    crnn_bed bed; /* of the workers */
    int woken;    /* sleepers that were told to get up, and have not yet */
    int idle;     /* workers awake without work, or told to get up */
    int n_workers;
    pthread_mutex_t starting;
    int64_t start_again; /* when threads may be started */
    int64_t balance, pause;
    int64_t alone_until, measure_at;
    crnn_speed speeds[KINDS];
} crnn_pool;

static const uint64_t SEAT = (uint64_t)1 << 24;

static inline uint64_t pieces_left(uint64_t ticket) { return ticket & MOST_PIECES; }
static inline uint64_t seats_left(uint64_t ticket) { return ticket / SEAT & MOST_HELPERS; }
static inline uint64_t generation(uint64_t ticket) { return ticket >> 32; }

static inline int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

static inline void spin_once(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether a condition comes true within SPIN nanoseconds. */
static int comes_soon(int (*condition)(const crnn_slot *), const crnn_slot *slot) {
    const int64_t end = now() + SPIN;
    do {
        for (int i = 0; i < 16; i++) {
            if (condition(slot)) return 1;
            spin_once();
        }
    } while (now() < end);
    return 0;
}

/* ----------------------------------- The processor of a thread ------------------------------- */

#if defined(__linux__)

static int this_processor(void) { return sched_getcpu(); }

/* Move the calling thread to another of the processors that it may use, then allow it all again. */
static void leave_processor(int processor) {
    cpu_set_t allowed, others;
    if (processor < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
    others = allowed;
    CPU_CLR(processor, &others);
    if (CPU_COUNT(&others) > 0 && sched_setaffinity(0, sizeof others, &others) == 0)
        sched_setaffinity(0, sizeof allowed, &allowed);
}

#else

static int this_processor(void) { return -1; }

static void leave_processor(int processor) { (void)processor; }

#endif

/* ----------------------------------- Taking pieces ------------------------------------------- */

static int is_done(const crnn_slot *slot) { return LOAD(slot->done) == slot->n; }

/* Compute pieces of the call that the ticket belongs to until none is left. */
static void take_pieces(crnn_slot *slot, uint64_t ticket, int needs_seat) {
    const uint64_t call = generation(ticket);
    while (generation(ticket) == call && pieces_left(ticket) > 0) {
        if (needs_seat && seats_left(ticket) == 0) break;
        if (!SWAP(slot->ticket, ticket, ticket - 1 - (needs_seat ? SEAT : 0))) continue;
        needs_seat = 0;
        const ptrdiff_t n = slot->n;
        slot->piece(slot->work, slot->out, n - (ptrdiff_t)pieces_left(ticket));
        if (ADD(slot->done, 1) == n && LOAD(slot->bed.sleepers) > 0) {
            pthread_mutex_lock(&slot->bed.mutex);
            pthread_cond_signal(&slot->bed.condition);
            pthread_mutex_unlock(&slot->bed.mutex);
        }
        ticket = LOAD(slot->ticket);
    }
}

/* ----------------------------------- Workers ------------------------------------------------- */

static crnn_slot *find_work(uint64_t *ticket) {
    for (int i = 0; i < SLOTS; i++) {
        *ticket = LOAD(crnn_pool.slots[i].ticket);
        if (pieces_left(*ticket) > 0 && seats_left(*ticket) > 0) return &crnn_pool.slots[i];
    }
    return NULL;
}

static int there_is_work(const crnn_slot *any) {
    uint64_t ticket;
    (void)any;
    return find_work(&ticket) != NULL;
}

static void sleep_until_woken(void) {
    pthread_mutex_lock(&crnn_pool.bed.mutex);
    ADD(crnn_pool.idle, -1);
    ADD(crnn_pool.bed.sleepers, 1);
    if (there_is_work(NULL)) {
        ADD(crnn_pool.bed.sleepers, -1);
        ADD(crnn_pool.idle, 1);
    } else {
        while (crnn_pool.woken == 0)
            pthread_cond_wait(&crnn_pool.bed.condition, &crnn_pool.bed.mutex);
        crnn_pool.woken--;
    }
    pthread_mutex_unlock(&crnn_pool.bed.mutex);
}

/* Called by whoever has work. Counts those that it wakes as awake, so that no second call wakes more. */
static void wake_workers(int n) {
    n -= LOAD(crnn_pool.idle);
    if (n <= 0 || LOAD(crnn_pool.bed.sleepers) == 0) return;
    pthread_mutex_lock(&crnn_pool.bed.mutex);
    for (; n > 0 && LOAD(crnn_pool.bed.sleepers) > 0; n--) {
        ADD(crnn_pool.bed.sleepers, -1);
        ADD(crnn_pool.idle, 1);
        crnn_pool.woken++;
        pthread_cond_signal(&crnn_pool.bed.condition);
    }
    pthread_mutex_unlock(&crnn_pool.bed.mutex);
}

static void *work_for_ever(void *unused) {
    uint64_t ticket;
    crnn_flush_denormals();
    for (;;) {
        crnn_slot *slot = find_work(&ticket);
        if (slot != NULL) {
            const int processor = LOAD(slot->processor);
            if (processor == this_processor()) leave_processor(processor);
            ADD(crnn_pool.idle, -1);
            take_pieces(slot, ticket, 1);
            ADD(crnn_pool.idle, 1);
        }
        if (!comes_soon(there_is_work, NULL)) sleep_until_woken();
    }
    return unused;
}

static int start_worker(void) {
    /* All signals but those that a thread raises itself: blocked, these would end the process
     * without a word. */
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t blocked, before;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) sigdelset(&blocked, own[i]);
    if (pthread_attr_init(&attributes) != 0) return 0;
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    const int error = pthread_create(&thread, &attributes, work_for_ever, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return error == 0;
}

/* ----------------------------------- Callers ------------------------------------------------- */

static void start_workers(int wanted) {
    if (LOAD(crnn_pool.n_workers) >= wanted || now() < LOAD(crnn_pool.start_again) ||
        pthread_mutex_trylock(&crnn_pool.starting) != 0)
        return;
    while (LOAD(crnn_pool.n_workers) < wanted) {
        ADD(crnn_pool.idle, 1);
        if (!start_worker()) {
            ADD(crnn_pool.idle, -1);
            STORE(crnn_pool.start_again, now() + RETRY);
            break;
        }
        ADD(crnn_pool.n_workers, 1);
    }
    pthread_mutex_unlock(&crnn_pool.starting);
}

/* ----------------------------------- Whether sharing pays ------------------------------------ */

/* The entry of a kind, made at its first call; NULL where all are taken. */
static crnn_speed *speed_of(crnn_piece piece) {
    for (int i = 0; i < KINDS; i++) {
        crnn_piece found = LOAD(crnn_pool.speeds[i].piece);
        if (found == NULL && SWAP(crnn_pool.speeds[i].piece, found, piece)) found = piece;
        if (found == piece) return &crnn_pool.speeds[i];
    }
    return NULL;
}

/* Time that work would take alone, or ``otherwise`` while nothing is known of its kind. */
static int64_t time_alone(const crnn_speed *speed, ptrdiff_t cost, int64_t otherwise) {
    const int64_t known = LOAD(speed->cost);
    return known > 0 ? (int64_t)((double)LOAD(speed->time) / (double)known * (double)cost) : otherwise;
}

static void remember(crnn_speed *speed, ptrdiff_t cost, int64_t time) {
    const int fade = LOAD(speed->time) >= REMEMBERED ? 2 : 1;
    STORE(speed->time, LOAD(speed->time) / fade + time);
    STORE(speed->cost, LOAD(speed->cost) / fade + cost);
}

static void keep_balance(int64_t saved, int64_t time) {
    const int64_t balance = LOAD(crnn_pool.balance) + saved, pause = LOAD(crnn_pool.pause);
    if (time < LOAD(crnn_pool.alone_until)) return; /* another call has found out already */
    STORE(crnn_pool.balance, balance < 0 ? CREDIT / 4 : balance < CREDIT ? balance : CREDIT);
    if (balance < 0) {
        STORE(crnn_pool.alone_until, time + pause);
        STORE(crnn_pool.pause, pause < LONGEST_PAUSE ? 2 * pause : pause);
        STORE(crnn_pool.measure_at, time + pause + EVERY);
    } else if (balance >= CREDIT)
        STORE(crnn_pool.pause, PAUSE);
    if (time >= LOAD(crnn_pool.measure_at)) {
        STORE(crnn_pool.alone_until, time + MEASURE);
        STORE(crnn_pool.measure_at, time + MEASURE + EVERY);
    }
}

static void make_pool(void) {
    memset(&crnn_pool, 0, sizeof crnn_pool);
    for (int i = 0; i <= SLOTS; i++) {
        crnn_bed *bed = i < SLOTS ? &crnn_pool.slots[i].bed : &crnn_pool.bed;
        pthread_mutex_init(&bed->mutex, NULL);
        pthread_cond_init(&bed->condition, NULL);
    }
    pthread_mutex_init(&crnn_pool.starting, NULL);
    crnn_pool.balance = CREDIT / 4;
    crnn_pool.pause = PAUSE;
}

/* Called once, at import; a forked child calls it again. Returns 0 where there is no memory for it. */
static int crnn_make_pool(void) {
    make_pool();
    return pthread_atfork(NULL, NULL, make_pool) == 0;
}

static crnn_slot *take_slot(void) {
    for (int i = 0; i < SLOTS; i++) {
        int taken = 0;
        if (SWAP(crnn_pool.slots[i].taken, taken, 1)) return &crnn_pool.slots[i];
    }
    return NULL;
}

static void wait_until_done(crnn_slot *slot) {
    if (comes_soon(is_done, slot)) return;
    pthread_mutex_lock(&slot->bed.mutex);
    ADD(slot->bed.sleepers, 1);
    while (!is_done(slot)) pthread_cond_wait(&slot->bed.condition, &slot->bed.mutex);
    ADD(slot->bed.sleepers, -1);
    pthread_mutex_unlock(&slot->bed.mutex);
}

static void work_together(crnn_slot *slot, crnn_piece piece, const void *work, void *out,
                          ptrdiff_t n, int n_helpers, int wake) {
    const uint64_t ticket = (generation(LOAD(slot->ticket)) + 1) << 32 |
                            (uint64_t)n_helpers * SEAT | (uint64_t)n;
    slot->piece = piece;
    slot->work = work;
    slot->out = out;
    slot->n = n;
    start_workers(n_helpers);
    STORE(slot->processor, this_processor());
    STORE(slot->done, 0);
    STORE(slot->ticket, ticket);
    if (wake) wake_workers(n_helpers);
    take_pieces(slot, ticket, 0);
    wait_until_done(slot);
    STORE(slot->taken, 0);
}

static void share_if_it_pays(crnn_piece piece, const void *work, void *out, ptrdiff_t n,
                             int n_helpers, ptrdiff_t cost) {
    const int64_t start = now();
    crnn_speed *alone = speed_of(piece);
    crnn_slot *slot =
        alone != NULL && start >= LOAD(crnn_pool.alone_until) ? take_slot() : NULL;
    if (slot != NULL) {
        work_together(slot, piece, work, out, n, n_helpers, cost >= WORTH_WAKING);
        const int64_t end = now(), time = end - start;
        keep_balance(time_alone(alone, cost, time) - time, end);
    } else {
        crnn_work_alone(piece, work, out, n);
        if (alone != NULL) remember(alone, cost, now() - start);
    }
}

/* Compute n pieces, with up to n_threads - 1 helpers if they cost so many multiply-adds in all, or
 * what takes as long, that it pays. */
static void crnn_share(crnn_piece piece, const void *work, void *out, ptrdiff_t n, int n_threads,
                       ptrdiff_t cost) {
    const uint64_t control = crnn_flush_denormals();
    const ptrdiff_t helpers = (n_threads < n ? n_threads : n) - 1;
    if (helpers > 0 && n <= MOST_PIECES && cost >= WORTH_SHARING)
        share_if_it_pays(piece, work, out, n, helpers < MOST_HELPERS ? (int)helpers : MOST_HELPERS,
                         cost);
    else
        crnn_work_alone(piece, work, out, n);
    crnn_restore(control);
}

#undef LOAD
#undef STORE
#undef ADD
#undef SWAP

#else

enum { CRNN_THREADS = 0 };

static int crnn_make_pool(void) { return 1; }

static void crnn_share(crnn_piece piece, const void *work, void *out, ptrdiff_t n, int n_threads,
                       ptrdiff_t cost) {
    const uint64_t control = crnn_flush_denormals();
    (void)n_threads;
    (void)cost;
    crnn_work_alone(piece, work, out, n);
    crnn_restore(control);
}

#endif
#endif
