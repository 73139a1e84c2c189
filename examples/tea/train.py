"""Trains the example's model: `python3 examples/tea/train.py` (catboost 1.2.10, seeded; a second).

Which tea somebody takes depends on the hour, on the temperature outside, and on weekday and weather together: a model of
three classes with combinations of categories.
"""

import random
from pathlib import Path

from catboost import CatBoostClassifier

WEEKDAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
WEATHERS = ["sun", "rain", "snow", "fog"]


def tea(rng, hour, temperature, weekday, weather):
    if (WEEKDAYS.index(weekday) + WEATHERS.index(weather)) % 3 == 0 or rng.random() < 0.05:
        return "herbal"
    return "black" if hour < 12 and temperature < 15 else "green"


rng = random.Random(1)
rows = [
    [rng.randrange(6, 23), rng.gauss(10, 10), rng.choice(WEEKDAYS), rng.choice(WEATHERS)] for _ in range(3000)
]
model = CatBoostClassifier(
    iterations=40, depth=4, loss_function="MultiClass", one_hot_max_size=2, max_ctr_complexity=2, random_seed=1,
    thread_count=1, allow_writing_files=False, verbose=False,
)
model.fit(rows, [tea(rng, *row) for row in rows], cat_features=[2, 3])
model.set_feature_names(["hour", "temperature", "weekday", "weather"])
model.save_model(str(Path(__file__).with_name("tea.cbm")))
for row in [[8, 3.5, "Tuesday", "rain"], [16, 21.0, "Tuesday", "rain"], [16, 21.0, "Monday", "sun"]]:
    print(row, model.predict([row])[0][0])
    for kind in ["RawFormulaVal", "Probability"]:
        print("   ", model.predict([row], prediction_type=kind)[0].tolist())
