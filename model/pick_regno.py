"""pick_regno's features, in plain Python: the reference that fixtures are made with.

A request (a dict of ten fields) becomes the model's 41 inputs. The Rust in `src/` does the same, and is tested against
what CatBoost's own package answers for these.
"""

import datetime
import math
import re

LETTERS = "0123456789DАВЕКМНОРСТУХ"
NUMBER_WORDS_MISSING = {
    "", "-", "NA", "na", "Na", "#NA", "N/A", "n/a", "#N/A", "#N/A N/A", "nan", "NaN", "NAN", "-nan", "-NaN",
    "null", "NULL", "Null", "none", "None", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
}
TEMPLATES = [
    (r"L\d{3}LL\d{2,3}", "private car"),
    (r"LL\d{5,6}", " lk_taxi_r_pricep"),
    (r"LL\d{6,7}", "lk_pricep_r_transit"),
    (r"\d{4}LL\d{2,3}", "lk_moto_tract"),
    (r"L\d{4}LL", "some"),
    (r"LL\d{3}L\d{2,3}", "lk_transit"),
    (r"[TТ]LL\d{5,6}", "lk_export"),
    (r"L\d{6,7}", "lk_mvd_avto"),
    (r"\d{4}L\d{2,3}", "lk_mvd_moto"),
    (r"\d{3}L\d{2,3}", "lk_mvd_pricep"),
    (r"\d{3}(?:CD|СD|D|T|Т)\d{3,6}", "lk_diplomat"),
]
SHAPES = [(re.compile(shape.replace("L", "[А-Я]")), name) for shape, name in TEMPLATES]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
MONTHS = [
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
]
TIME = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})(?:[T ](\d{2})(?::?(\d{2})(?::?(\d{2})(?:[.,]\d+)?)?)?\s*(?:Z|[+-]\d{2}(?::?\d{2})?)?)?"
)


def number(value):
    """A number that may be a string, or missing."""
    if value is None or value in NUMBER_WORDS_MISSING:
        return math.nan
    return float(value)


def scores(text):
    """A list of numbers from its text."""
    return [0.0] if text == "[]" else [float(piece) for piece in text[1:-1].split(",")]


def extreme(pick, values):
    """The greatest or least, NaN if any is NaN."""
    return math.nan if any(map(math.isnan, values)) else pick(values)


def template(plate):
    """The shape of a plate."""
    return next((name for shape, name in SHAPES if shape.fullmatch(plate)), "unknown")


def features(request, names):
    """The model's inputs, in the order of `names`."""
    values = derived(request)
    return [values[name] for name in names]


def derived(request):
    """All inputs that there are, by name."""
    nn, camera = request["afts_regno_ai"], request["regno_recognize"]
    char_scores = scores(request["afts_regno_ai_char_scores"])
    length_scores = scores(request["afts_regno_ai_length_scores"])
    year, month, day, hour = (int(part or 0) for part in TIME.fullmatch(request["time_check"].strip()).groups()[:4])
    values = {
        "afts_regno_ai_score": number(request["afts_regno_ai_score"]),
        "direction": number(request["direction"]),
        "recognition_accuracy": number(request["recognition_accuracy"]),
        "max_sym_score": extreme(max, char_scores),
        "min_sym_score": extreme(min, char_scores),
        "max_len_score": extreme(max, length_scores),
        "ai_len": float(len(nn)),
        "cam_len": float(len(camera)),
        "foreign_sym": math.nan,
        "hour": float(hour),
        "camera_type": str(request["camera_type"]),
        "camera_class": str(request["camera_class"]),
        "weekday": DAYS[datetime.date(year, month, day).weekday()],
        "month": MONTHS[month - 1],
        "regno_template": template(camera),
        "regno_template_ai": template(nn),
        "afts_regno_ai_text": " ".join(nn),
        "regno_recognize_text": " ".join(camera),
    }
    values.update(dict.fromkeys(LETTERS, 1.0))
    for letter, score in sorted(zip(nn, char_scores), key=lambda pair: pair[1], reverse=True):
        if letter in LETTERS:
            values[letter] = score
    return values
