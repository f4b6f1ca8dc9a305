"""Grows the model of `wary train` from Python: the same rows, the same parameters, the same trees.

    wary train --export rows.parquet             # the rows; add --out FOLDER to grow the model of Go beside
    python scripts/train.py rows.parquet model.txt

Needs lightgbm 4.7.0 and pyarrow; scripts/train-python.sh makes an environment with both. What is written is the
text of a LightGBM model; docs/training.md says how it becomes a model that the daemon loads.
"""

import sys

import lightgbm
import numpy
import pyarrow.parquet

OTHERS = ["label", "weight", "slice", "time"]  # the columns after the features


def read(path, wanted):
    """Returns names, rows (float32, NaN = missing), labels and weights of each wanted slice, and the file's notes."""
    file = pyarrow.parquet.ParquetFile(path)
    notes = {key.decode(): value.decode() for key, value in file.metadata.metadata.items()}
    names = [name for name in file.schema_arrow.names if name not in OTHERS]
    parts = {slice: [] for slice in wanted}
    for group in range(file.num_row_groups):  # one at a time, so that Arrow's copy stays small
        table = file.read_row_group(group)
        x = numpy.empty((table.num_rows, len(names)), dtype=numpy.float32)
        for i, name in enumerate(names):
            x[:, i] = table[name].to_numpy()
        label, weight = table["label"].to_numpy(), table["weight"].to_numpy()
        slices = table["slice"].to_numpy(zero_copy_only=False)
        for slice in wanted:
            rows = slices == slice
            parts[slice].append((x[rows], label[rows], weight[rows]))
    joined = {slice: tuple(numpy.concatenate(columns) for columns in zip(*part)) for slice, part in parts.items()}
    return names, joined, notes


def main(table, out):
    names, rows, notes = read(table, ["training", "stopping"])
    params = dict(item.split("=", 1) for item in notes["wary.parameters"].split())
    x, label, weight = rows["training"]
    train = lightgbm.Dataset(x, label, weight=weight, feature_name=names, params=params)
    later_x, later_label, later_weight = rows["stopping"]
    later = lightgbm.Dataset(later_x, later_label, weight=later_weight, reference=train, params=params)

    callbacks = []
    if int(notes["wary.early_stopping"]) > 0:
        callbacks.append(lightgbm.early_stopping(int(notes["wary.early_stopping"]), verbose=False))
    losses = {}
    callbacks.append(lightgbm.record_evaluation(losses))
    booster = lightgbm.train(params, train, int(notes["wary.trees"]), valid_sets=[later], valid_names=["later"], callbacks=callbacks)

    # As many trees as had the smallest loss on the later slice, grown from all rows.
    best = 1 + int(numpy.argmin(losses["later"]["binary_logloss"]))
    together = [numpy.concatenate(both) for both in ((x, later_x), (label, later_label), (weight, later_weight))]
    rows = lightgbm.Dataset(together[0], together[1], weight=together[2], feature_name=names, params=params)
    lightgbm.train(params, rows, best).save_model(out)
    print(f"{out}: {best} trees of {booster.current_iteration()}, {len(names)} features, {len(together[1])} rows")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
