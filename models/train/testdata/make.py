# Prints the expected values of judge_test.go and calibrate_test.go, computed by scikit-learn 1.9.1 and SciPy 1.17.1.
import numpy as np
from scipy.optimize import minimize
from sklearn.calibration import _sigmoid_calibration
from sklearn.isotonic import IsotonicRegression
from sklearn.metrics import log_loss, roc_auc_score

raw = np.array([-2.5, -2, -1.5, -1.5, -1, -0.5, -0.5, 0, 0, 0.5, 1, 1, 1.5, 2, 2.5, 3])
y = np.array([0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 1, 0, 1])
w = np.array([1, 2, 0.5, 1, 3, 1, 1.5, 1, 1, 2, 1, 0.25, 1, 4, 1, 1])
p = 1 / (1 + np.exp(-raw))

print("auc", repr(roc_auc_score(y, raw)), repr(roc_auc_score(y, raw, sample_weight=w)))
print("log loss", repr(log_loss(y, p)), repr(log_loss(y, p, sample_weight=w)))
print("platt by scikit-learn", -np.array(_sigmoid_calibration(raw, y)))


def platt(w):
    pos, neg = w[y == 1].sum(), w[y == 0].sum()
    t = np.where(y == 1, (pos + 1) / (pos + 2), 1 / (neg + 2))
    loss = lambda v: np.sum(w * (np.logaddexp(0, v[0] * raw + v[1]) - t * (v[0] * raw + v[1])))
    return minimize(loss, [0, 0], method="Nelder-Mead", options={"xatol": 1e-10, "fatol": 1e-14, "maxiter": 10000}).x


print("platt by simplex", platt(np.ones(16)), platt(w))
for weights in (None, w):
    iso = IsotonicRegression(out_of_bounds="clip").fit(raw, y, weights)
    print("isotonic", [float(v) for v in iso.predict(np.array([-9, -2.5, -1.75, -1, -0.5, 0, 0.25, 1, 1.2, 2, 2.6, 3, 9]))])
