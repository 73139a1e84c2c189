"""Trains the model that is built in by default, with CatBoost's Python package:
`python3 model/train.py [SEED [FILE]]`.

Writes `model/model.cbm`; `cbm to-json` turns it into the `model.json` that is kept (CatBoost itself cannot: the model
has text features). The parameters are those of a model in production; the data is made up (`make_data.py`).
"""

import sys
from pathlib import Path

import catboost
import make_data
import pick_regno

SEED = 20211117
ROWS = 40_000
# The model's inputs, in its own order: 33 numbers, 6 categories, 2 texts.
FEATURES = [
    "afts_regno_ai_score", "direction", "recognition_accuracy", "max_sym_score", "min_sym_score", "max_len_score",
    "ai_len", "cam_len", "1", "8", "7", "9", "5", "В", "Р", "М", "0", "2", "4", "О", "6", "А", "Х", "3", "К", "Е", "D",
    "С", "Н", "Т", "У", "foreign_sym", "hour", "camera_type", "camera_class", "weekday", "month", "regno_template",
    "regno_template_ai", "afts_regno_ai_text", "regno_recognize_text",
]
CATEGORIES = ["camera_type", "camera_class", "weekday", "month", "regno_template", "regno_template_ai"]
TEXTS = ["afts_regno_ai_text", "regno_recognize_text"]


def pool(requests, labels=None):
    rows = [pick_regno.features(request, FEATURES) for request in requests]
    return catboost.Pool(rows, labels, cat_features=CATEGORIES, text_features=TEXTS, feature_names=FEATURES)


def main():
    seed = int(sys.argv[1]) if len(sys.argv) > 1 else SEED
    file = sys.argv[2] if len(sys.argv) > 2 else Path(__file__).with_name("model.cbm")
    data = make_data.rows(seed, ROWS)
    model = catboost.CatBoostClassifier(
        iterations=87, depth=10, learning_rate=0.1878776699, max_ctr_complexity=1, one_hot_max_size=3,
        random_seed=seed, thread_count=1, allow_writing_files=False, verbose=20,
    )
    model.fit(pool([request for request, _ in data], [label for _, label in data]))
    model.save_model(str(file))


if __name__ == "__main__":
    main()
