"""A pipeline trained here and served by ONNX Runtime.

The script trains a vectorizer and a network on generated reviews, converts both to one ONNX file
and lets ONNX Runtime label new texts with it, as a server does that has neither crnn nor
scikit-learn.
It needs the extra ``interop`` and onnxruntime.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from sklearn.pipeline import make_pipeline

from crnn import SimpleRNNClassifier
from crnn.datasets import make_reviews
from crnn.interop import register_skl2onnx
from crnn.preprocessing import SequenceVectorizer

LABELS = np.array(["negative", "positive"])


def train(n_texts):
    """A pipeline fitted on texts; its own lower-casing, which ONNX does not have, is off."""
    texts, y = make_reviews(n_texts, random_state=0)
    pipeline = make_pipeline(
        SequenceVectorizer(maxlen=60, lowercase=False), SimpleRNNClassifier(random_state=0)
    )
    return pipeline.fit([text.lower() for text in texts], LABELS[y])


def convert(pipeline, path):
    """Write the pipeline to a file."""
    from skl2onnx import convert_sklearn
    from skl2onnx.common.data_types import StringTensorType

    register_skl2onnx()
    model = convert_sklearn(
        pipeline,
        initial_types=[("text", StringTensorType([None]))],
        options={id(pipeline): {"zipmap": False}},
        target_opset=17,
    )
    path.write_bytes(model.SerializeToString())


def serve(path, texts):
    """Labels and probabilities of texts, from the file alone."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    lowered = np.array([text.lower() for text in texts], dtype=object)
    return session.run(["label", "probabilities"], {"text": lowered})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2000, help="to train on, default 2000")
    parser.add_argument("--output-dir", type=Path, help="where to keep the file, default nowhere")
    args = parser.parse_args()

    pipeline = train(args.texts)
    texts, y = make_reviews(1000, random_state=1)
    with tempfile.TemporaryDirectory() as folder:
        path = (args.output_dir or Path(folder)) / "reviews.onnx"
        path.parent.mkdir(parents=True, exist_ok=True)
        convert(pipeline, path)
        label, probabilities = serve(path, texts)
        print(f"{path.name}: {path.stat().st_size / 2**10:.0f} KB")
    ours = pipeline.predict_proba([text.lower() for text in texts])
    print(f"largest difference of a probability: {np.abs(probabilities - ours).max():.1e}")
    accuracy = (label == LABELS[y]).mean()
    print(f"accuracy on 1,000 new texts: {accuracy:.3f}")
    print(f"{label[0]} ({probabilities[0].max():.2f}): {texts[0]}")


if __name__ == "__main__":
    main()
