// The loops in C around the peers, so that no call from Go is within what is measured. scripts/peers.sh compiles this
// to libpeers.so, bench/figures opens it.
//
// A peer is opened once for each model and never closed. Not safe for concurrent use.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// What tl2cgen's generated header declares. Only the low half is read to see whether a value is missing.
union entry {
	int missing;
	double fvalue;
	int qvalue;
};

struct peer {
	int features;
	void (*score)(struct peer *, size_t row, double *out);

	const float *narrow; // rows, row-major
	double *wide;

	int (*fast)(void *, const void *, int64_t *, double *); // LightGBM
	void *config;

	void (*root)(const double *, double *, int, int); // lleaves

	void (*predict)(union entry *, int, double *); // tl2cgen
	union entry *entries, *row;

	void **ort; // onnxruntime
	void *session, *in, *out;
	float *x, raw;
};

static char message[512];

const char *peers_error(void) { return message; }

static void *symbol(const char *library, const char *name) {
	void *h = dlopen(library, RTLD_NOW | RTLD_LOCAL);
	void *p = h ? dlsym(h, name) : NULL;
	if (!p)
		snprintf(message, sizeof message, "%s", dlerror());
	return p;
}

static void score_lightgbm(struct peer *p, size_t row, double *out) {
	int64_t n;
	p->fast(p->config, p->narrow + row * p->features, &n, out);
}

static int open_lightgbm(struct peer *p, const char *library, const char *model) {
	int (*load)(const char *, int *, void **) = symbol(library, "LGBM_BoosterCreateFromModelfile");
	int (*init)(void *, int, int, int, int, int32_t, const char *, void **) =
		symbol(library, "LGBM_BoosterPredictForMatSingleRowFastInit");
	p->fast = symbol(library, "LGBM_BoosterPredictForMatSingleRowFast");
	void *booster;
	int iterations;
	if (!load || !init || !p->fast)
		return 1;
	enum { raw_score = 1, first = 0, all = -1, float32 = 0 };
	if (load(model, &iterations, &booster) ||
	    init(booster, raw_score, first, all, float32, p->features, "num_threads=1 verbosity=-1", &p->config))
		return snprintf(message, sizeof message, "LightGBM does not read %s", model);
	p->score = score_lightgbm;
	return 0;
}

static void score_lleaves(struct peer *p, size_t row, double *out) { p->root(p->wide + row * p->features, out, 0, 1); }

static int open_lleaves(struct peer *p, const char *library) {
	p->root = symbol(library, "forest_root");
	p->score = score_lleaves;
	return !p->root;
}

// predict adds to what it finds and, quantized, overwrites its row: both are made new for each call.
static void score_tl2cgen(struct peer *p, size_t row, double *out) {
	memcpy(p->row, p->entries + row * p->features, p->features * sizeof *p->row);
	*out = 0;
	p->predict(p->row, 1, out);
}

static int open_tl2cgen(struct peer *p, const char *library, size_t rows) {
	size_t n = rows * p->features;
	p->predict = symbol(library, "predict");
	p->entries = calloc(n, sizeof *p->entries);
	p->row = calloc(p->features, sizeof *p->row);
	if (!p->predict || !p->entries || !p->row)
		return 1;
	for (size_t i = 0; i < n; i++)
		if (isnan(p->narrow[i]))
			p->entries[i].missing = -1;
		else
			p->entries[i].fvalue = p->narrow[i];
	p->score = score_tl2cgen;
	return 0;
}

// Places in OrtApi, a table of functions whose version 1 never changes (onnxruntime_c_api.h).
enum {
	ORT_GET_ERROR_MESSAGE = 2,
	ORT_CREATE_ENV = 3,
	ORT_CREATE_SESSION = 7,
	ORT_RUN = 9,
	ORT_CREATE_SESSION_OPTIONS = 10,
	ORT_SET_INTRA_OP_THREADS = 24,
	ORT_SET_INTER_OP_THREADS = 25,
	ORT_CREATE_TENSOR_WITH_DATA = 49,
	ORT_CREATE_CPU_MEMORY_INFO = 69,
};

static void score_onnxruntime(struct peer *p, size_t row, double *out) {
	void *(*run)(void *, void *, const char *const *, void *const *, size_t, const char *const *, size_t, void **) =
		p->ort[ORT_RUN];
	static const char *const in[] = {"x"}, *const raw[] = {"raw"};
	memcpy(p->x, p->narrow + row * p->features, p->features * sizeof *p->x);
	*out = run(p->session, NULL, in, &p->in, 1, raw, 1, &p->out) ? NAN : p->raw;
}

static int refused(struct peer *p, void *status) {
	const char *(*text)(void *) = p->ort[ORT_GET_ERROR_MESSAGE];
	if (status)
		snprintf(message, sizeof message, "onnxruntime: %s", text(status));
	return status != NULL;
}

static int open_onnxruntime(struct peer *p, const char *library, const char *model) {
	struct base {
		void **(*api)(uint32_t);
	} *(*get)(void) = symbol(library, "OrtGetApiBase");
	if (!get || !(p->ort = get()->api(1)))
		return 1;
	void *(*env)(int, const char *, void **) = p->ort[ORT_CREATE_ENV];
	void *(*options)(void **) = p->ort[ORT_CREATE_SESSION_OPTIONS];
	void *(*intra)(void *, int) = p->ort[ORT_SET_INTRA_OP_THREADS];
	void *(*inter)(void *, int) = p->ort[ORT_SET_INTER_OP_THREADS];
	void *(*session)(void *, const char *, void *, void **) = p->ort[ORT_CREATE_SESSION];
	void *(*memory)(int, int, void **) = p->ort[ORT_CREATE_CPU_MEMORY_INFO];
	void *(*tensor)(void *, void *, size_t, const int64_t *, size_t, int, void **) = p->ort[ORT_CREATE_TENSOR_WITH_DATA];
	enum { log_errors = 3, arena = 1, ordinary = 0, float32 = 1 };
	void *e, *o, *m;
	int64_t shape_in[] = {1, p->features}, shape_out[] = {1, 1};
	if (!(p->x = calloc(p->features, sizeof *p->x)))
		return 1;
	p->score = score_onnxruntime;
	return refused(p, env(log_errors, "peers", &e)) || refused(p, options(&o)) || refused(p, intra(o, 1)) ||
	       refused(p, inter(o, 1)) || refused(p, session(e, model, o, &p->session)) ||
	       refused(p, memory(arena, ordinary, &m)) ||
	       refused(p, tensor(m, p->x, p->features * sizeof *p->x, shape_in, 2, float32, &p->in)) ||
	       refused(p, tensor(m, &p->raw, sizeof p->raw, shape_out, 2, float32, &p->out));
}

// peers_open returns a peer for these rows, which it keeps, or NULL and peers_error says why.
struct peer *peers_open(const char *kind, const char *library, const char *model, const float *x, int rows, int features) {
	struct peer *p = calloc(1, sizeof *p);
	size_t n = (size_t)rows * features;
	snprintf(message, sizeof message, "there is no such peer, or no memory");
	if (!p || !(p->wide = calloc(n, sizeof *p->wide)))
		return NULL;
	p->features = features;
	p->narrow = x;
	for (size_t i = 0; i < n; i++)
		p->wide[i] = x[i];
	int failed = 1;
	if (!strcmp(kind, "lightgbm"))
		failed = open_lightgbm(p, library, model);
	else if (!strcmp(kind, "lleaves"))
		failed = open_lleaves(p, library);
	else if (!strcmp(kind, "tl2cgen"))
		failed = open_tl2cgen(p, library, rows);
	else if (!strcmp(kind, "onnxruntime"))
		failed = open_onnxruntime(p, library, model);
	return failed ? NULL : p;
}

static int64_t now(void) {
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

// peers_run scores n rows from the first on, one call a row, and returns the nanoseconds.
int64_t peers_run(struct peer *p, int64_t first, int64_t n, double *out) {
	int64_t start = now();
	for (int64_t i = 0; i < n; i++)
		p->score(p, first + i, out + i);
	return now() - start;
}

// peers_cold scores one row after it has rewritten the memory given, and returns the nanoseconds of the call.
int64_t peers_cold(struct peer *p, int64_t row, uint64_t *memory, int64_t words, double *out) {
	for (int64_t i = 0; i < words; i++)
		memory[i]++;
	__asm__ volatile("" ::: "memory");
	return peers_run(p, row, 1, out);
}
