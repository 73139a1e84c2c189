"""Makes up readings of licence plates: what a camera read, what the network read, and which of them was right.

Everything is invented from a seed. A plate has a true text; the camera and the network each misread some of its
characters, the network with scores that know a little of how sure it should be. The label says whether the network's
reading is the one to keep.
"""

import random
from datetime import datetime, timedelta

LETTERS = "АВЕКМНОРСТУХ"
TEMPLATES = {
    "L999LL99": 28, "L999LL999": 40, "LL99999": 2, "LL999999": 3, "LL9999999": 1, "9999LL99": 3, "9999LL999": 2,
    "L9999LL": 2, "LL999L99": 2, "ТLL99999": 1, "TLL999999": 1, "L999999": 2, "L9999999": 1, "9999L99": 1,
    "9999L999": 1, "999L99": 1, "999CD999": 1, "999D9999": 1, "999Т99999": 1,
}
CAMERA_TYPES = {"Стационарная": 70, "Передвижная": 25, "Мобильная": 5}
CAMERA_CLASSES = {
    "Астра-Трафик": 30, "Стрелка-Плюс": 25, "Кречет-СМ": 12, "Скат-П": 10, "Автоураган-ВСМ2": 8, "Кордон-М": 7,
    "Лобачевский": 4, "Интегра-КДД": 3, "Одиссей": 1,
}
LOOKALIKES = {
    "0": "ОD8", "О": "0С", "8": "В36", "В": "8Р", "1": "7Т", "7": "1Т", "6": "58", "5": "6", "3": "89", "9": "03",
    "С": "О0", "М": "НМ", "Н": "МК", "К": "ХН", "Х": "К", "Р": "В", "А": "4", "4": "А", "Т": "71", "Е": "В", "У": "Х",
    "2": "7", "D": "0",
}
FIELDS = [
    "regno_recognize", "afts_regno_ai", "recognition_accuracy", "afts_regno_ai_score", "afts_regno_ai_char_scores",
    "afts_regno_ai_length_scores", "camera_type", "camera_class", "time_check", "direction",
]


def pick(rng, weights):
    return rng.choices(list(weights), list(weights.values()))[0]


def plate(rng, template=None):
    """A true plate."""
    template = template or pick(rng, TEMPLATES)
    return "".join({"L": rng.choice(LETTERS), "9": rng.choice("0123456789")}.get(place, place) for place in template)


def misread(rng, text, rate):
    """A reading of a plate: each character may be taken for one that looks like it, the last one may be lost."""
    reading, wrong = [], []
    for letter in text:
        miss = rng.random() < rate * (3 if letter in "0ОВ8" else 1)
        reading.append(rng.choice(LOOKALIKES.get(letter, LETTERS)) if miss else letter)
        wrong.append(miss)
    if rng.random() < rate / 2 and len(reading) > 6:
        reading.pop(), wrong.pop()
    return "".join(reading), wrong


def score(rng, wrong):
    """The network's score of one character: near 1 if it is right, spread out if not."""
    if wrong:
        return rng.betavariate(2, 2)
    return 1 - rng.expovariate(1) * 10 ** rng.uniform(-7, -1.5)


def row(rng):
    """A request, and whether the network's reading is the one to keep."""
    true = plate(rng)
    camera_class = pick(rng, CAMERA_CLASSES)
    camera_rate = 0.02 + 0.02 * (camera_class in ("Кордон-М", "Одиссей", "Скат-П"))
    time = datetime(2021, 6, 1) + timedelta(seconds=rng.randrange(150 * 86400))
    night = time.hour < 6 or time.hour > 21
    camera, _ = misread(rng, true, camera_rate * (2 if night else 1))
    network, wrong = misread(rng, true, 0.02 * (1.5 if night else 1))
    char_scores = [max(0.0, score(rng, miss)) for miss in wrong]
    certain = rng.random() < 0.95
    length_scores = [rng.random() * 1e-9 if certain else rng.random() * 0.2 for _ in range(11)]
    length_scores[min(len(network), 10)] = 1 - sum(length_scores) / 11
    nn_score = min(char_scores) * rng.uniform(0.9, 1.0)
    accuracy = round(min(100.0, max(0.0, rng.gauss(88 if camera == true else 55, 18))), rng.choice([0, 1, 6]))
    request = {
        "regno_recognize": camera,
        "afts_regno_ai": network,
        "recognition_accuracy": accuracy,
        "afts_regno_ai_score": nn_score,
        "afts_regno_ai_char_scores": str(char_scores),
        "afts_regno_ai_length_scores": str(length_scores),
        "camera_type": pick(rng, CAMERA_TYPES),
        "camera_class": camera_class,
        "time_check": str(time),
        "direction": rng.choice([0, 0, 0, 1, 1, 2]),
    }
    keep = network == true if (network == true) != (camera == true) else rng.random() < 0.3 + 0.4 * nn_score
    return request, int(keep)


def rows(seed, count):
    """`count` requests and their labels."""
    rng = random.Random(seed)
    return [row(rng) for _ in range(count)]
