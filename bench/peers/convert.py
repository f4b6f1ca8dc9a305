"""Turns a LightGBM text model into what each peer runs: convert.py PEER MODEL.txt OUT

lleaves       an object file with forest_root, raw scores
tl2cgen       a folder of C source with predict
tl2cgen-q     the same with quantized thresholds
onnxruntime   a model whose one input is x (1 row of float32) and whose one output is raw
"""

import pathlib
import sys


def lleaves(text, out):
    import lleaves

    # lleaves reads the line that LightGBM's Python package would have written last.
    source = out.with_suffix(".txt")
    source.write_text(text + "\npandas_categorical:null\n")
    lleaves.Model(model_file=str(source)).compile(cache=str(out), raw_score=True)


def tl2cgen(text, out, **params):
    import tl2cgen
    import treelite

    source = out.with_suffix(".txt")
    source.write_text(text)
    model = treelite.frontend.load_lightgbm_model(str(source))
    # Eight files, so that the compiler ends within minutes.
    tl2cgen.generate_c_code(model, dirpath=str(out), params={"parallel_comp": 8, **params})


def onnxruntime(text, out):
    import lightgbm
    import onnx
    import onnxmltools
    from onnxmltools.convert.common.data_types import FloatTensorType

    # As a regression, so that the output is the raw score; then nothing but the trees is kept.
    raw = text.replace("objective=binary sigmoid:1", "objective=regression", 1)
    if raw == text:
        raise ValueError("the model's objective is not 'binary sigmoid:1'")
    booster = lightgbm.Booster(model_str=raw)
    width = booster.num_feature()
    model = onnxmltools.convert_lightgbm(booster, initial_types=[("x", FloatTensorType([1, width]))], target_opset=15)
    (trees,) = [n for n in model.graph.node if n.op_type == "TreeEnsembleRegressor"]
    trees.input[0], trees.output[0] = "x", "raw"
    output = onnx.helper.make_tensor_value_info("raw", onnx.TensorProto.FLOAT, [1, 1])
    graph = onnx.helper.make_graph([trees], "trees", [model.graph.input[0]], [output])
    del model.graph.node[:]
    model.graph.CopyFrom(graph)
    onnx.save(model, str(out))


PEERS = {
    "lleaves": lleaves,
    "tl2cgen": tl2cgen,
    "tl2cgen-q": lambda text, out: tl2cgen(text, out, quantize=1),
    "onnxruntime": onnxruntime,
}

if __name__ == "__main__":
    peer, model, out = sys.argv[1:]
    PEERS[peer](pathlib.Path(model).read_text(), pathlib.Path(out))
