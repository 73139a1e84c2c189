-- What `pick-regno serve --record` writes and `pick-regno-connect ship --clickhouse` brings: docs/records.md has the fields.
--
-- Personal data: `request` (with --record-plates plain) and `plates` (hmac) are dropped after 30 days, the row after a year. Change that here.

CREATE DATABASE IF NOT EXISTS pick_regno ENGINE = Atomic;

CREATE TABLE IF NOT EXISTS pick_regno.answers
(
    time DateTime64(6, 'UTC') CODEC(Delta, ZSTD),
    instance LowCardinality(String),
    seq UInt64 CODEC(Delta, ZSTD),
    request_id String,
    row UInt32,
    model LowCardinality(String),
    inputs Tuple(
        `afts_regno_ai_score` Nullable(Float32), `direction` Nullable(Float32), `recognition_accuracy` Nullable(Float32), `max_sym_score`
        Nullable(Float32), `min_sym_score` Nullable(Float32), `max_len_score` Nullable(Float32), `ai_len` Nullable(Float32), `cam_len`
        Nullable(Float32), `f_0` Nullable(Float32), `f_1` Nullable(Float32), `f_2` Nullable(Float32), `f_3` Nullable(Float32), `f_4`
        Nullable(Float32), `f_5` Nullable(Float32), `f_6` Nullable(Float32), `f_7` Nullable(Float32), `f_8` Nullable(Float32), `f_9`
        Nullable(Float32), `D` Nullable(Float32), `А` Nullable(Float32), `В` Nullable(Float32), `Е` Nullable(Float32), `К`
        Nullable(Float32), `М` Nullable(Float32), `Н` Nullable(Float32), `О` Nullable(Float32), `Р` Nullable(Float32), `С`
        Nullable(Float32), `Т` Nullable(Float32), `У` Nullable(Float32), `Х` Nullable(Float32), `foreign_sym` Nullable(Float32), `hour`
        Nullable(Float32), camera_type LowCardinality(String), camera_class LowCardinality(String), weekday LowCardinality(String), month
        LowCardinality(String), regno_template LowCardinality(String), regno_template_ai LowCardinality(String)
    ),
    plates Tuple(regno_recognize String, afts_regno_ai String) TTL toDateTime(time) + INTERVAL 30 DAY,
    request String TTL toDateTime(time) + INTERVAL 30 DAY,
    -- The lists of scores, which a request has as texts or as arrays; empty without a request.
    char_scores Array(Float64) DEFAULT if(JSONType(request, 'afts_regno_ai_char_scores') = 'String',
        JSONExtract(JSONExtractString(request, 'afts_regno_ai_char_scores'), 'Array(Float64)'),
        JSONExtract(request, 'afts_regno_ai_char_scores', 'Array(Float64)')),
    length_scores Array(Float64) DEFAULT if(JSONType(request, 'afts_regno_ai_length_scores') = 'String',
        JSONExtract(JSONExtractString(request, 'afts_regno_ai_length_scores'), 'Array(Float64)'),
        JSONExtract(request, 'afts_regno_ai_length_scores', 'Array(Float64)')),
    raw Float64,
    negative Float64,
    positive Float64
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(time)
ORDER BY (toStartOfHour(time), instance, seq)
TTL toDateTime(time) + INTERVAL 1 YEAR
-- A segment that is sent again, because its confirmation was lost, is known by its token. On replicated tables the setting is
-- replicated_deduplication_window.
SETTINGS non_replicated_deduplication_window = 10000;

-- What was true in the end, where somebody looked: one row for each row of a request.
CREATE TABLE IF NOT EXISTS pick_regno.truth
(
    request_id String,
    row UInt32 DEFAULT 0,
    network_is_right Bool,
    looked_at DateTime DEFAULT now()
)
ENGINE = ReplacingMergeTree(looked_at)
ORDER BY (request_id, row)
TTL looked_at + INTERVAL 1 YEAR;

-- The categorical values of the training data; `README.md` says how it is filled.
CREATE TABLE IF NOT EXISTS pick_regno.known_values
(
    feature LowCardinality(String),
    value String
)
ENGINE = ReplacingMergeTree
ORDER BY (feature, value);

-- How the scores of an hour are distributed, by camera: compare with the same hour of another day.
CREATE OR REPLACE VIEW pick_regno.scores_by_hour_and_camera AS
SELECT
    toStartOfHour(time) AS hour,
    model,
    inputs.camera_type AS camera_type,
    inputs.camera_class AS camera_class,
    count() AS rows,
    avg(positive) AS mean,
    quantilesExact(0.1, 0.5, 0.9)(positive) AS deciles,
    countResample(0, 10, 1)(toUInt8(least(floor(positive * 10), 9))) AS histogram
FROM pick_regno.answers
GROUP BY hour, model, camera_type, camera_class;

-- Values of cameras that the training data did not have.
CREATE OR REPLACE VIEW pick_regno.unseen_values AS
SELECT feature, value, count() AS rows, min(time) AS first, max(time) AS last
FROM
(
    SELECT time, pair.1 AS feature, pair.2 AS value
    FROM pick_regno.answers
    ARRAY JOIN [('camera_type', toString(inputs.camera_type)), ('camera_class', toString(inputs.camera_class))] AS pair
)
WHERE (feature, value) NOT IN (SELECT feature, value FROM pick_regno.known_values)
GROUP BY feature, value;

-- Answers for which the truth is known.
CREATE OR REPLACE VIEW pick_regno.answers_with_truth AS
SELECT answers.*, truth.network_is_right AS network_is_right
FROM pick_regno.answers AS answers
INNER JOIN pick_regno.truth AS truth FINAL ON answers.request_id = truth.request_id AND answers.row = truth.row;

-- Of the answers of about one probability, how many were right: equal columns are a calibrated model.
CREATE OR REPLACE VIEW pick_regno.calibration AS
SELECT model, least(floor(positive * 10), 9) / 10 AS from, count() AS rows, avg(positive) AS said, avg(network_is_right) AS was
FROM pick_regno.answers_with_truth
GROUP BY model, from;

-- Rows that were answered and are not here, by their holes in `seq`. What is on its way counts too, until it has arrived; what was lost after an
-- instance's last row is known to the service alone: pick_regno_record_rows_lost_total.
CREATE OR REPLACE VIEW pick_regno.lost AS
SELECT instance, count() AS rows, uniqExact(seq) AS distinct_rows, max(seq) + 1 AS given, given - distinct_rows AS lost, max(time) AS last
FROM pick_regno.answers
GROUP BY instance;
