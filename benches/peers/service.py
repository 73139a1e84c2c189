"""The service that most would write: Flask, CatBoost's Python package, the model loaded once.

    MODEL=model.cbm gunicorn --workers 4 service:app
"""

import os
import sys
from pathlib import Path

import catboost
from flask import Flask, jsonify, request

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "model"))
import pick_regno  # noqa: E402

app = Flask(__name__)
model = catboost.CatBoostClassifier().load_model(os.environ["MODEL"])


@app.get("/")
def alive():
    return jsonify(body="ok", status="ok")


@app.post("/reg/")
def answer():
    if request.headers.get("x-api-key") != "123321":
        return jsonify(body="Unauthorized", status="fail"), 401
    features = pick_regno.features(request.get_json(), model.feature_names_)
    negative, positive = model.predict_proba(features)
    return jsonify(body={"negative": negative, "positive": positive}, status="ok")
