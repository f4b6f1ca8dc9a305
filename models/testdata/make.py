# Makes the fixtures of this folder: two small models trained by LightGBM, rows at
# the edges of their thresholds, and LightGBM's own raw scores for these rows.
#   python -m venv v && v/bin/pip install lightgbm==4.7.0 && v/bin/python make.py
import json

import lightgbm as lgb
import numpy as np

FEATURES, TRAIN, ROWS = 10, 4000, 1024

for name, extra in (("nan", {"sigmoid": 0.7}), ("zero", {"zero_as_missing": True})):
    r = np.random.default_rng(7)
    x = r.normal(size=(TRAIN, FEATURES)).astype(np.float32)
    x[:, 3] = np.floor(np.exp(x[:, 3] + 1))
    x[:, 4] = x[:, 4] > 0.5
    for f in (0, 3, 4, 7):
        x[r.random(TRAIN) < 0.2, f] = 0 if name == "zero" else np.nan
    z = np.nan_to_num(x, nan=1.5)
    y = z[:, 0] + z[:, 1] * z[:, 2] + 0.3 * z[:, 3] * (z[:, 5] > 0) - 2 * z[:, 4] + z[:, 7] + r.normal(size=TRAIN) > 1
    p = {"objective": "binary", "num_leaves": 9, "learning_rate": 0.2, "min_data_in_leaf": 10, "num_threads": 1,
         "deterministic": True, "seed": 1, "verbosity": -1, **extra}
    b = lgb.train(p, lgb.Dataset(x, y.astype(int)), num_boost_round=24)
    b.save_model(name + ".txt")

    edges = [[] for _ in range(FEATURES)]
    for line in open(name + ".txt"):
        if line.startswith("split_feature="):
            split = [int(s) for s in line.split("=")[1].split()]
        if line.startswith("threshold="):
            for f, t in zip(split, line.split("=")[1].split()):
                t = np.float32(t)
                edges[f] += [t, np.nextafter(t, np.float32(np.inf)), np.nextafter(t, np.float32(-np.inf))]
    rows = r.normal(size=(ROWS, FEATURES)).astype(np.float32)
    for i in range(ROWS):
        for f in range(FEATURES):
            k = r.random()
            if k < 0.1:
                rows[i, f] = r.choice(np.array([np.nan, np.inf, -np.inf, 0.0, -0.0], dtype=np.float32))
            elif k < 0.5 and edges[f]:
                rows[i, f] = edges[f][r.integers(len(edges[f]))]
    # The C interface turns |x| <= float32(1e-35) into 0 before it walks; the trees' own
    # rule, which is what is tested here, meets the values as they are.
    rows[np.abs(rows) <= np.float32(1e-35)] = 0
    rows.astype("<f4").tofile(name + ".rows.f32")
    b.predict(rows, raw_score=True).astype("<f8").tofile(name + ".raw.f64")
    p = b.predict(rows)
    c = b.predict(rows, pred_contrib=True)
    json.dump({"expected_raw": float(c[0, -1]), "probability": [float(v) for v in p[:64]]}, open(name + ".json", "w"))
